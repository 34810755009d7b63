/** What is remembered: by this tab alone, or by all tabs of this console. */

const PREFIX = `csapp:${location.pathname}:`;

/** `get`, `set` and `remove` of JSON values; what cannot be kept is held until the page ends. */
class Kept {
  #held = new Map();
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  /** The browser's own storage, for who names its keys by `common`; null where there is none. */
  get raw() {
    return this.#storage;
  }

  get(key) {
    try {
      return JSON.parse(this.#storage.getItem(PREFIX + key)) ?? this.#held.get(key) ?? null;
    } catch {
      return this.#held.get(key) ?? null;
    }
  }

  set(key, value) {
    this.#held.delete(key);
    try {
      this.#storage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      this.#held.set(key, value);
    }
  }

  remove(key) {
    this.#held.delete(key);
    try {
      this.#storage.removeItem(PREFIX + key);
    } catch {
      // then there was nothing
    }
  }

  /** The keys that begin with *start*. */
  keys(start) {
    try {
      return Object.keys(this.#storage)
        .filter((key) => key.startsWith(PREFIX + start))
        .map((key) => key.slice(PREFIX.length));
    } catch {
      return [...this.#held.keys()].filter((key) => key.startsWith(start));
    }
  }
}

/** A storage that the browser forbids is as good as none. */
function storage(name) {
  try {
    return window[name];
  } catch {
    return null;
  }
}

/** This tab, over a reload. */
export const tab = new Kept(storage("sessionStorage"));

/** All tabs of this console, for as long as the browser keeps it. */
export const shared = new Kept(storage("localStorage"));

/** Call *heard* when another tab has changed what *key* holds. */
export function onShared(key, heard) {
  addEventListener("storage", (event) => {
    if (event.key === PREFIX + key) heard();
  });
}

/** The name of something that all tabs of this console have in common. */
export const common = (what) => PREFIX + what;
