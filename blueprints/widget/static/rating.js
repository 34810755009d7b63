/**
 * What the visitor thinks of a conversation: five stars and a comment, once, which may be changed for a day. Loaded at
 * the end of a conversation, or when the waiter asks for it.
 */

import { mayRate } from "../kit/rating.js";
import { button, drawing, element } from "./dom.js";

const MOST = 5;
const STAR = "M12 2.6l2.9 6 6.6.9-4.8 4.6 1.2 6.5L12 17.5l-5.9 3.1 1.2-6.5L2.5 9.5l6.6-.9z";

const STYLE = `
  .rating {
    display: grid;
    flex-basis: 100%;
    justify-items: center;
    gap: 8px;
    min-width: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }

  .rating.asked {
    flex: none;
    padding: 8px 16px 16px;
    border-block-start: 1px solid var(--line);
    background: var(--soft);
  }

  .rating legend {
    float: inline-start; /* or it would stand on the border */
    width: 100%;
    padding: 8px 0 0;
    font-weight: 600;
    font-size: 15px;
    line-height: 24px;
    text-align: center;
  }

  .stars {
    display: flex;
  }

  .stars label {
    position: relative;
    display: grid;
    place-items: center;
    width: 44px;
    height: 44px;
    cursor: pointer;
  }

  .stars input {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
    margin: 0;
    opacity: 0;
    cursor: pointer;
  }

  .stars svg {
    width: 28px;
    height: 28px;
    border-radius: 6px;
    color: var(--edge);
    stroke-width: 1.5;
    stroke-linejoin: round;
  }

  .stars .full svg {
    color: var(--day, #a85b00) var(--night, #ffb950);
  }

  .stars .full path {
    fill: currentcolor;
  }

  .stars input:focus-visible + svg {
    outline: 2px solid var(--accent);
    outline-offset: 4px;
  }

  .rating .given svg {
    width: 20px;
    height: 20px;
    margin: 2px;
  }

  .rating textarea {
    grid-area: auto;
    box-sizing: border-box;
    width: 100%;
    min-height: 64px;
    padding: 8px 12px;
    border: 1px solid var(--edge);
    background: var(--surface);
    font-size: 16px;
    line-height: 22px;
    resize: vertical;
  }

  .rating .both {
    display: flex;
    gap: 8px 16px;
  }

  .rating .said {
    max-width: 100%;
    color: var(--muted);
    font-size: 14px;
    line-height: 20px;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
`;

export class Rating {
  static style = STYLE;

  #widget;
  #visit;
  #conversation = "";
  #stars = 0; // that are chosen, and not sent
  #comment = element("textarea", "", "", { rows: "2", dir: "auto" });
  #submit = null;
  #isChanging = false;
  #isSending = false;
  #isDone = false; // the visitor has put it away
  #shown = "";

  /** Of the conversation that *visit* shows, with the texts of *widget*. */
  constructor(widget, visit) {
    this.#widget = widget;
    this.#visit = visit;
    this.element = element("fieldset", "rating", "", { part: "rating" });
  }

  relabel() {
    this.#shown = "";
  }

  /** Show it, with a way out where the conversation goes on (*asked*); false: there is nothing to show. */
  show(asked) {
    const { chat, client } = this.#visit;
    if (chat?.conversation !== this.#conversation) this.#begin(chat);
    const isOpen = Boolean(chat) && mayRate(client, chat);
    const isForm = isOpen && (!chat.rating || this.#isChanging);
    if (!chat || (asked && this.#isDone) || !(chat.rating || isForm)) return false;
    const shown = [asked, isForm, isOpen, JSON.stringify(chat.rating)].join();
    if (shown !== this.#shown) this.#draw(chat, { asked, isForm, isOpen });
    this.#shown = shown;
    if (isForm) this.#paint();
    return true;
  }

  #begin(chat) {
    this.#conversation = chat?.conversation;
    this.#stars = 0;
    this.#comment.value = this.#shown = "";
    this.#isChanging = this.#isSending = this.#isDone = false;
  }

  #draw({ rating }, { asked, isForm, isOpen }) {
    const isFocused = this.element.contains(this.element.getRootNode().activeElement);
    this.element.classList.toggle("asked", asked);
    this.element.replaceChildren(...(isForm ? this.#form(rating, asked) : this.#given(rating, asked, isOpen)));
    if (isForm) this.#paint();
    if (isFocused) this.element.querySelector("input:checked, button:not([hidden])")?.focus({ preventScroll: true });
  }

  #form(rating, asked) {
    const { t } = this.#widget;
    const stars = element("div", "stars");
    for (let value = 1; value <= MOST; value += 1) stars.append(this.#star(value));
    this.#comment.placeholder = t("rate_comment");
    this.#comment.setAttribute("aria-label", t("rate_comment"));
    const both = element("div", "both");
    this.#submit = button("primary", t("rate_send"), () => this.#send());
    both.append(this.#submit);
    if (asked || rating) both.append(button("link", t(rating ? "rate_keep" : "rate_skip"), () => this.#cancel()));
    return [element("legend", "", t("rate")), stars, this.#comment, both];
  }

  #star(value) {
    const label = element("label");
    const name = this.#widget.t("stars", { n: value });
    const input = element("input", "", "", { type: "radio", name: "stars", value: `${value}`, "aria-label": name });
    input.addEventListener("change", () => {
      this.#stars = value;
      this.#paint();
    });
    label.append(input, drawing(24, STAR, true));
    label.title = name;
    return label;
  }

  /** Show how many stars are chosen; with some, a comment may be written, and both be sent. */
  #paint() {
    this.element.querySelectorAll("label").forEach((label, at) => {
      label.classList.toggle("full", at < this.#stars);
      label.firstChild.checked = at === this.#stars - 1;
    });
    this.#comment.hidden = this.#submit.hidden = !this.#stars;
    this.#submit.setAttribute("aria-disabled", this.#isSending);
  }

  #given({ rate: stars, comment }, asked, isOpen) {
    const { t } = this.#widget;
    const given = element("div", "stars given", "", { role: "img", "aria-label": t("stars", { n: stars }) });
    for (let value = 1; value <= MOST; value += 1) {
      const star = element("span", value <= stars ? "full" : "");
      star.append(drawing(24, STAR, true));
      given.append(star);
    }
    const both = element("div", "both");
    if (isOpen) both.append(button("link", t("rate_change"), () => this.#change()));
    if (asked) both.append(button("link", t("rate_close"), () => this.#cancel()));
    const said = comment ? [element("p", "said", comment, { dir: "auto" })] : [];
    return [element("legend", "", t("rated")), given, ...said, both];
  }

  #change() {
    const { rate: stars, comment } = this.#visit.chat.rating;
    this.#stars = stars;
    this.#comment.value = comment;
    this.#isChanging = true;
    this.#visit.changed();
  }

  #cancel() {
    this.#isDone = !this.#isChanging;
    this.#isChanging = false;
    this.#visit.changed();
  }

  async #send() {
    if (this.#isSending) return;
    const { chat, client } = this.#visit;
    this.#isSending = true;
    this.#visit.problem = "";
    this.#visit.changed();
    try {
      await client.rate(this.#stars, this.#comment.value.trim(), chat.conversation);
      this.#isChanging = false;
      this.#widget.panel.announce(this.#widget.t("rated"));
    } catch {
      this.#visit.fail();
    }
    this.#isSending = false;
    this.#visit.changed();
  }
}
