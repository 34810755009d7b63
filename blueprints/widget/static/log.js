/**
 * The messages: bubbles in groups, days between them, and receipts. Loaded when there is something to show,
 * together with what stands below them when a conversation ends.
 */

import { offers } from "../kit/choices.js";
import { Follow, NEAR } from "../kit/follow.js";
import { mayRetry } from "../kit/file-part.js";
import { pieces, REL } from "../kit/links.js";
import { together } from "../kit/messages.js";
import { SIGNS, stamps } from "../kit/receipts.js";
import { excess } from "../kit/size.js";
import { sameDay, Times } from "../kit/times.js";
import { CHOICES_STYLE, Choices } from "./choices.js";
import { button, drawing, element } from "./dom.js";
import { FileBubble, whyNot } from "./file-bubble.js";
import { FILE_STYLE } from "./file-style.js";
import { STYLE } from "./log-style.js";

export { Foot } from "./foot.js";

export class Log {
  /** The style for the root in which the log is. */
  static style = STYLE + CHOICES_STYLE + FILE_STYLE;

  element = element("div", "log", "", { role: "log", "aria-live": "off", tabindex: "0", part: "log" });

  #rows = new Map();
  #days = new Map();
  #said = new Map(); // what the site has said to a visitor who waits: `greeting`, `looking` → element
  #older = element("div", "older");
  #unread = element("p", "day unread");
  #newer = button("newer", "", () => this.toEnd());
  #follow = new Follow(() => this.element);
  #waiting = 0; // messages that are not read
  #on;
  #t;
  #locale;
  #times;

