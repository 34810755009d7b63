/** What is remembered: by this tab alone, or by all tabs of this console. */

import { browserStorage, Stored } from "../kit/storage.js";

const PREFIX = `csapp:${location.pathname}:`;

/** This tab, over a reload. */
export const tab = new Stored(browserStorage("sessionStorage"), PREFIX);

/** The browser's own storage, for who names its keys by `common`; null where there is none. */
export const raw = browserStorage("localStorage");

/** All tabs of this console, for as long as the browser remembers it. */
export const shared = new Stored(raw, PREFIX);

/** Call *heard* when another tab has changed what *key* holds. */
export function onShared(key, heard) {
  addEventListener("storage", (event) => {
    if (event.key === common(key)) heard();
  });
}

/** The name of something that all tabs of this console have in common. */
export const common = (what) => shared.name(what);
