/** A visitor's side of the protocol: asking for a waiter, the queue, one conversation at a time. */

import { whole } from "./size.js";
import { Wish } from "./wish.js";

const OPENING = 20_000; // ms over which those who wait for the opening ask again
const AGAIN = 30_000; // ms until it is asked again whether somebody is there
const LONGEST = 3_600_000; // ms until it is asked again in any case
const QUESTION = 300; // characters of the unsent messages that waiters see while the visitor is in the queue

export class Visitor extends Wish {
  static role = "user";

  #ticket;
  #stands = {}; // what the server was asked with, and has granted
  #leaving = false; // the visitor has left, which the server has not confirmed yet

  get state() {
    const { current } = this._client._conversations;
    return { ...super.state, current, ticket: this.#ticket, leaving: this.#leaving };
  }

  /**
   * Whether a page that is loaded again should connect: the visitor wants a waiter, or the server does not know
   * yet that it has left.
   */
  get isBusy() {
    return this.isWanted || this.#leaving;
  }

  /** The visitor waits or is served, as far as the server has said. */
  get #isKnown() {
    return ["queued", "served"].includes(this._client.phase);
  }

  get isWanted() {
    return this.want !== null;
  }

  restore(stored, isFresh) {
    super.restore(stored, isFresh);
    this._client._conversations.current = stored.current ?? "";
    this.#leaving = stored.leaving === true;
    if (isFresh) this.#ticket = stored.ticket;
  }

  follow(stored) {
    if (super.follow(stored) && !this.want) this.withdrawn("left");
  }

  /** While in the queue: the visitor has left it, here, in another tab, or on another device. */
  withdrawn(reason) {
    if (["idle", "served"].includes(this._client.phase)) return;
    this.want = null; // as old as it was: what another tab has decided since counts
    this.#close(reason);
  }

  clear() {
    this.#ticket = undefined;
    this.#leaving = false;
    this.#setPhase("idle");
  }

