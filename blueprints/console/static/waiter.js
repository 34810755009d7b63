/** The waiter's page: signed out, or at the desk with a column for each visitor. */

import { Chat, fetchToken, memory, plain } from "../widget/chat.js";
import { Thread, element } from "../widget/thread.js";

const SETTLED = 2000; // ms after which a chat that was not named again is not ours any more

const STATES = {
  closed: "Not connected",
  connecting: "Connecting…",
  open: "Connected",
  waiting: "Reconnecting…",
  stopped: "Disconnected",
};

const at = (id) => document.getElementById(id);
const title = document.title;

const chat = new Chat("v1/ws/waiter/connect", {
  token: () => memory.get("token"),
  opened,
  received: (frame) => (on[frame.type] ?? ignore)(frame),
  changed: showState,
  refused,
  stopped(why) {
    at("why").textContent = why;
    showState("stopped");
  },
});

/** UUID of the visitor → its column. */
const columns = new Map();
let numbers = {}; // UUID → the number in "Visitor 3"
const farewells = new Set(); // ids of our `disconnect` frames
let ready = false;
let settling = 0;

// ---- one visitor ------------------------------------------------------

class Column {
  ended = false;
  fresh = false;
  unread = 0;
  /** Whether this connection has named it as ours. */
  named = true;

  #badge = element("span", "badge");
  #end = element("button", "small", "End chat");
  #close = element("button", "small", "Close");

  constructor(uuid) {
    this.uuid = uuid;
    numbers[uuid] ??= Object.keys(numbers).length + 1;
    this.name = `Visitor ${numbers[uuid]}`;
    this.thread = new Thread({
      label: `Messages with ${this.name}`,
      boxLabel: `Reply to ${this.name}`,
      names: { me: "You", them: this.name },
      say: (text) => chat.send("message_text", { message: text }, uuid),
      changed: remember,
    });
    this.#build();
  }

  #build() {
    this.element = element("article", "column");
    this.element.setAttribute("aria-label", this.name);
    this.#end.type = this.#close.type = "button";
    this.#end.setAttribute("aria-label", `End chat with ${this.name}`);
    this.#close.setAttribute("aria-label", `Close ${this.name}`);
    this.#end.addEventListener("click", () => {
      farewells.add(chat.send("disconnect", { uuid: this.uuid }));
      this.end("You ended the chat.");
    });
    this.#close.addEventListener("click", () => close(this));
    this.element.addEventListener("focusin", () => this.look());
    this.element.addEventListener("pointerdown", () => this.look());

    const head = element("header", "head");
    const name = element("h2", "", this.name);
    head.append(name, this.#badge, this.#end, this.#close);
    this.element.append(head, this.thread.log, this.thread.form);

    this.tab = element("button", "tab");
    this.tab.type = "button";
    this.tab.addEventListener("click", () => {
      this.element.scrollIntoView({ inline: "start", block: "nearest" });
      this.thread.log.focus({ preventScroll: true }); // the box would bring up the keyboard
    });
    this.show();
  }

  get watched() {
    return !document.hidden && this.element.contains(document.activeElement);
  }

  /** A new chat, or an old one again. */
  begin(note) {
    this.named = true;
    if (note) this.thread.add("note", note);
    this.ended = false;
    this.fresh = !this.watched;
    this.show();
  }

  hear(text) {
    this.thread.add("them", text);
    if (!this.watched) this.unread += 1;
    this.show();
  }

  look() {
    if (!this.unread && !this.fresh) return;
    this.unread = 0;
    this.fresh = false;
    this.show();
    remember();
  }

  end(note) {
    if (this.ended) return;
    this.ended = true;
    this.fresh = false;
    const hadFocus = this.element.contains(document.activeElement);
    this.thread.add("note", note);
    this.show();
    if (hadFocus) this.thread.log.focus(); // not on a button: somebody may be typing
  }

  show() {
    const news = this.unread ? `${this.unread}` : this.fresh ? "New" : "";
    this.element.classList.toggle("ended", this.ended);
    this.element.classList.toggle("unread", Boolean(news));
    this.#badge.hidden = !news;
    this.#badge.replaceChildren(news, element("span", "unseen", this.unread ? " unread" : " chat"));
    this.tab.replaceChildren(this.name);
    if (news) this.tab.append(element("span", "badge", news));
    this.tab.classList.toggle("over", this.ended);
    this.#end.hidden = this.ended;
    this.#close.hidden = !this.ended;
    this.#end.disabled = chat.state !== "open";
    this.thread.form.hidden = this.ended;
    this.thread.writable = chat.state === "open";
    showCounts();
  }
}

