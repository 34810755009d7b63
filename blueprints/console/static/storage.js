/** What the browser stores: for this tab, or for all tabs of this console. */

import { browserStorage, Stored } from "../kit/storage.js";

const PREFIX = `csapp:${location.pathname}:`;

/** This tab, over a reload. */
export const tab = new Stored(browserStorage("sessionStorage"), PREFIX);

/** The browser's own storage, for keys that `common` has named; null if there is none. */
export const raw = browserStorage("localStorage");

/** For all tabs of this console, as long as the browser stores it. */
export const shared = new Stored(raw, PREFIX);

/** Call *changed* when another tab has changed what *key* holds. */
export function onShared(key, changed) {
  addEventListener("storage", (event) => {
    if (event.key === common(key)) changed();
  });
}

/** For all tabs of this console, what belongs to *whom* alone. */
export const only = (whom) => new Stored(raw, `${common(whom)}:`);

/** The whole key of a value that all tabs of this console share. */
export const common = (what) => shared.name(what);
