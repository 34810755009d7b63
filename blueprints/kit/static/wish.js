/** `Wish`: what a participant wants of the desk. `visitor.js` and `waiter.js` say what that is. */

export class Wish {
  /** A visitor: what to `connect` with. A waiter: `{ready, capacity}`. null: nothing. */
  want = null;

  _client;
  #since = 0; // when (ms) this was decided: of several tabs the latest decision counts

  /** Of *client*, a `BaseClient`. */
  constructor(client) {
    this._client = client;
  }

  /** What is stored of it. */
  get state() {
    return { want: this.want, since: this.#since };
  }

  decide(want) {
    this.want = want;
    this.#since = this._client._env.now();
    this._client._events.changed();
  }

  /** Take up what is stored; *isFresh*: it is not of long ago. */
  restore({ want, since }, isFresh) {
    this.#since = since ?? 0;
    if (isFresh) this.want = want ?? null;
  }

  /** Take up what another tab has stored; whether it is newer. */
  follow({ want, since }) {
    if (!(since > this.#since)) return false;
    this.want = want ?? null;
    this.#since = since;
    return true;
  }

  /** The server has refused it: emit the error, and repeat the request if that may help. */
  later(error, again) {
    const { _env: env, _alarms: alarms } = this._client;
    this._client._complain(error);
    if (error.retry_after === undefined) this.want = null;
    else alarms.set("wish", error.retry_after * 1000 * (1 + env.random()), again);
  }
}
