/** The past: other conversations of a visitor, and the older messages of the present one. */

import { bring } from "../kit/past.js";

const EARLIER = 20; // conversations of a visitor shown at once

export class Archive {
  #client;
  #changed;
  #earlier = new Map();

  /** *changed()* is called when something has been fetched. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
  }

  /** Conversations of this visitor: `{sessions, error}`; null while they are fetched. */
  earlier({ conversation, peer: { sub }, state }) {
    if (!sub) return { sessions: [] };
    const key = `${conversation} ${state}`;
    if (!this.#earlier.has(key)) this.#fetch(key, sub);
    return this.#earlier.get(key);
  }

  /** Fetch again what has failed. */
  retry() {
    this.#earlier.clear();
    this.#changed();
  }

  async #fetch(key, sub) {
    this.#earlier.set(key, null);
    try {
      this.#earlier.set(key, await this.#client.sessions({ sub, limit: EARLIER }));
    } catch (error) {
      this.#earlier.set(key, { sessions: [], error: error.message });
    }
    this.#changed();
  }

  /** Fetch the latest messages of a conversation; with *seq*, all back to that one. Throws. */
  bring(conversation, seq = Infinity) {
    return bring(this.#client, conversation, seq);
  }
}
