/**
 * The waiter's desk: what the client knows, and what this page adds to it. The
 * client's word is the truth about chats; here is only who is looked at, what is
 * about to end, and what is new to the eye.
 */

import { ChatClient } from "../kit/client.js";
import { OtherTabs } from "../kit/other-tabs.js";
import { Desktop } from "./api.js";
import { Archive } from "./archive.js";
import { Box } from "./box.js";
import { Canned } from "./canned.js";
import { Clock } from "./clock.js";
import { Duty } from "./duty.js";
import { Endings } from "./endings.js";
import { visitorName } from "./format.js";
import { Marks } from "./marks.js";
import { problem } from "./problems.js";
import { Queue } from "./queue.js";
import { hasKeys } from "./shortcuts.js";
import { common, raw, shared, tab } from "./storage.js";
import { locale, t } from "./words.js";

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
  /** Chats that are about to end. */
  endings = new Endings((conversation) => this.#endNow(conversation));
  /** Whether the box of the selected chat is to have the focus when it appears. */
  write = false;
  /** What the server has refused, in a sentence; or "". */
  problem = "";
  /** The box of the chat in the middle. */
  box = new Box(() => this.#changed());
  /** Where the unread begins. */
  marks = new Marks();
  /** Chats that nobody has looked at yet. */
  fresh = new Set(tab.get("fresh") ?? []);
  /** The close code with which the connection was lost last; undefined: it never was. */
  lostBy;

  #alerts;
  #changed;
  #narrow = matchMedia(NARROW);
  #mine = new Set(tab.get("mine") ?? []);
  #known = shared.get("known") ?? [];
  #wanted = ""; // the `uuid` of who was taken out of turn
  #inSight = true; // the newest message of the chat in the middle
  #others = new OtherTabs(common("desk"), (message) => this.#readElsewhere(message));

  /**
   * *session* is signed in; *hasHistory*: this server has one; *capacity*: what
   * it gives a waiter who asks for nothing else. *changed()* shows the desk
   * anew; *alerts* calls the waiter.
   */
  constructor({ session, hasHistory, capacity, alerts, changed }) {
    this.hasHistory = hasHistory;
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
    this.clock = new Clock(this.client);
    this.duty = new Duty(this.client, { usual: capacity, changed });
    this.canned = new Canned(hasHistory ? this.api : null, changed);
    this.archive = new Archive(this.client, changed);
    this.queue = new Queue(this.client, { changed, more: (before, now) => alerts.queued(before, now) });
    this.#listen();
    this.client.start();
  }

  /** Leave for good: the chats end, and nothing is remembered. */
  leave() {
    this.#stop();
    this.client.forget();
    for (const key of ["mine", "fresh", "selected"]) tab.remove(key);
  }

  /** Stop the client; the server is not told, so the chats go on. */
  close() {
    this.#stop();
    this.client.stop({ leave: false });
  }

  #stop() {
    this.endings.stop();
    this.queue.stop();
    this.clock.stop();
    this.#others.close();
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
    if (conversation !== this.selected && !this.chat?.unread) this.marks.remove(this.selected);
    this.#inSight = conversation !== this.selected || this.#inSight;
    this.past = this.target = null;
    this.selected = conversation;
    this.write = write;
    this.box.say("");
    tab.set("selected", conversation);
    if (this.chat) this.marks.set(this.chat);
    this.#changed(); // and what is in sight then is read
  }

  /** The chat *steps* further down in the list. */
  step(steps) {
    const all = this.chats.map((chat) => chat.conversation);
    if (!all.length) return;
    const at = all.indexOf(this.selected);
    const next = at < 0 ? (steps > 0 ? 0 : all.length - 1) : (at + steps + all.length) % all.length;
    this.select(all[next]);
  }

  /** What is in the middle has been seen, as far as anybody sees it. */
  look() {
    const { chat } = this;
    if (!chat || !this.#isLooked) return;
    this.#seen(chat.conversation);
    if (!chat.unread || !this.#inSight) return;
    this.client.read(undefined, chat.conversation);
    this.#others.tell({ read: chat.conversation, seq: chat.lastSeq });
  }

  get #isLooked() {
    return !this.past && !document.hidden && document.hasFocus();
  }

  /** Whether the newest message of the chat in the middle is in sight. */
  sight(isIn) {
    this.#inSight = isIn;
    this.look();
  }

  /** The chat in the middle, if something can be said in it; or null. */
  get writable() {
    return this.chat?.state === "open" && !this.past ? this.chat : null;
  }

  /** Put *text* into the box, if there is one; *apart*: on a line of its own. */
  give(text, how) {
    if (this.writable) this.box.give(this.selected, text, how);
  }

  /** Say *sentence* above the box or, where there is none, above all. */
  remark(sentence) {
    if (this.writable) this.box.say(sentence);
    else this.complain(sentence);
  }

  /** Take a text that has failed back into the box. */
  edit(id) {
    if (!this.writable) return;
    const message = this.client.discard(id);
    if (message) this.give(message.text, { apart: true });
  }

  send(text, conversation) {
    this.undo(conversation);
    this.marks.remove(conversation);
    this.box.say("");
    this.client.send(text, conversation);
    this.client.setDraft("", conversation);
  }

  // ---- ending --------------------------------------------------------------

  /** End a chat in a moment; one that is over is put away. */
  end(conversation) {
    const chat = this.client.chats.get(conversation);
    if (chat?.state === "open") this.endings.begin(conversation);
    else this.#putAway(conversation);
    this.#changed();
  }

  undo(conversation) {
    if (this.endings.undo(conversation)) this.#changed();
  }

  #endNow(conversation) {
    this.client.disconnect(conversation);
    this.#changed();
  }

  #putAway(conversation) {
    const all = this.chats.map((chat) => chat.conversation);
    const at = all.indexOf(conversation);
    this.#mine.delete(conversation);
    this.#storeMine();
    this.client.setDraft("", conversation);
    if (this.selected === conversation) this.select(all[at + 1] ?? all[at - 1] ?? null);
  }

  // ---- who waits -----------------------------------------------------------

  /** Whether this site lets waiters choose whom they serve next. */
  get mayTake() {
    return this.client.me?.take === true;
  }

  /** Who waits, without those who are served here by now: the server's answer may be older than their chats. */
  get waiting() {
    return this.queue.visitors?.filter(({ uuid }) => !this.#isHere(uuid));
  }

  #isHere(uuid) {
    return this.open.some(({ peer }) => peer.uuid === uuid);
  }

  /** Serve the visitor *uuid* next, out of turn. */
  async serve(uuid) {
    this.#wanted = uuid;
    try {
      await this.queue.take(uuid);
    } catch (error) {
      // or it is here, by an answer that was lost
      if (!this.#isHere(uuid)) this.complain(t(`take_${error.code}`) || problem(error));
    }
  }

  /** Whether what is known of others is true now: the connection is there, and answers. */
  get isSure() {
    return this.client.status.state === "online" && !this.client.lost;
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
    client.on("error", (error) => {
      if (error.code !== "token") this.complain(problem(error)); // that the connection is lost is said anyway
    });
    client.on("chat", ({ chat }) => this.#meet(chat));
    client.on("message", ({ chat, message, live }) => this.#hear(chat, message, live));
  }

  #readElsewhere({ read, seq }) {
    this.#seen(read);
    this.client.read(seq, read);
    this.#changed();
  }

  #status() {
    if (this.client.status.state === "online") {
      this.queue.begin();
      if (this.canned.replies === null) this.canned.load().catch(() => {});
      return;
    }
    this.queue.forget();
    this.lostBy = this.client.status.code ?? this.lostBy;
  }

  /** A chat that the server has given to us; others are only read. */
  #meet(chat) {
    const { conversation, peer } = chat;
    if (!peer.uuid || this.#mine.has(conversation)) return;
    this.#mine.add(conversation);
    this.#storeMine();
    if (this.#known.includes(conversation) || chat.state === "ended") return;
    this.#known = [...this.#known, conversation].slice(-REMEMBERED);
    shared.set("known", this.#known);
    this.fresh.add(conversation);
    tab.set("fresh", [...this.fresh]);
    if (peer.uuid === this.#wanted) this.select(conversation, { write: hasKeys() });
    else if (this.selected === null && !this.#narrow.matches) this.select(conversation);
    this.#alerts.chat(visitorName(peer), conversation);
    this.look();
  }

  #hear(chat, message, live) {
    const isSeen = chat === this.chat && this.#isLooked;
    if (live && isSeen && this.#inSight) this.look();
    else if (!message.own) this.marks.set(chat);
    if (!live || message.own || isSeen) return;
    this.#alerts.message(visitorName(chat.peer), message.text, chat.conversation);
  }

  #seen(conversation) {
    if (this.fresh.delete(conversation)) tab.set("fresh", [...this.fresh]);
  }

  #storeMine() {
    tab.set("mine", [...this.#mine]);
  }
}
