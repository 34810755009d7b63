/** `FileBubble`: a file in the log, as a picture or as a row with its name, and how much of it is sent. */

import { fileSize } from "../kit/file-size.js";
import { REL } from "../kit/links.js";
import { isPicture, makeRoom, painted } from "../kit/picture.js";
import { button, drawing, element } from "./dom.js";

const MOST = 240; // px of a picture, in each direction
const SHEET = "M9 3h10l6 6v18a2 2 0 0 1-2 2H9a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm10 0v6h6";

/** Why the file of *message* was not sent, as an element; *limits*: which files the server takes. */
export function whyNot({ error }, t, locale, limits) {
  const why = {
    too_large: () => t("file_too_large", { size: fileSize(limits?.max ?? 0, locale) }),
    unsupported_type: () => t("file_type"),
    invalid_file: () => t("file_broken"),
    rate_limited: () => t("file_often"),
    refused: () => error.message, // the site's own words
  }[error?.code];
  const said = element("span", "", t("failed"));
  if (why) said.append(" ", element("span", "", why(), { dir: "auto" }));
  return said;
}

export class FileBubble {
  element = element("div", "bubble");

  #on;
  #t;
  #locale;
  #message;
  #view = null; // the button with the picture
  #row = null; // the link with the name
  #bar = null;
  #hasLink = false; // of the row, or of the picture; or it is coming

  /**
   * For *message*. *on* has `links(ids)`, as the client's; `view(id)`, which shows the picture of the file *id* as large
   * as the window; `grown()`: the bubble has become higher.
   */
  constructor(message, on, t, locale) {
    this.#on = on;
    this.#t = t;
    this.#locale = locale;
    this.#message = message;
    this.element.setAttribute("part", `message ${message.own ? "mine" : "theirs"}`);
    if (isPicture(message.file)) this.#asPicture();
    else this.#asRow();
    this.show(message);
  }

  #asPicture() {
    const { blob, width, height, name } = this.#message.file;
    this.element.classList.add("picture");
    this.#view = button("view", "", () => this.#on.view(this.#message.file.id));
    this.#view.setAttribute("aria-label", this.#t("picture", { name }));
    this.element.append(this.#view);
    if (width) makeRoom(this.element, width, height, MOST);
    if (blob) this.#paint(blob);
  }

  /** The picture that this page sends: until it is drawn, it has the room of a usual one. */
  async #paint(blob) {
    if (!this.#message.file.width) makeRoom(this.element, 4 * MOST, 3 * MOST, MOST);
    try {
      const { canvas, width, height } = await painted(blob, MOST);
      makeRoom(this.element, width, height, MOST);
      this.#view.replaceChildren(canvas);
      this.#on.grown();
    } catch {
      this.#fallBack();
    }
  }

  /** The picture cannot be shown here: its name can. */
  #fallBack() {
    this.#asRow();
    this.#hasLink = false;
    this.#on.grown();
    this.show(this.#message);
  }

  #asRow() {
    const { name, size } = this.#message.file;
    this.element.classList.remove("picture");
    this.element.classList.add("document");
    this.element.removeAttribute("style");
    this.#view = null;
    this.#row = element("a", "file", "", { target: "_blank", rel: REL, download: name });
    const words = element("span");
    words.append(element("b", "", name, { dir: "auto" }), element("span", "", fileSize(size, this.#locale)));
    this.#row.append(drawing(32, SHEET, true), words);
    // what was found when the bubble was drawn may have run out
    for (const type of ["pointerenter", "focus", "touchstart"]) {
      this.#row.addEventListener(type, () => this.#link(), { passive: true });
    }
    this.element.replaceChildren(this.#row, ...(this.#bar ? [this.#bar] : []));
  }

  /** The message has changed. */
  show(message) {
    this.#message = message;
    const { state, file } = message;
    const isThere = Boolean(file.id) && state === "sent";
    if (this.#view) this.#view.disabled = !isThere;
    this.#showBar(state === "uploading", file);
    if (isThere && !this.#hasLink && !(this.#view && file.blob)) this.#link();
  }

  #showBar(isComing, { sent, size, name }) {
    if (!isComing) {
      this.#bar?.remove();
      this.#bar = null;
      return;
    }
    if (!this.#bar) {
      const about = { role: "progressbar", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100 };
      this.#bar = element("div", "coming", "", about);
      this.#bar.append(element("i"));
      this.element.append(this.#bar);
    }
    const percent = size ? Math.floor((100 * sent) / size) : 0;
    this.#bar.setAttribute("aria-valuenow", percent);
    this.#bar.firstChild.style.width = `${percent}%`;
  }

  async #link() {
    const { id } = this.#message.file;
    if (!id) return;
    this.#hasLink = true;
    try {
      const { [id]: link } = await this.#on.links([id]);
      if (!link) return; // it is not there any more
      if (this.#row) this.#row.href = link.url;
      else if (!this.#view.firstChild) this.#load(link);
    } catch {
      this.#hasLink = false; // it is asked for again when the message is shown the next time
    }
  }

  #load({ url, thumb }) {
    const image = new Image();
    image.alt = "";
    image.referrerPolicy = "no-referrer";
    image.onerror = () => this.#fallBack();
    image.src = thumb ?? url;
    this.#view.append(image);
  }
}
