/**
 * Files that are loaded when they are wanted. One that did not come, or not whole, is asked for again
 * at the next occasion, under another address: browsers remember of a module that there was none.
 */

import { inTime } from "../kit/in-time.js";

const PATIENCE = 20_000; // ms for one file

export class Pieces {
  #folder;
  #failures = {}; // path → how often it did not come

  /** *folder*: its address, with a slash at the end. */
  constructor(folder) {
    this.#folder = folder;
  }

  /** *name*, which the module at *path* exports. */
  module(path, name) {
    return this.#fetch(path, async (url) => (await import(url))[name]);
  }

  /** The text at *path*; null if it does not close with *end*. */
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
