/** The departments of a site, as a visitor chooses among them: before it asks, and while it is in the queue. */

import { button, element } from "./dom.js";

export class Departments {
  /** On the start screen: a choice of one. */
  choice = element("fieldset", "choice", "", { part: "departments" });
  /** In the queue: for which department the visitor waits, and a way to another one. */
  waiting = element("div", "for");

  #widget;
  #visit;
  #asked; // the key that the server was asked for last …
  #refused; // … and the one that it has refused
  #shown = "";
  #legend = element("legend");
  #name = element("p");
  #others = element("div", "others", "", { role: "group" });
  #refusal = element("p", "refusal", "", { role: "alert" });
  #change = button("link", "", () => this.#unfold(this.#others.hidden));

  /** Of *visit*, with the texts of *widget*. */
  constructor(widget, visit) {
    this.#widget = widget;
    this.#visit = visit;
    this.waiting.append(this.#name, this.#change, this.#others, this.#refusal);
    this.#unfold(false);
    this.choice.addEventListener("change", ({ target }) => this.choose(target.value));
  }

  /** All that are open: `{key, name}`. */
  get #all() {
    return this.#visit.reception.declared.departments;
  }

  #find(key) {
    return this.#all.find((one) => one.key === key);
  }

  /** Those that the page lets the visitor choose from. */
  get #offered() {
    const said = this.#widget.option("departments") ?? "";
    if (said.trim() === "*") return this.#all;
    return [...new Set(said.split(/[\s,]+/))].map((key) => this.#find(key)).filter(Boolean);
  }

  /** Where the next question goes: what the visitor has chosen, or else what the page says. "": nowhere in particular. */
  get next() {
    const [first] = this.#offered;
    const { choice } = this.#widget.store.get();
    const said = [this.#find(choice)?.key, this.#widget.departmentSaid, this.#widget.option("department")];
    const next = said.find((key) => key != null && key !== this.#refused) ?? "";
    return first && !this.#find(next) ? first.key : next;
  }

  /** `next`, which the server is asked for now. */
  ask() {
    return (this.#asked = this.next);
  }

  /** The visitor has chosen *key*; undefined: the page has named one. */
  choose(key) {
    const visit = this.#visit;
    this.#widget.store.set({ choice: key });
    this.#refused = undefined;
    visit.problem = "";
    if (visit.phase === "queued") visit.client.connect({ department: this.ask() });
    visit.changed();
    if (this.#widget.panel?.isOpen) visit.look(); // other waiters are there
  }

  /** The server has refused the department. In the queue the visitor waits on where it stands. */
  refuse() {
    const visit = this.#visit;
    this.#refused = this.#asked ?? this.next;
    this.#widget.store.set({ choice: undefined });
    if (visit.client.phase === "queued") this.#refusal.textContent = this.#widget.t("no_department");
    else visit.problem = "no_department";
    visit.changed();
    visit.look();
  }

  relabel() {
    const { t } = this.#widget;
    this.#legend.textContent = t("department");
    this.#change.textContent = t("change");
    this.#others.setAttribute("aria-label", t("department"));
    this.#shown = "";
  }

  /** Show what `Visit` knows. */
  show() {
    const { client, phase, isIdle } = this.#visit;
    const offered = this.#offered;
    // the server may have moved the visitor to another department than it has asked for
    const now = isIdle ? this.next : client.queue?.department || client.department || "";
    const shown = JSON.stringify([offered, now, this.#find(now)]);
    if (shown !== this.#shown) {
      this.#showChoice(offered, now);
      this.#showWaiting(offered, now);
    }
    this.#shown = shown;
    if (phase !== "queued") this.#unfold(false);
    if (phase === "served" && this.#widget.store.get().choice) this.#widget.store.set({ choice: undefined }); // of one chat
  }

  #showChoice(offered, now) {
    const { choice } = this;
    const before = JSON.stringify([...choice.elements].map(({ value, nextSibling }) => [value, nextSibling.textContent]));
    choice.hidden = offered.length < 2;
    // the same list stays: it may have the focus
    if (before !== JSON.stringify(offered.map(({ key, name }) => [key, name]))) choice.replaceChildren(this.#legend, ...offered.map(option));
    for (const one of choice.elements) one.checked = one.value === now;
  }

  #showWaiting(offered, now) {
    const { t } = this.#widget;
    const name = this.#find(now)?.name;
    const others = offered.filter(({ key }) => key !== now && key !== this.#visit.client.department);
    this.waiting.hidden = !name;
    this.#name.textContent = name ? t("waiting_for", { name }) : "";
    this.#change.hidden = !others.length;
    this.#others.replaceChildren(element("p", "", t("change_hint")), ...others.map((one) => this.#other(one)));
  }

  #other({ key, name }) {
    const made = button("", name, () => {
      this.#unfold(false);
      this.#change.focus();
      this.choose(key);
    });
    made.dir = "auto";
    return made;
  }

  #unfold(yes) {
    this.#others.hidden = !yes;
    this.#change.setAttribute("aria-expanded", yes);
    if (yes) this.#refusal.textContent = "";
  }
}

function option({ key, name }) {
  const [made, words] = [element("label"), element("span")];
  words.append(element("bdi", "", name));
  made.append(element("input", "", "", { type: "radio", name: "department", value: key }), words);
  return made;
}
