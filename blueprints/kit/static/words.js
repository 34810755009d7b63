/** The texts of a catalogue (`catalogues.js`), with what stands in their gaps. */

const GAP = /\{(\w+)\}/;
/** What makes all that follows run one way, and letters that run from right to left. */
const MARKS = /[\u202a-\u202e\u2066-\u2069]/g;
const OTHER_WAY = /[\u0590-\u08ff\ufb1d-\ufefc]/;

/**
 * *text*, a name, as it may stand beside other words: one that runs the other way, or has marks of
 * direction in it, must not change their order. *among*: they run from right to left.
 */
export function apart(text, among = false) {
  const plain = text.replace(MARKS, "");
  return among || OTHER_WAY.test(plain) ? `\u2068${plain}\u2069` : plain;
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
    return typeof value === "string" ? apart(value, this.direction === "rtl") : value;
  }
}
