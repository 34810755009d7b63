/** Timers by name: a new one takes the place of the one before. */

export class Alarms {
  #env;
  #timers = new Map();

  /** *env* has `setTimeout` and `clearTimeout`. */
  constructor(env) {
    this.#env = env;
  }

  /** Call *fn* after *ms*. Without *ms* the timer is removed. */
  set(name, ms, fn) {
    this.#env.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    if (ms !== undefined) this.#timers.set(name, this.#env.setTimeout(fn, ms));
  }

  clear() {
    for (const timer of this.#timers.values()) this.#env.clearTimeout(timer);
    this.#timers.clear();
  }
}
