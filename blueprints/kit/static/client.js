/**
 * csapp's protocol, version 2, for visitors and waiters: see docs/client.md.
 *
 * 1. A text stays in the outbox until its receipt, and is sent again with its id
 *    on each return. One of a chat is under way at a time: what is refused for a
 *    while is never overtaken by what was said after it.
 * 2. `messages` of a chat holds each `seq` once and in order; what has none yet
 *    stands at the end.
 * 3. The server's word is the truth. Storage only bridges reloads: it may hold
 *    anything, or throw.
 *
 * @typedef {{id: string, conversation: string, text: string, own: boolean, date: string,
 *   state: "sending"|"sent"|"failed", seq?: number, author?: string,
 *   error?: {code: string, message: string}}} Message  `author`: the waiter's colleague who said it
 * @typedef {{state: "stopped"|"connecting"|"online"|"waiting"|"ended", code?: number,
 *   reason?: string, retryAt?: number}} Status  `ended`: it does not come back by itself
 */

import { Drafts } from "./drafts.js";
import { browserStorage, Kept } from "./storage.js";

const back = (text) => ({ reconnect: true, text });
const stop = (text) => ({ reconnect: false, text });

/** What a client does after each close code, and why the connection ended. */
export const CLOSE_CODES = {
  1000: stop("The connection was closed."),
  1001: back("The server went away."),
  1002: stop("The connection broke the protocol."),
  1003: stop("The server does not take such data."),
  1005: stop("The connection was closed."),
  1006: back("The connection was lost."),
  1007: stop("The server could not read the text."),
  1008: stop("The server refused the connection."),
  1009: stop("That was too long for the server."),
  1011: back("The server had a problem."),
  1012: back("The server restarts."),
  1013: back("The server is full."),
  4400: stop("The server did not understand this page."),
  4401: stop("The sign-in is not valid any more."),
  4403: stop("This sign-in is for the other side of the chat."),
  4408: back("The connection took too long."),
  4409: stop("Signed in again somewhere else."),
  4410: stop("This chat is closed to you."),
  4413: back("The connection was too slow."),
  4429: stop("Too many messages in too short a time."),
};

const ABANDONED = 4000; // our own close code: 1000 would say that we leave for good
const OPENING = 15_000; // ms for a connection to come about, sign-in included
const FIRST_PAUSE = 1000; // ms before coming back, doubled by each failure …
const LONGEST_PAUSE = 15_000; // … up to this
const STEADY = 10_000; // ms after which a connection counts as good
const OVERDUE = 8000; // ms without any data after a question until we probe the line …
const QUIET = 60_000; // … and without one: browsers hide the server's pings
const LONGEST = 1e6; // s: browsers' timers end at 24 days
const STALE = 5000; // … and when the page is looked at again
const PATIENCE = 7000; // ms for the answer to a probe; then the line is dead
const TYPING = 3000; // ms between repeats while somebody types
const TYPED = 6000; // ms after which nobody types any more
const KEPT = 600_000; // ms that a wish outlives its page: a reload, not a night
const LATEST = 50; // messages brought back after a reload
const PAGE = 200; // messages, the most a server gives at once
const RESUMED = 100; // conversations, the most that `auth` may name
const MOST = 60_000; // bytes of a text that a frame surely holds
const OVER = { code: "not_connected", message: "The chat is over." };
const TOO_LONG = { code: "too_large", message: "The message is too long." };
const STOPPED = { code: "stopped", message: "The client is stopped." };
const WAIT = ["not_connected", "no_such_user", "not_ready", "unauthenticated"]; // for the chat

/** Why a request failed; `code` is the server's, or `stopped`. */
export class ChatError extends Error {
  constructor({ code, message, retry_after: retryAfter }) {
    super(message);
    Object.assign(this, { code, retryAfter });
  }
}

/** One conversation; what begins with `_` is the client's own. */
class Chat {
  /** Whom one talks to; a waiter is also told `sub`, `page` and `opened` of a visitor. */
  peer = { uuid: "", name: "", avatar: "" };
  /** @type {Message[]} in order */
  messages = [];
  lastSeq = 0;
  readByPeer = 0;
  unread = 0;
  /** @type {"online"|"away"} */
  presence = "online";
  /** The other side types. */
  typing = false;
  /** @type {"open"|"ended"} */
  state = "open";

  _floor = 1; // the first `seq` in `messages`, or that of the next to come
  _newest = 0; // the highest ever seen, also before a reload
  _top = 0; // … or heard of
  _asking = false; // for what is missing below it
  _read = 0;
  _readSent = 0;
  _met = false; // on this connection, the server has said who is at the other end …
  _here = false; // … and what was missed
  _paged = false;
  _leaving = false; // to be ended when the server can be told
  _doubtful = false; // it may be over: the server is being asked
  _typed = -Infinity;

  constructor(conversation) {
    this.conversation = conversation;
  }

  /** Nothing older is left on the server. */
  get complete() {
    return this._floor <= 1;
  }

  _place(message) {
    const list = this.messages;
    this._remove(message);
    let at = list.length;
    while (at && rank(list[at - 1]) > rank(message)) at -= 1;
    list.splice(at, 0, message);
  }

  _remove(message) {
    const at = this.messages.lastIndexOf(message);
    if (at >= 0) this.messages.splice(at, 1);
  }

  /** Begin at *floor*; what has no number stays. */
  _begin(floor) {
    this.messages = this.messages.filter(({ seq }) => !seq);
    this._floor = floor;
    this.lastSeq = floor - 1;
  }

  _count() {
    const { messages, _read: read } = this;
    this.unread = messages.filter(({ own, author, seq }) => !own && !author && seq > read).length;
  }
}

