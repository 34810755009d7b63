/** Where the visitor writes: the box, what is wrong with its text, and emoji. */

import { receive } from "../kit/incoming.js";
import { sends } from "../kit/keys.js";
import { excess } from "../kit/size.js";
import { element, iconButton } from "./dom.js";

export class Composer {
  element = element("form", "composer", "", { part: "composer" });
  hint = element("p", "hint", "", { role: "status", part: "hint" });
  box = element("textarea", "", "", { rows: "1", enterkeyhint: "send", part: "input" });

  #field = element("div", "field"); // grows with its text, and the box with it
  #send = iconButton("send", () => this.say());
  #emoji = iconButton("smile", () => this.#pick());
  #picker = null;
  #notice = ""; // the key of a text
  #on;
  #t;

  /**
   * *on* has `say(text)`, which empties the box if it says it, `typed()`, `most()` (characters of the longest text; undefined: unknown) and
   * `load(file, name)`, which resolves with what a module of ours exports.
   */
  constructor(on) {
    this.#on = on;
    this.#send.type = "submit";
    this.#send.part = "send";
    this.#emoji.part = "emoji";
    this.#emoji.setAttribute("aria-expanded", "false");
    this.#field.append(this.box, this.#emoji);
    this.element.append(this.#field, this.#send);
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.box.addEventListener("input", () => this.#typed());
    this.box.addEventListener("keydown", (event) => {
      if (!sends(event)) return;
      event.preventDefault();
      this.say();
    });
  }

  get text() {
    return this.box.value;
  }

  set text(text) {
    this.box.value = text;
    this.show();
  }

  set hidden(yes) {
    this.element.hidden = yes;
    if (yes) this.#picker?.toggle(false);
  }

  relabel(t) {
    this.#t = t;
    this.#send.look(t("send"), "send");
    this.#emoji.look(t("emoji"), "emoji");
  }

  /** What the box is for. */
  ask(words) {
    this.box.placeholder = words;
    this.box.setAttribute("aria-label", words);
  }

  show() {
    this.#field.dataset.text = this.text;
    this.#field.style.setProperty("--text", JSON.stringify(this.text)); // or Safari goes on with the old text
    const over = excess(this.text.trim(), this.#on.most());
    this.#send.disabled = Boolean(over) || !this.text.trim();
    this.box.setAttribute("aria-invalid", Boolean(over));
    const hint = over ? this.#t("too_long_by", { n: over }) : this.#notice && this.#t(this.#notice);
    if (this.hint.textContent !== hint) this.hint.textContent = hint;
  }

  /** Take what is pasted or dropped on *frame*. */
  guard(frame) {
    receive(frame, (target) => target === this.box, {
      text: (text) => this.insert(text),
      files: () => this.#note("no_files"),
    });
  }

  /** Show the text under *key* above the box. */
  #note(key) {
    this.#notice = key;
    this.show();
  }

  #typed() {
    this.#notice = "";
    this.#on.typed();
    this.show();
  }

  /** Insert at the cursor, as if it had been typed. */
  insert(text) {
    const { box } = this;
    box.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
    this.#typed();
  }

  /** Say what stands in the box, and go there. */
  say() {
    const text = this.text.trim();
    this.box.focus();
    if (!text || excess(text, this.#on.most())) return;
    this.#picker?.toggle(false);
    this.#on.say(text);
  }

  async #pick() {
    try {
      const Emoji = await this.#on.load("emoji.js", "Emoji");
      this.#picker ??= new Emoji(this.#emoji, (one) => this.insert(one));
      this.element.before(this.#picker.element);
      this.#picker.toggle();
    } catch {
      this.#note("trouble");
    }
  }
}
