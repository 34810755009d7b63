/** What goes into the box of a chat from elsewhere, and what is said above it. */

export class Box {
  /** A sentence; or "". */
  said = "";
  #given = null;
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  /** Put *text* into the box of *conversation*; *apart*: on a line of its own. */
  give(conversation, text, { apart = false } = {}) {
    this.#given = { conversation, text, apart };
    this.#changed();
  }

  /** What was given to the box of *conversation*, once; or null. */
  take(conversation) {
    if (this.#given?.conversation !== conversation) return null;
    const given = this.#given;
    this.#given = null;
    return given;
  }

  /** Say *sentence* above the box; "" says it no more. */
  say(sentence) {
    if (this.said === sentence) return;
    this.said = sentence;
    this.#changed();
  }
}
