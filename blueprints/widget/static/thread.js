/** One conversation on the page: its log and its reply box. Text goes in as text only. */

const KEPT = 200; // messages that survive a reload
const NEAR = 48; // px from the end within which the log follows new messages

export class Thread {
  /** The log, and the form below it. */
  log = element("div", "log");
  form = element("form", "composer");
  box = element("textarea");

  #send = element("button", "primary", "Send");
  #names;
  #items = [];
  #bubbles = new Map();
  #follows = true; // whether the newest message is in sight

  /**
   * *label* names the log, *names* the two sides: `{me, them}`. *say(text)*
   * sends and returns the frame's id, or null when it could not; *changed()* is
   * called when there is something new to remember.
   */
  constructor({ label, boxLabel, names, say, changed }) {
    this.#names = names;
    this.changed = changed;
    this.log.setAttribute("role", "log");
    this.log.setAttribute("aria-live", "polite");
    this.log.setAttribute("aria-label", label);
    this.log.tabIndex = 0; // it scrolls: the keyboard must get at it
    this.log.addEventListener("scroll", () => this.#look());
    new ResizeObserver(() => this.#follows && this.toEnd()).observe(this.log);
    this.box.setAttribute("aria-label", boxLabel);
    this.box.placeholder = "Write a message";
    this.box.rows = 1;
    this.box.maxLength = 16_000; // one frame holds that much in any script
    this.box.enterKeyHint = "send";
    this.form.append(this.box, this.#send);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(say);
    });
    this.box.addEventListener("keydown", (event) => {
      // Enter while composing picks a candidate of an input method
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit(say);
    });
  }

  #submit(say) {
    const text = this.box.value.trim();
    if (!text || this.#send.disabled) return;
    const id = say(text);
    if (id === null) return; // it stays in the box
    this.box.value = "";
    this.add("me", text, id);
  }

  /** Whether it can be written to now. What is in the box stays. */
  set writable(yes) {
    this.#send.disabled = !yes;
  }

  get empty() {
    return this.#items.length === 0;
  }

  /** Show a message of `me` or `them`, or a `note` between messages. */
  add(from, text, id) {
    const item = { from, text, at: Date.now() };
    this.#show(item, id);
    this.changed();
  }

  /** Mark the message sent with *id* as not delivered. Returns whether there is one. */
  fail(id, why) {
    const bubble = this.#bubbles.get(id);
    if (!bubble) return false;
    bubble.item.failed = why;
    this.#mark(bubble.line, why);
    this.changed();
    return true;
  }

  #show(item, id) {
    this.#items = [...this.#items.slice(1 - KEPT), item];
    const line = this.#line(item);
    this.log.append(line);
    if (id) this.#bubbles.set(id, { item, line });
    if (item.failed) this.#mark(line, item.failed);
    if (this.#follows || item.from === "me") this.toEnd();
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #line(item) {
    if (item.from === "note") return element("p", "note", item.text);
    const line = element("div", `line ${item.from === "me" ? "mine" : "theirs"}`);
    const bubble = element("p", "bubble");
    const text = element("span", "text", item.text);
    text.dir = "auto";
    const at = new Date(item.at);
    const time = element("time", "", at.toLocaleTimeString([], { timeStyle: "short" }));
    time.dateTime = at.toISOString();
    bubble.append(element("span", "unseen", `${this.#names[item.from]}: `), text, time);
    line.append(bubble);
    return line;
  }

  #mark(line, why) {
    line.classList.add("failed");
    line.append(element("p", "why", `Not delivered. ${why}`));
  }

  /** Forget everything. */
  clear() {
    this.#items = [];
    this.#bubbles.clear();
    this.log.replaceChildren();
  }

  /** What `restore` takes. */
  remember() {
    return { items: this.#items, draft: this.box.value };
  }

  restore({ items, draft }) {
    for (const item of items) this.#show(item);
    this.box.value = draft;
  }

  /** To the newest message. */
  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
  }
}

/** An element with a class and a text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
