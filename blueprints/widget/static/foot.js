/**
 * What stands below the messages: the visitor's position in the queue; a warning that the conversation ends soon; that
 * the waiter types; and, in the composer's place while nothing can be written, the question whether to end the
 * conversation; who has ended it and why; buttons for a copy of it.
 */

import { Times } from "../kit/times.js";
import { Deeds } from "./deeds.js";
import { button, element, wear } from "./dom.js";
import { Queue } from "./queue.js";

const SECOND = 1000; // ms
const AGAIN = 2000; // ms before a file that did not load is tried again

export class Foot {
  element = element("div", "foot", "", { tabindex: "-1" });

  #widget;
  #visit;
  #ask;
  #deeds;
  #queue;
  #idle = element("p", "idle", "", { role: "timer", part: "idle" });
  #typing;
  #times;
  #form = null; // with which a message is left
  #rating = null; // once it is loaded …
  #isRating = false; // … which has begun
  #asked = element("div"); // where it stands while the conversation goes on
  #warned = 0; // when the conversation ends of which the visitor was warned last
  #timer = 0;
  #shown = "";
  #readOut = {}; // what the site has said by itself, and screen readers have read out

  /**
   * For the conversation that *visit* shows, with the texts of *widget*; *ask(yes)* and *put(text)* as `Panel` has
   * them. *typing* is the place above the composer that says whether the waiter types; queue and warning stand above it.
   */
  constructor(widget, visit, ask, put, typing) {
    this.#widget = widget;
    this.#visit = visit;
    this.#ask = ask;
    this.#deeds = new Deeds(widget, visit, put);
    this.#typing = typing;
    this.#queue = new Queue(() => visit.leave());
    typing.before(this.queue, this.#idle, this.#asked);
  }

  relabel() {
    this.#queue.relabel(this.#widget.t);
    this.#times = new Times(this.#widget.locale);
    this.#form?.relabel();
    this.#rating?.relabel();
    this.#shown = "";
  }

  /** Where the visitor reads its position in the queue. */
  get queue() {
    return this.#queue.element;
  }

  /** What the log of the conversation can do. */
  get ofLog() {
    return this.#deeds.ofLog;
  }

  /** Show an earlier conversation; "": none any more. */
  turnTo(conversation) {
    return this.#deeds.turnTo(conversation);
  }

  /** Who has ended the conversation, and why. */
  get ending() {
    const { t } = this.#widget;
    const { reason, name } = this.#visit;
    if (reason === "left") return t("ended_left");
    if (reason === "ended") return t("ended_waiter", { name });
    if (reason === "idle") return t("ended_idle");
    if (reason === "message") return this.#left;
    return t(reason === "lost" ? "ended_lost" : "ended");
  }

  /** What has become of the message that was left. */
  get #left() {
    const { chat, name } = this.#visit;
    return this.#widget.t(chat?.messages.some(({ own }) => !own) ? "answered" : "left", { name });
  }