  #setPhase(phase) {
    const client = this._client;
    if (phase !== "queued") client.queue = null;
    if (phase !== "offline") this.#awaitOpening(null);
    if (phase === client.phase) return;
    client.phase = phase;
    client.words = {};
    client._events.emit("phase", phase);
  }

  // ---- asking for a waiter -------------------------------------------------

  /** What is left out stays as it was. In the queue another department moves the visitor there. */
  connect({ page, department, fields } = {}) {
    const [client, before] = [this._client, this.want];
    const where = whole(department, 200) ?? before?.department;
    const stays = where === before?.department;
    // what was filled in was for the former department
    const filled = fields ?? (stays ? before?.fields : undefined);
    this.decide({ page: whole(page, 2000) ?? before?.page, department: where, fields: filled });
    if (client.phase === "offline") this.#setPhase("idle"); // it is asked anew, and whether it is open is to be seen
    if (!client._connection.isOnline || this.#leaving) return;
    if (client.phase === "idle") this.#join();
    else if (!stays) this.askAgain();
  }

  #join() {
    const { _connection: connection } = this._client;
    if (connection.isAsked("connect")) return;
    const [ticket, question, want] = [this.#ticket, this.#question, this.want];
    connection.ask("connect", { ...want, ticket, question }, (error) => {
      const isAbout = (part) => error?.code === "invalid_message" && error.message.startsWith(`payload.${part}`);
      if (error?.code === "invalid_message" && ticket !== undefined && !isAbout("department") && !isAbout("fields")) {
        this.#ticket = undefined; // worth nothing, but no reason to send somebody away
        this.#join();
      } else if (error && isAbout("department") && this._client.phase === "queued") {
        this.want = this.#stands; // and waits on there
        this._client._complain(error);
      } else if (error) {
        this.later(error, () => this.want && !this.#isKnown && this.#join());
        if (!this.want && !this.#isKnown) this.#setPhase("idle");
      } else {
        this.#stands = want;
        if (question !== this.#question || want?.department !== this.want?.department) this.askAgain();
      }
    });
  }

  /** The visitor was sent away with *offline*, and asks again when there is hope; null: that is over. */
  #awaitOpening(offline) {
    const client = this._client;
    client.offline = offline;
    if (!offline) return client._alarms.set("offline");
    const { opens, reason } = offline;
    const left = opens ? Date.parse(opens) - client.now() : reason === "nobody" ? AGAIN : LONGEST;
    const pause = Math.min(Math.max(left, 1000), LONGEST) + OPENING * client._env.random();
    client._alarms.set("offline", pause, () => {
      if (client._env.visible()) this.#join();
      else this.#awaitOpening(offline); // nobody looks
    });
  }

  /** The first words of what waits for a waiter. */
  get #question() {
    const waiting = this._client.chats.get("")?.messages.filter(({ state }) => state === "sending") ?? [];
    const words = waiting.map(({ text }) => text).join("\n");
    return Array.from(words).slice(0, QUESTION).join("") || undefined;
  }

  /** Ask again while in the queue: the first words of the question may have changed. */
  askAgain() {
    if (this._client.phase === "queued" && this._client._connection.isOnline) this.#join();
  }

  // ---- a connection --------------------------------------------------------

  /** The connection is there; *resumed*: the conversations that the client asked for. */
  welcome(resumed) {
    if (this.#leaving) this.#leave();
    else if (resumed.length) this._client._barrier(() => this.#takeStock(resumed));
    else if (this.want) this.#join();
    else this.#setPhase("idle");
  }

  /** The server has answered for all of *resumed*: end those that it does not know any more. */
  #takeStock(resumed) {
    const { want, _client: client } = this;
    for (const chat of resumed) {
      const waits = chat._hasPage && chat.state === "open";
      if (!chat._hasPeer && !waits) client._conversations.end(chat, true);
      if (!chat._hasPage) this.want = want; // nobody has ended it: the server has forgotten it
    }
    if (client.phase === "served" && !client._conversations.find()?._hasPeer) this.#setPhase("idle");
    if (resumed.some((chat) => chat._isDoubted)) return; // one that was ended does not begin anew
    if (client.phase !== "served" && (this.want || client._conversations.isOpen)) this.#join();
  }

  /** What frames for visitors do. */
  on = {
    __proto__: null,
    connect_queue: (queue) => {
      if (this.#leaving) return;
      const client = this._client;
      const chat = client._conversations.find();
      if (chat) chat._hasPeer = chat._isCaughtUp = false;
      this.want ??= {};
      // handed to a department: who asks again asks for that
      if (client.phase === "served") this.want = { ...this.want, department: queue.department };
      this.#ticket = queue.ticket;
      client.queue = queue;
      this.#setPhase("queued");
      client._events.emit("queue", queue);
    },
    words: (said) => {
      const client = this._client;
      if (!client.queue) return; // it has left
      const { [said.what]: before } = client.words;
      client.words = { ...client.words, [said.what]: said.message };
      if (before !== said.message) client._events.emit("words", said); // or a new connection is sent it anew
    },
    offline: (offline) => {
      const client = this._client;
      if (this.#leaving || !this.want) return;
      const chat = client._conversations.find();
      if (chat) chat._hasPeer = chat._isCaughtUp = false;
      this.#ticket = undefined;
      this.#awaitOpening(offline);
      this.#setPhase("offline");
      client._events.emit("offline", offline);
    },
    message_answered: ({ message, name, ...place }) => {
      const chat = this.left(place, message, false);
      chat.peer.name = name;
      this._client._events.emit("answered", { chat });
    },
    rate: (_, __, chat) => {
      if (!chat || chat.rating) return;
      chat.invited = true;
      this._client._events.emit("rate", { chat });
    },
    idle: ({ seconds }, _, chat) => {
      if (!chat) return;
      chat.closes = this._client.now() + seconds * 1000;
      this._client._events.emit("idle", { chat, seconds });
    },
    connect_success: (peer) => this.#leaving || this._client._conversations.enter(peer),
  };

  // ---- one conversation at a time ------------------------------------------

  /** Where a new message goes. */
  addressee(conversation) {
    const client = this._client;
    if (conversation !== undefined) return client.chats.get(conversation);
    if (client._conversations.isOpen) return client._conversations.find();
    const early = client._conversations.at("");
    early.state = "open";
    return early;
  }

  leaves() {
    return false;
  }

  /** In *conversation* there is a message that was left (*own*), or an answer to it: *text*. Returns the chat. */
  left({ conversation, ...place }, text, own) {
    const { _conversations: conversations, _transcript: transcript, _events: events } = this._client;
    const chat = conversations.at(conversation);
    if (!conversations.isOpen) conversations.current = conversation;
    chat.state = "ended";
    chat.reason = "message";
    transcript.take(chat, { ...place, text, own });
    events.changed();
    return chat;
  }

  /** The conversation *chat* begins, or goes on. */
  entered(chat) {
    const client = this._client;
    const before = client._conversations.current && client._conversations.find();
    client._conversations.current = chat.conversation;
    if (before && before !== chat) client._conversations.end(before, true);
    this.want ??= {};
    this.#ticket = undefined;
    for (const message of client.chats.get("")?.messages ?? []) {
      message.conversation = chat.conversation;
      chat._place(message);
    }
    client.chats.delete("");
    client._outbox.save();
    if (client.draft("")) client.setDraft(client.draft(""), chat.conversation);
    client.setDraft("", "");
    this.#setPhase("served");
  }

  /** The present conversation has ended. */
  over() {
    this.want = null;
    this.#ticket = undefined;
    this.#setPhase("idle");
  }

  // ---- leaving -------------------------------------------------------------

  /** The client stops for good; *deliberate*: by the close code the server learns it. */
  stop(deliberate) {
    this.#leaving = !deliberate && this._client.phase !== "idle";
    this.#depart();
  }

  disconnect() {
    this.#leaving = true;
    this.#depart();
    if (this._client._connection.isOnline) this.#leave();
  }

  /** Forget the wish as well, before the server knows. */
  #depart() {
    this.decide(null);
    this.#close("left");
  }

  /** Forget the ticket, and end the conversation. */
  #close(reason) {
    this.#ticket = undefined;
    this._client._conversations.endAll(reason);
    this.#setPhase("idle");
  }

  /** Let the server know; its answers to earlier requests do not count. */
  #leave() {
    this._client._connection.ask("disconnect", {});
    this._client._barrier(() => {
      this.#leaving = false;
      if (this.want) this.#join();
    });
  }
}
