/**
 * The conversations of a client: what frames mean for them, and how each begins, goes on and ends.
 * `Visitor` and `Waiter` say what else follows for their side.
 */

import { Chat } from "./chat.js";

const TYPING = 3000; // ms between repeats while somebody types
const TYPED = 6000; // ms after which nobody types any more

export class Conversations {
  /** @type {Map<string, Chat>} by conversation; "": what a user says before it has one */
  all = new Map();
  /** A visitor's latest. */
  current = "";

  #client;

  /** Of *client*, a `BaseClient`. */
  constructor(client) {
    this.#client = client;
  }

  find(conversation = this.current) {
    return this.all.get(conversation);
  }

  /** The one called *conversation*, which is made if there is none. */
  at(conversation) {
    if (!this.all.has(conversation)) this.all.set(conversation, new Chat(conversation));
    return this.all.get(conversation);
  }

  /** User: there is one, and it goes on. */
  get isOpen() {
    return this.current !== "" && this.find()?.state === "open";
  }

  /** Whether *chat* is needed after a reload, or on another connection. */
  isNeeded(chat) {
    const { state, conversation, _leaving: leaving } = chat;
    return state === "open" || leaving || chat.awaits || conversation === this.current || this.#client._outbox.of(chat).length > 0;
  }

  // ---- frames --------------------------------------------------------------

  /** An entry of a kind that this client does not know: only its number counts. */
  entry = (_, frame, chat) => {
    if (chat && frame.seq) this.#take(chat, this.#client._transcript.item(frame));
  };

  #take(chat, item) {
    this.#client._transcript.take(chat, item);
  }

  /** A text or a file, of the other side or of another tab. */
  #said = (_, frame, chat) => {
    if (!chat) return;
    const item = this.#client._transcript.item(frame);
    const isIt = ({ message: { text, file } }) => text === item.text && file?.id === item.file?.id;
    if (!item.own) this.#setTyping(chat, false);
    else if (this.#client._outbox.of(chat).some(isIt)) item.text = undefined;
    this.#take(chat, item); // an echo has no id: if it may be pending here, the history tells
  };

  /** An own one is stored. */
  #stored = (receipt, { reply_id: id }, chat) => {
    const { text, file } = this.#client._outbox.get(id)?.message ?? {};
    if (chat) this.#take(chat, { ...receipt, id, text, file, own: true });
  };

  /** What frames do that are about a conversation. */
  on = {
    __proto__: null,
    message_history: (page, { reply_id: reply }) => reply || this.#client._transcript.page(page),
    message_text: this.#said,
    message_choice: this.#said,
    message_image: this.#said,
    message_file: this.#said,
    message_text_success: this.#stored,
    message_choice_success: this.#stored,
    message_image_success: this.#stored,
    message_file_success: this.#stored,
    disconnected: (payload, _, chat, request) => {
      const reason = payload?.reason ?? "";
      this.#client._side.withdrawn?.(reason);
      if (chat?.state !== "open") return;
      chat.reason = reason;
      if (this.#client._side.endsAtOnce || request) this.end(chat);
      else this.doubt(chat); // a waiter was lost: its user joins the queue again, and `connect_queue` follows at once
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

  #emit(type, detail) {
    this.#client._events.emit(type, detail);
  }

  // ---- from its beginning to its end ---------------------------------------

  /** The server has named the other side of a conversation: it begins, or goes on. */
  enter({ conversation, last_seq: last, resumed, read = 0, peer_read: readByPeer = 0, ...peer }) {
    const known = this.all.get(conversation);
    const chat = this.at(conversation);
    chat._hasPeer = true;
    chat._isCaughtUp = false; // until the page that follows
    chat.peer = peer;
    if (this.#client._side.leaves(chat)) return;
    if (last < chat.lastSeq) {
      chat._begin(1); // the server has lost the rest: a restored backup
      chat._newest = last;
    }
    chat.presence = "online"; // or the server says otherwise after the page
    chat.readByPeer = readByPeer;
    chat._readSent = read;
    chat._read = Math.max(chat._read, read);
    const change = known?.state === "open" ? "changed" : "opened";
    chat.state = "open";
    chat.reason = "";
    this.#client._side.entered(chat);
    this.#emit("chat", { chat, change });
  }

  /** *chat* may be over: end it unless the server says that it goes on before it answers `catchUp`. */
  doubt(chat) {
    chat._hasPeer = chat._isCaughtUp = false;
    chat._isDoubted = true;
    this.#client._transcript.catchUp(chat, () => {
      chat._isDoubted = false;
      if (!chat._hasPeer && this.#client.phase !== "queued") this.end(chat, true);
    });
  }

  /** *final*: no answer will come to what is under way. */
  end(chat, final = false) {
    chat._hasPeer = chat._isCaughtUp = false;
    if (chat.state === "open") {
      chat.state = "ended";
      chat.typing = false;
      this.#emit("chat", { chat, change: "ended" });
      if (chat.conversation === this.current) this.#client._side.over();
    }
    this.#client._outbox.giveUp(chat, final);
  }

  /** All that are open have ended, for *reason*. */
  endAll(reason) {
    for (const chat of this.all.values()) {
      if (chat.state === "open") chat.reason = reason;
      this.end(chat);
    }
  }

  /** The connection is lost: forget of each what held for that connection only. */
  dropped() {
    for (const chat of this.all.values()) {
      chat._hasPeer = chat._isCaughtUp = chat._hasPage = chat._isFetching = chat._isDoubted = chat.typing = false;
      chat._announced = 0;
      chat._typed = -Infinity;
    }
  }

  // ---- who types, what is read ---------------------------------------------

  /** This side types in *chat*, or not any more; `stop()` is called when it has paused for long. */
  type(on, chat, stop) {
    this.#client._alarms.set(`typing ${chat?.conversation}`, on ? TYPED - 1000 : undefined, stop);
    const now = this.#client._env.now();
    if (!chat?._isCaughtUp || (on ? now - chat._typed < TYPING : chat._typed === -Infinity)) return;
    chat._typed = on ? now : -Infinity;
    this.#client._put("typing", { on }, chat);
  }

  /** The other side types in *chat*, or not any more. */
  #setTyping(chat, on) {
    const name = `typed ${chat.conversation}`;
    this.#client._alarms.set(name, on ? TYPED : undefined, () => this.#setTyping(chat, false));
    if (chat.typing === on) return;
    chat.typing = on;
    this.#emit("typing", { chat });
  }

  /** This side has read *chat* up to *seq*. */
  read(seq, chat) {
    const upTo = Math.min(seq, chat?.lastSeq);
    if (!(upTo > chat?._read)) return;
    chat._read = upTo;
    chat._count();
    this.reportRead(chat);
    this.#emit("read", { chat });
  }

  /** Let the server know how far this side has read, when it may be said. */
  reportRead(chat) {
    if (!chat._isCaughtUp || chat._read <= chat._readSent) return;
    chat._readSent = chat._read;
    this.#client._put("read", { seq: chat._read }, chat);
  }
}
