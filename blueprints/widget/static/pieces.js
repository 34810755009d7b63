/**
 * Loads files when they are wanted. A file that did not load, or not whole, is tried again at the next occasion
 * under another address, because browsers remember that a module failed.
 */

import { inTime } from "../kit/in-time.js";

const PATIENCE = 20_000; // ms for one file

export class Pieces {
  #folder;
  #failures = {}; // path → how often it failed

  /** *folder*: its address, with a slash at the end. */
  constructor(folder) {
    this.#folder = folder;
  }

  /** The export *name* of the module at *path*. */
  module(path, name) {
    return this.#fetch(path, async (url) => (await import(url))[name]);
  }

  /** The text at *path*; null if it does not end with *end*. */
  text(path, end) {
    return this.#fetch(path, async (url) => {
      const text = await (await fetch(url)).text();
      return text.trim().endsWith(end) && text;
    });
  }

  async #fetch(path, get) {
    const failed = this.#failures[path];
    try {
      const found = await inTime(get(this.#folder + path + (failed ? `?${failed}` : "")), PATIENCE);
      if (found) return found;
      throw new Error(`${path} is not whole`);
    } catch (error) {
      this.#failures[path] = (failed ?? 0) + 1;
      throw error;
    }
  }
}
