/** Where the unread of each chat begins, or began when it was opened: the mark "new" stands there. */

export class Marks {
  #begins = new Map(); // conversation → `seq`

  /** The `seq` above which the mark stands; undefined: there is none. */
  of(conversation) {
    return this.#begins.get(conversation);
  }

  /** Something of *chat* is not read yet, if there is. */
  set({ conversation, firstUnread }) {
    if (!firstUnread || this.#begins.has(conversation)) return;
    this.#begins.set(conversation, firstUnread.seq);
  }

  /** The mark is not needed any more. */
  remove(conversation) {
    this.#begins.delete(conversation);
  }
}
