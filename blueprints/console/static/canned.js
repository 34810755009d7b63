/** The canned replies that this waiter may use: its own, and those that all share. */

export class Canned {
  /** The replies; null before they are known. */
  replies = null;
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
    this.replies = await this.#api.replies();
    this.#changed();
  }

  /** Store *reply*. Throws `ApiError`, as the methods below do. */
  save(reply) {
    return this.#then(this.#api.saveReply(reply));
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
