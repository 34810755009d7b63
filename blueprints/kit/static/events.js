/** Who listens to what; `change` comes once for all that happens at once. */

export class Events {
  #listeners = {};
  #isDirty = false;
  #settled;

  /** *settled()* is called before each `change`. */
  constructor(settled) {
    this.#settled = settled;
  }

  /** Call `fn(detail)` on events of *type*. Returns a function that ends it. */
  on(type, fn) {
    (this.#listeners[type] ??= new Set()).add(fn);
    return () => this.off(type, fn);
  }

  off(type, fn) {
    this.#listeners[type]?.delete(fn);
  }

  emit(type, detail) {
    for (const fn of [...(this.#listeners[type] ?? [])]) {
      try {
        fn(detail);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error); // the page's own; it must not stop us
      }
    }
    if (type !== "change") this.changed();
  }

  /** Something is another. */
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
