/**
 * csapp's protocol, version 2, for visitors and waiters: see docs/client.md.
 *
 * 1. A text stays in the outbox until its receipt, and is sent again with its id
 *    on each return (`outbox.js`).
 * 2. `messages` of a chat holds each `seq` once and in order; what has none yet
 *    stands at the end (`transcript.js`).
 * 3. The server's word is the truth. Storage only bridges reloads: it may hold
 *    anything, or throw.
 *
 * @typedef {import("./chat.js").Message} Message
 * @typedef {import("./connection.js").Status} Status
 */

import { Alarms } from "./alarms.js";
import { asText } from "./as-text.js";
import { Chat } from "./chat.js";
import { Drafts } from "./drafts.js";
import { environment } from "./environment.js";
import { Events } from "./events.js";
import { ChatError, Connection } from "./connection.js";
import { Outbox, OVER } from "./outbox.js";
import { browserStorage, Kept } from "./storage.js";
import { Transcript } from "./transcript.js";
import { uuid } from "./uuid.js";

export { CLOSE_CODES } from "./closes.js";
export { ChatError };

const TYPING = 3000; // ms between repeats while somebody types
const TYPED = 6000; // ms after which nobody types any more
const KEPT = 600_000; // ms that a wish outlives its page: a reload, not a night
const BROUGHT = 50; // messages brought back after a reload
const QUESTION = 300; // characters of what waits for a waiter, for those who see the queue
const RESUMED = 100; // conversations, the most that `auth` may name

/** *text* as the server takes it: half a pair would spoil the frame, and NUL is refused. */
const whole = (text, most) => text && asText(text).slice(0, most).replace(/\p{Surrogate}|\0/gu, "\ufffd");

export class ChatClient {
  #role;
  #locale;
  #env;
  #store;
  #events = new Events(() => this.#save());
  #alarms;
  #connection;
  #outbox;
  #transcript;

  #drafts;
  #sub = "";
  #current = ""; // a user's latest conversation
  #want = null; // user: what to `connect` with; waiter: {ready, capacity}
  #since = 0; // when that was decided: of several tabs, the latest counts
  #ticket;
  #ahead = 0; // ms by which the server's clock is before ours
  #leaving = false; // a user leaves, which the server has not confirmed

  /** Who we are: the payload of `auth_success`. */
  me = null;
  /** User: `idle`, `queued` or `served`. */
  phase = "idle";
  /** User: `{location, wait, ticket}` while in the queue. */
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
   * one. *storage*: null for none, `localStorage` by default; its keys begin with *key*.
   * *environment*: for tests.
   */
  constructor({ url, role, token, storage, key = "csapp", locale, environment: given }) {
    this.#env = environment(given);
    this.#role = role;
    this.#locale = locale?.slice(0, 35);
    this.#store = new Kept(storage === undefined ? browserStorage("localStorage") : storage, `${key}:${role}:`);
    this.#drafts = new Drafts(this.#store, this.#env.now);
    this.#putTogether(url, token);
    try {
      this.#restore();
    } catch {
      this.#clear(); // edited by hand
    }
  }

