/** The form before a chat: the fields that the site declares, what is filled in, and what is wrong with it. */

import { sends } from "../kit/keys.js";
import { excess } from "../kit/size.js";
import { element } from "./dom.js";

/** The fields that the widget names where the site does not. */
const USUAL = { __proto__: null, name: "your_name", email: "email" };
/** Of these types and names browsers know what people usually fill in; that is kept for the next chat. */
const KNOWN = { __proto__: null, name: "name", email: "email", tel: "tel" };
const AN_ADDRESS = /^[^\s@]+@[^\s@]+$/; // as `services/prechat.py` has it

export class Fields {
  element = element("div", "fields", "", { part: "fields" });

  #widget;
  #visit;
  #go;
  #shown = "";
  #rows = []; // {field, input, problem}

  /** Of *visit*, with the texts of *widget*; *go()* asks the question that stands in the box. */
  constructor(widget, visit, go) {
    this.#widget = widget;
    this.#visit = visit;
    this.#go = go;
    this.element.addEventListener("keydown", (event) => {
      if (!sends(event) || event.target.localName !== "input") return;
      event.preventDefault();
      this.#go();
    });
  }

  relabel() {
    this.#shown = "";
  }

  /** All that the site declares. */
  get #declared() {
    return this.#visit.reception.declared.fields;
  }

  /** What is filled in: name → value; undefined where the site declares nothing. */
  get filled() {
    if (!this.#declared.length) return undefined;
    const all = this.#rows.map((one) => [one.field.name, value(one)]);
    return Object.fromEntries(all.filter(([, said]) => said !== ""));
  }

  /** What the box is for, if the site says so. */
  get question() {
    return this.#declared.find(({ name }) => name === "question")?.label;
  }

  /** Show the form of *department*; the question itself stands in the box. */
  show(department) {
    const asked = this.#declared.filter(
      ({ name, departments }) => name !== "question" && (!departments || departments.includes(department)),
    );
    const shown = JSON.stringify([asked, this.#widget.locale]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const before = this.#focused; // the same fields in another language
    this.#rows = asked.map((field) => this.#row(field));
    this.element.hidden = !asked.length;
    this.element.replaceChildren(...this.#rows.map(({ row }) => row));
    this.#rows.find(({ field }) => field.name === before)?.input.focus({ preventScroll: true });
  }

  get #focused() {
    return this.#rows.find(({ input }) => input.matches(":focus"))?.field.name;
  }

  get #kept() {
    return this.#widget.store.get().fields ?? {};
  }

  /** A chat has begun: of what was typed only that is kept which will be the same for the next one. */
  begun() {
    const kept = Object.entries(this.#kept);
    const stays = kept.filter(([name]) => {
      const field = this.#declared.find((one) => one.name === name);
      return KNOWN[field?.type] ?? KNOWN[name];
    });
    if (stays.length === kept.length) return;
    this.#widget.store.set({ fields: Object.fromEntries(stays) });
    this.#shown = "";
  }

  #row(field) {
    const { name, type, label, required } = field;
    const { t } = this.#widget;
    const words = label ?? t(USUAL[name] ?? "ask");
    const row = element("div", `row ${type}`);
    const id = `field-${name}`;
    const title = element("label", "", required ? words : t("optional", { name: words }), { for: id, dir: "auto" });
    const problem = element("p", "wrong", "", { id: `${id}-wrong` });
    const input = this.#input(field, id);
    row.append(...(type === "checkbox" ? [input, title] : [title, input]), problem);
    const one = { field, input, problem, row };
    input.addEventListener("input", () => {
      this.#widget.store.set({ fields: { ...this.#kept, [name]: value(one) } });
      if (problem.textContent) this.#mark(one, this.#wrong(one));
    });
    return one;
  }

  #input({ name, type, required, options = [] }, id) {
    const tag = ["textarea", "select"].includes(type) ? type : "input";
    const input = element(tag, "", "", { id, name, dir: "auto", "aria-describedby": `${id}-wrong` });
    if (required) input.setAttribute("aria-required", true);
    if (tag === "input") input.type = type;
    if (tag !== "select") input.autocomplete = KNOWN[type] ?? KNOWN[name] ?? "off";
    for (const one of tag === "select" ? [{ value: "", label: "" }, ...options] : []) {
      input.append(element("option", "", one.label, { value: one.value }));
    }
    const kept = this.#kept[name];
    if (type === "checkbox") input.checked = kept === true;
    else if (typeof kept === "string") input.value = kept;
    return input;
  }

  /** What is wrong with a field, in words; "": nothing. */
  #wrong({ field: { type, required, max }, input }) {
    const { t } = this.#widget;
    const text = type === "checkbox" ? String(input.checked || "") : input.value.trim();
    if (!text) return required ? t("missing") : "";
    if (type === "email" && !AN_ADDRESS.test(text)) return t("no_address");
    const over = max ? excess(text, max) : 0;
    return over ? t("too_long_by", { n: over }) : "";
  }

  #mark({ input, problem }, words) {
    input.setAttribute("aria-invalid", Boolean(words));
    problem.textContent = words;
  }

  /** Whether all is filled in as the site wants it; if not, say what is wrong, and go there. */
  check() {
    for (const one of this.#rows) this.#mark(one, this.#wrong(one));
    const bad = this.#rows.find(({ problem }) => problem.textContent);
    bad?.input.focus();
    bad?.problem.scrollIntoView({ block: "nearest" });
    return !bad;
  }

  /** The server has refused the field *name*; whether it is one of the form. */
  refuse(name) {
    const bad = this.#rows.find(({ field }) => field.name === name);
    if (!bad) return false;
    this.#visit.changed(); // the form is shown again
    this.#mark(bad, this.#widget.t("invalid"));
    bad.input.focus();
    return true;
  }
}

const value = ({ field, input }) => (field.type === "checkbox" ? input.checked : input.value.trim());
