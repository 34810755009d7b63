/** Pictures of a conversation, one at a time and as large as the window. Loaded when somebody looks at one. */

import { STYLE } from "./gallery-style.js";

const SVG = "http://www.w3.org/2000/svg";
const SWIPE = 48; // px
const CROSS = "m5 5 14 14M19 5 5 19";
const DOWN = "M12 4v11m-5-5 5 5 5-5M5 20h14";
const BACK = "m15 5-7 7 7 7";
const ON = "m9 5 7 7-7 7";

/** Roots that have the style. */
const dressed = new WeakSet();

/**
 * Show *pictures*, `{id, name, width, height}`, beginning with the one of the id *at*, in a dialog in *parent*, over all
 * that is on the page. `links(ids)` is as `fileLinks` of the client. *words*: `close`, `previous`, `next`, `download`,
 * `fails` (a picture that cannot be shown), and `at(n, total, name)`. Resolves when it is closed.
 */
export function showPictures({ pictures, at, links, words, parent }) {
  const root = parent.getRootNode();
  if (!dressed.has(root)) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets.push(sheet);
    dressed.add(root);
  }
  return new Promise((resolve) => new Gallery({ pictures, links, words, resolve }).open(parent, at));
}

class Gallery {
  #pictures;
  #links;
  #words;
  #resolve;
  #at = 0;
  #turn = 0;
  #before; // what had the focus
  #swipe = null; // where a finger was put down
  #dialog = made("dialog", "gallery", { tabindex: "-1" });
  #title = made("p", "", { dir: "auto" });
  #said = made("p", "gallery-unseen", { role: "status" });
  #middle = made("div", "gallery-middle");
  #download = act("a", DOWN);
  #previous = act("button", BACK);
  #next = act("button", ON);
  #close = act("button", CROSS);

  constructor({ pictures, links, words, resolve }) {
    this.#pictures = pictures;
    this.#links = links;
    this.#words = words;
    this.#resolve = resolve;
    const head = made("div", "gallery-head");
    head.append(this.#title, this.#download, this.#close);
    this.#dialog.append(head, this.#previous, this.#middle, this.#next, this.#said);
    this.#name();
    this.#listen();
  }

  #name() {
    const { download, previous, next, close } = this.#words;
    for (const [one, name] of [
      [this.#download, download], [this.#previous, previous], [this.#next, next], [this.#close, close],
    ]) {
      one.setAttribute("aria-label", name);
      one.title = name;
    }
    for (const side of [this.#previous, this.#next]) side.classList.add("gallery-side");
    Object.assign(this.#download, { target: "_blank", rel: "noopener noreferrer" });
  }

  #listen() {
    const dialog = this.#dialog;
    this.#previous.addEventListener("click", () => this.#show(this.#at - 1));
    this.#next.addEventListener("click", () => this.#show(this.#at + 1));
    this.#close.addEventListener("click", () => this.#end());
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#end();
    });
    dialog.addEventListener("keydown", (event) => this.#key(event));
    this.#middle.addEventListener("pointerdown", ({ clientX, isPrimary }) => (this.#swipe = isPrimary ? clientX : null));
    this.#middle.addEventListener("pointerup", ({ clientX }) => this.#swiped(clientX));
    this.#middle.addEventListener("pointercancel", () => (this.#swipe = null));
  }

  get #isTurned() {
    return getComputedStyle(this.#dialog).direction === "rtl";
  }

  #key(event) {
    const forth = this.#isTurned ? -1 : 1;
    const steps = { ArrowLeft: this.#at - forth, ArrowRight: this.#at + forth, Home: 0, End: this.#pictures.length - 1 };
    event.stopPropagation(); // the page around has keys of its own
    if (event.key === "Escape") this.#end();
    else if (event.key in steps) this.#show(steps[event.key]);
    else return;
    event.preventDefault();
  }

  #swiped(x) {
    const by = this.#swipe === null ? 0 : x - this.#swipe;
    this.#swipe = null;
    const forth = this.#isTurned ? 1 : -1;
    if (Math.abs(by) >= SWIPE) this.#show(this.#at + Math.sign(by) * forth);
  }

  open(parent, id) {
    this.#before = parent.getRootNode().activeElement;
    parent.append(this.#dialog);
    this.#dialog.showModal();
    this.#dialog.focus();
    this.#show(Math.max(0, this.#pictures.findIndex((one) => one.id === id)), true);
  }

  #end() {
    this.#turn += 1;
    this.#dialog.close();
    this.#dialog.remove();
    this.#before?.focus({ preventScroll: true });
    this.#resolve();
  }

  async #show(at, isFirst) {
    const { length } = this.#pictures;
    const place = Math.min(Math.max(at, 0), length - 1);
    if (place === this.#at && !isFirst) return;
    this.#at = place;
    const picture = this.#pictures[place];
    const { name } = picture;
    const said = this.#words.at(place + 1, length, name);
    this.#title.textContent = this.#said.textContent = said;
    this.#dialog.setAttribute("aria-label", said);
    this.#side(this.#previous, place > 0);
    this.#side(this.#next, place < length - 1);
    this.#download.removeAttribute("href");
    this.#middle.replaceChildren();
    const turn = (this.#turn += 1);
    const isShown = () => turn === this.#turn;
    try {
      const { [picture.id]: link } = await this.#links([picture.id]);
      if (!isShown()) return;
      Object.assign(this.#download, { href: link.url, download: name });
      await this.#paint(picture, link, isShown);
    } catch {
      if (isShown()) this.#middle.replaceChildren(Object.assign(made("p", ""), { textContent: this.#words.fails }));
    }
  }

  /** Show the small picture, which is there already, until the large one is. */
  async #paint({ name, width, height }, { url, thumb }, isShown) {
    const large = Object.assign(new Image(width, height), { alt: name, src: url, draggable: false });
    if (thumb) {
      const small = Object.assign(new Image(width, height), { alt: name, src: thumb, draggable: false });
      this.#middle.append(small);
    }
    await large.decode();
    if (isShown()) this.#middle.replaceChildren(large);
  }

  /** Whether the button *side* leads anywhere; the focus stays in the dialog. */
  #side(side, leads) {
    const had = side === side.getRootNode().activeElement;
    side.hidden = !leads;
    if (had && !leads) this.#dialog.focus();
  }
}

function made(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** A button or link with a drawn sign. */
function act(tag, path) {
  const element = made(tag, "gallery-act", tag === "button" ? { type: "button" } : {});
  const svg = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries({ d: path, fill: "none", stroke: "currentColor", "stroke-width": 2 })) {
    shape.setAttribute(name, value);
  }
  svg.append(shape);
  element.append(svg);
  return element;
}
