/**
 * The texts of a face, in the reader's language.
 *
 * A catalogue is a JSON file: key → text, in which `{name}` stands for a value. A text
 * with a number is an object by plural category of its language (`Intl.PluralRules`:
 * `one`, `few`, …), in which the number itself (`"0"`) comes first and `other` is always
 * there; its number is `n`. `direction` is `ltr` or `rtl`.
 */

const GAP = /\{(\w+)\}/;

/** *name* of a language as `Intl` takes it, or "": settings of servers write `zh_CN`, `en_US.UTF-8`. */
export function asTag(name) {
  const parts = String(name ?? "").split(/[.@#]/)[0].split(/[-_]/);
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
 * The `Words` that `choose` finds in *folder*, with the catalogue at *own* over them, which is in the
 * first language of *wanted*. `failed(error)`: there is none at *own*. Throws where *folder* has none.
 */
export async function load({ wanted: said, known, folder, own, failed }) {
  const wanted = said ?? []; // an odd browser's languages
  const theirs = own && (await read(own).catch(failed));
  const chosen = choose(wanted, known);
  const ours = await read(new URL(`${chosen.language}.json`, folder));
  const locale = (theirs && wanted.map(asTag).find(Boolean)) || chosen.locale;
  return new Words({ ...ours, ...theirs }, { ...chosen, locale });
}

async function read(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}

/** One catalogue, and how its language counts. */
export class Words {
  #strings;
  #plural;
  #number;

  constructor(strings, { language, locale }) {
    this.#strings = strings;
    this.#plural = new Intl.PluralRules(locale);
    this.#number = new Intl.NumberFormat(locale, { useGrouping: "min2" });
    this.language = language;
    this.locale = locale;
    this.direction = strings.direction === "rtl" ? "rtl" : "ltr";
  }

  /** The text under *key* with its *values*; "" where there is none. */
  t = (key, values) => this.parts(key, values).join("");

  /** The same in pieces, for values that are no text. */
  parts = (key, values = {}) => {
    const found = this.#strings[key] ?? "";
    const text = typeof found === "object" ? this.#form(found, values.n) : found;
    return String(text).split(GAP).map((piece, at) => (at % 2 ? this.#shown(piece, values[piece]) : piece));
  };

  #form(forms, n) {
    return forms[n] ?? forms[this.#plural.select(n)] ?? forms.other ?? "";
  }

  #shown(name, value) {
    if (value === undefined) return `{${name}}`;
    if (typeof value === "number") return this.#number.format(value);
    // a name from left to right must not change the order of a sentence from right to left
    return typeof value === "string" && this.direction === "rtl" ? `\u2068${value}\u2069` : value;
  }
}
