/** Texts that other parts put into the box of a conversation, and the sentence above the box. */

export class Box {
  /** A sentence; or "". */
  said = "";
  #given = null;
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  /** Put *text* into the box of *conversation*; *apart*: on a line of its own; *choices*: to be offered with it. */
  give(conversation, text, { apart = false, choices } = {}) {
    this.#given = { conversation, text, apart, choices };
    this.#changed();
  }

  /** Take what was put for the box of *conversation*; null: nothing. */
  take(conversation) {
    if (this.#given?.conversation !== conversation) return null;
    const given = this.#given;
    this.#given = null;
    return given;
  }

  /** Show *sentence* above the box; "" shows none. */
  say(sentence) {
    if (this.said === sentence) return;
    this.said = sentence;
    this.#changed();
  }
}