// what has failed stays where it was
const rank = ({ seq, after }) => seq ?? (after === undefined ? Infinity : after + 0.5);

export class ChatClient {
  #url;
  #role;
  #token;
  #locale;
  #env;
  #store;
  #tab = uuid();
  #listeners = {};
  #dirty = false;
  #timers = new Map();
  #running = null; // its abort ends what `start` has begun

  #socket = null;
  #attempt = null;
  #shown; // the token
  #refreshed = false;
  #failures = 0;
  #heard = 0; // when
  #overdue = false;
  #probed = false;
  #uuid = "";
  #asked = new Map(); // id → a request without an answer
  #count = 0;

  #outbox = new Map(); // id → {message, sent, due, tries}
  #drafts;
  #sub = "";
  #current = ""; // a user's latest conversation
  #want = null; // user: what to `connect` with; waiter: {ready, capacity}
  #since = 0; // when that was decided: of several tabs, the latest counts
  #ticket;
  #leaving = false; // a user leaves, which the server has not confirmed
  #watched = new Set(); // tabs whose outbox we inherit

  /** @type {Status} */
  status = { state: "stopped" };
  /** Who we are: the payload of `auth_success`. */
  me = null;
  /** User: `idle`, `queued` or `served`. */
  phase = "idle";
  /** User: `{location, wait, ticket}` while in line. */
  queue = null;
  /** Waiter: `{ready, capacity}`; null before it is known. */
  duty = null;
  /** Waiter: `{length, longest_wait}` of the queue; null before it is known. */
  line = null;
  /** @type {Map<string, Chat>} by conversation; "": what a user says before it has one */
  chats = new Map();

