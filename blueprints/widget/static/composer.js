/** Where the visitor writes: the box, what is wrong with its text, emoji, and files. */

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
  #clip = iconButton("attach", () => this.#chooser.click());
  #chooser = element("input", "", "", { type: "file", multiple: "", hidden: "" }); // on phones also the camera
  #picker = null;
  #notice = ""; // the key of a text
  #files = null; // the files that may be sent, as `auth_success` says; null: none …
  #isLater = false; // … now, but as soon as somebody is here
  #on;
  #t;

  /**
   * *on* has `say(text)`, which empties the box if it says it, `attach(files)`, `typed()`, `most()` (characters of the longest text; undefined: unknown) and
   * `load(file, name)`, which resolves with what a module of ours exports.
   */
  constructor(on) {
    this.#on = on;
    this.#send.type = "submit";
    this.#send.part = "send";
    this.#emoji.part = "emoji";
    this.#emoji.setAttribute("aria-expanded", "false");
    this.#field.append(this.box, this.#emoji);
    this.#clip.part = "attach";
    this.element.append(this.#clip, this.#chooser, this.#field, this.#send);
    this.#chooser.addEventListener("change", () => {
      this.#attach([...this.#chooser.files]);
      this.#chooser.value = ""; // or the same file would be no change
    });
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
    this.#clip.look(t("attach"), "clip");
  }

  /** What the box is for. */
  ask(words) {
    this.box.placeholder = words;
    this.box.setAttribute("aria-label", words);
  }

  /** *files* may be sent, as the client says it (undefined: unknown), where *isNow*; or as soon as somebody is here. */
  takes(files, isNow) {
    this.#files = (isNow && files) || null;
    this.#isLater = files !== null && !isNow;
    this.#clip.hidden = !this.#files;
    if (this.#files) this.#chooser.accept = files.types.join();
  }

  show() {
    this.#field.dataset.text = this.text;
    this.#field.style.setProperty("--text", JSON.stringify(this.text)); // or Safari goes on with the old text
    const over = excess(this.text.trim(), this.#on.most());
    this.#send.disabled = Boolean(over) || !this.text.trim();
    this.box.setAttribute("aria-invalid", Boolean(over));
    const notice = this.#notice === "no_files" && this.#isLater ? "files_later" : this.#notice;
    const hint = over ? this.#t("too_long_by", { n: over }) : notice && this.#t(notice);
    if (this.hint.textContent !== hint) this.hint.textContent = hint;
  }

  /** Take what is pasted or dropped on *frame*. */
  guard(frame) {
    receive(frame, (target) => target === this.box, {
      text: (text) => this.insert(text),
      files: (files) => this.#attach(files),
    });
  }

  #attach(files) {
    if (this.#files && files.length) {
      this.#note("");
      this.#on.attach(files);
    } else {
      this.#note("no_files");
    }
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
