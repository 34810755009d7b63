/** The texts of a catalogue (`catalogues.js`), with what stands in their gaps. */

const GAP = /\{(\w+)\}/;

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
