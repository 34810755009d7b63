/**
 * The waiter's desk: what the client knows, and what this page adds to it. The
 * client's word is the truth about chats; here is only who is looked at, what is
 * about to end, and what is new to the eye.
 */

import { ChatClient } from "../kit/client.js";
import { ask, Desktop } from "./api.js";
import { Archive } from "./archive.js";
import { visitorName } from "./format.js";
import { problem } from "./problems.js";
import { common, raw, shared, tab } from "./storage.js";
import { locale } from "./words.js";

const UNDO = 5000; // ms in which an end can be taken back
const REMEMBERED = 300; // conversations of which we know that they are not new

/** Where there is room for one column only: there, nothing is opened unasked. */
export const NARROW = "(max-width: 720px)";

export class Desk {
  /** Conversation in the middle; null: none. */
  selected = null;
  /** `{conversation, name}`: one of the past is shown instead. */
  past = null;
  /** `{conversation, seq}`: the message to go to. */
  target = null;
  /** Conversation → the moment (ms) at which it ends, unless that is undone. */
  ending = new Map();
  /** Whether the box of the selected chat is to have the focus when it appears. */
  write = false;
  /** How many wait; null before that is known. */
  inLine = null;
  /** What the server has refused, in a sentence; or "". */
  problem = "";
  /** Chats that nobody has looked at yet. */
  fresh = new Set(tab.get("fresh") ?? []);
  /** When (ms) whoever is first in line has joined it. */
  lineSince = null;
  /** Readiness asked for, until the server confirms it; null: none. */
  wished = null;
  /** Canned replies; null before they are known. */
  replies = null;

  #alerts;
  #changed;
  #narrow = matchMedia(NARROW);
  #mine = new Set(tab.get("mine") ?? []);
  #known = shared.get("known") ?? [];
  #timers = new Map();
  #dutyKnown = false;
  #wishedCapacity = null;
  #usual;
  #others = "BroadcastChannel" in window ? new BroadcastChannel(common("desk")) : null;

  /**
   * *session* is signed in; *keeps*: this server has a history; *capacity*: what
   * it gives a waiter who asks for nothing else. *changed()* shows the desk
   * anew; *alerts* calls the waiter.
   */
  constructor({ session, keeps, capacity, alerts, changed }) {
    this.#usual = capacity;
    this.keeps = keeps;
    this.#alerts = alerts;
    this.#changed = changed;
    this.api = new Desktop(() => session.token);
    this.selected = tab.get("selected");
    this.client = new ChatClient({
      url: "v1/ws/waiter/connect",
      role: "waiter",
      token: (how) => session.fresh(how),
      storage: raw,
      key: common(session.who),
      locale: locale(),
    });
    this.archive = new Archive(this.client, changed);
    this.#listen();
    this.client.start();
  }

  /** Leave for good: the chats end, and nothing is remembered. */
  leave() {
    this.#stop();
    this.client.forget();
    for (const key of ["mine", "fresh", "selected"]) tab.remove(key);
  }

  /** Go, without a word to anybody. */
  close() {
    this.#stop();
    this.client.stop({ leave: false });
  }

