/**
 * csapp's protocol, version 2: what pages call of visitors and waiters alike, and what is stored over
 * reloads. `visitor.js` and `waiter.js` are the two sides, `client.js` is what pages of others import.
 * What begins with `_` is for the sides and for `conversations.js`.
 *
 * 1. A text stays in the outbox until its receipt comes, and is sent again with the same id
 *    on each new connection (`outbox.js`).
 * 2. `messages` of a conversation holds each `seq` once and in order; a message without a `seq`
 *    stands at the end (`transcript.js`).
 * 3. The server's word is the truth. Storage only bridges reloads: it may hold
 *    anything, or throw.
 *
 * A `Chat` is a conversation as this side sees it; pages know it by that name.
 *
 * @typedef {import("./chat.js").Message} Message
 * @typedef {import("./connection.js").Status} Status
 */

import { Alarms } from "./alarms.js";
import { asText } from "./as-text.js";
import { Conversations } from "./conversations.js";
import { Drafts } from "./drafts.js";
import { environment } from "./environment.js";
import { Events } from "./events.js";
import { FilePart, frameOf, mayRetry, ofFile } from "./file-part.js";
import { ChatError, Connection } from "./connection.js";
import { Outbox, OVER } from "./outbox.js";
import { whole } from "./size.js";
import { browserStorage, Stored } from "./storage.js";
import { Transcript } from "./transcript.js";
import { uuid } from "./uuid.js";

const WISH = 600_000; // ms that a wish outlives its page: enough for a reload, too short for a night
const BROUGHT = 50; // messages of each conversation that are fetched again after a reload
const RESUMED = 100; // conversations, the most that `auth` may name

export class BaseClient {
  _side;
  _env;
  _events = new Events(() => this.#save());
  _alarms;
  _connection;
  _outbox;
  _transcript;
  _conversations = new Conversations(this);

  #role;
  #store;
  #drafts;
  #files;
  #sub = "";
  #ahead = 0; // ms by which the server's clock is before ours

  /** Who we are: the payload of `auth_success`. */
  me = null;
  /** The language that the server gets, from the next connection on. */
  locale;
  /** User: `idle`, `queued`, `served`, or `offline`: sent away for now. */
  phase = "idle";
  /** User: `{location, wait, ticket}` while in the queue. */
  queue = null;
  /** User: what the site has said by itself while it is in the queue: `greeting`, `looking` → the text. */
  words = {};
  /** User: `{reason, opens}` while it is sent away, because it is `closed` or `nobody` is there. */
  offline = null;
  /** Waiter: `{ready, capacity}`; null before it is known. */
  duty = null;
  /** Waiter: `{length, longest_wait}` of the queue; null before it is known. */
  line = null;
  /** Waiter: how many messages that visitors have left are open, in its departments. */
  left = 0;
  /** @type {Map<string, Chat>} by conversation; "": what a user says before it has one */
  chats = this._conversations.all;

  /**
   * *Side* is `Visitor` or `Waiter`; *url* of the door, `wss:` or `https:`; *token* a string, or a
   * function of `{refresh, renew}` (the last one was refused; it runs out soon) that returns one or a promise of
   * one. *storage*: null for none, `localStorage` by default; its keys begin with *key*.
   * *environment*: for tests. *files()* loads what handles files: a promise of the class `Files`.
   */
  constructor({ url, token, storage, key = "csapp", locale, files, environment: given }, Side) {
    this._env = environment(given);
    this.#role = Side.role;
    this._side = new Side(this);
    this.locale = locale;
    this.#store = new Stored(storage === undefined ? browserStorage("localStorage") : storage, `${key}:${Side.role}:`);
    this.#drafts = new Drafts(this.#store, this._env.now);
    this.#putTogether(url, token, files);
    try {
      this.#restore();
    } catch {
      this.#clear(); // edited by hand
    }
  }

  #putTogether(url, token, load) {
    const [env, store, tab] = [this._env, this.#store, uuid()];
    const alarms = (this._alarms = new Alarms(env));
    const client = this.#ofParts;
    // a whole address needs no `URL`, which a page may have made something else
    const whole = /^\w+:/.test(url) ? url : new URL(url, globalThis.document?.baseURI);
    const door = String(whole).replace(/^http/i, "ws");
    const connection = (this._connection = new Connection({ url: door, token, env, alarms, tab }, client));
    const outbox = (this._outbox = new Outbox({ store, tab, env, alarms, connection }, client));
    this._transcript = new Transcript({ connection, outbox }, client);
    this.#files = new FilePart(this, door, load);
  }

  // ---- what the parts call -------------------------------------------------

  get #ofParts() {
    const emit = (...args) => this._events.emit(...args);
    const conversations = this._conversations;
    return {
      emit,
      changed: () => this._events.changed(),
      authenticate: () => this.#authenticate(),
      frame: (...args) => this.#take(...args),
      status: (status) => emit("status", status),
      complain: (error) => this._complain(error),
      clear: () => this.#clear(),
      dropped: () => {
        conversations.dropped();
        this._outbox.dropped();
      },
      sentence: (code) => this._sentence(code),
      refused: () => this.#role === "waiter" && this._side.decide(null), // a later login begins anew
      quit: () => this._outbox.disinherit(),
      matters: () => this.#role === "waiter" || ["queued", "served"].includes(this.phase),
      probe: () => (this.phase === "queued" ? this._side.askAgain() : this._barrier()),
      chat: (conversation) => conversations.at(conversation),
      say: (chat, message) => this._put(...frameOf(message), chat, message.id),
      upload: (message) => this.#files.upload(message),
      cancel: (message) => this.#files.cancel(message),
      doubt: (chat) => conversations.doubt(chat),
      end: (chat) => conversations.end(chat, true),
      settled: (chat) => conversations.reportRead(chat),
    };
  }

