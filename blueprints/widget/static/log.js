/** What was said: bubbles in groups, days between them, and how far one's own have come. */

import { Follow, NEAR } from "../kit/follow.js";
import { pieces, REL } from "../kit/links.js";
import { lastSent, together } from "../kit/messages.js";
import { sameDay, Times } from "../kit/times.js";
import { button, element } from "./dom.js";

export class Log {
  element = element("div", "log", "", { role: "log", "aria-live": "off", tabindex: "0", part: "log" });

  #rows = new Map();
  #days = new Map();
  #older = element("div", "older");
  #follow = new Follow(() => this.element);
  #first;
  #last;
  #on;
  #t;
  #times;

  /** *on* has `retry(id)`, `discard(id)`, `older()` when the beginning is near, `scrolled()`. */
  constructor(on) {
    this.#on = on;
    this.#older.append(element("i", "skeleton"), element("i", "skeleton mine"), element("i", "skeleton"));
    this.element.addEventListener("scroll", () => this.#look(), { passive: true });
    new ResizeObserver(() => this.isFollowing && this.toEnd()).observe(this.element);
  }

  /** Say everything in another language. */
  relabel(t, locale) {
    this.#t = t;
    this.#times = new Times(locale);
    this.element.setAttribute("aria-label", t("messages"));
    this.#older.setAttribute("aria-label", t("earlier"));
    this.element.replaceChildren();
    this.#rows.clear();
    this.#days.clear();
  }

  /** Whether the newest message is in sight. */
  get isFollowing() {
    return this.#follow.check();
  }

  /** To the newest message. */
  toEnd() {
    this.#follow.toEnd();
  }

  /** The page has moved this, and browsers scroll to the beginning without an event. */
  moved() {
    if (this.#follow.on) this.toEnd();
  }

  /**
   * Show *messages*, in order. *readTo*: the last `seq` that the other side has
   * read; *complete*: nothing comes before them; *waiting*: nobody is there yet
   * to take what is on its way.
   */
  show(messages, { readTo = 0, complete = true, waiting = false } = {}) {
    const log = this.element;
    const height = log.scrollHeight;
    const follows = this.isFollowing;
    const [first, last] = [messages[0]?.id, messages.at(-1)];
    const prepended = this.#first !== undefined && first !== this.#first && this.#rows.has(this.#first);
    const ownNew = last?.own && last.id !== this.#last;
    this.#place(this.#nodes(messages, { readTo, complete, waiting, lastOwn: lastSent(messages) }));
    this.#first = first;
    this.#last = last?.id;
    if (follows || ownNew) this.toEnd();
    else if (prepended) log.scrollTop += log.scrollHeight - height;
  }

  #nodes(messages, about) {
    const nodes = about.complete ? [] : [this.#older];
    const rows = new Map();
    messages.forEach((message, index) => {
      const [before, after] = [messages[index - 1], messages[index + 1]];
      // of today alone nothing need be said
      if (!sameDay(before ? before.date : Date.now(), message.date)) nodes.push(this.#separator(message.date));
      const row = this.#rows.get(message.id) ?? this.#row(message);
      rows.set(message.id, row);
      this.#update(row, message, { ...about, first: !together(before, message), last: !together(message, after) });
      nodes.push(row.line);
    });
    this.#rows = rows;
    return nodes;
  }

  /** Exactly *nodes*, touching only what is not in its place. */
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
    const day = this.#times.day(date);
    if (!this.#days.has(day)) this.#days.set(day, element("p", "day", day));
    return this.#days.get(day);
  }

  #row(message) {
    const line = element("div", message.own ? "line mine" : "line theirs");
    const bubble = element("p", "bubble", "", { dir: "auto", part: `message ${message.own ? "mine" : "theirs"}` });
    bubble.append(...linked(message.text));
    const meta = element("p", "meta");
    // not in the bubble, whose direction is that of its first word
    if (message.own) line.append(element("span", "unseen", `${this.#t("you")}:`));
    line.append(bubble, meta);
    return { line, meta, said: "" };
  }

  #update(row, message, about) {
    const { first, last, readTo, waiting, lastOwn } = about;
    const state = !message.own ? "" : message.state !== "sent" ? message.state : message === lastOwn ? "sent" : "";
    const read = state === "sent" && message.seq <= readTo;
    const said = [state, state === "sending" && waiting, read, first, last, message.error?.code].join();
    if (said === row.said) return;
    row.said = said;
    row.line.classList.toggle("first", first);
    row.line.classList.toggle("last", last);
    row.line.dataset.state = message.own ? message.state : "";
    const words = { sending: waiting ? "waiting" : "sending", sent: read ? "read" : "sent" };
    const parts = [];
    if (last && state !== "failed") {
      const at = new Date(message.date);
      parts.push(element("time", "", this.#times.time(at), { datetime: at.toISOString() }));
    }
    if (state === "failed") parts.push(...this.#failure(message));
    else if (state) parts.push(element("span", "", this.#t(words[state])));
    row.meta.replaceChildren(...parts);
    row.meta.hidden = !parts.length;
  }

  #failure(message) {
    const tooLong = message.error?.code === "too_large";
    const why = `${this.#t("failed")} ${tooLong ? this.#t("too_long") : ""}`.trim();
    const again = button("link", this.#t("retry"), () => this.#on.retry(message.id));
    const away = button("link", this.#t("discard"), () => this.#on.discard(message.id));
    return [element("span", "", why), ...(tooLong ? [] : [again]), away];
  }

  #look() {
    this.#follow.scrolled();
    if (this.element.scrollTop < NEAR * 2 && this.#older.isConnected) this.#on.older();
    this.#on.scrolled();
  }
}

function linked(text) {
  return pieces(text).map(({ text: part, href }) =>
    href ? element("a", "", part, { href, target: "_blank", rel: `${REL} nofollow` }) : part,
  );
}
