/**
 * The texts of a face, in the reader's language: which catalogue that is, and what is in it.
 *
 * A catalogue is a JSON file: key → text, in which `{name}` stands for a value. A text
 * with a number is an object by plural category of its language (`Intl.PluralRules`:
 * `one`, `few`, …), in which the number itself (`"0"`) comes first and `other` is always
 * there; its number is `n`. `direction` is `ltr` or `rtl`. `words.js` uses them.
 */

import { asText } from "./as-text.js";
import { inTime } from "./in-time.js";

const PATIENCE = 10_000; // ms for a catalogue

/** *name* of a language as `Intl` takes it, or "": settings of servers write `zh_CN`, `en_US.UTF-8`. */
export function asTag(name) {
  const parts = asText(name).split(/[.@#]/)[0].split(/[-_]/);
  for (; parts.length; parts.pop()) {
    try {
      return Intl.getCanonicalLocales(parts.join("-"))[0];
    } catch {
      // without its last part, perhaps
    }
  }
  return "";
}

/**
 * The first of *wanted* (names of languages) that is one of *known*, or else English: `language`, that
 * of the catalogue, and `locale`, by which numbers and dates are written (`en` and `en-GB`).
 */
export function choose(wanted, known) {
  for (const locale of wanted.map(asTag)) {
    const language = known.find((one) => locale === one || locale.startsWith(`${one}-`));
    if (language) return { language, locale };
  }
  return { language: "en", locale: "en" };
}

/**
 * What `choose` finds, with its texts in *folder* as `strings`, and those of the catalogue at *own* over
 * them, which is in the first language of *wanted*. `failed(error)`: there is none at *own*. Throws where
 * *folder* has none.
 */
export async function load({ wanted: said, known, folder, own, failed }) {
  const wanted = said ?? []; // an odd browser's languages
  const chosen = choose(wanted, known);
  const [theirs, ours] = await Promise.all([own && read(own).catch(failed), read(`${folder}${chosen.language}.json`)]);
  if (!ours.direction) throw new Error(`${folder}: no catalogue`); // something in front of csapp has answered instead
  const locale = (theirs && wanted.map(asTag).find(Boolean)) || chosen.locale;
  return { ...chosen, locale, strings: { ...ours, ...texts(theirs) } };
}

/** The texts of *catalogue*. Translators' tools write an empty text where there is no translation yet: left out. */
const texts = (catalogue) =>
  Object.fromEntries(
    Object.entries(catalogue ?? {}).filter(([, one]) => one && typeof (one.other ?? one) === "string"),
  );

const read = (url) => inTime(fetched(url), PATIENCE);

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}
