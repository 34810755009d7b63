/**
 * `Once`: what a person writes is stored once, however often it presses *Send*. The server may have stored what it
 * has not answered, or answered with `unavailable`, and knows it by its `id`. So a text has one `id` until it is stored.
 */

import { uuid } from "./uuid.js";

export class Once {
  #all = new Map(); // what it is for → {id, text, done}

  /**
   * What `ask(id)` resolves with; *text* is for *what*. While the same text is under way it is not asked once more.
   * *id*: the one under which it was asked on an earlier page.
   */
  ask(what, text, ask, id = uuid()) {
    let one = this.#all.get(what);
    if (one?.text !== text) this.#all.set(what, (one = { id, text }));
    one.done ??= this.#settle(what, one, ask);
    return one.done;
  }

  async #settle(what, one, ask) {
    let isOver = true;
    try {
      return await ask(one.id);
    } catch (error) {
      isOver = error.code === "id_conflict"; // it stands for something else
      throw error;
    } finally {
      one.done = undefined;
      if (isOver && this.#all.get(what) === one) this.#all.delete(what);
    }
  }
}
