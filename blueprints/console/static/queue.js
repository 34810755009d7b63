/** The queue as this waiter sees it: how many wait, since when, and who they are. */

import { ask } from "./api.js";
import { now } from "./format.js";

const PAUSE = 1000; // ms between two questions for who waits
const AGAIN = 5000; // ms until it is asked once more: a visitor may have said more, or there was no answer

export class Queue {
  /** How many wait; null before that is known. */
  length = null;
  /** When (ms, by the server's clock) whoever is first has joined; null: nobody has, or it is not known. */
  since = null;
  /**
   * The first of them, as the server says it: `{uuid, sub, name, avatar, question, page, since}`; null where it
   * does not say so.
   */
  visitors = null;
  /** The `uuid` of who is being taken out of turn; "": nobody. */
  taking = "";

  #client;
  #more;
  #changed;
  #timer = 0;
  #later = 0; // a timer, too
  #asked = -Infinity; // when
  #known = true; // the server knows the question

  /** *client* is the waiter's; *more(before, now)*: another length; *changed()* shows the queue anew. */
  constructor(client, { more, changed }) {
    this.#client = client;
    this.#more = more;
    this.#changed = changed;
    client.on("line", (length) => this.#told(length));
  }

  stop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#later);
  }

  /** Nothing is known while there is no connection. */
  forget() {
    this.stop();
    this.#timer = 0;
    this.length = this.since = this.visitors = null;
    this.#known = true;
  }

  /** The server tells of changes only: what they begin with must be asked for. */
  async begin() {
    try {
      const { queue_length: length, longest_wait: longest } = await ask("GET", "v1/status");
      if (this.length === null) this.#told({ length, longest_wait: longest });
    } catch {
      // the next change will tell
    }
  }

  /** Have *uuid* out of turn; its chat follows. Throws a `ChatError`. */
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

  #told({ length, longest_wait: longest }) {
    if (this.length !== null) this.#more(this.length, length);
    this.length = length;
    this.since = length ? now() - longest * 1000 : null;
    this.#refresh();
    this.#changed();
  }

  /** Ask who waits, in a moment if it was asked just now. */
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
      if (code === "stopped") return; // `forget` has done the rest
      this.visitors = null;
      this.#known = code !== "unknown_type"; // until the next connection
    }
    clearTimeout(this.#later);
    if (this.length !== null) this.#later = setTimeout(() => this.#refresh(), AGAIN);
    this.#changed();
  }
}
