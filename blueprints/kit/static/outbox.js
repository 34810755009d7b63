/**
 * Messages of this side that the server has not stored yet. They outlive connections and, in the browser's
 * storage, pages. Each conversation sends one message at a time, so that a later message never overtakes one
 * that the server has refused for a while. When a tab is gone, another tab sends the messages that it has left.
 */

import { excess } from "./size.js";

const LONGEST_PAUSE = 15_000; // ms, at most, before a text that was refused for a while is sent again
const WAIT = ["not_connected", "no_such_user", "not_ready", "unauthenticated"]; // until the conversation goes on
const TOO_LONG = { code: "too_large", message: "The message is too long." };
const KEY = "outbox";

export const OVER = { code: "not_connected", message: "The chat is over." };

export class Outbox {
  #entries = new Map(); // id → {message, sent, due, tries}
  #watched = new Set(); // tabs whose outbox this tab takes over when they are gone
  #store;
  #tab;
  #env;
  #alarms;
  #connection;
  #client;

  /**
   * In *store*, under the name of this *tab*. *client* has `chat(conversation)` (makes it if there
   * is none), `say(chat, message)`, `doubt(chat)` (it may have ended), `emit(type, detail)`,
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

  /** Send *message* as soon as its conversation allows it. */
  post(message) {
    const state = message.file && !message.file.id ? "uploading" : "sending";
    Object.assign(message, { state, error: undefined, after: undefined });
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

  /** Remove the message *id* from the outbox and from its conversation; returns it. */
  take(id) {
    const { message } = this.#entries.get(id);
    this.#client.cancel(message);
    this.#entries.delete(id);
    this.#client.chat(message.conversation)._remove(message);
    this.save();
    return message;
  }

  /** Send the next message of *chat* that may be sent now, or *all* of them. */
  speak(chat, all = false) {
    if (!chat._isCaughtUp) return;
    const entries = this.of(chat);
    for (const { message } of entries) if (message.state === "uploading") this.#client.upload(message);
    for (const entry of entries) {
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

  /** The server has refused *entry*: send it again later, or when the conversation goes on, or let it fail. */
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
    } else if (chat._hasPeer) {
      this.#client.doubt(chat);
    }
    this.speak(chat);
  }

  /** The server has the file of *message*: *file* says what it is. */
  uploaded(message, file) {
    if (message.state !== "uploading") return;
    Object.assign(message.file, file);
    Object.assign(message, { text: file.name, state: "sending" });
    this.save();
    this.#client.changed();
    this.speak(this.#client.chat(message.conversation));
  }

  /** The server does not take the file of *message*. */
  notTaken(message, error) {
    if (message.state === "uploading") this.#fail({ message }, error);
  }

  /** *chat* has ended, so its messages fail; *final*: those under way as well, because no answer will come to them. */
  giveUp(chat, final) {
    for (const entry of this.of(chat)) {
      if (entry.message.state !== "failed" && (final || !entry.sent)) this.#fail(entry, OVER);
    }
  }

  #fail({ message }, { code, message: why }) {
    const chat = this.#client.chat(message.conversation);
    this.#client.cancel(message);
    Object.assign(message, { state: "failed", error: { code, message: why }, after: chat.lastSeq });
    chat._place(message);
    this.save();
    this.#client.emit("receipt", { chat, message });
  }

  /** The connection is lost: no message is under way any more. */
  dropped() {
    for (const entry of this.#entries.values()) Object.assign(entry, { sent: false, due: 0, tries: 0 });
  }

  // ---- storage -------------------------------------------------------------

  /** Store this tab's messages beside those of other tabs. This tab has taken over those of the tab *heir*. */
  save(heir) {
    const others = this.#stored().filter(({ tab }) => tab !== this.#tab && tab !== heir);
    const mine = [...this.#entries.values()].map(({ message }) => this.#lasting(message)).filter(Boolean);
    this.#store.set(KEY, [...others, ...mine]);
  }

  /** What is stored of *message*: nothing of a file that the server does not have, because the page alone can send it. */
  #lasting({ file, ...message }) {
    if (!file) return { ...message, tab: this.#tab };
    const { blob: _, upload: __, ...known } = file;
    return known.id && { ...message, file: known, tab: this.#tab };
  }

  clear() {
    for (const { message } of this.#entries.values()) this.#client.cancel(message);
    this.#entries.clear();
    this.save();
  }

  /** Whether *key* of the browser's storage is that of outboxes. */
  isAt(key) {
    return key === this.#store.name(KEY);
  }

  /** The stored messages of all tabs. */
  #stored() {
    const isSound = (one) => [one?.tab, one?.id, one?.conversation, one?.text].every((it) => typeof it === "string");
    const found = this.#store.get(KEY);
    return Array.isArray(found) ? found.filter(isSound) : [];
  }

  /**
   * Take over the messages of tabs that are gone, until *signal* aborts. A lock tells when a tab is gone;
   * without locks they are taken over at once: a message that is sent twice with one id is one message.
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

  /** `inherit` has ended. */
  disinherit() {
    this.#watched.clear();
  }

  #adopt(heir) {
    for (const { tab, ...message } of this.#stored()) {
      if (tab !== heir || this.#entries.has(message.id)) continue;
      message.state = message.state === "failed" ? "failed" : "sending";
      this.#enlist(message);
      const chat = this.#client.chat(message.conversation);
      if (this.#connection.isOnline && chat.conversation && !chat._hasPeer) this.#client.doubt(chat);
      else this.speak(chat);
    }
    this.save(heir);
  }
}