  #putTogether(url, token) {
    const [env, store, tab] = [this.#env, this.#store, uuid()];
    const alarms = (this.#alarms = new Alarms(env));
    const client = this.#ofParts;
    // a whole address needs no `URL`, which a page may have made something else
    const whole = /^\w+:/.test(url) ? url : new URL(url, globalThis.document?.baseURI);
    const door = String(whole).replace(/^http/i, "ws");
    const connection = (this.#connection = new Connection({ url: door, token, env, alarms, tab }, client));
    const outbox = (this.#outbox = new Outbox({ store, tab, env, alarms, connection }, client));
    this.#transcript = new Transcript({ connection, outbox }, client);
  }

  // ---- what the parts need of it -------------------------------------------

  get #ofParts() {
    const emit = (...args) => this.#events.emit(...args);
    return {
      emit,
      changed: () => this.#events.changed(),
      authenticate: () => this.#authenticate(),
      frame: (...args) => this.#take(...args),
      status: (status) => emit("status", status),
      complain: (error) => this.#complain(error),
      clear: () => this.#clear(),
      dropped: () => this.#dropped(),
      refused: () => this.#role === "waiter" && this.#decide(null), // a later login begins anew
      quit: () => this.#outbox.disinherit(),
      matters: () => this.#role === "waiter" || this.phase !== "idle",
      probe: () => (this.phase === "queued" ? this.#join() : this.#barrier()),
      chat: (conversation) => this.#chat(conversation),
      say: (chat, { id, text }) => this.#put("message_text", { message: text }, chat, id),
      doubt: (chat) => this.#doubt(chat),
      end: (chat) => this.#end(chat, true),
      settled: (chat) => this.#tellRead(chat),
    };
  }

  // ---- the page's side ---------------------------------------------------

  /** @type {Status} */
  get status() {
    return this.#connection.status;
  }

  /** The connection is gone, or does not answer, and not only for a moment. */
  get lost() {
    return this.#connection.lost;
  }

  /** The time by the server's clock, in ms, as far as it is known: a computer's own may be hours off. */
  now() {
    return this.#env.now() + this.#ahead;
  }

  /** User: the present or last chat. */
  get chat() {
    return this.chats.get("") ?? this.chats.get(this.#current) ?? null;
  }

  /** User: whether it waits for a waiter or has one. */
  get wanted() {
    return this.#role === "user" && this.#want !== null;
  }

  /** Call `fn(detail)` on events of *type*. Returns a function that ends it. */
  on(type, fn) {
    return this.#events.on(type, fn);
  }

  off(type, fn) {
    this.#events.off(type, fn);
  }

  /** Connect, and come back whenever the connection is lost. */
  start() {
    if (this.#connection.isRunning) return;
    const signal = this.#connection.begin();
    this.#env.addEventListener("pagehide", () => this.#save(), { signal });
    this.#env.addEventListener("storage", ({ key }) => this.#elsewhere(key, signal), { signal });
    this.#outbox.inherit(signal);
    this.#connection.connect();
  }

  /** Leave for good; `{leave: false}`: the chat goes on when the client is started again in time. */
  stop({ leave = true } = {}) {
    const told = leave && this.#connection.isOnline;
    if (leave) {
      this.#leaving = !told && this.phase !== "idle";
      this.#depart();
    }
    this.#connection.stop({ deliberate: told });
    this.#save();
  }

  /** Connect now, whatever went before. */
  reconnect() {
    this.#connection.restart();
    this.start();
  }

  /** Stop, and remove all that is stored. */
  forget() {
    this.stop();
    this.#clear();
    for (const key of ["state", "outbox", "drafts"]) this.#store.set(key);
  }

  /** User: ask for a waiter, now and after each return, until the chat or the wish ends. */
  connect({ page, department, fields } = {}) {
    this.#decide({ page: whole(page, 2000), department: whole(department, 200), fields });
    if (this.#connection.isOnline && this.phase === "idle" && !this.#leaving) this.#join();
  }

  /** End a chat, or leave the queue. */
  disconnect(conversation) {
    const chat = this.#find(conversation);
    if (chat) this.#outbox.speak(chat, true);
    if (this.#role === "user") {
      this.#leaving = true;
      this.#depart();
      if (this.#connection.isOnline) this.#leave();
    } else if (chat?.state === "open") {
      chat._leaving = true;
      chat.reason = "ended";
      if (chat._met) this.#dismiss(chat);
      this.#end(chat);
    }
  }

  /** Waiter: take users from now on, *capacity* at once; the answer is in `duty`. */
  ready(duty) {
    this.#wish({ ...duty, ready: true });
  }

  /** Waiter: get no more users; the present ones stay. *capacity* (as for `ready`) counts for `take`. */
  unready(duty) {
    this.#wish({ ...duty, ready: false });
  }

  /** Say *text*; a user without a chat says it when there is one. Returns the message. */
  send(text, conversation) {
    const chat = this.#addressee(conversation);
    if (!chat) throw new ChatError(OVER);
    const message = {
      id: uuid(),
      conversation: chat.conversation,
      text: whole(asText(text)),
      own: true,
      date: new Date(this.now()).toISOString(),
    };
    chat._typed = -Infinity; // a message says as much
    this.#alarms.set(`typing ${chat.conversation}`);
    this.#outbox.post(message);
    this.#events.emit("message", { chat, message, live: false });
    this.#askAgain();
    return message;
  }

  /** Send what has failed again: in its chat, or in the present one. */
  retry(id) {
    const message = this.discard(id);
    if (!message) return;
    const isOpen = this.chats.get(message.conversation)?.state === "open";
    if (!isOpen && this.#role === "user") message.conversation = this.#addressee().conversation;
    if (message.error?.code === "id_conflict") message.id = uuid();
    this.#outbox.post(message);
    this.#askAgain();
  }

  /** Remove what has failed; returns it. */
  discard(id) {
    if (this.#outbox.get(id)?.message.state !== "failed") return null;
    const message = this.#outbox.take(id);
    this.#events.changed();
    return message;
  }

  /** To be called with each key; repeats are held back. */
  typing(on, conversation) {
    const chat = this.#find(conversation);
    const alarm = `typing ${chat?.conversation}`;
    this.#alarms.set(alarm, on ? TYPED - 1000 : undefined, () => this.typing(false, conversation));
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
    this.#events.emit("read", { chat });
  }

  /** The unsent text of a chat, or of the next one; over reloads too. */
  draft(conversation = this.#current) {
    return this.#drafts.get(conversation);
  }

  setDraft(text, conversation = this.#current) {
    this.#drafts.set(conversation, text);
  }

  /** Messages before *before*, by default the oldest here; they join the chat's. */
  history({ conversation = this.#current, before, limit } = {}) {
    return this.#transcript.older(this.chats.get(conversation), { conversation, before, limit });
  }

  /** Waiter: conversations of the past, newest first; with *sub*, those of one visitor. */
  async sessions({ before, limit, sub } = {}) {
    return (await this.#connection.question("get_history_session", { before, limit, sub })).payload;
  }

  /** Waiter: who is in the queue, the first ones; the payload of `queue`. */
  async waiting() {
    return (await this.#connection.question("get_queue", {})).payload;
  }

  /** Waiter: serve the user *uuid* of the queue next, now or not at all; its chat follows. */
  async take(uuid) {
    await this.#connection.question("take", { uuid }, false);
  }

  // ---- a connection --------------------------------------------------------

  #authenticate() {
    const kept = [...this.chats.values()].filter((chat) => chat.conversation && this.#isKept(chat));
    const resumed = kept.sort((a, b) => (b.state === "open") - (a.state === "open")).slice(0, RESUMED);
    const resume = Object.fromEntries(resumed.map((chat) => [chat.conversation, chat.lastSeq]));
    this.#connection.show({ locale: this.#locale, resume }, () => this.#welcome(resumed));
  }

  #welcome(resumed) {
    this.#follow();
    if (this.#role === "waiter" && this.#want) this.#report();
    if (this.#leaving) this.#leave();
    else if (resumed.length) this.#barrier(() => this.#takeStock(resumed));
    else if (this.wanted) this.#join();
    else if (this.#role === "user") this.#setPhase("idle");
  }

  /** End those of *resumed* that the server knows no more; it has answered for all of them by now. */
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

  /** Forget of each chat what held for the lost connection only. */
  #dropped() {
    for (const chat of this.chats.values()) {
      chat._met = chat._here = chat._paged = chat._asking = chat._doubtful = chat.typing = false;
      chat._top = 0;
      chat._typed = -Infinity;
    }
    this.#outbox.dropped();
  }

  /** `then` runs when the server has answered all that was asked before. */
  #barrier(then) {
    const { conversation } = this.#find() ?? [...this.chats.values()].find((chat) => chat._met) ?? {};
    if (!conversation && this.#role === "waiter") this.#connection.ask("get_history_session", { limit: 1 }, then);
    else this.#connection.ask("get_history", { conversation: conversation || "0", before: 1, limit: 1 }, then);
  }

  // ---- frames ------------------------------------------------------------

  #put(type, payload, chat, id) {
    this.#connection.put(type, payload, { id, to: this.#role === "waiter" ? chat?.peer.uuid : undefined });
  }

  #take(frame, { request, error }) {
    const { type, payload, conversation, reply_id: reply } = frame;
    if (!error) (this.#on[type] ?? this.#entry)(payload, frame, this.chats.get(conversation), request);
    else if (!request) this.#refused(error, reply);
  }

  /** An entry of a kind that is not known here: its number counts. */
  #entry = (_, frame, chat) => chat && frame.seq && this.#transcript.take(chat, this.#transcript.item(frame));

  /** What each frame does; others are left alone. */
  #on = {
    __proto__: null,
    initialize: (_, { to }) => {
      const first = !this.#connection.uuid;
      this.#connection.uuid = to; // the newest wins
      if (first) this.#authenticate();
    },
    auth_success: (me, { date }) => {
      if (date) this.#ahead = Date.parse(date) - this.#env.now();
      if (this.#sub && this.#sub !== me.sub) this.#clear(); // it was somebody else's
      this.#sub = me.sub;
      this.me = me;
      this.#connection.watchToken(me.expires_in);
    },
    connect_queue: (queue) => {
      if (this.#leaving) return;
      const chat = this.#find();
      if (chat) chat._met = chat._here = false;
      this.#want ??= {};
      this.#ticket = queue.ticket;
      this.queue = queue;
      this.#setPhase("queued");
      this.#events.emit("queue", queue);
    },
    connect_success: (peer) => this.#leaving || this.#enter(peer),
    new_connection: (peer) => this.#enter(peer),
    message_history: (page, { reply_id: reply }) => reply || this.#transcript.page(page),
    message_text: (_, frame, chat) => {
      if (!chat) return;
      const item = this.#transcript.item(frame);
      if (!item.own) this.#setTyping(chat, false);
      else if (this.#outbox.of(chat).some(({ message }) => message.text === item.text)) item.text = undefined;
      this.#transcript.take(chat, item); // an echo has no id: if it may be pending here, the history tells
    },
    message_text_success: (receipt, { reply_id: id }, chat) => {
      const text = this.#outbox.get(id)?.message.text;
      if (chat) this.#transcript.take(chat, { ...receipt, id, text, own: true });
    },
    disconnected: (payload, _, chat, request) => {
      if (chat?.state !== "open") return;
      chat.reason = payload?.reason ?? "";
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
      this.#events.emit("line", line);
    },
    typing: ({ on }, _, chat) => chat && this.#setTyping(chat, on),
    read: ({ seq }, _, chat) => {
      if (!chat) return;
      chat.readByPeer = Math.max(chat.readByPeer, seq);
      this.#events.emit("read", { chat });
    },
    presence: ({ state }, _, chat) => {
      if (!chat) return;
      chat.presence = state;
      this.#events.emit("presence", { chat });
    },
  };

  #refused(error, reply) {
    const entry = this.#outbox.get(reply);
    if (entry) this.#outbox.sentBack(entry, error);
    else if (!error.message.startsWith("payload.resume")) this.#complain(error, reply);
  }

  #complain({ code, message, retry_after: retryAfter }, reply) {
    this.#events.emit("error", { code, message, retryAfter, reply });
  }

  // ---- asking for a waiter, being one ------------------------------------

  #join() {
    if (this.#connection.isAsked("connect")) return;
    const [ticket, question] = [this.#ticket, this.#question];
    this.#connection.ask("connect", { ...this.#want, ticket, question }, (error) => {
      if (error?.code === "invalid_message" && ticket !== undefined) {
        this.#ticket = undefined; // worth nothing, but no reason to send somebody away
        this.#join();
      } else if (error) {
        this.#later(error, () => this.wanted && this.phase === "idle" && this.#join());
      } else if (question !== this.#question) {
        this.#askAgain();
      }
    });
  }

  /** The first words of what waits for a waiter. */
  get #question() {
    const waiting = this.chats.get("")?.messages.filter(({ state }) => state === "sending") ?? [];
    const words = waiting.map(({ text }) => text).join("\n");
    return Array.from(words).slice(0, QUESTION).join("") || undefined;
  }

  /** Tell the queue that the first words of the question have changed. */
  #askAgain() {
    if (this.phase === "queued" && this.#connection.isOnline) this.#join();
  }

  #decide(want) {
    this.#want = want;
    this.#since = this.#env.now();
    this.#events.changed();
  }

  #wish(want) {
    this.#decide(want);
    if (this.#connection.isOnline) this.#report();
  }

  #report() {
    const { ready, capacity } = this.#want;
    this.#connection.ask(ready ? "ready" : "unready", { capacity }, (error) => {
      if (error) this.#later(error, () => this.#want && this.#report());
    });
  }

  /** A wish was refused: say so, and repeat it where that may help. */
  #later(error, again) {
    this.#complain(error);
    if (error.retry_after === undefined) this.#want = null;
    else this.#alarms.set("wish", error.retry_after * 1000 * (1 + this.#env.random()), again);
  }

  #setPhase(phase) {
    if (phase !== "queued") this.queue = null;
    if (phase === this.phase) return;
    this.phase = phase;
    this.#events.emit("phase", phase);
  }

  #setDuty(duty) {
    this.duty = duty;
    this.#events.emit("duty", duty);
  }

  /** Forget the wish, the duty and the ticket, and end all chats: the part of leaving on this side. */
  #depart() {
    this.#decide(null);
    this.duty = null;
    this.#ticket = undefined;
    for (const chat of this.chats.values()) {
      if (chat.state === "open") chat.reason = this.#role === "user" ? "left" : "ended";
      this.#end(chat);
    }
    this.#setPhase("idle");
  }

  /** Tell the server that a user leaves; what it has said before is void. */
  #leave() {
    this.#connection.ask("disconnect", {});
    this.#barrier(() => {
      this.#leaving = false;
      if (this.wanted) this.#join();
    });
  }

  /** Tell the server that a waiter ends *chat*. */
  #dismiss(chat) {
    this.#connection.ask("disconnect", { uuid: chat.peer.uuid }, () => {
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

  /** Whether *chat* is needed after a reload, or on another connection. */
  #isKept(chat) {
    const { state, conversation, _leaving: leaving } = chat;
    return state === "open" || leaving || conversation === this.#current || this.#outbox.of(chat).length > 0;
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
    chat.reason = "";
    if (this.#role === "user") this.#serve(chat);
    this.#events.emit("chat", { chat, change });
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
    this.#outbox.save();
    if (this.draft("")) this.setDraft(this.draft(""), chat.conversation);
    this.setDraft("", "");
    this.#setPhase("served");
  }

  /** *chat* may be over: end it unless the server says that it goes on before it answers `catchUp`. */
  #doubt(chat) {
    chat._met = chat._here = false;
    chat._doubtful = true;
    this.#transcript.catchUp(chat, () => {
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
      this.#events.emit("chat", { chat, change: "ended" });
      if (this.#role === "user" && chat.conversation === this.#current) {
        this.#want = null;
        this.#ticket = undefined;
        this.#setPhase("idle");
      }
    }
    this.#outbox.giveUp(chat, final);
  }

  #setTyping(chat, on) {
    const name = `typed ${chat.conversation}`;
    this.#alarms.set(name, on ? TYPED : undefined, () => this.#setTyping(chat, false));
    if (chat.typing === on) return;
    chat.typing = on;
    this.#events.emit("typing", { chat });
  }

  #tellRead(chat) {
    if (!chat._here || chat._read <= chat._readSent) return;
    chat._readSent = chat._read;
    this.#put("read", { seq: chat._read }, chat);
  }

  // ---- storage -----------------------------------------------------------

  /** Read what is stored. It may be outdated: the server corrects it. */
  #restore() {
    const { at, sub, current, leaving, want, since, ticket, chats } = this.#store.get("state") ?? {};
    this.#sub = sub ?? "";
    this.#current = current ?? "";
    this.#leaving = leaving === true;
    this.#since = since ?? 0;
    if (this.#env.now() - at < KEPT) [this.#want, this.#ticket] = [want ?? null, ticket];
    for (const [conversation, stored] of Object.entries(chats ?? {})) {
      const { peer, last, read, readByPeer, state, reason = "", leaving: ending } = stored;
      const chat = this.#chat(conversation);
      Object.assign(chat, { readByPeer, state, reason, _read: read, _newest: last, _leaving: ending });
      Object.assign(chat.peer, peer);
      chat._begin(Math.max(0, last - BROUGHT) + 1);
    }
    if (this.#role === "user" && this.#isOpen) this.phase = "served";
  }

  #save() {
    this.#follow(); // not to write over what is newer
    const chats = {};
    for (const chat of this.chats.values()) {
      if (!chat.conversation || !this.#isKept(chat)) continue;
      const { conversation, peer, _newest: last, _read: read, readByPeer, state, reason, _leaving: leaving } = chat;
      chats[conversation] = { peer, last, read, readByPeer, state, reason, leaving };
    }
    const [sub, want, since, leaving] = [this.#sub, this.#want, this.#since, this.#leaving];
    const busy = this.wanted || this.#isOpen || leaving || this.#outbox.size > 0;
    const [current, ticket, at] = [this.#current, this.#ticket, this.#env.now()];
    const state = { busy, chats, sub, current, want, since, ticket, leaving, at };
    this.#store.set("state", busy || sub ? state : undefined);
  }

  /** Another tab has written *key*. */
  #elsewhere(key, signal) {
    if (this.#outbox.isAt(key)) this.#outbox.inherit(signal);
    if (key === this.#store.name("state")) this.#follow();
  }

  /** What was decided last, in whichever tab, counts in all. */
  #follow() {
    const { want, since, sub } = this.#store.get("state") ?? {};
    if (sub !== this.#sub || !(since > this.#since)) return;
    this.#want = want ?? null;
    this.#since = since;
    if (this.#role === "waiter") {
      if (want && this.#connection.isOnline) this.#report();
    } else if (!want && this.phase === "queued") {
      this.#setPhase("idle"); // it has left the queue, of which the server tells nobody
    }
  }

  #clear() {
    this.chats.clear();
    this.#current = this.#sub = "";
    this.#ticket = undefined;
    this.#leaving = false;
    if (this.#role === "waiter") this.#want = null;
    this.#setPhase("idle");
    this.#drafts.clear();
    this.#outbox.clear();
  }
}
