/** The events of a client; `change` comes once for all that happens at once. */

import { Listeners } from "./listeners.js";

export class Events extends Listeners {
  #isDirty = false;
  #settled;

  /** *settled()* is called before each `change`. */
  constructor(settled) {
    super();
    this.#settled = settled;
  }

  emit(type, detail) {
    super.emit(type, detail);
    if (type !== "change") this.changed();
  }

  /** Something has changed. */
  changed() {
    if (this.#isDirty) return;
    this.#isDirty = true;
    queueMicrotask(() => {
      this.#isDirty = false;
      this.#settled();
      this.emit("change");
    });
  }
}