/** Marks the tab of the column that a narrow screen shows. */
const inView = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const one = [...columns.values()].find(({ element }) => element === target);
      if (isIntersecting) one?.tab.setAttribute("aria-current", "true");
      else one?.tab.removeAttribute("aria-current");
    }
  },
  { root: at("columns"), threshold: 0.6 },
);

function open(uuid) {
  const made = new Column(uuid);
  columns.set(uuid, made);
  at("columns").append(made.element);
  at("tabs").append(made.tab);
  inView.observe(made.element);
  showCounts();
  return made;
}

function close(gone) {
  const others = [...columns.values()];
  const next = others[others.indexOf(gone) + 1] ?? others[others.indexOf(gone) - 1];
  columns.delete(gone.uuid);
  gone.element.remove();
  gone.tab.remove();
  showCounts();
  remember();
  if (next) next.thread.log.focus();
  else at("idle").focus();
}

// ---- what the server says ---------------------------------------------

function opened() {
  complain("");
  if (ready) chat.send("ready");
  for (const one of columns.values()) one.named = one.ended;
  clearTimeout(settling);
  settling = setTimeout(settle, SETTLED);
}

/** What the server has not named since we came back went on without us. */
function settle() {
  if (chat.state !== "open") return;
  for (const one of columns.values()) {
    if (!one.named) one.end("You were away too long. This chat is not with you any more.");
  }
}

const on = {
  new_connection({ payload: { uuid } }) {
    const known = columns.get(uuid);
    if (!known) open(uuid).begin("The visitor has joined.");
    else if (known.ended) known.begin("The visitor is back.");
    else known.named = true;
    remember();
  },
  message_text({ from, payload }) {
    const one = columns.get(from) ?? open(from);
    if (one.ended) one.begin("The chat goes on.");
    one.hear(payload.message);
    remember();
  },
  disconnected({ from }) {
    columns.get(from)?.end("The visitor has left.");
  },
  error({ reply_id: id, payload }) {
    if (farewells.has(id)) return; // both ended it at once
    const why = plain(payload.message);
    const failed = [...columns.values()].some((one) => id && one.thread.fail(id, why));
    if (!failed) complain(why);
  },
};

function ignore() {}

// ---- signing in and out -----------------------------------------------

const JUST = 10_000; // ms
let given = -Infinity; // when we were last given a token: a refusal right after it is final

/** Use *token* from now on. What belongs to somebody else is forgotten. */
function signIn(token, sub = null) {
  const same = token === memory.get("token") || (sub !== null && sub === memory.get("sub"));
  if (!same) forget();
  memory.set("token", token);
  if (sub !== null || !same) memory.set("sub", sub);
  show("desk");
  chat.open();
}

/** Ask the host application who this is. *why*: why the last token was not taken. */
async function askHost(why = "") {
  if (performance.now() - given < JUST) {
    openDoor(why);
    return;
  }
  show("none");
  try {
    const { token, sub } = await fetchToken("v1/waiter/login");
    given = performance.now();
    signIn(token, sub);
  } catch (error) {
    openDoor(why || (error.status === 401 ? "" : error.message));
  }
}

function openDoor(why) {
  show("door");
  at("refusal").textContent = why;
  at(at("by-token").open ? "token" : "name").focus();
}

