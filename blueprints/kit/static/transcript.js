/**
 * The messages of conversations: each `seq` is shown once and in order, and missing ones are fetched. A receipt,
 * an echo and an item of a history settle the message in the outbox to which they belong.
 */

import { fileOf } from "./file-part.js";
import { PAGE } from "./limits.js";

const LATEST = 50; // messages brought at once

/** Those of *entries* that have a `seq`. A waiter may be sent others, which only waiters read. */
const numbered = (entries) => entries.filter(({ seq }) => seq);

export class Transcript {
  #connection;
  #outbox;
  #client;

  /**
   * *client* has `chat(conversation)`, which makes one if there is none, `end(chat)`,
   * `settled(chat)` (all messages that were missed have come), `emit(type, detail)`.
   */
  constructor({ connection, outbox }, client) {
    this.#connection = connection;
    this.#outbox = outbox;
    this.#client = client;
  }

  /** A message, without its state, from a frame or an item of a history; other entries have `text: null`. */
  item({ seq, date, from, type, payload, client_id: id, author }) {
    const own = from === this.#connection.uuid || id !== undefined;
    const event = type === "event" || payload?.words ? payload : undefined;
    const file = fileOf({ type, payload });
    const isText = type === "message_text" || type === "message_choice";
    const text = isText ? payload.message : (file?.name ?? (event?.what === "transferred" ? "" : null));
    const rating = type === "rating" ? payload : undefined;
    const { choices, choice } = payload ?? {};
    return { seq, date, id, text, own, author, event, file, choices, choice, rating };
  }

  /** The message of *item*: one of the outbox, which is stored now, or a new one. */
  #message(chat, item) {
    const { id = `${chat.conversation}.${item.seq}`, seq, date } = item;
    if (!this.#outbox.isPending(chat, item)) return { ...item, id, conversation: chat.conversation, state: "sent" };
    return Object.assign(this.#outbox.take(id), { seq, date, state: "sent", error: undefined });
  }

  /** Show the entry *item* if it is the next one. If others are missing before it, fetch them all from the history. */
  take(chat, item) {
    if (item.seq <= chat.lastSeq) {
      this.#settle(chat, item);
    } else if (item.seq > chat.lastSeq + 1 || item.text === undefined) {
      chat._announced = Math.max(chat._announced, item.seq);
      if (!chat._isFetching) this.catchUp(chat);
    } else {
      this.#append(chat, item);
    }
  }

  #append(chat, item) {
    const live = item.seq > chat._newest;
    chat.lastSeq = item.seq;
    chat._newest = Math.max(chat._newest, item.seq);
    join(chat.messages.at(-1), item);
    this.#rate(chat, item, live);
    if (item.text === null) return; // its kind is not shown
    const isReceipt = this.#outbox.isPending(chat, item);
    const message = this.#message(chat, item);
    chat._place(message);
    chat._count();
    if (isReceipt) this.#receipt(chat, message);
    else if (message.event) this.#client.emit("chat", { chat, change: "changed" });
    else this.#client.emit("message", { chat, message, live });
  }

  /** The visitor has rated the conversation, if *item* says so. */
  #rate(chat, { rating, seq, date }, live) {
    if (!rating) return;
    chat._rate({ ...rating, seq, date });
    this.#client.emit("rating", { chat, live });
  }

  /**
   * *item* was shown before, as the echo of another tab or in a page: settle the message of the outbox that it
   * stands for.
   */
  #settle(chat, item) {
    if (!this.#outbox.isPending(chat, item)) return;
    const message = this.#message(chat, item);
    chat.messages = chat.messages.filter(({ seq }) => seq !== item.seq);
    if (item.seq >= chat._floor) chat._place(message);
    this.#receipt(chat, message);
  }

  #receipt(chat, message) {
    this.#client.emit("receipt", { chat, message });
    this.#outbox.speak(chat);
  }

  // ---- what is missing -----------------------------------------------------

  /** Take in the page of messages that the server sends of a resumed conversation. */
  page({ conversation, messages: entries, staff = [], complete, state, reason, last_seq: last, name }) {
    const messages = numbered(entries);
    const chat = this.#client.chat(conversation);
    chat._note(staff);
    chat._hasPage = true;
    if (name) chat.peer.name = name;
    if (!complete) chat._begin(messages[0]?.seq ?? last + 1);
    this.#bring(chat, messages);
    chat.lastSeq = Math.max(chat.lastSeq, last);
    this.#client.emit("chat", { chat, change: "changed" });
    if (state === "ended") {
      chat.reason ||= reason ?? "";
      this.#client.end(chat);
    } else if (chat._hasPeer && chat.state === "open") {
      chat._isCaughtUp = true;
      this.#outbox.speak(chat);
      this.#client.settled(chat);
    }
  }

  /** Take in *messages* of the history. A number between them that the history does not have exists nowhere. */
  #bring(chat, messages) {
    for (const message of messages) {
      chat.lastSeq = Math.max(chat.lastSeq, message.seq - 1);
      this.take(chat, this.item(message));
    }
  }

  /** Fetch all messages after the last one here; `then()` when they are here. */
  catchUp(chat, then) {
    const { conversation, lastSeq: after } = chat;
    chat._isFetching = true;
    this.#connection.ask("get_history", { conversation, after, limit: PAGE }, (error, { payload }) => {
      chat._isFetching = false;
      if (!error) this.#bring(chat, numbered(payload.messages));
      const isMore = chat.lastSeq < chat._announced || payload.complete === false;
      if (!isMore) then?.();
      else if (chat.lastSeq > after) this.catchUp(chat, then);
      else this.#connection.abandon("a gap"); // the next connection fetches it
    });
  }

  /** Messages of the chat *known* (undefined: there is none here) before *before*, by default the oldest here. */
  async older(known, { conversation, before, limit = LATEST }) {
    const end = before ?? (known?.lastSeq ? known._floor : undefined);
    if (end <= 1) return { messages: [], complete: true };
    const { payload } = await this.#connection.question("get_history", { conversation, before: end, limit });
    const chat = this.#client.chat(conversation);
    chat._note(payload.staff ?? []);
    if (!known) chat.state = "ended"; // the server announces open ones by itself
    const fits = !chat.lastSeq || end === chat._floor;
    const items = numbered(payload.messages).map((item) => this.item(item));
    items.forEach((item, at) => {
      join(items[at - 1], item);
      this.#rate(chat, item, false);
    });
    const messages = items.filter(({ text }) => text !== null).map((item) => this.#message(chat, item));
    if (fits && items.length) {
      for (const message of messages) chat._place(message);
      chat._floor = items[0].seq;
      chat.lastSeq = chat._newest = Math.max(chat.lastSeq, items.at(-1).seq);
    }
    if (fits && payload.complete) chat._floor = 1;
    chat._count();
    this.#client.emit("chat", { chat, change: "changed" });
    return { messages, complete: payload.complete };
  }
}

/** Who has got the visitor: *next* says so, the event behind *handed*, which says who has handed it over. */
function join(handed, next) {
  if (handed?.event && !handed.event.to && next.event?.what === "joined") handed.event = { ...handed.event, to: next.event.name };
}
