/** What was said: bubbles in groups, days between them, and how far one's own have come. */

import { button, element } from "./dom.js";

const PAUSE = 300_000; // ms of silence after which a group ends
const NEAR = 64; // px from the end within which new messages are followed
const LINK = /https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}]/g;

export class Log {
  element = element("div", "log", "", { role: "log", "aria-live": "off", tabindex: "0", part: "log" });

  #rows = new Map();
  #days = new Map();
  #older = element("div", "older");
  #follows = true;
  #lastTop = 0;
  #first;
  #last;
  #on;
  #t;
  #time;
  #day;

  /** *on* has `retry(id)`, `discard(id)`, `older()` when the beginning is near, `scrolled()`. */
  constructor(on) {
    this.#on = on;
    this.#older.append(element("i", "skeleton"), element("i", "skeleton mine"), element("i", "skeleton"));
    this.element.addEventListener("scroll", () => this.#look(), { passive: true });
    new ResizeObserver(() => this.checkFollows() && this.toEnd()).observe(this.element);
  }

  /** Say everything in another language. */
  relabel(t, locale) {
    this.#t = t;
    this.#time = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
    this.element.setAttribute("aria-label", t("messages"));
    this.#older.setAttribute("aria-label", t("earlier"));
    this.element.replaceChildren();
    this.#rows.clear();
    this.#days.clear();
  }

  /** Whether the newest message is in sight. The scroll event comes some time after scrolling, so compare. */
  checkFollows() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    if (scrollTop < this.#lastTop && scrollHeight - scrollTop - clientHeight >= NEAR) this.#follows = false;
    return this.#follows;
  }

  /** To the newest message. */
  toEnd() {
    this.#follows = true;
    this.element.scrollTop = this.element.scrollHeight;
    this.#lastTop = this.element.scrollTop;
  }

  /** The page has moved this, and browsers scroll to the beginning without an event. */
  moved() {
    if (this.#follows) this.toEnd();
  }

  /**
   * Show *messages*, in order. *readTo*: the last `seq` that the other side has
   * read; *complete*: nothing comes before them; *waiting*: nobody is there yet
   * to take what is on its way.
   */
  show(messages, { readTo = 0, complete = true, waiting = false } = {}) {
    const log = this.element;
    const height = log.scrollHeight;
    const follows = this.checkFollows();
    const [first, last] = [messages[0]?.id, messages.at(-1)];
    const prepended = this.#first !== undefined && first !== this.#first && this.#rows.has(this.#first);
    const ownNew = last?.own && last.id !== this.#last;
    const lastOwn = messages.findLast((one) => one.own && one.state === "sent");
    this.#place(this.#nodes(messages, { readTo, complete, waiting, lastOwn }));
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
      const day = dayOf(message);
      // of today alone nothing need be said
      if (before ? dayOf(before) !== day : day !== dayOf({ date: Date.now() })) nodes.push(this.#separator(day));
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

  #separator(day) {
    if (!this.#days.has(day)) this.#days.set(day, element("p", "day", this.#day.format(day)));
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
      parts.push(element("time", "", this.#time.format(at), { datetime: at.toISOString() }));
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
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#lastTop = scrollTop;
    if (scrollTop < NEAR * 2 && this.#older.isConnected) this.#on.older();
    this.#on.scrolled();
  }
}

function linked(text) {
  const parts = [];
  let end = 0;
  for (const { 0: url, index } of text.matchAll(LINK)) {
    const link = element("a", "", url, { href: url, target: "_blank", rel: "noopener noreferrer nofollow" });
    parts.push(text.slice(end, index), link);
    end = index + url.length;
  }
  return [...parts, text.slice(end)];
}

function together(one, next) {
  return Boolean(
    one && next && one.own === next.own && dayOf(one) === dayOf(next) && new Date(next.date) - new Date(one.date) < PAUSE,
  );
}

function dayOf(message) {
  return new Date(message.date).setHours(0, 0, 0, 0);
}
