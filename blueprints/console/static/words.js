/**
 * The console's texts: those of the setting, or else of the page (`data-locale`), or else of the browser.
 * Until `begin` is done, the page's title is the only text.
 */

import { asTag, load } from "../kit/catalogues.js";
import { Times } from "../kit/times.js";
import { Words } from "../kit/words.js";
import { onShared, shared } from "./storage.js";

export const LANGUAGES = ["en", "zh"];

const KEY = "language";
const root = document.getElementById("console");

let words = new Words({ title: document.title }, { language: "en", locale: "en" }); // until `begin`
let times = new Times("en");

/** The text under *key* with its *values*. */
export const t = (key, values) => words.t(key, values);

/** The same in pieces, for values that are elements. */
export const rich = (key, values) => words.parts(key, values);

/** The catalogue's language. */
export const language = () => words.language;

/** The tag by which numbers and dates are written. */
export const locale = () => words.locale;

/** The `Times` of the language. */
export const shown = () => times;

/** The language that was chosen by hand, one of `LANGUAGES`; or "". */
export const chosen = () => (LANGUAGES.includes(shared.get(KEY)) ? shared.get(KEY) : "");

/** The name of *one* of `LANGUAGES` in that language. */
export const nameOf = (one) => new Intl.DisplayNames(one, { type: "language" }).of(one);

/** Load the catalogue of the chosen language. Throws if it does not load. */
export async function begin() {
  const said = chosen() || asTag(root?.dataset.locale);
  const found = await load({
    wanted: said ? [said] : navigator.languages,
    known: LANGUAGES,
    folder: new URL("locales/", import.meta.url),
  });
  words = new Words(found.strings, found);
  times = new Times(words.locale);
  document.documentElement.lang = words.language;
  document.documentElement.dir = words.direction;
}

/** Use *one* of `LANGUAGES` from now on, in all tabs; "": the browser's. */
export async function choose(one) {
  if (one) shared.set(KEY, one);
  else shared.remove(KEY);
  await begin();
}

/** Call *changed* when another tab has chosen. */
export const onChosen = (changed) => onShared(KEY, changed);
