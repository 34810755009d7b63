/** The canned replies that this waiter may use: its own, those that all share, and those of its departments. */

import { now as clock } from "./format.js";

export class Canned {
  /** The replies; null before they are known. */
  replies = null;
  /** The keys of the departments with whose waiters it may share some. */
  departments = [];
  #api;
  #changed;

  /** *api* is a `Desktop`; null: this server has no canned replies. *changed()* draws them again. */
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  /** Fetch them; called again, fetch them again. Throws `ApiError`. */
  async load() {
    if (!this.#api) return;
    Object.assign(this, await this.#api.replies());
    this.#changed();
  }

  /** Store *reply*. Throws `ApiError`, as the methods below do. */
  save(reply) {
    return this.#then(this.#api.saveReply(reply));
  }

  /** Count a use; a count that does not arrive is missed by nobody. */
  use(id) {
    const now = new Date(clock()).toISOString();
    this.replies = this.replies.map((one) => (one.id === id ? { ...one, used: one.used + 1, last_used: now } : one));
    this.#api.useReply(id).catch(() => {});
  }

  remove(id) {
    return this.#then(this.#api.removeReply(id));
  }

  restore(version) {
    return this.#then(this.#api.restoreReply(version));
  }

  async #then(change) {
    await change;
    await this.load();
  }
}
