/**
 * What one has said and the server has not stored yet: it outlives connections, and, in storage,
 * pages. Of a chat one text is under way at a time: what is refused for a while is never overtaken by
 * what was said after it. When a tab is gone, another one sends what it has left.
 */

import { excess } from "./size.js";

const LONGEST_PAUSE = 15_000; // ms before a text that was refused for a while is said again
const WAIT = ["not_connected", "no_such_user", "not_ready", "unauthenticated"]; // for the chat
const TOO_LONG = { code: "too_large", message: "The message is too long." };
const KEY = "outbox";

export const OVER = { code: "not_connected", message: "The chat is over." };

export class Outbox {
  #entries = new Map(); // id → {message, sent, due, tries}
  #watched = new Set(); // tabs whose outbox we inherit
  #store;
  #tab;
  #env;
  #alarms;
  #connection;
  #client;

  /**
   * In *store*, under the name of this *tab*. *client* has `chat(conversation)` (makes it where there
   * is none), `say(chat, message)`, `doubt(chat)` (it may be over), `emit(type, detail)`,
   * `changed()`.
   */
  constructor({ store, tab, env, alarms, connection }, client) {
    this.#store = store;
    this.#tab = tab;
    this.#env = env;
    this.#alarms = alarms;
    this.#connection = connection;
    this.#client = client;
  }

  get size() {
    return this.#entries.size;
  }

  get(id) {
    return this.#entries.get(id);
  }

  of({ conversation }) {
    return [...this.#entries.values()].filter(({ message }) => message.conversation === conversation);
  }

  isPending(chat, { id }) {
    return this.#entries.get(id)?.message.conversation === chat.conversation;
  }

  /** Say *message*, as soon as that may be. */
  post(message) {
    Object.assign(message, { state: "sending", error: undefined, after: undefined });
    const entry = this.#enlist(message);
    const chat = this.#client.chat(message.conversation);
    if (excess(message.text)) this.#fail(entry, TOO_LONG);
    else if (chat.state === "ended") this.#fail(entry, OVER);
    this.save();
    this.speak(chat);
  }

  #enlist(message) {
    const entry = { message, sent: false, due: 0, tries: 0 };
    this.#entries.set(message.id, entry);
    this.#client.chat(message.conversation)._place(message);
    this.#client.changed();
    return entry;
  }

  /** The message *id*, which is here no more, nor in its chat. */
  take(id) {
    const { message } = this.#entries.get(id);
    this.#entries.delete(id);
    this.#client.chat(message.conversation)._remove(message);
    this.save();
    return message;
  }

  /** Send the next of *chat*, or *all*, where it may be sent now. */
  speak(chat, all = false) {
    if (!chat._here) return;
    for (const entry of this.of(chat)) {
      const { message, sent, due } = entry;
      if (message.state !== "sending") continue;
      const wait = due - this.#env.now();
      if (!all && wait > 0) this.#alarms.set(`speak ${chat.conversation}`, wait, () => this.speak(chat));
      if (!all && (sent || wait > 0)) return;
      if (sent) continue;
      entry.sent = true;
      this.#client.say(chat, message);
      this.#connection.expect();
      if (!all) return;
    }
  }

  /** The server has refused *entry*: for a while, until the chat is known to go on, or for good. */
  sentBack(entry, error) {
    const { code, retry_after: after = code === "internal" ? 1 : 0 } = error;
    const chat = this.#client.chat(entry.message.conversation);
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
      this.#client.doubt(chat);
    }
    this.speak(chat);
  }

  /** *chat* is over; *final*: what is under way will not be answered any more. */
  giveUp(chat, final) {
    for (const entry of this.of(chat)) {
      if (entry.message.state === "sending" && (final || !entry.sent)) this.#fail(entry, OVER);
    }
  }

  #fail({ message }, { code, message: why }) {
    const chat = this.#client.chat(message.conversation);
    Object.assign(message, { state: "failed", error: { code, message: why }, after: chat.lastSeq });
    chat._place(message);
    this.save();
    this.#client.emit("receipt", { chat, message });
  }

  /** The connection is lost: nothing is under way any more. */
  dropped() {
    for (const entry of this.#entries.values()) Object.assign(entry, { sent: false, due: 0, tries: 0 });
  }

  // ---- storage -------------------------------------------------------------

  /** Write down this tab's, beside those of the others; that of *heir* has become ours. */
  save(heir) {
    const others = this.#stored().filter(({ tab }) => tab !== this.#tab && tab !== heir);
    const mine = [...this.#entries.values()].map(({ message }) => ({ ...message, tab: this.#tab }));
    this.#store.set(KEY, [...others, ...mine]);
  }

  clear() {
    this.#entries.clear();
    this.save();
  }

  /** Whether *key* of the browser's storage is where this is. */
  isAt(key) {
    return key === this.#store.name(KEY);
  }

  /** Of all tabs. */
  #stored() {
    const isSound = (one) => [one?.tab, one?.id, one?.conversation, one?.text].every((it) => typeof it === "string");
    const found = this.#store.get(KEY);
    return Array.isArray(found) ? found.filter(isSound) : [];
  }

  /**
   * Take over those of tabs that are gone, until *signal*. A lock tells when; without locks at once:
   * what is sent twice with one id is one message.
   */
  inherit(signal) {
    const { locks } = this.#env;
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

  /** What `inherit` has begun has ended. */
  disinherit() {
    this.#watched.clear();
  }

  #adopt(heir) {
    for (const { tab, ...message } of this.#stored()) {
      if (tab !== heir || this.#entries.has(message.id)) continue;
      message.state = message.state === "failed" ? "failed" : "sending";
      this.#enlist(message);
      const chat = this.#client.chat(message.conversation);
      if (this.#connection.isOnline && chat.conversation && !chat._met) this.#client.doubt(chat);
      else this.speak(chat);
    }
    this.save(heir);
  }
}
