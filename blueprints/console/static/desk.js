/**
 * `Desk`: the state of the console. The client knows the conversations; `Desk` adds which of them is
 * shown, which are about to end, and what the waiter has not seen.
 */

import { ChatClient } from "../kit/client.js";
import { OtherTabs } from "../kit/other-tabs.js";
import { Desktop } from "./api.js";
import { Archive } from "./archive.js";
import { Box } from "./box.js";
import { Canned } from "./canned.js";
import { asOffer, Choices } from "./choices.js";
import { Clock } from "./clock.js";
import { Duty } from "./duty.js";
import { Endings } from "./endings.js";
import { Files } from "./files.js";
import { visitorName } from "./format.js";
import { Inbox } from "./inbox.js";
import { Labels } from "./labels.js";
import { Marks } from "./marks.js";
import { problem } from "./problems.js";
import { Queue } from "./queue.js";
import { hasKeys } from "./shortcuts.js";
import { common, only, raw, shared, tab } from "./storage.js";
import { locale, t } from "./words.js";

const REMEMBERED = 300; // conversations that are stored as seen

/** There is room for one column only: nothing is opened unasked. */
export const NARROW = "(max-width: 720px)";

export class Desk {
  /** The conversation in the middle; null: none. */
  selected = null;
  /** `{conversation, name}`: a past conversation, which is shown instead. */
  past = null;
  /** `{conversation, seq}`: the message to scroll to. */
  target = null;
  /** Conversations that are about to end. */
  endings = new Endings((conversation) => this.#endNow(conversation));
  /** Whether the box of the selected conversation takes the focus when it appears. */
  write = false;
  /** A sentence about what the server has refused; or "". */
  problem = "";
  /** The box of the conversation in the middle. */
  box = new Box(() => this.#changed());
  /** What this waiter does with files. */
  files = new Files(this);
  /** Where the unread messages begin. */
  marks = new Marks();
  /** Conversations that nobody has looked at yet. */
  fresh = new Set(tab.get("fresh") ?? []);
  /** The close code of the last connection that was lost; undefined: none was. */
  lostBy;

  #alerts;
  #changed;
  #narrow = matchMedia(NARROW);
  #mine = new Set(tab.get("mine") ?? []);
  #known = shared.get("known") ?? [];
  #wanted = ""; // the `uuid` of the visitor whom *Take* has asked for
  #inSight = true; // whether the newest message in the middle is in sight
  #others = new OtherTabs(common("desk"), (message) => this.#readElsewhere(message));

  /**
   * *session* is signed in; *hasHistory*: this server has one; *capacity*: what
   * it gives a waiter who asks for no other. *changed()* draws the desk again;
   * *alerts* are the sounds and notifications.
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
    this.choices = new Choices(only(`${session.who}:choices`));
    this.clock = new Clock(this.client);
    this.duty = new Duty(this.client, { usual: capacity, changed });
    this.canned = new Canned(hasHistory ? this.api : null, changed);
    this.archive = new Archive(this.client, changed);
    this.inbox = new Inbox(this.client, { hasHistory, changed, more: (before, now) => alerts.left(before, now) });
    this.labels = new Labels(changed);
    this.queue = new Queue(this.client, { changed, more: (before, now) => alerts.queued(before, now) });
    this.#listen();
    this.client.start();
  }

  /** Leave for good: the conversations end, and nothing stays stored. */
  leave() {
    this.#stop();
    this.client.forget();
    this.choices.clear();
    for (const key of ["mine", "fresh", "selected"]) tab.remove(key);
  }

  /** Stop the client. The server does not learn it, so the conversations go on. */
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

  // ---- conversations ---------------------------------------------------------------

  /** Conversations of this waiter in order of arrival, including ended ones that are not put away. */
  get chats() {
    return [...this.#mine].map((one) => this.client.chats.get(one)).filter(Boolean);
  }

  get open() {
    return this.chats.filter((chat) => chat.state === "open");
  }

  /** The conversation in the middle, or null. */
  get chat() {
    return this.#mine.has(this.selected) ? (this.client.chats.get(this.selected) ?? null) : null;
  }

  /** How much is new: unread messages, and conversations that nobody has looked at. */
  get news() {
    const of = (chat) => chat.unread || (this.fresh.has(chat.conversation) ? 1 : 0);
    return this.chats.reduce((sum, chat) => sum + of(chat), 0);
  }

  /** Show a conversation; *write*: with the focus in its box. */
  select(conversation, { write = false } = {}) {
    if (conversation !== this.selected && !this.chat?.unread) this.marks.remove(this.selected);
    this.#inSight = conversation !== this.selected || this.#inSight;
    this.past = this.target = null;
    this.inbox.close();
    this.selected = conversation;
    this.write = write;
    this.box.say("");
    tab.set("selected", conversation);
    if (this.chat) this.marks.set(this.chat);
    this.#changed(); // drawing it marks what is in sight as read
  }

  /** Select the conversation (in the inbox: the message) that is *steps* further down in the list. */
  step(steps) {
    const all = this.chats.map((chat) => chat.conversation);
    if (this.inbox.isOpen) return this.inbox.step(steps);
    if (!all.length) return;
    const at = all.indexOf(this.selected);
    const next = at < 0 ? (steps > 0 ? 0 : all.length - 1) : (at + steps + all.length) % all.length;
    this.select(all[next]);
  }

  /** Mark the messages in the middle as read, if the waiter can see them. */
  look() {
    const { chat } = this;
    if (!chat || !this.#isLooked) return;
    this.#seen(chat.conversation);
    if (!chat.unread || !this.#inSight) return;
    this.client.read(undefined, chat.conversation);
    this.#others.send({ read: chat.conversation, seq: chat.lastSeq });
  }

  get #isLooked() {
    return !this.past && !this.inbox.isOpen && !document.hidden && document.hasFocus();
  }

  /** Note whether the newest message in the middle is in sight. */
  sight(isIn) {
    this.#inSight = isIn;
    this.look();
  }

  /** The conversation in the middle if it can be written in; or null. */
  get writable() {
    return this.chat?.state === "open" && !this.past && !this.inbox.isOpen ? this.chat : null;
  }

  /** Put *text* into the box, if there is one; *apart*: on a line of its own. */
  give(text, how) {
    if (this.writable) this.box.give(this.selected, text, how);
  }

  /** Show *sentence* above the box or, if there is none, above everything. */
  remark(sentence) {
    if (this.writable) this.box.say(sentence);
    else this.complain(sentence);
  }

  /** Put a text that has failed back into the box. */
  edit(id) {
    if (!this.writable) return;
    const message = this.client.discard(id);
    if (message) this.give(message.text, { apart: true, choices: message.choices?.map(({ text }) => text) });
  }

  /** Something is about to be sent to *conversation*. */
  begin(conversation) {
    this.undo(conversation);
    this.marks.remove(conversation);
    this.box.say("");
  }

  /** Send *text*, with *choices* for the visitor. */
  send(text, conversation, choices = []) {
    this.begin(conversation);
    this.client.send(text, conversation, asOffer(choices));
    this.client.setDraft("", conversation);
    this.choices.put(conversation, []);
  }

  // ---- ending --------------------------------------------------------------

  /** End a conversation in a moment; put away one that has ended. */
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
    this.choices.put(conversation, []);
    if (this.selected === conversation) this.select(all[at + 1] ?? all[at - 1] ?? null);
  }

  // ---- who waits -----------------------------------------------------------

  /** Whether waiters may take any visitor of the queue. */
  get mayTake() {
    return this.client.me?.take === true;
  }

  /** The visitors who wait. The server's answer may be old: without those whom this waiter serves by now. */
  get waiting() {
    return this.queue.visitors?.filter(({ uuid }) => !this.#isHere(uuid));
  }

  #isHere(uuid) {
    return this.open.some(({ peer }) => peer.uuid === uuid);
  }

  /** Take the visitor *uuid* out of the queue. */
  async serve(uuid) {
    this.#wanted = uuid;
    try {
      await this.queue.take(uuid);
    } catch (error) {
      // unless the conversation is here: only the answer was lost
      if (!this.#isHere(uuid)) this.complain(t(`take_${error.code}`) || problem(error));
    }
  }

  /** Whether the connection is there and answers, so that what is known of visitors is true now. */
  get isSure() {
    return this.client.status.state === "online" && !this.client.lost;
  }

  // ---- the past ------------------------------------------------------------

  /** Show what visitors have left. */
  openInbox() {
    if (!this.hasHistory) return;
    this.past = this.target = null;
    this.inbox.open();
  }

  /** Show what was shown before in the middle. */
  closeInbox() {
    this.inbox.close();
    this.look();
    this.#changed();
  }

  /** Show a past conversation at *seq*; if it is under way, select it. */
  async openPast({ conversation, name, seq }) {
    if (this.#mine.has(conversation)) this.select(conversation);
    else this.past = { conversation, name, error: "" };
    this.inbox.close();
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

  /** Show what went wrong; "": nothing. */
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
      if (error.code !== "token") this.complain(problem(error)); // the banner shows that the connection is lost
    });
    client.on("chat", ({ chat }) => this.#meet(chat));
    client.on("message", ({ chat, message, live }) => this.#receive(chat, message, live));
  }

  #readElsewhere({ read, seq }) {
    this.#seen(read);
    this.client.read(seq, read);
    this.#changed();
  }

  #status() {
    if (this.client.status.state === "online") {
      if (this.canned.replies === null) this.canned.load().catch(() => {});
      return;
    }
    this.queue.forget();
    this.lostBy = this.client.status.code ?? this.lostBy;
  }

  /** A conversation that the server has given to this waiter. Others are only read. */
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
    else if (this.selected === null && !this.#narrow.matches && !this.inbox.isOpen) this.select(conversation);
    this.#alerts.chat(visitorName(peer), conversation);
    this.look();
  }

  #receive(chat, message, live) {
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