  #stop() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#others?.close();
  }

  // ---- chats ---------------------------------------------------------------

  /** Chats of this waiter, those that are over and not put away included, in order of arrival. */
  get chats() {
    return [...this.#mine].map((one) => this.client.chats.get(one)).filter(Boolean);
  }

  get open() {
    return this.chats.filter((chat) => chat.state === "open");
  }

  /** The chat in the middle, or null. */
  get chat() {
    return this.#mine.has(this.selected) ? (this.client.chats.get(this.selected) ?? null) : null;
  }

  /** How much is new: unread messages, and chats that nobody has looked at. */
  get news() {
    const of = (chat) => chat.unread || (this.fresh.has(chat.conversation) ? 1 : 0);
    return this.chats.reduce((sum, chat) => sum + of(chat), 0);
  }

  /** Look at a chat; *write*: and be about to answer it. */
  select(conversation, { write = false } = {}) {
    this.past = this.target = null;
    this.selected = conversation;
    this.write = write;
    tab.set("selected", conversation);
    this.look();
    this.#changed();
  }

  /** The chat *steps* further down in the list. */
  step(steps) {
    const all = this.chats.map((chat) => chat.conversation);
    if (!all.length) return;
    const at = all.indexOf(this.selected);
    const next = at < 0 ? (steps > 0 ? 0 : all.length - 1) : (at + steps + all.length) % all.length;
    this.select(all[next]);
  }

  /** What is in the middle has been seen, if anybody sees it; *upTo* the newest by default. */
  look() {
    const { chat } = this;
    if (!chat || this.past || document.hidden || !document.hasFocus()) return;
    this.#seen(chat.conversation);
    if (!chat.unread) return;
    this.client.read(undefined, chat.conversation);
    this.#others?.postMessage({ read: chat.conversation, seq: chat.lastSeq });
  }

  send(text, conversation) {
    this.undo(conversation);
    this.client.send(text, conversation);
    this.client.setDraft("", conversation);
  }

  // ---- ending --------------------------------------------------------------

  /** End a chat in a moment; one that is over is put away. */
  end(conversation) {
    const chat = this.client.chats.get(conversation);
    if (chat?.state !== "open") {
      this.#putAway(conversation);
    } else if (!this.ending.has(conversation)) {
      this.ending.set(conversation, Date.now() + UNDO);
      this.#timers.set(conversation, setTimeout(() => this.#endNow(conversation), UNDO));
    }
    this.#changed();
  }

  undo(conversation) {
    if (!this.ending.delete(conversation)) return;
    clearTimeout(this.#timers.get(conversation));
    this.#changed();
  }

  #endNow(conversation) {
    this.ending.delete(conversation);
    this.client.disconnect(conversation);
    this.#changed();
  }

  #putAway(conversation) {
    const all = this.chats.map((chat) => chat.conversation);
    const at = all.indexOf(conversation);
    this.#mine.delete(conversation);
    this.#keepMine();
    this.client.setDraft("", conversation);
    if (this.selected === conversation) this.select(all[at + 1] ?? all[at - 1] ?? null);
  }

  // ---- duty ----------------------------------------------------------------

  /** Whether visitors are taken, or null before that is known. */
  get ready() {
    return this.#dutyKnown ? (this.client.duty?.ready ?? null) : null;
  }

  get capacity() {
    return this.#wishedCapacity ?? this.client.duty?.capacity ?? this.#usual;
  }

  setReady(ready) {
    this.wished = ready;
    if (ready) this.client.ready({ capacity: this.capacity ?? undefined });
    else this.client.unready();
    this.#changed();
  }

  setCapacity(capacity) {
    this.#wishedCapacity = capacity;
    if (this.ready) this.client.ready({ capacity }); // else with the next "ready"
    this.#changed();
  }

  // ---- the past ------------------------------------------------------------

  /** Show a conversation of the past, at *seq*; one that is under way is shown itself. */
  async openPast({ conversation, name, seq }) {
    if (this.#mine.has(conversation)) this.select(conversation);
    else this.past = { conversation, name, error: "" };
    const { past } = this;
    this.#changed();
    try {
      await this.archive.bring(conversation, seq);
      if (seq) this.target = { conversation, seq };
    } catch (error) {
      if (past) past.error = problem(error);
      else this.complain(problem(error));
    }
    this.#changed();
  }

  closePast() {
    this.past = this.target = null;
    this.look();
    this.#changed();
  }

  // ---- canned replies ------------------------------------------------------

  /** Fetch them; called again, fetch them again. Throws `ApiError`. */
  async loadReplies() {
    if (!this.keeps) return;
    this.replies = await this.api.replies();
    this.#changed();
  }

  /** Keep *reply*. Throws `ApiError`. */
  async saveReply(reply) {
    await this.api.saveReply(reply);
    await this.loadReplies();
  }

  async removeReply(id) {
    await this.api.removeReply(id);
    await this.loadReplies();
  }

  async restoreReply(version) {
    await this.api.restoreReply(version);
    await this.loadReplies();
  }

  /** Say what went wrong; "" says no more of it. */
  complain(problem) {
    this.problem = problem;
    this.#changed();
  }

  // ---- what happens --------------------------------------------------------

  #listen() {
    const { client } = this;
    client.on("change", () => this.#changed());
    client.on("status", () => this.#status());
    client.on("duty", () => {
      this.#dutyKnown = true;
      this.#wishedCapacity = null;
      if (this.wished === this.ready) this.wished = null;
    });
    client.on("line", (line) => this.#line(line));
    client.on("error", (error) => {
      if (error.code !== "token") this.complain(problem(error)); // that the line is down is said anyway
    });
    client.on("chat", ({ chat }) => this.#meet(chat));
    client.on("message", ({ chat, message, live }) => this.#hear(chat, message, live));
    this.#others?.addEventListener("message", ({ data }) => {
      this.#seen(data.read);
      client.read(data.seq, data.read);
      this.#changed();
    });
  }

  #status() {
    if (this.client.status.state === "online") {
      this.#askForLine();
      if (this.replies === null) this.loadReplies().catch(() => {});
      return;
    }
    this.inLine = this.lineSince = null;
    if (this.client.status.state === "ended") this.#dutyKnown = false; // another window decides now
  }

  /** The server tells of changes only: what they begin with must be asked for. */
  async #askForLine() {
    try {
      const { queue_length: length, longest_wait: longest } = await ask("GET", "v1/status");
      if (this.inLine === null) this.#line({ length, longest_wait: longest });
    } catch {
      // the next change will tell
    }
  }

  #line({ length, longest_wait: longest }) {
    if (this.inLine !== null) this.#alerts.line(this.inLine, length);
    this.inLine = length;
    this.lineSince = length ? Date.now() - longest * 1000 : null;
    this.#changed();
  }

  /** A chat that the server has given to us; others are only read. */
  #meet(chat) {
    const { conversation, peer } = chat;
    if (!peer.uuid || this.#mine.has(conversation)) return;
    this.#mine.add(conversation);
    this.#keepMine();
    if (this.#known.includes(conversation) || chat.state === "ended") return;
    this.#known = [...this.#known, conversation].slice(-REMEMBERED);
    shared.set("known", this.#known);
    this.fresh.add(conversation);
    tab.set("fresh", [...this.fresh]);
    if (this.selected === null && !this.#narrow.matches) this.select(conversation);
    this.#alerts.chat(visitorName(peer), conversation);
    this.look();
  }

  #hear(chat, message, live) {
    if (chat === this.chat) this.look();
    if (!live || message.own || (chat === this.chat && !document.hidden && document.hasFocus())) return;
    this.#alerts.message(visitorName(chat.peer), message.text, chat.conversation);
  }

  #seen(conversation) {
    if (this.fresh.delete(conversation)) tab.set("fresh", [...this.fresh]);
  }

  #keepMine() {
    tab.set("mine", [...this.#mine]);
  }
}
