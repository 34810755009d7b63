/** `Duty`: whether this waiter takes visitors, and how many at once: the server's word, and what was pressed since. */

export class Duty {
  /** The readiness that was asked for, until the server confirms it; null: none. */
  wished = null;

  #client;
  #changed;
  #usual;
  #isKnown = false;
  #wishedCapacity = null;

  /**
   * Of *client*; *usual*: the capacity of a waiter who asks for no other. *changed()* draws
   * the duty again.
   */
  constructor(client, { usual, changed }) {
    this.#client = client;
    this.#usual = usual;
    this.#changed = changed;
    client.on("duty", () => this.#update());
    client.on("error", () => {
      this.#wishedCapacity = null; // this may be what the server has refused
    });
    client.on("status", ({ state }) => {
      if (state === "ended") this.#isKnown = false; // another window decides now
    });
  }

  /** Whether this waiter takes visitors; null before that is known. */
  get ready() {
    return this.#isKnown ? (this.#client.duty?.ready ?? null) : null;
  }

  /** The desk has set this waiter away, who has not answered in time. */
  get isSetAway() {
    return this.ready === false && this.#client.duty.byDesk === true;
  }

  get capacity() {
    return this.#wishedCapacity ?? this.#client.duty?.capacity ?? this.#usual;
  }

  setReady(ready) {
    this.wished = ready;
    this.#ask(ready);
    this.#changed();
  }

  setCapacity(capacity) {
    this.#wishedCapacity = capacity;
    if (this.#client.me) this.#ask(this.wished ?? this.#client.duty?.ready ?? false);
    this.#changed();
  }

  #ask(ready) {
    const duty = { capacity: this.capacity ?? undefined };
    if (ready) this.#client.ready(duty);
    else this.#client.unready(duty);
  }

  #update() {
    this.#isKnown = true;
    // the answer to an earlier click does not answer the last one
    if (this.#wishedCapacity === this.#client.duty?.capacity) this.#wishedCapacity = null;
    if (this.wished === this.ready) this.wished = null;
  }
}
