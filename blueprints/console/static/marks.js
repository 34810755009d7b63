/** Where the mark "new" stands in each conversation: at the first message that was unread when it was opened. */

export class Marks {
  #begins = new Map(); // conversation → `seq`

  /** The `seq` above which the mark stands; undefined: there is no mark. */
  of(conversation) {
    return this.#begins.get(conversation);
  }

  /** Set the mark if *chat* has unread messages. */
  set({ conversation, firstUnread }) {
    if (!firstUnread || this.#begins.has(conversation)) return;
    this.#begins.set(conversation, firstUnread.seq);
  }

  /** Remove the mark. */
  remove(conversation) {
    this.#begins.delete(conversation);
  }
}
