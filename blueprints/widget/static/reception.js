/** `Reception` knows of the desk what a visitor may see before it asks: how busy it is, and which waiters are there. */

const LOOK = 30_000; // ms between two looks while somebody may want to ask

export class Reception {
  /** `{ready, length}`: how busy the desk is; null before that is known, false if nobody can say. */
  desk = null;
  /** `{team, reply, questions}` as `/v1/welcome` has them; null without an answer. */
  welcome = null;

  #base;
  #looked;
  #timer = 0;

  /** At the address *base*; *looked()* is called when there is something new. */
  constructor(base, looked) {
    this.#base = base;
    this.#looked = looked;
  }

  /** Look now, and again while *matters()* is true. */
  async look(matters) {
    this.leave();
    this.#timer = setTimeout(() => this.look(matters), LOOK);
    if (!matters()) return;
    const [status, welcome] = await Promise.all([this.#ask("v1/status"), this.#ask("v1/welcome")]);
    this.desk = status && { ready: status.waiters_ready, length: status.queue_length };
    this.welcome = welcome || null;
    this.#looked();
  }

  /** Stop looking. */
  leave() {
    clearTimeout(this.#timer);
  }

  /** false: no answer, or one that is not csapp's. */
  async #ask(path) {
    try {
      const answer = await fetch(this.#base + path);
      return answer.ok && (await answer.json());
    } catch {
      return false;
    }
  }
}