/** Sign in with a name and a password. */
async function knock() {
  const button = at("login").querySelector("button");
  if (button.getAttribute("aria-disabled")) return; // under way: a button that is disabled loses the focus
  button.setAttribute("aria-disabled", "true");
  at("refusal").textContent = ""; // so that the same sentence is read out again
  try {
    const login = { name: at("name").value, password: at("password").value };
    const { token, sub } = await fetchToken("v1/waiter/login", login);
    at("login").reset();
    given = performance.now();
    signIn(token, sub);
  } catch (error) {
    at("refusal").textContent = error.message;
    at("password").select();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** What this tab was let in with is worth nothing from now on, wherever it got to. */
function revoke(token) {
  const headers = { Authorization: `Bearer ${token}` };
  fetch("v1/waiter/logout", { method: "POST", headers, keepalive: true }).catch(() => {});
}

function refused(why) {
  memory.set("token", null);
  askHost(why);
}

function fromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

function forget() {
  for (const one of columns.values()) {
    one.element.remove();
    one.tab.remove();
  }
  columns.clear();
  numbers = {};
  ready = false;
  showCounts();
  remember();
}

at("door").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = at("token").value.trim();
  if (!token) return;
  at("token").value = "";
  given = performance.now();
  signIn(token);
});

at("login")?.addEventListener("submit", (event) => {
  event.preventDefault();
  knock();
});

at("ready").addEventListener("click", () => {
  ready = chat.send("ready") !== null;
  showCounts();
  remember();
  (columns.size ? at("out") : at("idle")).focus();
});

at("out").addEventListener("click", () => {
  const open = [...columns.values()].filter((one) => !one.ended).length;
  const chats = open === 1 ? "1 chat" : `${open} chats`;
  if (open && !confirm(`Sign out and end ${chats}?`)) return;
  chat.close();
  forget();
  revoke(memory.get("token"));
  memory.set("token", null);
  openDoor("");
});

at("retry").addEventListener("click", () => chat.open());

addEventListener("hashchange", () => location.reload()); // another waiter's link in this tab

// ---- what is shown ----------------------------------------------------

function show(place) {
  document.body.dataset.place = place;
}

function showState(state) {
  at("state").textContent = STATES[state];
  at("state").dataset.state = state;
  at("lost").hidden = state !== "waiting" && state !== "stopped";
  if (state === "waiting") at("why").textContent = "The connection is lost. What you write is kept.";
  at("retry").textContent = state === "stopped" ? "Connect again" : "Try now";
  at("ready").disabled = state !== "open";
  for (const one of columns.values()) one.show();
  showCounts();
}

function showCounts() {
  const all = [...columns.values()];
  const news = all.reduce((sum, one) => sum + one.unread + (one.fresh && !one.unread ? 1 : 0), 0);
  document.title = news ? `(${news}) ${title}` : title;
  at("ready").hidden = ready;
  at("onduty").hidden = !ready || chat.state !== "open";
  at("tabs").hidden = all.length < 2;
  at("idle").hidden = all.length > 0;
  at("columns").hidden = all.length === 0;
  at("idle-title").textContent = ready ? "No visitors yet" : "You are not taking visitors";
  at("idle-text").textContent = ready
    ? "The next visitor appears here by itself. You can leave this page open."
    : "Press Ready, and visitors are sent to you.";
}

function complain(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

// ---- over a reload ----------------------------------------------------

function remember() {
  const open = [...columns.values()].map(({ uuid, ended, fresh, unread, thread }) => {
    return { uuid, ended, fresh, unread, thread: thread.remember() };
  });
  memory.set("desk", { ready, numbers, columns: open });
}

function recall() {
  const before = memory.get("desk");
  if (!before) return;
  ({ ready, numbers } = before);
  for (const { uuid, ended, fresh, unread, thread } of before.columns) {
    const one = open(uuid);
    Object.assign(one, { ended, fresh, unread });
    one.thread.restore(thread);
    one.show();
  }
}

const known = memory.get("token");
const token = fromAddress() ?? known;
show("desk");
showState("closed");
if (token && token === known) recall();
addEventListener("pagehide", remember);
document.addEventListener("visibilitychange", () => {
  for (const one of columns.values()) if (one.watched) one.look();
});
if (token) signIn(token);
else askHost();
