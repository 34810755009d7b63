/** `Labels`: what departments, the fields before a chat, and the options of a choice are called in the console's language. */

import { ask } from "./api.js";
import { locale, t } from "./words.js";

export class Labels {
  #fields = []; // as `v1/welcome` has them …
  #departments = []; // … and these
  #asked = ""; // the language in which they were asked for last
  #changed;

  /** *changed()* draws the desk again. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** What a visitor has filled in, *fields*, in order: `{name, label, value, href}`. */
  of(fields) {
    if (Object.keys(fields).length) this.#need();
    const usual = { name: t("name"), email: t("email"), question: t("question") };
    return Object.entries(fields).map(([name, value]) => {
      const { label, type, options = [] } = this.#fields.find((one) => one.name === name) ?? {};
      const words = value === true ? t("yes") : (options.find((one) => one.value === value)?.label ?? value);
      const href = type === "email" ? `mailto:${encodeURIComponent(value).replace("%40", "@")}` : "";
      return { name, label: label ?? usual[name] ?? name, value: words, href };
    });
  }

  /** The name of the department *key*; "": the site has none, or the visitor has asked for none. */
  department(key) {
    if (key) this.#need();
    return this.#departments.find((one) => one.key === key)?.name ?? key ?? "";
  }

  /** The departments that visitors may ask for, `{key, name}`; none before the server has named them. */
  get departments() {
    this.#need();
    return this.#departments;
  }

  #need() {
    if (this.#asked !== locale()) this.#load(locale());
  }

  async #load(tag) {
    this.#asked = tag;
    try {
      const { fields = [], departments = [] } = await ask("GET", `v1/welcome?locale=${encodeURIComponent(tag)}`);
      this.#fields = fields;
      this.#departments = departments;
      this.#changed();
    } catch {
      // the names say enough
    }
  }
}