  // ---- the page's side ---------------------------------------------------

  /** @type {Status} */
  get status() {
    return this._connection.status;
  }

  /** The connection is gone, or does not answer, and not only for a moment. */
  get lost() {
    return this._connection.lost;
  }

  /** The time by the server's clock, in ms, as far as it is known: a computer's own may be hours off. */
  now() {
    return this._env.now() + this.#ahead;
  }

  /** User: the present or last conversation. */
  get chat() {
    return this.chats.get("") ?? this.chats.get(this._conversations.current) ?? null;
  }

  /** What files the server takes: `{max, types}`; null: none, or it has not said so yet. */
  get files() {
    return this.me?.files ?? null;
  }

  /** User: whether it waits for a waiter or has one. */
  get wanted() {
    return this._side.isWanted;
  }

  /** User: the department that it has asked for. */
  get department() {
    return this._side.want?.department;
  }

  /** Call `fn(detail)` on events of *type*. Returns a function that ends it. */
  on(type, fn) {
    return this._events.on(type, fn);
  }

  off(type, fn) {
    this._events.off(type, fn);
  }

  /** Connect, and come back whenever the connection is lost. */
  start() {
    if (this._connection.isRunning) return;
    const signal = this._connection.begin();
    this._env.addEventListener("pagehide", () => this.#save(), { signal });
    this._env.addEventListener("storage", ({ key }) => this.#elsewhere(key, signal), { signal });
    this._outbox.inherit(signal);
    this._connection.connect();
  }

  /** Leave for good; `{leave: false}`: the conversation goes on when the client is started again in time. */
  stop({ leave = true } = {}) {
    const deliberate = leave && this._connection.isOnline;
    if (leave) this._side.stop(deliberate);
    this._connection.stop({ deliberate });
    this.#files.halt();
    this.#save();
  }

  /** Connect now, whatever went before. */
  reconnect() {
    this._connection.restart();
    this.start();
  }

  /** Stop, and remove all that is stored. */
  forget() {
    this.stop();
    this.#clear();
    for (const key of ["state", "outbox", "drafts"]) this.#store.set(key);
  }

  /**
   * User: ask for a waiter (`{page, department, fields}`), now and on each new connection, until the conversation
   * or the wish ends.
   */
  connect(wish) {
    this._side.connect(wish);
  }

  /**
   * User: leave `{message, name, email, department, page, language}` while nobody serves it; resolves with a chat that
   * has ended when that is stored. An answer is the next message of that chat. Rejects with a `ChatError`. Under the
   * same *id* the same message is left once.
   */
  async leaveMessage({ name, email, id, ...asked }) {
    const contact = { name, email };
    const { payload } = await this._connection.question("leave_message", { ...asked, contact }, true, id);
    if (this.wanted) this.disconnect();
    return this._side.left(payload, asked.message, true);
  }

  /** End a conversation, or leave the queue. */
  disconnect(conversation) {
    const chat = this._conversations.find(conversation);
    if (chat) this._outbox.speak(chat, true);
    this._side.disconnect(chat);
  }

  /**
   * Send *text*; a user without a conversation sends it when there is one. A waiter offers *choices* with it, and a user
   * takes the *choice* with this id. Returns the message.
   */
  send(text, conversation, { choices, choice } = {}) {
    return this.#post({ text: whole(asText(text)), ...(choices && { choices }), ...(choice && { choice }) }, conversation);
  }

  /** Send *file*, a `File` or `Blob`, in the same way. */
  sendFile(file, conversation) {
    return this.#post(ofFile(file), conversation);
  }

  #post(what, conversation) {
    const chat = this._side.addressee(conversation);
    if (!chat) throw new ChatError(OVER);
    const date = new Date(this.now()).toISOString();
    const message = { id: uuid(), conversation: chat.conversation, ...what, own: true, date };
    chat._typed = -Infinity; // a message says as much
    this._alarms.set(`typing ${chat.conversation}`);
    this._outbox.post(message);
    this._events.emit("message", { chat, message, live: false });
    this._side.askAgain();
    return message;
  }

  /** Send a failed message again: in its conversation, or in the present one. */
  retry(id) {
    const { message } = this._outbox.get(id) ?? {};
    if (message?.state !== "failed" || (message.file && !mayRetry(message))) return;
    this.discard(id);
    const { conversation, error, file } = message;
    const isOpen = this.chats.get(conversation)?.state === "open";
    if (!isOpen && this.#role === "user") message.conversation = this._side.addressee().conversation;
    if (error?.code === "id_conflict") message.id = uuid();
    if (file && (conversation !== message.conversation || error?.code === "no_such_file")) file.id = undefined;
    this._outbox.post(message);
    this._side.askAgain();
  }

  /** Remove a message that has failed, is still uploaded, or that a user has sent before it has a conversation; returns it. */
  discard(id) {
    const { state, conversation } = this._outbox.get(id)?.message ?? {};
    if (!["failed", "uploading"].includes(state) && conversation !== "") return null;
    const message = this._outbox.take(id);
    this._events.changed();
    return message;
  }

  /** Where the files *ids* are for a while, by their ids: `{url}`, of images also `thumb`. Rejects with a `ChatError`. */
  fileLinks(ids) {
    return this.#files.links(ids).catch((error) => Promise.reject(new ChatError(error)));
  }

  /**
   * User: rate a conversation from 1 to 5, with a *comment*, or change that for a day; resolves when that is stored.
   * Rejects with a `ChatError`.
   */
  async rate(stars, comment = "", conversation = this._conversations.current) {
    const { payload } = await this._connection.question("rate", { rate: stars, comment, conversation });
    const chat = this.chats.get(conversation);
    chat?._rate({ rate: stars, comment, ...payload });
    this._events.emit("rating", { chat, live: false });
  }

  /** To be called with each key; repeats are held back. */
  typing(on, conversation) {
    this._conversations.type(on, this._conversations.find(conversation), () => this.typing(false, conversation));
  }

  /** All up to *seq*, by default the last, has been read. */
  read(seq = Infinity, conversation) {
    this._conversations.read(seq, this._conversations.find(conversation));
  }

  /** The unsent text of a conversation, or of the next one; over reloads too. */
  draft(conversation = this._conversations.current) {
    return this.#drafts.get(conversation);
  }

  setDraft(text, conversation = this._conversations.current) {
    this.#drafts.set(conversation, text);
  }

  /** Messages before *before*, by default the oldest here; they join the conversation's. */
  history({ conversation = this._conversations.current, before, limit } = {}) {
    return this._transcript.older(this.chats.get(conversation), { conversation, before, limit });
  }

  // ---- a connection --------------------------------------------------------

  /** Why a connection has ended with *code*, where the server does not say it; "": the page says it itself. */
  _sentence() {
    return "";
  }

  #authenticate() {
    const needed = [...this.chats.values()].filter((chat) => chat.conversation && this._conversations.isNeeded(chat));
    const resumed = needed.sort((a, b) => (b.state === "open") - (a.state === "open")).slice(0, RESUMED);
    const resume = Object.fromEntries(resumed.map((chat) => [chat.conversation, chat.lastSeq]));
    this._connection.show({ locale: this.locale?.slice(0, 35), resume }, () => this.#welcome(resumed));
  }

  #welcome(resumed) {
    this.#files.wake();
    this.#follow();
    this._side.welcome(resumed);
  }

  /** `then` runs when the server has answered all that was asked before. */
  _barrier(then) {
    const { conversation } = this._conversations.find() ?? [...this.chats.values()].find((chat) => chat._hasPeer) ?? {};
    if (!conversation && this.#role === "waiter") this._connection.ask("get_history_session", { limit: 1 }, then);
    else this._connection.ask("get_history", { conversation: conversation || "0", before: 1, limit: 1 }, then);
  }

  // ---- frames ------------------------------------------------------------

  _put(type, payload, chat, id) {
    this._connection.put(type, payload, { id, to: this.#role === "waiter" ? chat?.peer.uuid : undefined });
  }

  #take(frame, { request, error }) {
    const { type, payload, conversation, reply_id: reply } = frame;
    const { on, entry } = this._conversations;
    const act = this.#on[type] ?? this._side.on[type] ?? on[type] ?? entry;
    if (!error) act(payload, frame, this.chats.get(conversation), request);
    else if (!request) this.#refused(error, reply);
  }

  /** What frames do that are about the login. */
  #on = {
    __proto__: null,
    initialize: (_, { to }) => {
      const first = !this._connection.uuid;
      this._connection.uuid = to; // the newest wins
      if (first) this.#authenticate();
    },
    auth_success: (me, { date }) => {
      if (date) this.#ahead = Date.parse(date) - this._env.now();
      if (this.#sub && this.#sub !== me.sub) this.#clear(); // it was somebody else's
      this.#sub = me.sub;
      this.me = me;
      this._connection.watchToken(me.expires_in);
    },
  };

  #refused(error, reply) {
    const entry = this._outbox.get(reply);
    const isTaken = entry?.message.choice && error.code === "invalid_message"; // in another tab: that one counts
    if (isTaken) this._outbox.speak(this._conversations.at(this._outbox.take(reply).conversation));
    else if (entry) this._outbox.sentBack(entry, error);
    else if (!error.message.startsWith("payload.resume")) this._complain(error, reply);
  }

  _complain({ code, message, retry_after: retryAfter }, reply) {
    this._events.emit("error", { code, message, retryAfter, reply });
  }

  // ---- storage -----------------------------------------------------------

  /** Read what is stored. It may be outdated: the server corrects it. */
  #restore() {
    const state = this.#store.get("state") ?? {};
    const { at, sub, chats } = state;
    this.#sub = sub ?? "";
    this._side.restore(state, this._env.now() - at < WISH);
    for (const [conversation, stored] of Object.entries(chats ?? {})) {
      const { peer, last, read, readByPeer, state, reason = "", leaving: ending } = stored;
      const chat = this._conversations.at(conversation);
      Object.assign(chat, { readByPeer, state, reason, _read: read, _newest: last, _leaving: ending });
      Object.assign(chat.peer, peer);
      chat._begin(Math.max(0, last - BROUGHT) + 1);
    }
    if (this._conversations.isOpen) this.phase = "served";
  }

  #save() {
    this.#follow(); // not to write over what is newer
    const chats = {};
    for (const chat of this.chats.values()) {
      if (!chat.conversation || !this._conversations.isNeeded(chat)) continue;
      const { conversation, peer, _newest: last, _read: read, readByPeer, state, reason, _leaving: leaving } = chat;
      chats[conversation] = { peer, last, read, readByPeer, state, reason, leaving };
    }
    const [sub, at] = [this.#sub, this._env.now()];
    const busy = this._side.isBusy || this._conversations.isOpen || this._outbox.size > 0;
    this.#store.set("state", busy || sub ? { ...this._side.state, busy, chats, sub, at } : undefined);
  }

  /** Another tab has written *key*. */
  #elsewhere(key, signal) {
    if (this._outbox.isAt(key)) this._outbox.inherit(signal);
    if (key === this.#store.name("state")) this.#follow();
  }

  /** What was decided last, in whichever tab, counts in all. */
  #follow() {
    const state = this.#store.get("state");
    if (state && state.sub === this.#sub) this._side.follow(state);
  }

  #clear() {
    this.chats.clear();
    this._conversations.current = this.#sub = "";
    this._side.clear();
    this.#drafts.clear();
    this._outbox.clear();
  }
}
