/** Values in the browser's storage, as far as the browser allows it. */

import { toJson } from "./json.js";

/** `localStorage` or `sessionStorage`; null where the browser forbids it, which is as good as none. */
export function browserStorage(name) {
  try {
    return globalThis[name] ?? null;
  } catch {
    return null;
  }
}

/** JSON values under keys that begin with *prefix*; what cannot be stored is held in memory until the page ends. */
export class Stored {
  #held = new Map(); // key → text that storage did not take
  #seen = new Map(); // key → what storage last had, for when it is forbidden later
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

  /** The value under *key*; null where there is none, or no JSON. */
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

  /** Store *value* under *key*; undefined removes it. Never throws. */
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

  /** Remove all keys that begin with the prefix, also those that another one has written. */
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
