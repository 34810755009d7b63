/** Conversations that end in a moment, unless that is undone. */

const UNDO = 5000; // ms in which an end can be taken back

export class Endings {
  #end;
  #due = new Map(); // conversation → {at, timer}

  /** *end(conversation)* ends a conversation when its moment has come. */
  constructor(end) {
    this.#end = end;
  }

  /** The moment (ms) at which *conversation* ends; undefined: it does not. */
  at(conversation) {
    return this.#due.get(conversation)?.at;
  }

  begin(conversation) {
    if (this.#due.has(conversation)) return;
    const timer = setTimeout(() => {
      this.#due.delete(conversation);
      this.#end(conversation);
    }, UNDO);
    this.#due.set(conversation, { at: Date.now() + UNDO, timer });
  }

  /** Whether there was something to undo. */
  undo(conversation) {
    clearTimeout(this.#due.get(conversation)?.timer);
    return this.#due.delete(conversation);
  }

  /** Undo all of them. */
  stop() {
    for (const conversation of [...this.#due.keys()]) this.undo(conversation);
  }
}
