/**
 * `Visit`: the visitor in this browser, with the phase of its conversation, what is unread, and agreement
 * with the other tabs. It uses the launcher and no element of the panel.
 */

import { BaseClient } from "../kit/base-client.js";
import { browserStorage } from "../kit/storage.js";
import { Visitor } from "../kit/visitor.js";
import { Reception } from "./reception.js";
import { VisitorToken } from "./visitor-token.js";

export class Visit {
  /** @type {BaseClient} */
  client;
  /** @type {Reception} */
  reception;
  /** The id of the first unread message, or of the one that was it when the visitor came to read. */
  mark = "";
  /** The earlier conversation that is shown; "": none. */
  past = "";
  /** The key of a text that says what went wrong; "": nothing. */
  problem = "";
  /** The visitor is writing a message to leave, which the form for it shows. */
  isLeaving = false;

  #widget;
  #panel;
  #token;
  #tabs;
  #unread = 0; // at the last look
  #shown = "";
  #lost = false; // at the last look
  #stored;

  /** *panel* has `show()`, `announce(text)`, `refused(error)`, and `isLookedAt`. */
  constructor(widget, panel) {
    this.#widget = widget;
    this.#panel = panel;
    this.#token = new VisitorToken(widget, this);
    this.#stored = widget.store.get().phase ?? "idle";
    const where = () => ({ locale: widget.locale, department: this.#department ?? "" });
    this.reception = new Reception(widget.base, where, () => panel.show());
    this.#tabs = widget.around.tabs(({ read, seq }) => this.client.read(seq, read));
    this.#make();
  }

  #make() {
    const { base, store } = this.#widget;
    const options = {
      url: `${base}v1/ws/user/connect`,
      token: (asked) => this.#token.fetch(asked),
      storage: browserStorage("localStorage"),
      key: store.key,
      files: () => this.#widget.pieces.module("../kit/files.js", "Files"),
    };
    this.client = new BaseClient(options, Visitor);
    this.client.on("status", (status) => this.#status(status));
    this.client.on("message", (detail) => this.#message(detail));
    this.client.on("error", (error) => this.#error(error));
    this.client.on("change", () => this.changed());
    this.client.on("phase", (phase) => phase === "offline" && this.look());
    this.client.on("queue", ({ location }) => location === 0 && this.look()); // whether a waiter is there
  }

  /** What the next question is asked with, `{department, fields}`; `Prechat` knows more of it. */
  wish = () => ({ department: this.#widget.departmentSaid ?? this.#widget.option("department") });

  // ---- its state -----------------------------------------------------

  /** `start`, `queued`, `served`, `ended`, or `offline`: as `start`, and the visitor was sent away for now. */
  get phase() {
    const { phase, wanted } = this.client;
    if (phase === "offline") return phase;
    if (phase !== "idle" || wanted) return phase === "served" ? phase : "queued";
    return this.#present?.state === "ended" ? "ended" : "start";
  }

  /** Earlier conversations that are remembered, the newest first: `{conversation, name, avatar, date, reason}`. */
  get earlier() {
    return this.#widget.store.get().earlier ?? [];
  }

  /** The visitor has left a message, and an answer may come. */
  get awaits() {
    return this.#widget.store.get().awaits > Date.now();
  }

  /** The visitor waits for nobody and has no waiter. */
  get isIdle() {
    return ["start", "offline", "ended"].includes(this.phase);
  }

  /** No connection is needed while the panel is closed. */
  get #isFree() {
    return this.isIdle && !this.awaits;
  }

  /** Messages that were sent before there is a conversation. */
  get #early() {
    return this.client.chats.get("")?.messages ?? [];
  }

  /** The conversation that goes on or has just ended; null once the visitor has put it away. */
  get #present() {
    const { chats } = this.client;
    if (this.#early.length) return chats.get("");
    if (this.client.phase === "served") return this.client.chat;
    const away = [this.#widget.store.get().left, ...this.earlier.map(({ conversation }) => conversation)];
    return [...chats.values()].findLast(({ conversation }) => conversation && !away.includes(conversation)) ?? null;
  }

  /** The conversation that is shown, or null. */
  get chat() {
    return this.past ? (this.client.chats.get(this.past) ?? null) : this.#present;
  }

  /** The waiter of the conversation that is shown: `{name, avatar}`. */
  get peer() {
    const said = this.past ? this.#put : this.chat?.peer;
    return { name: said?.name || this.#widget.t("somebody"), avatar: said?.avatar };
  }

  /** Why the conversation that is shown has ended, as `Chat` says it. */
  get reason() {
    return (this.past ? this.#put : this.chat)?.reason;
  }

  /** What is known of the earlier conversation that is shown. */
  get #put() {
    return this.earlier.find(({ conversation }) => conversation === this.past);
  }

  get name() {
    return this.peer.name;
  }

  /** There were too many requests: no token for the moment. */
  get crowded() {
    return this.#token.crowded;
  }

  /** The connection is gone, and not only for a moment. */
  get lost() {
    return this.client.lost && !this.isRefused;
  }

  /** The chat cannot be used on this page: `problem` says why, and nothing else is known. */
  get isRefused() {
    return ["framed", "not_here"].includes(this.problem);
  }

  /** The site asks something before a chat, or the page or the wish names a department. */
  get asks() {
    const { departments, fields } = this.reception.declared;
    return fields.length > 0 || (departments.length > 0 && (this.#widget.option("departments") ?? this.#department) != null);
  }

  /** The key of the department where the visitor waits, or where its next question goes. */
  get #department() {
    return this.isIdle ? this.wish().department : this.client.department;
  }

  get muted() {
    return Boolean(this.#widget.store.get().muted);
  }

  // ---- what the visitor does -------------------------------------------------

  /** Connect; and look how busy the desk is. */
  begin() {
    if (this.isIdle) this.#widget.store.set({ given: Boolean(this.#widget.given) });
    this.client.locale = this.#widget.locale;
    this.client.start();
    this.look();
  }

  /** Another tab has stored something: it may have begun a conversation. */
  follow() {
    const begun = this.awaits || ["queued", "served"].includes(this.#widget.store.get().phase);
    if (begun && this.client.status.state === "stopped") {
      this.#make();
      this.begin();
    }
    this.changed();
  }

  /** The panel is closed: without a conversation no connection is needed. */
  rest() {
    this.reception.leave();
    if (this.phase === "offline") this.client.disconnect(); // who looks no more wants nothing when it opens
    this.past = this.mark = "";
    this.#unread = 0;
    // a connection that is being opened would log an error; `changed` closes it later
    if (this.#isFree && this.client.status.state !== "connecting") this.client.stop({ leave: false });
  }

  /** *more*: as `send` of the client takes it. */
  say(text, more) {
    this.past = this.mark = "";
    this.client.send(text, undefined, more); // before `connect`, which sends the queue the first words
    this.#wish();
    this.#widget.emit("message", { text, own: true });
  }

  /** Send *files* to the waiter who is here. */
  sendFiles(files) {
    this.past = this.mark = "";
    for (const one of files) {
      const { text, file } = this.client.sendFile(one);
      this.#widget.emit("message", { text, own: true, file: told(file) });
    }
  }

  retry(id) {
    this.client.retry(id);
    this.#wish();
  }

  #wish() {
    this.problem = "";
    if (this.isIdle) this.client.connect({ page: this.#widget.around.place, ...this.wish() });
  }

  /** End the conversation, or leave the queue: messages that no waiter has received go back into the box. */
  leave() {
    this.client.disconnect();
    this.#takeBack();
  }

  #takeBack() {
    const unheard = [...this.#early];
    for (const { id } of unheard) this.client.discard(id);
    this.#panel.takeBack(unheard.filter(({ file }) => !file).map(({ text }) => text).join("\n"));
  }

  /** What the visitor wants is not possible now. */
  fail() {
    this.problem = "trouble";
    this.#panel.show();
  }

  mute(yes) {
    this.#widget.store.set({ muted: yes });
    this.changed();
  }

  /** The visitor has seen what is shown. */
  seen() {
    const chat = this.#present;
    if (!chat?.unread || !this.#panel.isLookedAt) return;
    const { conversation, lastSeq, reason } = chat;
    this.client.read(lastSeq, conversation);
    this.#tabs.send({ read: conversation, seq: lastSeq });
    if (reason === "message") this.#widget.store.set({ awaits: 0 });
  }

  /** The page says who the visitor is. That counts from the next conversation on, unless the page has said so before. */
  identify() {
    const { state } = this.client.status;
    if (state === "stopped" || (!this.isIdle && state === "online")) return;
    this.client.stop({ leave: false });
    this.begin();
  }

  /** The widget speaks another language: so does the site to a visitor who asks from now on. */
  speak() {
    const { client } = this;
    const { locale } = this.#widget;
    const isNew = client.locale !== locale;
    client.locale = locale;
    if (isNew && client.status.state === "online") this.identify();
    this.look(); // the names of departments and fields are of a language
  }

  /** Forget everything. */
  reset() {
    this.#token.forget();
    this.client.forget();
    this.#stored = "idle"; // so that `changed` stores nothing
    this.problem = "";
  }

  /** Say why there is no token if the page is the reason; false: there is one again. */
  excuse(why) {
    if (!why && !this.isRefused) return;
    this.problem = why || "";
    this.#panel.show();
  }

  // ---- what happens --------------------------------------------------------------

  /** Look how busy the desk is, now and while the visitor may need it. */
  look() {
    this.reception.look(() => this.phase !== "served" && !document.hidden);
  }

  async #status({ state, code, reason }) {
    if (state !== "ended") return;
    const { pieces } = this.#widget;
    // where the sentences do not load, the code says it alone
    const message = reason || (await pieces.module("../kit/closes.js", "sentence").catch(() => String))(code);
    this.#widget.emit("error", { code: String(code), message });
  }

  #message({ chat, message, live }) {
    if (!live || message.own) return;
    const { t } = this.#widget;
    const { text, date, file } = message;
    // the answer to what was left is shown also if that was put away
    const others = this.earlier.filter(({ conversation }) => conversation !== chat.conversation);
    if (chat.awaits) this.#widget.store.set({ left: "", earlier: others });
    if (this.#panel.isOpen || !this.muted) this.#panel.announce(t("says", { name: this.name, text }));
    if (!this.#panel.isOpen && !this.muted) this.#panel.preview({ ...this.peer, text }).catch(() => {});
    const noticed = this.#panel.isLookedAt && document.hasFocus();
    if (!noticed && !this.muted) this.#tabs.chime().catch(() => {});
    this.#widget.emit("message", { text, own: false, name: chat.peer.name, date, ...(file && { file: told(file) }) });
  }

  #error({ code, message }) {
    // a missing token or connection is tried again by itself
    if (code !== "token" && !this.#panel.refused({ code, message })) this.problem = code === "queue_full" ? "full" : "trouble";
    this.#widget.emit("error", { code, message });
  }

  /** Count the unread messages, and find the first. */
  #count(chat) {
    const unread = chat?.unread ?? 0;
    if (unread && !this.#unread && !this.#panel.isLookedAt) {
      this.mark = chat.firstUnread.id;
    }
    this.#unread = unread;
    this.#widget.unread = unread;
  }

  /** Let the panel, the page and the next page know. */
  changed() {
    if (this.isIdle && this.#early.length) this.#takeBack(); // no waiter will come for these messages
    const { client, phase } = this;
    const { store } = this.#widget;
    const chat = this.#present;
    if (phase !== "start" && phase !== "offline") {
      this.past = "";
      this.isLeaving = false;
    }
    if (this.#lost && client.status.state === "online" && !client.lost) this.#panel.announce(this.#widget.t("back"));
    this.#lost = client.lost;
    if (phase === "served" || client.queue) this.problem = "";
    const now = this.isIdle ? "idle" : phase;
    if (now !== this.#stored) store.set({ phase: now }); // a newer value of another tab stays
    this.#stored = now;
    this.#count(chat);
    const status = { phase, connection: client.status.state, name: phase === "served" ? chat?.peer.name : "" };
    const shown = JSON.stringify(status);
    if (shown !== this.#shown) this.#widget.emit("status", status);
    this.#shown = shown;
    this.#panel.show();
    this.seen();
    if (this.#isFree && !this.#panel.isOpen && client.status.state === "online") this.rest();
  }
}

/** What the page gets to know of *file*. */
const told = ({ name, size, mime }) => ({ name, size, mime });
