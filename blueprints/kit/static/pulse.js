/** `Pulse` finds dead connections: it probes a silent one, and gives it up when no answer comes. */

const OVERDUE = 8000; // ms without any data after a request until the connection is probed …
const QUIET = 60_000; // … and without a request: a browser does not show the server's pings
const STALE = 5000; // … and when the page comes into view again
const PATIENCE = 7000; // ms for the answer to a probe; then the connection is dead
const MOMENT = 2000; // ms that it may be gone or silent before people see that

export class Pulse {
  /** The connection is gone or does not answer for longer than a moment, so that people should see it. */
  lost = false;

  #env;
  #alarms;
  #connection;
  #client;
  #last = 0; // when (ms) the server last sent anything
  #overdue = false; // the server owes an answer, and a timer runs
  #probed = false;
  #doubted; // a timer, which sets `lost`

  /** Of *connection*; *client* has `matters()`, `probe()` and `changed()`, as `Connection` says. */
  constructor({ env, alarms, connection }, client) {
    this.#env = env;
    this.#alarms = alarms;
    this.#connection = connection;
    this.#client = client;
  }

  /** The WebSocket is gone: the server owes nothing any more. */
  drop() {
    this.#overdue = this.#probed = false;
  }

  /** Probe, if nothing has come for *silence* ms. */
  doubt(silence = STALE) {
    const isSilent = this.#env.now() - this.#last >= silence;
    if (this.#connection.isOnline && !this.#probed && isSilent) this.#probe();
  }

  /** The server owes an answer: probe when nothing comes in time. */
  expect() {
    if (this.#overdue || this.#probed || !this.#connection.isOnline) return;
    this.#overdue = true;
    this.#alarms.set("watch", OVERDUE, () => this.#probe());
  }

  /** Something has come. */
  received() {
    this.#last = this.#env.now();
    this.drop();
    if (this.#connection.isOnline) this.trust();
    this.#alarms.set("watch", QUIET, () => this.#client.matters() && this.#probe());
  }

  /** Ask something harmless; without any answer the connection is dead. */
  #probe() {
    this.#probed = true;
    this.distrust();
    this.#alarms.set("watch", PATIENCE, () => this.#connection.abandon("no answer"));
    this.#client.probe();
  }

  /** The connection may be lost: `lost` unless `trust` follows within `MOMENT`. */
  distrust() {
    this.#doubted ??= this.#env.setTimeout(() => {
      this.lost = true;
      this.#client.changed();
    }, MOMENT);
  }

  /** The connection answers, or nobody waits for it any more: it is not `lost`. */
  trust() {
    this.#env.clearTimeout(this.#doubted);
    this.#doubted = undefined;
    this.lost = false;
  }
}