  /**
   * *on* has `retry(id)`, `edit(id)`, `discard(id)`, `take(choice)`, `mayTake()`, `older()` (the beginning is near), `scrolled()`;
   * `said()`, what the site has said by itself to a visitor who waits: `greeting`, `looking` → the text;
   * `links(ids)` and `view(id)`, as `FileBubble` has them; `limits()`, which files the server takes; `now()`, by the server's clock; `face(element)`, which paints the waiter of the next message;
   * `most()`, how long a text may be.
   */
  constructor(on) {
    this.#on = on;
    this.#older.append(element("i", "skeleton"), element("i", "skeleton mine"), element("i", "skeleton"));
    this.element.addEventListener("scroll", () => this.#look(), { passive: true });
    new ResizeObserver(() => this.isFollowing && this.toEnd()).observe(this.element);
  }

  /** Show all texts in another language. */
  relabel(t, locale) {
    this.#t = t;
    this.#locale = locale;
    this.#times = new Times(locale);
    this.element.setAttribute("aria-label", t("messages"));
    this.#unread.textContent = t("new");
    this.#older.setAttribute("aria-label", t("earlier"));
    this.element.replaceChildren();
    this.#rows.clear();
    this.#days.clear();
  }

  /** Put the log behind *before*. */
  putBehind(before) {
    before.after(this.element, this.#newer);
  }

  set hidden(yes) {
    this.element.hidden = yes;
    if (yes) this.#newer.hidden = true;
  }

  /** Whether the newest message is in sight. */
  get isFollowing() {
    return this.#follow.check();
  }

  /** Scroll to the newest message. */
  toEnd() {
    this.#follow.toEnd();
  }

  /** The page has moved the log, and browsers scroll it to the beginning without an event. */
  moved() {
    this.#follow.back();
  }

  /** Scroll to the first unread message, or to the newest if all unread ones can be seen then. */
  toUnread() {
    this.toEnd();
    this.#follow.toMark(this.#unread);
    this.#showNewer();
  }

  /**
   * Show *messages*, in order. *readTo*: the last `seq` that the other side has
   * read; *complete*: nothing comes before them; *waiting*: no waiter is there yet
   * to take what is on its way; *mark*: the id of the message with which the unread begins; *unread*: how
   * many there are.
   */
  show(messages, { readTo = 0, complete = true, waiting = false, mark = "", unread = 0 } = {}) {
    const fromEnd = this.#follow.measure();
    this.#place(this.#nodes(messages, { complete, waiting, mark, stamps: stamps(messages, readTo) }));
    this.#follow.shown(messages, fromEnd);
    this.#showNewer(unread);
  }

  #nodes(messages, about) {
    const nodes = about.complete ? [] : [this.#older];
    const rows = new Map();
    const offered = offers(messages);
    const { greeting, ...others } = about.waiting ? this.#on.said() : {};
    if (greeting) nodes.push(this.#saying("greeting", greeting)); // where it stands in the conversation as well
    messages.forEach((message, index) => {
      const [before, after] = [messages[index - 1], messages[index + 1]];
      // if all are of today, no day is shown
      if (!sameDay(before ? before.date : this.#on.now(), message.date)) nodes.push(this.#separator(message.date));
      if (message.id === about.mark) nodes.push(this.#unread);
      const row = this.#rows.get(message.id) ?? (message.event ? { element: told(message) } : this.#row(message));
      rows.set(message.id, row);
      nodes.push(row.element);
      if (message.event?.words) return;
      if (message.event) {
        const { name, to } = message.event; // until both are known, the queue is shown
        row.element.textContent = name && to ? this.#t("handed", { name, to }) : "";
        row.element.hidden = !row.element.textContent;
        return;
      }
      const { time, receipt } = about.stamps[index];
      const ends = { first: !near(before, message), last: !near(message, after) };
      row.choices?.show(message, offered.get(message.id), this.#on.mayTake());
      this.#update(row, message, { ...ends, time, receipt, waiting: about.waiting });
    });
    this.#rows = rows;
    return [...nodes, ...Object.entries(others).map((one) => this.#saying(...one))];
  }

  /** The line of *text*, which the site says by itself to those who wait. */
  #saying(what, text) {
    if (this.#said.get(what)?.textContent !== text) this.#said.set(what, site(text));
    return this.#said.get(what);
  }

  /** Show that *unread* messages have come while the visitor looks at older ones. */
  #showNewer(unread = this.#waiting) {
    this.#waiting = unread;
    this.#newer.hidden = !unread || this.isFollowing;
    if (unread) this.#newer.textContent = this.#t("new_messages", { n: unread });
  }

  /** Show exactly *nodes*; touch only those that are not in their place. */
  #place(nodes) {
    let next = this.element.firstChild;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else this.element.insertBefore(node, next);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  #separator(date) {
    const day = this.#times.day(date, this.#on.now());
    if (!this.#days.has(day)) this.#days.set(day, element("p", "day", day));
    return this.#days.get(day);
  }

  #row(message) {
    const row = element("div", message.own ? "line mine" : "line theirs");
    const part = `message ${message.own ? "mine" : "theirs"}`;
    const file = message.file && new FileBubble(message, { ...this.#on, grown: () => this.#grown() }, this.#t, this.#locale);
    const bubble = file?.element ?? element("p", "bubble", "", { dir: "auto", part });
    if (!file) bubble.append(...linked(message.text));
    const meta = element("p", "meta");
    // not in the bubble, whose direction is that of its first word
    const who = message.own ? element("span", "unseen", `${this.#t("you")}:`) : element("span", "face");
    if (!message.own) this.#on.face(who);
    const choices = message.choices && new Choices(message, this.#on.take);
    row.append(who, bubble, ...(choices ? [choices.element] : []), meta);
    return { element: row, meta, choices, file, said: "" };
  }

  /** A message has become higher after it was shown. */
  #grown() {
    if (this.isFollowing) this.toEnd();
  }

  #update(row, message, { first, last, time, receipt, waiting }) {
    row.file?.show(message);
    const said = [message.state, receipt, receipt === "sending" && waiting, time, first, last, message.error?.code].join();
    if (said === row.said) return;
    row.said = said;
    row.element.classList.toggle("first", first);
    row.element.classList.toggle("last", last);
    row.element.dataset.state = message.own ? message.state : "";
    const parts = [];
    if (time) {
      const at = new Date(message.date);
      const attributes = { datetime: message.date, title: this.#times.moment(at) };
      parts.push(element("time", "", this.#times.time(at), attributes));
    }
    if (receipt) parts.push(drawing(16, SIGNS[receipt], true));
    if (receipt === "failed") parts.push(...this.#failure(message));
    else if (receipt) parts.push(element("span", "", this.#t(receipt === "sending" && waiting ? "waiting" : receipt)));
    if (message.state === "uploading") parts.push(this.#act("cancel", this.#on.discard, message));
    row.meta.replaceChildren(...parts);
    row.meta.hidden = !parts.length;
  }

  #act(key, what, { id }) {
    return button("link", this.#t(key), () => what(id));
  }

  #failure(message) {
    const { text, error, file } = message;
    const act = (key, what) => this.#act(key, what, message);
    if (file) {
      const again = mayRetry(message) ? [act("retry", this.#on.retry)] : [];
      return [whyNot(message, this.#t, this.#locale, this.#on.limits()), ...again, act("discard", this.#on.discard)];
    }
    const tooLong = error?.code === "too_large";
    const by = tooLong && excess(text, this.#on.most());
    const why = !tooLong ? "" : by ? this.#t("too_long_by", { n: by }) : this.#t("too_long");
    const again = tooLong ? [] : [act("retry", this.#on.retry)];
    const said = element("span", "", `${this.#t("failed")} ${why}`.trim());
    return [said, ...again, act("edit", this.#on.edit), act("discard", this.#on.discard)];
  }

  #look() {
    this.#follow.scrolled();
    if (this.element.scrollTop < NEAR * 2 && this.#older.isConnected) this.#on.older();
    this.#on.scrolled();
  }
}

/** Whether two messages belong together; what neither side has written stands by itself. */
const near = (one, next) => !one?.event && !next?.event && together(one, next);

/** The line of what neither side has written: the site's own words, or room for who was handed over. */
function told({ event, text }) {
  return event.words ? site(text) : element("p", "day");
}

function site(text) {
  const line = element("p", "site", "", { dir: "auto", part: "words" });
  line.append(...linked(text));
  return line;
}

function linked(text) {
  return pieces(text).map(({ text: part, href }) =>
    href ? element("a", "", part, { href, target: "_blank", rel: `${REL} nofollow` }) : part,
  );
}
