/** The first words of an answer that came while the panel was closed, loaded with the first of them. */

import { paintFace } from "../kit/faces.js";
import { button, drawing, element, wear } from "./dom.js";

const CROSS = "m4 4 8 8m0-8-8 8";

const STYLE = `
  .preview {
    position: fixed;
    inset-block-end: calc(var(--gap) + var(--size) + 16px);
    inset-inline-end: var(--gap);
    display: flex;
    align-items: flex-start;
    width: min(320px, calc(100vw - 2 * var(--gap)));
    border-radius: var(--radius);
    background: var(--surface);
    box-shadow: 0 0 0 1px var(--line), 0 8px 32px rgb(16 24 40 / 20%);
    animation: rise 160ms ease-out;
  }

  [data-position="start"] > .preview {
    inset-inline: var(--gap) auto;
  }

  .preview button {
    border: 0;
    border-radius: inherit;
    background: none;
    cursor: pointer;
  }

  .preview button:focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: -2px;
  }

  .answer {
    display: flex;
    flex: 1;
    gap: 12px;
    min-width: 0;
    padding: 16px;
    padding-inline-end: 0;
    text-align: start;
  }

  .said {
    min-width: 0;
  }

  .answer b {
    display: block;
    overflow: hidden;
    font-size: 15px;
    line-height: 20px;
    text-align: left;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  [dir="rtl"] > .preview b {
    text-align: right;
  }

  .words {
    display: -webkit-box;
    overflow: hidden;
    font-size: 15px;
    line-height: 20px;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
  }

  .away {
    width: 40px;
    height: 40px;
    padding: 12px;
    color: var(--muted);
  }

  .away svg {
    display: block;
  }
  @media (forced-colors: active) {
    .preview { border: 1px solid; }
  }
`;

export class Preview {
  #widget;
  #element = element("div", "preview", "", { part: "preview" });
  #open;
  #away;
  #face = element("span", "face");
  #name = element("b", "", "", { dir: "auto" });
  #text = element("span", "words", "", { dir: "auto" });

  /** Beside the launcher of *widget*; *open()* when it is clicked. */
  constructor(widget, open) {
    this.#widget = widget;
    wear(widget.frame, STYLE);
    const words = element("span", "said");
    words.append(this.#name, this.#text);
    this.#open = button("answer", "", open);
    this.#open.append(this.#face, words);
    this.#away = button("away", "", () => this.#dismiss());
    this.#element.addEventListener("keydown", (event) => event.key === "Escape" && this.#dismiss());
    this.#away.append(drawing(16, CROSS, true));
    this.#element.append(this.#open, this.#away);
    this.#element.hidden = true;
    widget.frame.append(this.#element);
  }

  /** Show who has said what: `{name, avatar, text}`. */
  show({ name, avatar, text }) {
    const { t, base } = this.#widget;
    paintFace(this.#face, { name, avatar }, base);
    this.#name.textContent = name;
    this.#text.textContent = text.slice(0, 200); // two lines of it are shown
    this.#away.setAttribute("aria-label", t("dismiss"));
    this.#element.hidden = false;
  }

  #dismiss() {
    this.hide();
    this.#widget.frame.querySelector(".launcher").focus();
  }

  hide() {
    this.#element.hidden = true;
  }
}
