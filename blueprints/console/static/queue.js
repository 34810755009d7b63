/** `Queue`: the queues of this waiter's departments: how many visitors wait, since when, and who they are. */

import { now } from "./format.js";

const PAUSE = 1000; // ms between two requests for the visitors who wait
const AGAIN = 5000; // ms until the next request: a visitor may have written more, or there was no answer

export class Queue {
  /** How many visitors wait; null before that is known. */
  length = null;
  /** When (ms, by the server's clock) the first of them has joined; null: none waits, or it is not known. */
  since = null;
  /**
   * The first fifty, as the server sends them: `{uuid, sub, name, avatar, question, page, since}`, and of some
   * `fields` and `department`; null before it has sent them.
   */
  visitors = null;
  /** The `uuid` of the visitor who is being taken out of the queue; "": nobody. */
  taking = "";

  #client;
  #more;
  #changed;
  #timer = 0;
  #later = 0; // a timer for the next request
  #asked = -Infinity; // when (ms) the last request was sent
  #known = true; // the server knows `get_queue`

  /** *client* is the waiter's. *more(before, now)*: the length has changed; *changed()* draws the queue again. */
  constructor(client, { more, changed }) {
    this.#client = client;
    this.#more = more;
    this.#changed = changed;
    client.on("line", (status) => this.#update(status));
  }

  stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#later);
  }

  /** Without a connection nothing is known. */
  forget() {
    this.stop();
    this.#timer = 0;
    this.length = this.since = this.visitors = null;
    this.#known = true;
  }

  /** Take *uuid* out of the queue; the conversation follows. Throws a `ChatError`. */
  async take(uuid) {
    this.taking = uuid;
    this.#changed();
    try {
      await this.#client.take(uuid);
    } finally {
      this.taking = "";
      this.#refresh();
      this.#changed();
    }
  }

  #update({ length, longest_wait: longest }) {
    if (this.length !== null) this.#more(this.length, length);
    this.length = length;
    this.since = length ? now() - longest * 1000 : null;
    this.#refresh();
    this.#changed();
  }

  /** Ask who waits; wait a moment if the last request was just now. */
  #refresh() {
    if (!this.length) this.visitors = this.length === 0 ? [] : null;
    if (!this.length || this.#timer || !this.#known) return;
    const wait = Math.max(0, this.#asked + PAUSE - performance.now());
    this.#timer = setTimeout(() => this.#askWho(), wait);
  }

  async #askWho() {
    clearTimeout(this.#later);
    this.#timer = 0;
    this.#asked = performance.now();
    try {
      const { visitors } = await this.#client.waiting();
      this.visitors = this.length === null ? null : visitors;
    } catch ({ code }) {
      if (code === "stopped") return; // `forget` has cleared everything
      this.visitors = null;
      this.#known = code !== "unknown_type"; // until the next connection
    }
    clearTimeout(this.#later);
    if (this.length !== null) this.#later = setTimeout(() => this.#refresh(), AGAIN);
    this.#changed();
  }
}