  /** Show the form with which a message is left, with the text of *composer*. */
  async leave(composer) {
    const visit = this.#visit;
    try {
      const Leave = await this.#widget.pieces.module("leave.js", "Leave");
      if (!this.#form) wear(this.element, Leave.style);
      this.#form ??= new Leave(this.#widget, visit, composer);
    } catch {
      return visit.fail();
    }
    visit.isLeaving = true;
    this.#form.begin();
    visit.changed();
  }

  /**
   * *phase*: as `Visit` has it, or `leaving`: a message; or `past`: an earlier conversation is shown. *asking*: whether
   * to end this one.
   */
  show(phase, asking) {
    const { t } = this.#widget;
    const what = asking ? "asking" : ["ended", "past", "leaving"].includes(phase) ? phase : "";
    this.queue.hidden = phase !== "queued";
    this.#queue.show(this.#visit);
    this.#announce(this.#visit.client.words);
    this.#warn((phase === "served" && this.#visit.chat.closes) || 0);
    this.#showTyping(phase === "served" && this.#visit.chat.typing);
    this.element.hidden = !what;
    const rating = this.#rate(phase);
    this.#asked.replaceChildren(...(rating && phase === "served" ? [rating] : []));
    const shown = what && what + t("end") + this.ending;
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.element.classList.toggle("whole", what === "leaving");
      this.element.replaceChildren(...(what ? this.#parts(what) : []));
    }
    this.#putRating(["ended", "past"].includes(what) ? rating : null);
  }

  /** Have *rating* (null: nothing) behind the first line. All else stays, with the focus. */
  #putRating(rating) {
    const there = this.#rating?.element;
    if (rating && !this.element.contains(rating)) this.element.firstElementChild.after(rating);
    else if (!rating && this.element.contains(there)) there.remove();
  }

  /** Where the visitor rates the conversation, or reads how it has; null: it is not asked. */
  #rate(phase) {
    const { chat, client } = this.#visit;
    const isAsked = phase === "served" && (chat.invited || this.#rating);
    const isOver = phase === "ended" && chat?.reason !== "message" && (client.me?.ratings || chat?.rating);
    if (!isAsked && !isOver && !(phase === "past" && chat?.rating)) return null;
    if (!this.#isRating) this.#bringRating();
    return this.#rating?.show(phase === "served") ? this.#rating.element : null;
  }

  async #bringRating() {
    this.#isRating = true;
    try {
      const Rating = await this.#widget.pieces.module("rating.js", "Rating");
      wear(this.element, Rating.style);
      this.#rating = new Rating(this.#widget, this.#visit);
      this.#visit.changed();
    } catch {
      setTimeout(() => (this.#isRating = false), AGAIN);
    }
  }

  /** The conversation ends at *closes*, by the server's clock: count down, and let screen readers read it out once. */
  #warn(closes) {
    clearTimeout(this.#timer);
    const left = closes - this.#visit.client.now();
    this.#idle.hidden = left <= 0;
    if (left <= 0) return;
    const words = this.#widget.t("idle", { time: this.#times.duration(left) });
    this.#idle.textContent = words;
    if (closes !== this.#warned) this.#widget.panel.announce(words);
    this.#warned = closes;
    this.#timer = setTimeout(() => this.#warn(closes), SECOND);
  }

  /** Let screen readers read out *words*, which the site says by itself: each once, where the visitor sees it. */
  #announce(words) {
    const { panel } = this.#widget;
    if (!panel.isOpen || words === this.#readOut) return;
    for (const [what, text] of Object.entries(words)) if (this.#readOut[what] !== text) panel.announce(text);
    this.#readOut = words;
  }

  #showTyping(isTyping) {
    const where = this.#typing;
    const words = isTyping ? this.#widget.t("typing", { name: this.#visit.name }) : "";
    if (where.textContent === words) return;
    where.replaceChildren(...(isTyping ? [element("i"), element("i"), element("i"), words] : []));
  }

  #parts(what) {
    const { t } = this.#widget;
    const visit = this.#visit;
    if (what === "leaving") return [this.#form.element];
    if (what === "asking") {
      return [
        element("p", "", t("end_question")),
        button("primary", t("end"), () => visit.leave()),
        button("", t("keep"), () => this.#ask(false)),
      ];
    }
    const next =
      what === "ended"
        ? button("primary", t("again"), () => this.#deeds.renew())
        : button("primary", t("return"), () => this.turnTo(""));
    return [element("p", "", this.ending), next, this.#copies()];
  }

  #copies() {
    const both = element("div", "copies");
    both.append(...["print", "save"].map((how) => button("link", this.#widget.t(how), () => this.#copy(how))));
    return both;
  }

  async #copy(how) {
    try {
      const take = await this.#widget.pieces.module("copy.js", "take");
      await take(how, this.#visit, this.#widget);
    } catch {
      this.#visit.fail();
    }
  }
}