  /**
   * *url* of the door, `wss:` or `https:`; *role* `user` or `waiter`; *token* a string, or a function
   * of `{refresh, renew}` (the last one was refused; it runs out soon) that returns one or a promise of
   * one. *storage*: null
   * for none, `localStorage` by default; its keys begin with *key*. *environment*: for tests.
   */
  constructor({ url, role, token, storage, key = "csapp", locale, environment }) {
    const page = globalThis;
    this.#env = {
      WebSocket: page.WebSocket,
      setTimeout: (...args) => setTimeout(...args),
      clearTimeout: (timer) => clearTimeout(timer),
      random: Math.random,
      now: Date.now,
      addEventListener: (...args) => page.addEventListener?.(...args),
      online: () => page.navigator?.onLine !== false,
      visible: () => page.document?.visibilityState !== "hidden",
      locks: page.navigator?.locks,
      ...environment,
    };
    this.#url = new URL(url, page.document?.baseURI);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#role = role;
    this.#token = token;
    this.#locale = locale?.slice(0, 35);
    this.#store = new Kept(storage === undefined ? browserStorage("localStorage") : storage, `${key}:${role}:`);
    this.#drafts = new Drafts(this.#store, this.#env.now);
    try {
      this.#restore();
    } catch {
      this.#clear(); // edited by hand
    }
  }

  // ---- the page's side ---------------------------------------------------

  /** User: the present or last chat. */
  get chat() {
    return this.chats.get("") ?? this.chats.get(this.#current) ?? null;
  }

  /** User: a waiter is wished for, or there. */
  get wanted() {
    return this.#role === "user" && this.#want !== null;
  }

  /** Call `fn(detail)` on events of *type*. Returns a function that ends it. */
  on(type, fn) {
    (this.#listeners[type] ??= new Set()).add(fn);
    return () => this.off(type, fn);
  }

  off(type, fn) {
    this.#listeners[type]?.delete(fn);
  }

  /** Connect, and come back whenever the line is lost. */
  start() {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#failures = 0;
    this.#listen();
    this.#inherit();
    this.#connect();
  }

  /** Leave for good; `{leave: false}`: the chat goes on when the client is started again in time. */
  stop({ leave = true } = {}) {
    const told = leave && this.#isOnline;
    if (leave) {
      this.#leaving = !told && this.phase !== "idle";
      this.#depart();
    }
    this.#drop(told ? 1000 : ABANDONED);
    this.#quit({ state: "stopped" });
    this.#save();
  }

  /** Connect now, whatever went before. */
  reconnect() {
    this.#drop(ABANDONED);
    this.#failures = 0;
    this.#refreshed = false;
    if (this.#running) this.#connect();
    else this.start();
  }

  /** Stop, and remove all that is stored. */
  forget() {
    this.stop();
    this.#clear();
    for (const key of ["state", "outbox", "drafts"]) this.#store.set(key);
  }

  /** User: ask for a waiter, now and after each return, until the chat or the wish ends. */
  connect({ page, department, fields } = {}) {
    this.#decide({ page: page?.slice(0, 2000), department: department?.slice(0, 200), fields });
    if (this.#isOnline && this.phase === "idle" && !this.#leaving) this.#join();
  }

  /** End a chat, or leave the line. */
  disconnect(conversation) {
    const chat = this.#find(conversation);
    if (chat) this.#speak(chat, true);
    if (this.#role === "user") {
      this.#leaving = true;
      this.#depart();
      if (this.#isOnline) this.#leave();
    } else if (chat?.state === "open") {
      chat._leaving = true;
      if (chat._met) this.#dismiss(chat);
      this.#end(chat);
    }
  }

  /** Waiter: take users from now on, *capacity* at once; the answer is in `duty`. */
  ready({ capacity } = {}) {
    this.#wish({ ready: true, capacity });
  }

  /** Waiter: get no more users; the present ones stay. */
  unready() {
    this.#wish({ ready: false });
  }

  /** Say *text*; a user without a chat says it when there is one. Returns the message. */
  send(text, conversation) {
    const chat = this.#addressee(conversation);
    if (!chat) throw new ChatError(OVER);
    const message = {
      id: uuid(),
      conversation: chat.conversation,
      text: String(text).replace(/\p{Surrogate}/gu, "\ufffd"), // half a pair would spoil the frame
      own: true,
      date: new Date(this.#env.now()).toISOString(),
    };
    chat._typed = -Infinity; // a message says as much
    this.#alarm(`typing ${chat.conversation}`);
    this.#post(message);
    this.#emit("message", { chat, message, live: false });
    return message;
  }

  /** Send what has failed again: in its chat, or in the present one. */
  retry(id) {
    const message = this.discard(id);
    if (!message) return;
    const isOpen = this.chats.get(message.conversation)?.state === "open";
    if (!isOpen && this.#role === "user") message.conversation = this.#addressee().conversation;
    if (message.error?.code === "id_conflict") message.id = uuid();
    this.#post(message);
  }

  /** Remove what has failed; returns it. */
  discard(id) {
    const message = this.#outbox.get(id)?.message;
    if (message?.state !== "failed") return null;
    this.#outbox.delete(id);
    this.#find(message.conversation)._remove(message);
    this.#saveOutbox();
    this.#changed();
    return message;
  }

  /** To be called with each key; repeats are held back. */
  typing(on, conversation) {
    const chat = this.#find(conversation);
    const alarm = `typing ${chat?.conversation}`;
    this.#alarm(alarm, on ? TYPED - 1000 : undefined, () => this.typing(false, conversation));
    const now = this.#env.now();
    if (!chat?._here || (on ? now - chat._typed < TYPING : chat._typed === -Infinity)) return;
    chat._typed = on ? now : -Infinity;
    this.#put("typing", { on }, chat);
  }

  /** All up to *seq*, by default the last, has been read. */
  read(seq = Infinity, conversation) {
    const chat = this.#find(conversation);
    const upTo = Math.min(seq, chat?.lastSeq);
    if (!(upTo > chat?._read)) return;
    chat._read = upTo;
    chat._count();
    this.#tellRead(chat);
    this.#emit("read", { chat });
  }

  /** The unsent text of a chat, or of the next one; over reloads too. */
  draft(conversation = this.#current) {
    return this.#drafts.get(conversation);
  }

  setDraft(text, conversation = this.#current) {
    this.#drafts.set(conversation, text);
  }

  /** Messages before *before*, by default the oldest here; they join the chat's. */
  async history({ conversation = this.#current, before, limit = LATEST } = {}) {
    const known = this.chats.get(conversation);
    const end = before ?? (known?.lastSeq ? known._floor : undefined);
    if (end <= 1) return { messages: [], complete: true };
    const { payload } = await this.#question("get_history", { conversation, before: end, limit });
    const chat = this.#chat(conversation);
    if (!known) chat.state = "ended"; // or it would have been told of, not asked for
    const fits = !chat.lastSeq || end === chat._floor;
    const messages = payload.messages.map((item) => this.#message(chat, this.#item(item)));
    if (fits && messages.length) {
      for (const message of messages) chat._place(message);
      chat._floor = messages[0].seq;
      chat.lastSeq = chat._newest = Math.max(chat.lastSeq, messages.at(-1).seq);
    }
    if (fits && payload.complete) chat._floor = 1;
    chat._count();
    this.#emit("chat", { chat, change: "changed" });
    return { messages, complete: payload.complete };
  }

  /** Waiter: conversations of the past, newest first; with *sub*, those of one visitor. */
  async sessions({ before, limit, sub } = {}) {
    return (await this.#question("get_history_session", { before, limit, sub })).payload;
  }

  // ---- connection --------------------------------------------------------

  get #isOnline() {
    return this.status.state === "online";
  }

  async #connect() {
    const attempt = (this.#attempt = {});
    this.#setStatus({ state: "connecting" });
    this.#alarm("line", OPENING, () => this.#lose(ABANDONED, "no connection in time"));
    if (!(await this.#fetchToken(attempt))) return;
    try {
      const socket = (this.#socket = new this.#env.WebSocket(this.#url.href));
      socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
      socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
      socket.onerror = () => {}; // `close` follows and says more
    } catch (error) {
      this.#lose(ABANDONED, error.message);
    }
  }

  /** False: this *attempt* is over. */
  async #fetchToken(attempt) {
    const token = this.#token;
    try {
      const shown = typeof token === "function" ? await token({ refresh: this.#refreshed }) : token;
      if (attempt !== this.#attempt) return false;
      this.#shown = shown;
      return true;
    } catch ({ message }) {
      if (attempt === this.#attempt) {
        this.#complain({ code: "token", message });
        this.#lose(ABANDONED, message);
      }
      return false;
    }
  }

  #authenticate() {
    const kept = [...this.chats.values()].filter((chat) => chat.conversation && this.#isKept(chat));
    const resumed = kept.sort((a, b) => (b.state === "open") - (a.state === "open")).slice(0, RESUMED);
    const resume = Object.fromEntries(resumed.map((chat) => [chat.conversation, chat.lastSeq]));
    const payload = { token: this.#shown, version: 2, locale: this.#locale, resume };
    this.#ask("auth", payload, (error) => (error ? this.#rejected(error) : this.#welcome(resumed)));
  }

  /** Well before the token runs out, in *left* s, show another on the same connection. */
  #watchToken(left) {
    const pause = Math.min(left, LONGEST) * (0.6 + 0.2 * this.#env.random());
    const isOld = typeof this.#token === "function" && left > 1;
    this.#alarm("token", isOld ? pause * 1000 : undefined, () => this.#renew(left - pause));
  }

  async #renew(left) {
    const attempt = this.#attempt;
    this.#watchToken(left); // again, unless this goes well
    try {
      const token = await this.#token({ refresh: false, renew: true });
      if (attempt !== this.#attempt) return;
      this.#shown = token;
      this.#ask("auth", { token, version: 2 }, (error) => {
        if (error?.code === "forbidden") this.#lose(ABANDONED, error.message); // we are somebody else now
      });
    } catch {
      // there is time to try again
    }
  }

  async #rejected({ code, message }) {
    if (code === "invalid_message") {
      this.#clear(); // storage was edited by hand
      this.#authenticate();
    } else if (!["invalid_token", "expired_token", "forbidden"].includes(code)) {
      this.#lose(ABANDONED, message);
    } else if (!this.#mayRefresh()) {
      this.#finish(code === "forbidden" ? 4403 : 4401, message);
    } else if (await this.#fetchToken(this.#attempt)) {
      this.#authenticate();
    }
  }

  /** Once, until a connection was good. */
  #mayRefresh() {
    if (typeof this.#token !== "function" || this.#refreshed) return false;
    this.#refreshed = true;
    return true;
  }

  #welcome(resumed) {
    this.#alarm("line", STEADY, () => {
      this.#failures = 0;
      this.#refreshed = false;
    });
    for (const [id, { type, payload, keep }] of this.#asked) if (keep) this.#put(type, payload, null, id);
    this.#setStatus({ state: "online" });
    if (!this.#isOnline) return; // a handler has stopped it
    this.#follow();
    if (this.#role === "waiter" && this.#want) this.#report();
    if (this.#leaving) this.#leave();
    else if (resumed.length) this.#barrier(() => this.#takeStock(resumed));
    else if (this.wanted) this.#join();
    else if (this.#role === "user") this.#setPhase("idle");
  }

  /** The server has said all that it knows of the chats *resumed*. */
  #takeStock(resumed) {
    const want = this.#want;
    for (const chat of resumed) {
      const waits = this.#role === "user" && chat._paged && chat.state === "open";
      if (!chat._met && !waits) this.#end(chat, true);
      if (!chat._paged) this.#want = want; // nobody has ended it: it is forgotten
    }
    if (this.phase === "served" && !this.#find()?._met) this.#setPhase("idle");
    if (resumed.some((chat) => chat._doubtful)) return; // nobody asks anew for a chat that was ended
    if (this.phase !== "served" && (this.wanted || this.#isOpen)) this.#join();
  }

  #closed(code, reason) {
    const known = CLOSE_CODES[code];
    if (known?.reconnect || (code === 4401 && this.#mayRefresh())) this.#lose(code, reason);
    else this.#finish(code, reason || (known ?? CLOSE_CODES[1000]).text);
  }

  /** The line is gone; come back after a pause. */
  #lose(code, reason = "") {
    this.#drop(ABANDONED);
    const asked = /retry_after=(\d+(\.\d+)?)/.exec(reason)?.[1] ?? 0;
    const pause = this.#env.online() ? FIRST_PAUSE * 2 ** this.#failures : LONGEST_PAUSE;
    const spread = 0.3 + 0.7 * this.#env.random();
    const wait = spread * (asked ? FIRST_PAUSE : Math.min(pause, LONGEST_PAUSE)) + asked * 1000;
    this.#failures += 1;
    this.#setStatus({ state: "waiting", code, reason, retryAt: this.#env.now() + wait });
    this.#alarm("line", wait, () => this.#connect());
  }

  /** There will be no other attempt. */
  #finish(code, reason) {
    this.#drop(ABANDONED);
    if (this.#role === "waiter") this.#decide(null); // a later login begins anew
    this.#quit({ state: "ended", code, reason });
  }

  #quit(status) {
    this.#running?.abort();
    this.#running = null;
    this.#watched.clear();
    for (const { then } of this.#asked.values()) then?.(STOPPED);
    this.#asked.clear();
    this.#setStatus(status);
  }

  /** Let go of the socket, and of all that was true on it only. */
  #drop(code) {
    const socket = this.#socket;
    this.#socket = this.#attempt = null;
    this.#uuid = "";
    this.#overdue = this.#probed = false;
    for (const timer of this.#timers.values()) this.#env.clearTimeout(timer);
    this.#timers.clear();
    for (const [id, { keep }] of this.#asked) if (!keep) this.#asked.delete(id);
    for (const chat of this.chats.values()) {
      chat._met = chat._here = chat._paged = chat._asking = chat._doubtful = chat.typing = false;
      chat._top = 0;
      chat._typed = -Infinity;
    }
    for (const entry of this.#outbox.values()) Object.assign(entry, { sent: false, due: 0, tries: 0 });
    if (socket?.readyState < 2) socket.close(code);
  }

  #setStatus(status) {
    this.status = status;
    this.#emit("status", status);
  }

  // ---- is the line alive? ------------------------------------------------

  #listen() {
    const { addEventListener, online, visible } = this.#env;
    const { signal } = this.#running;
    const listen = (type, fn) => addEventListener(type, fn, { signal });
    const wake = () => this.#wake();
    listen("online", wake);
    listen("pageshow", wake);
    listen("visibilitychange", () => visible() && wake());
    listen("offline", () => online() || this.#doubtLine(0));
    listen("pagehide", () => this.#save());
    listen("storage", ({ key }) => this.#elsewhere(key));
  }

  /** The page is looked at again, or the network is back. */
  #wake() {
    this.#doubtLine(STALE);
    if (this.status.state !== "waiting") return;
    this.#failures = 0;
    this.#connect();
  }

  #doubtLine(silence) {
    const isSilent = this.#env.now() - this.#heard >= silence;
    if (this.#isOnline && !this.#probed && isSilent) this.#probe();
  }

  /** An answer is due. */
  #expect() {
    if (this.#overdue || this.#probed || !this.#isOnline) return;
    this.#overdue = true;
    this.#alarm("watch", OVERDUE, () => this.#probe());
  }

  #hear() {
    this.#heard = this.#env.now();
    this.#overdue = this.#probed = false;
    const matters = () => this.#role === "waiter" || this.phase !== "idle";
    this.#alarm("watch", QUIET, () => matters() && this.#probe());
  }

  /** Ask something harmless; without any answer the line is dead. */
  #probe() {
    this.#probed = true;
    this.#alarm("watch", PATIENCE, () => this.#lose(ABANDONED, "no answer"));
    if (this.phase === "queued") this.#join();
    else this.#barrier();
  }

  /** `then` runs when the server has answered all that was asked before. */
  #barrier(then) {
    const { conversation } = this.#find() ?? [...this.chats.values()].find((chat) => chat._met) ?? {};
    if (!conversation && this.#role === "waiter") this.#ask("get_history_session", { limit: 1 }, then);
    else this.#ask("get_history", { conversation: conversation || "0", before: 1, limit: 1 }, then);
  }

  // ---- frames ------------------------------------------------------------

  #put(type, payload, chat, id = this.#id()) {
    const to = this.#role === "waiter" ? chat?.peer.uuid : undefined;
    this.#socket.send(JSON.stringify({ id, to, type, payload }));
  }

  #id() {
    this.#count += 1;
    return `${this.#tab}.${this.#count}`;
  }

  /** `then(error, frame)`; *keep*: ask again on the next connection. */
  #ask(type, payload, then, keep = false) {
    const id = this.#id();
    this.#asked.set(id, { type, payload, then, keep });
    if (keep ? this.#isOnline : this.#uuid) this.#put(type, payload, null, id);
    this.#expect();
  }

  #question(type, payload) {
    return new Promise((resolve, reject) => {
      const then = (error, frame) => (error ? reject(new ChatError(error)) : resolve(frame));
      if (this.#running) this.#ask(type, payload, then, true);
      else then(STOPPED);
    });
  }

  #receive(data) {
    const frame = parse(data);
    this.#hear();
    const { type, payload, conversation, reply_id: reply } = frame;
    const request = this.#asked.get(reply);
    const error = type === "error" ? payload : null;
    this.#asked.delete(reply);
    if (!error) this.#on[type]?.(payload, frame, this.chats.get(conversation), request);
    else if (!request) this.#refused(error, reply);
    request?.then?.(error, frame);
    this.#changed();
  }

  /** What each frame does; others are left alone. */
  #on = {
    __proto__: null,
    initialize: (_, { to }) => {
      const first = !this.#uuid;
      this.#uuid = to; // the newest wins
      if (first) this.#authenticate();
    },
    auth_success: (me) => {
      if (this.#sub && this.#sub !== me.sub) this.#clear(); // it was somebody else's
      this.#sub = me.sub;
      this.me = me;
      this.#watchToken(me.expires_in);
    },
    connect_queue: (queue) => {
      if (this.#leaving) return;
      const chat = this.#find();
      if (chat) chat._met = chat._here = false;
      this.#want ??= {};
      this.#ticket = queue.ticket;
      this.queue = queue;
      this.#setPhase("queued");
      this.#emit("queue", queue);
    },
    connect_success: (peer) => this.#leaving || this.#enter(peer),
    new_connection: (peer) => this.#enter(peer),
    message_history: (page, { reply_id: reply }) => reply || this.#page(page),
    message_text: (_, frame, chat) => {
      if (!chat) return;
      const item = this.#item(frame);
      if (!item.own) this.#setTyping(chat, false);
      else if (this.#entries(chat).some(({ message }) => message.text === item.text)) item.text = undefined;
      this.#take(chat, item); // an echo has no id: if it may be pending here, the history tells
    },
    message_text_success: (receipt, { reply_id: id }, chat) => {
      const text = this.#outbox.get(id)?.message.text;
      if (chat) this.#take(chat, { ...receipt, id, text, own: true });
    },
    disconnected: (_, __, chat, request) => {
      if (chat?.state !== "open") return;
      if (this.#role === "waiter" || request) this.#end(chat);
      else this.#doubt(chat); // a lost waiter's users are queued again, and told at once
    },
    ready: ({ capacity }) => {
      this.#want ??= { ready: true, capacity }; // the server remembers: so shall it after a long absence
      this.#setDuty({ ready: true, capacity });
    },
    unready: ({ capacity }) => this.#setDuty({ ready: false, capacity }),
    queue_status: (line) => {
      this.line = line;
      this.#emit("line", line);
    },
    typing: ({ on }, _, chat) => chat && this.#setTyping(chat, on),
    read: ({ seq }, _, chat) => {
      if (!chat) return;
      chat.readByPeer = Math.max(chat.readByPeer, seq);
      this.#emit("read", { chat });
    },
    presence: ({ state }, _, chat) => {
      if (!chat) return;
      chat.presence = state;
      this.#emit("presence", { chat });
    },
  };

  #refused(error, reply) {
    const entry = this.#outbox.get(reply);
    if (entry) this.#sentBack(entry, error);
    else if (!error.message.startsWith("payload.resume")) this.#complain(error, reply);
  }

  #complain({ code, message, retry_after: retryAfter }, reply) {
    this.#emit("error", { code, message, retryAfter, reply });
  }

  // ---- asking for a waiter, being one ------------------------------------

  #join() {
    if ([...this.#asked.values()].some(({ type }) => type === "connect")) return;
    const ticket = this.#ticket;
    this.#ask("connect", { ...this.#want, ticket }, (error) => {
      if (error?.code === "invalid_message" && ticket !== undefined) {
        this.#ticket = undefined; // worth nothing, but no reason to send somebody away
        this.#join();
      } else if (error) {
        this.#later(error, () => this.wanted && this.phase === "idle" && this.#join());
      }
    });
  }

  #decide(want) {
    this.#want = want;
    this.#since = this.#env.now();
    this.#changed();
  }

  #wish(want) {
    this.#decide(want);
    if (this.#isOnline) this.#report();
  }

  #report() {
    const { ready, capacity } = this.#want;
    this.#ask(ready ? "ready" : "unready", { capacity }, (error) => {
      if (error) this.#later(error, () => this.#want && this.#report());
    });
  }

  /** A wish was refused: say so, and repeat it where that may help. */
  #later(error, again) {
    this.#complain(error);
    if (error.retry_after === undefined) this.#want = null;
    else this.#alarm("wish", error.retry_after * 1000 * (1 + this.#env.random()), again);
  }

  #setPhase(phase) {
    if (phase !== "queued") this.queue = null;
    if (phase === this.phase) return;
    this.phase = phase;
    this.#emit("phase", phase);
  }

  #setDuty(duty) {
    this.duty = duty;
    this.#emit("duty", duty);
  }

  /** All that leaving means on this side. */
  #depart() {
    this.#decide(null);
    this.duty = null;
    this.#ticket = undefined;
    for (const chat of this.chats.values()) this.#end(chat);
    this.#setPhase("idle");
  }

  /** Tell the server that a user leaves; what it has said before is void. */
  #leave() {
    this.#ask("disconnect", {});
    this.#barrier(() => {
      this.#leaving = false;
      if (this.wanted) this.#join();
    });
  }

  /** Tell the server that a waiter ends *chat*. */
  #dismiss(chat) {
    this.#ask("disconnect", { uuid: chat.peer.uuid }, () => {
      chat._leaving = false;
    });
  }

  // ---- conversations -----------------------------------------------------

  #find(conversation = this.#current) {
    return this.chats.get(conversation);
  }

  #chat(conversation) {
    if (!this.chats.has(conversation)) this.chats.set(conversation, new Chat(conversation));
    return this.chats.get(conversation);
  }

  /** User: there is a chat. */
  get #isOpen() {
    return this.#current !== "" && this.#find()?.state === "open";
  }

  /** Where a new message goes. */
  #addressee(conversation) {
    if (conversation !== undefined || this.#role === "waiter") return this.chats.get(conversation);
    if (this.#isOpen) return this.#find();
    const early = this.#chat("");
    early.state = "open";
    return early;
  }

  /** Whether it matters after a reload, or on another connection. */
  #isKept(chat) {
    const { state, conversation, _leaving: leaving } = chat;
    return state === "open" || leaving || conversation === this.#current || this.#entries(chat).length > 0;
  }

  #enter({ conversation, last_seq: last, resumed, read = 0, peer_read: readByPeer = 0, ...peer }) {
    const known = this.chats.get(conversation);
    const chat = this.#chat(conversation);
    chat._met = true;
    chat._here = false; // until the page that follows
    chat.peer = peer;
    if (chat._leaving) {
      this.#dismiss(chat);
      return;
    }
    if (last < chat.lastSeq) {
      chat._begin(1); // the server has lost the rest: a restored backup
      chat._newest = last;
    }
    chat.presence = "online"; // or it is told after the page
    chat.readByPeer = readByPeer;
    chat._readSent = read;
    chat._read = Math.max(chat._read, read);
    const change = known?.state === "open" ? "changed" : "opened";
    chat.state = "open";
    if (this.#role === "user") this.#serve(chat);
    this.#emit("chat", { chat, change });
  }

  /** A user's chat begins, or goes on. */
  #serve(chat) {
    const before = this.#current && this.#find();
    this.#current = chat.conversation;
    if (before && before !== chat) this.#end(before, true);
    this.#want ??= {};
    this.#ticket = undefined;
    for (const message of this.chats.get("")?.messages ?? []) {
      message.conversation = chat.conversation;
      chat._place(message);
    }
    this.chats.delete("");
    this.#saveOutbox();
    if (this.draft("")) this.setDraft(this.draft(""), chat.conversation);
    this.setDraft("", "");
    this.#setPhase("served");
  }

  /** What was missed. */
  #page({ conversation, messages, complete, state, last_seq: last }) {
    const chat = this.#chat(conversation);
    chat._paged = true;
    if (!complete) chat._begin(messages[0]?.seq ?? last + 1);
    this.#bring(chat, messages);
    chat.lastSeq = Math.max(chat.lastSeq, last);
    this.#emit("chat", { chat, change: "changed" });
    if (state === "ended") {
      this.#end(chat, true);
    } else if (chat._met && chat.state === "open") {
      chat._here = true;
      this.#speak(chat);
      this.#tellRead(chat);
    }
  }

  /** What the history knows; what it leaves out, nobody does. */
  #bring(chat, messages) {
    for (const message of messages) {
      chat.lastSeq = Math.max(chat.lastSeq, message.seq - 1);
      this.#take(chat, this.#item(message));
    }
  }

  /** A numbered message: shown if it is the next. Else the history knows it, and those before it. */
  #take(chat, item) {
    if (item.seq <= chat.lastSeq) {
      this.#settle(chat, item);
    } else if (item.seq > chat.lastSeq + 1 || item.text === undefined) {
      chat._top = Math.max(chat._top, item.seq);
      if (!chat._asking) this.#catchUp(chat);
    } else {
      const live = item.seq > chat._newest;
      chat.lastSeq = item.seq;
      chat._newest = Math.max(chat._newest, item.seq);
      const isReceipt = this.#isPending(chat, item);
      const message = this.#message(chat, item);
      chat._place(message);
      chat._count();
      if (isReceipt) this.#receipt(chat, message);
      else this.#emit("message", { chat, message, live });
    }
  }

  /** Ask for all after the last. */
  #catchUp(chat, then) {
    const { conversation, lastSeq: after } = chat;
    chat._asking = true;
    this.#ask("get_history", { conversation, after, limit: PAGE }, (error, { payload }) => {
      chat._asking = false;
      if (!error) this.#bring(chat, payload.messages);
      const isMore = chat.lastSeq < chat._top || payload.complete === false;
      if (!isMore) then?.();
      else if (chat.lastSeq > after) this.#catchUp(chat, then);
      else this.#lose(ABANDONED, "a gap"); // the next connection brings it
    });
  }

  /** Something speaks against being served: unless the server says what goes on, *chat* is over. */
  #doubt(chat) {
    chat._met = chat._here = false;
    chat._doubtful = true;
    this.#catchUp(chat, () => {
      chat._doubtful = false;
      const waits = this.#role === "user" && this.phase === "queued";
      if (!chat._met && !waits) this.#end(chat, true);
    });
  }

  /** *final*: what is under way will not be answered any more. */
  #end(chat, final = false) {
    chat._met = chat._here = false;
    if (chat.state === "open") {
      chat.state = "ended";
      chat.typing = false;
      this.#emit("chat", { chat, change: "ended" });
      if (this.#role === "user" && chat.conversation === this.#current) {
        this.#want = null;
        this.#ticket = undefined;
        this.#setPhase("idle");
      }
    }
    for (const entry of this.#entries(chat)) {
      if (entry.message.state === "sending" && (final || !entry.sent)) this.#fail(entry, OVER);
    }
  }

  #setTyping(chat, on) {
    const name = `typed ${chat.conversation}`;
    this.#alarm(name, on ? TYPED : undefined, () => this.#setTyping(chat, false));
    if (chat.typing === on) return;
    chat.typing = on;
    this.#emit("typing", { chat });
  }

  #tellRead(chat) {
    if (!chat._here || chat._read <= chat._readSent) return;
    chat._readSent = chat._read;
    this.#put("read", { seq: chat._read }, chat);
  }

  // ---- outbox ------------------------------------------------------------

  #entries({ conversation }) {
    return [...this.#outbox.values()].filter(({ message }) => message.conversation === conversation);
  }

  #isPending(chat, { id }) {
    return this.#outbox.get(id)?.message.conversation === chat.conversation;
  }

  #enlist(message) {
    const entry = { message, sent: false, due: 0, tries: 0 };
    this.#outbox.set(message.id, entry);
    this.#chat(message.conversation)._place(message);
    this.#changed();
    return entry;
  }

  #post(message) {
    Object.assign(message, { state: "sending", error: undefined, after: undefined });
    const entry = this.#enlist(message);
    const chat = this.#find(message.conversation);
    const size = new TextEncoder().encode(JSON.stringify(message.text)).length;
    if (size > MOST) this.#fail(entry, TOO_LONG);
    else if (chat.state === "ended") this.#fail(entry, OVER);
    this.#saveOutbox();
    this.#speak(chat);
  }

  /** Send the next of *chat*'s outbox, or *all*, where it may be sent now. */
  #speak(chat, all = false) {
    if (!chat._here) return;
    for (const entry of this.#entries(chat)) {
      const { message, sent, due } = entry;
      if (message.state !== "sending") continue;
      const wait = due - this.#env.now();
      if (!all && wait > 0) this.#alarm(`speak ${chat.conversation}`, wait, () => this.#speak(chat));
      if (!all && (sent || wait > 0)) return;
      if (sent) continue;
      entry.sent = true;
      this.#put("message_text", { message: message.text }, chat, message.id);
      this.#expect();
      if (!all) return;
    }
  }

  #sentBack(entry, error) {
    const { code, retry_after: after = code === "internal" ? 1 : 0 } = error;
    const chat = this.#find(entry.message.conversation);
    entry.sent = false;
    if (after) {
      const pause = Math.min(after * 1000 * 2 ** entry.tries, LONGEST_PAUSE);
      entry.tries += 1;
      entry.due = this.#env.now() + pause * (1 + this.#env.random() / 2);
    } else if (!WAIT.includes(code)) {
      this.#fail(entry, error);
    } else if (chat.state === "ended") {
      this.#fail(entry, OVER);
    } else if (chat._met) {
      this.#doubt(chat);
    }
    this.#speak(chat);
  }

  #fail({ message }, { code, message: why }) {
    const chat = this.#find(message.conversation);
    Object.assign(message, { state: "failed", error: { code, message: why }, after: chat.lastSeq });
    chat._place(message);
    this.#saveOutbox();
    this.#emit("receipt", { chat, message });
  }

  /** A frame, or an entry of a history. */
  #item({ seq, date, from, payload, client_id: id, author }) {
    const own = from === this.#uuid || id !== undefined;
    return { seq, date, id, text: payload.message ?? "", own, author };
  }

  /** The message that *item* stands for: a pending one of ours, which is settled, or a new one. */
  #message(chat, item) {
    const { id = `${chat.conversation}.${item.seq}`, seq, date } = item;
    if (!this.#isPending(chat, item)) return { ...item, id, conversation: chat.conversation, state: "sent" };
    const { message } = this.#outbox.get(id);
    this.#outbox.delete(id);
    this.#saveOutbox();
    chat._remove(message);
    return Object.assign(message, { seq, date, state: "sent", error: undefined });
  }

  /** What was shown already, as an echo of another tab or in a page, is acknowledged. */
  #settle(chat, item) {
    if (!this.#isPending(chat, item)) return;
    const message = this.#message(chat, item);
    chat.messages = chat.messages.filter(({ seq }) => seq !== item.seq);
    if (item.seq >= chat._floor) chat._place(message);
    this.#receipt(chat, message);
  }

  #receipt(chat, message) {
    this.#emit("receipt", { chat, message });
    this.#speak(chat);
  }

  // ---- storage -----------------------------------------------------------

  /** Whatever is wrong with it, the server will say. */
  #restore() {
    const { at, sub, current, leaving, want, since, ticket, chats } = this.#store.get("state") ?? {};
    this.#sub = sub ?? "";
    this.#current = current ?? "";
    this.#leaving = leaving === true;
    this.#since = since ?? 0;
    if (this.#env.now() - at < KEPT) [this.#want, this.#ticket] = [want ?? null, ticket];
    for (const [conversation, stored] of Object.entries(chats ?? {})) {
      const { peer, last, read, readByPeer, state, leaving: ending } = stored;
      const chat = this.#chat(conversation);
      Object.assign(chat, { readByPeer, state, _read: read, _newest: last, _leaving: ending });
      Object.assign(chat.peer, peer);
      chat._begin(Math.max(0, last - LATEST) + 1);
    }
    if (this.#role === "user" && this.#isOpen) this.phase = "served";
  }

  #save() {
    this.#follow(); // not to write over what is newer
    const chats = {};
    for (const chat of this.chats.values()) {
      if (!chat.conversation || !this.#isKept(chat)) continue;
      const { conversation, peer, _newest: last, _read: read, readByPeer, state, _leaving: leaving } = chat;
      chats[conversation] = { peer, last, read, readByPeer, state, leaving };
    }
    const [sub, want, since, leaving] = [this.#sub, this.#want, this.#since, this.#leaving];
    const busy = this.wanted || this.#isOpen || leaving || this.#outbox.size > 0;
    const [current, ticket, at] = [this.#current, this.#ticket, this.#env.now()];
    const state = { busy, chats, sub, current, want, since, ticket, leaving, at };
    this.#store.set("state", busy || sub ? state : undefined);
  }

  /** Write down this tab's outbox, beside those of the others; that of *heir* has become ours. */
  #saveOutbox(heir) {
    const others = this.#stored().filter(({ tab }) => tab !== this.#tab && tab !== heir);
    const mine = [...this.#outbox.values()].map(({ message }) => ({ ...message, tab: this.#tab }));
    this.#store.set("outbox", [...others, ...mine]);
  }

  /** Of all tabs. */
  #stored() {
    const isSound = (one) => [one?.tab, one?.id, one?.conversation, one?.text].every((it) => typeof it === "string");
    const found = this.#store.get("outbox");
    return Array.isArray(found) ? found.filter(isSound) : [];
  }

  /**
   * Take over the outboxes of tabs that are gone. A lock tells when; without
   * locks at once: what is sent twice with one id is one message.
   */
  #inherit() {
    const { locks } = this.#env;
    const { signal } = this.#running;
    const hold = (tab, fn) => locks.request(`csapp ${tab}`, { signal }, fn).catch(() => {});
    for (const tab of [this.#tab, ...this.#stored().map((one) => one.tab)]) {
      if (this.#watched.has(tab)) continue;
      this.#watched.add(tab);
      const isOurs = tab === this.#tab;
      if (!locks) isOurs || this.#adopt(tab);
      else if (isOurs) hold(tab, () => new Promise((resolve) => signal.addEventListener("abort", resolve)));
      else hold(tab, () => this.#adopt(tab));
    }
  }

  #adopt(heir) {
    for (const { tab, ...message } of this.#stored()) {
      if (tab !== heir || this.#outbox.has(message.id)) continue;
      message.state = message.state === "failed" ? "failed" : "sending";
      this.#enlist(message);
      const chat = this.#find(message.conversation);
      if (this.#isOnline && chat.conversation && !chat._met) this.#doubt(chat);
      else this.#speak(chat);
    }
    this.#saveOutbox(heir);
  }

  /** Another tab has written *key*. */
  #elsewhere(key) {
    if (key === this.#store.name("outbox")) this.#inherit();
    if (key === this.#store.name("state")) this.#follow();
  }

  /** What was decided last, in whichever tab, counts in all. */
  #follow() {
    const { want, since, sub } = this.#store.get("state") ?? {};
    if (sub !== this.#sub || !(since > this.#since)) return;
    this.#want = want ?? null;
    this.#since = since;
    if (this.#role === "waiter") {
      if (want && this.#isOnline) this.#report();
    } else if (!want && this.phase === "queued") {
      this.#setPhase("idle"); // it has left the line, of which the server tells nobody
    }
  }

  #clear() {
    this.chats.clear();
    this.#outbox.clear();
    this.#current = this.#sub = "";
    this.#ticket = undefined;
    this.#leaving = false;
    if (this.#role === "waiter") this.#want = null;
    this.#setPhase("idle");
    this.#drafts.clear();
    this.#saveOutbox();
  }

  // ---- small things ------------------------------------------------------

  /** Without *ms*: none. */
  #alarm(name, ms, fn) {
    this.#env.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    if (ms !== undefined) this.#timers.set(name, this.#env.setTimeout(fn, ms));
  }

  #emit(type, detail) {
    for (const fn of [...(this.#listeners[type] ?? [])]) {
      try {
        fn(detail);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error); // the page's own; it must not stop us
      }
    }
    if (type !== "change") this.#changed();
  }

  #changed() {
    if (this.#dirty) return;
    this.#dirty = true;
    queueMicrotask(() => {
      this.#dirty = false;
      this.#save();
      this.#emit("change");
    });
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}

/** crypto.randomUUID is missing on plain http, except on localhost. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
