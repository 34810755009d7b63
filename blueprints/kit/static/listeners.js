/** Functions that are called on events. */

export class Listeners {
  #all = new Map(); // type → functions

  /** Call `fn(detail)` on events of *type*. Returns a function that ends it. */
  on(type, fn) {
    this.#all.set(type, new Set(this.#all.get(type)).add(fn));
    return () => this.off(type, fn);
  }

  off(type, fn) {
    this.#all.get(type)?.delete(fn);
  }

  emit(type, detail) {
    for (const fn of [...(this.#all.get(type) ?? [])]) {
      try {
        fn(detail);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error); // of a page's listener
      }
    }
  }
}
