/** What a browser remembers for us, as far as it lets us. */

import { toJson } from "./json.js";

/** `localStorage` or `sessionStorage`; null where the browser forbids it, which is as good as none. */
export function browserStorage(name) {
  try {
    return globalThis[name] ?? null;
  } catch {
    return null;
  }
}

/** JSON values under keys that begin with *prefix*; what cannot be stored is held until the page ends. */
export class Kept {
  #held = new Map(); // what storage did not take
  #seen = new Map(); // what was last in it, should it be closed
  #storage;
  #prefix;

  /** *storage* has `getItem`, `setItem` and `removeItem`; null: there is none. */
  constructor(storage, prefix) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  /** The whole key, by which other tabs and the `storage` event know it. */
  name(key) {
    return this.#prefix + key;
  }

  /** null: nothing, or what nobody can read. */
  get(key) {
    try {
      return JSON.parse(this.#held.has(key) ? this.#held.get(key) : this.#look(key));
    } catch {
      return null;
    }
  }

  #look(key) {
    try {
      this.#seen.set(key, this.#storage.getItem(this.name(key)));
    } catch {
      // forbidden by now, or none
    }
    return this.#seen.get(key) ?? null;
  }

  /** undefined: remove it. */
  set(key, value) {
    const text = value === undefined ? null : toJson(value);
    this.#held.delete(key);
    this.#seen.set(key, text);
    try {
      if (text === null) this.#storage.removeItem(this.name(key));
      else this.#storage.setItem(this.name(key), text);
    } catch {
      this.#held.set(key, text); // full, forbidden, or none
    }
  }

  remove(key) {
    this.set(key);
  }

  /** Everything, also what others keep under keys that begin so. */
  clear() {
    this.#held.clear();
    this.#seen.clear();
    try {
      const all = Object.keys(this.#storage).filter((key) => key.startsWith(this.#prefix));
      for (const key of all) this.#storage.removeItem(key);
    } catch {
      // forbidden, or none: then there is nothing
    }
  }
}
