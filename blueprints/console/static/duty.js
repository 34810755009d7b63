/** Whether this waiter takes visitors, and how many at once: what the server says, and what was pressed since. */

export class Duty {
  /** Readiness asked for, until the server confirms it; null: none. */
  wished = null;

  #client;
  #changed;
  #usual;
  #isKnown = false;
  #wishedCapacity = null;

  /**
   * Of *client*; *usual*: how many the server gives at once to whoever asks for nothing else. *changed()* shows
   * the duty anew.
   */
  constructor(client, { usual, changed }) {
    this.#client = client;
    this.#usual = usual;
    this.#changed = changed;
    client.on("duty", () => this.#heard());
    client.on("error", () => {
      this.#wishedCapacity = null; // it may be what was refused
    });
    client.on("status", ({ state }) => {
      if (state === "ended") this.#isKnown = false; // another window decides now
    });
  }

  /** Whether visitors are taken, or null before that is known. */
  get ready() {
    return this.#isKnown ? (this.#client.duty?.ready ?? null) : null;
  }

  get capacity() {
    return this.#wishedCapacity ?? this.#client.duty?.capacity ?? this.#usual;
  }

  setReady(ready) {
    this.wished = ready;
    this.#tell(ready);
    this.#changed();
  }

  setCapacity(capacity) {
    this.#wishedCapacity = capacity;
    if (this.#client.me) this.#tell(this.wished ?? this.#client.duty?.ready ?? false);
    this.#changed();
  }

  #tell(ready) {
    const duty = { capacity: this.capacity ?? undefined };
    if (ready) this.#client.ready(duty);
    else this.#client.unready(duty);
  }

  #heard() {
    this.#isKnown = true;
    // the answer to an earlier click says nothing of the last one
    if (this.#wishedCapacity === this.#client.duty?.capacity) this.#wishedCapacity = null;
    if (this.wished === this.ready) this.wished = null;
  }
}
