/** What a browser remembers for us, as far as it lets us. */

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
  #held = new Map();
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
      return JSON.parse(this.#held.get(key) ?? this.#storage?.getItem(this.name(key)) ?? null);
    } catch {
      return null;
    }
  }

  /** undefined: remove it. */
  set(key, value) {
    const text = value === undefined ? null : JSON.stringify(value);
    this.#held.delete(key);
    try {
      if (text === null) this.#storage?.removeItem(this.name(key));
      else this.#storage.setItem(this.name(key), text);
    } catch {
      if (text !== null) this.#held.set(key, text); // full, forbidden, or none
    }
  }

  remove(key) {
    this.set(key);
  }

  /** Everything, also what others keep under keys that begin so. */
  clear() {
    this.#held.clear();
    try {
      const all = Object.keys(this.#storage).filter((key) => key.startsWith(this.#prefix));
      for (const key of all) this.#storage.removeItem(key);
    } catch {
      // forbidden, or none: then there is nothing
    }
  }
}
