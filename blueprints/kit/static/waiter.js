/** A waiter's side of the protocol: whether visitors are taken, and many conversations at once. */

import { Wish } from "./wish.js";

export class Waiter extends Wish {
  static role = "waiter";

  isBusy = false; // nothing is begun by a page that comes back
  isWanted = false;
  endsAtOnce = true; // what the server says of the end of a conversation is final

  follow(stored) {
    if (super.follow(stored) && this.want && this._client._connection.isOnline) this.#report();
  }

  clear() {
    this.want = null;
  }

  // ---- duty ----------------------------------------------------------------

  /** Take visitors from now on, or not. */
  wish(want) {
    this.decide(want);
    if (this._client._connection.isOnline) this.#report();
  }

  #report() {
    const { ready, capacity } = this.want;
    this._client._connection.ask(ready ? "ready" : "unready", { capacity }, (error) => {
      if (error) this.later(error, () => this.want && this.#report());
    });
  }

  #setDuty(duty) {
    this._client.duty = duty;
    this._client._events.emit("duty", duty);
  }

  /** The connection is there; *resumed*: the conversations that the client asked for. */
  welcome(resumed) {
    const client = this._client;
    client.left = 0; // or the server says so
    if (this.want) this.#report();
    // by then the server has answered for all of them: it does not know the others any more
    const takeStock = () => resumed.forEach((chat) => chat._hasPeer || client._conversations.end(chat, true));
    if (resumed.length) client._barrier(takeStock);
  }

  /** What frames for waiters do. */
  on = {
    __proto__: null,
    new_connection: (peer) => this._client._conversations.enter(peer),
    ready: ({ capacity }) => {
      this.want ??= { ready: true, capacity }; // so that a later connection asks for it again
      this.#setDuty({ ready: true, capacity });
    },
    unready: ({ capacity }, { reply_id: asked }) => {
      // unasked: the desk has decided it, and a later connection must not undo that by itself
      if (!asked) this.decide({ ready: false, capacity });
      const byDesk = !asked || this._client.duty?.byDesk;
      this.#setDuty({ ready: false, capacity, ...(byDesk && { byDesk }) });
    },
    probe: () => this._client._connection.put("alive"), // a page that stands still does not
    note: (payload, { type, n, after, author, date }, chat) => {
      if (!chat) return;
      chat._note([{ type, n, after, author, date, payload }]);
      this._client._events.emit("chat", { chat, change: "changed" });
    },
    rate_success: ({ uuid }) => {
      for (const chat of this._client.chats.values()) if (chat.peer.uuid === uuid) chat.invited = true;
    },
    rate_user_success: ({ rate, comment }, { conversation }, chat) => {
      this._client._events.emit("rated", { chat, conversation, rate, comment });
    },
    inbox_changed: (inbox) => {
      this._client.left = inbox.waiting;
      this._client._events.emit("inbox", inbox);
    },
    queue_status: (queue) => {
      this._client.line = queue; // the name that pages know
      this._client._events.emit("line", queue);
    },
  };

  // ---- conversations -------------------------------------------------------

  /** Where a new message goes. */
  addressee(conversation) {
    return this._client.chats.get(conversation);
  }

  entered() {}

  askAgain() {}

  /** The client stops for good. */
  stop() {
    this.decide(null);
    this._client.duty = null;
    this._client._conversations.endAll("ended");
  }

  /** End *chat*. */
  disconnect(chat) {
    if (chat?.state !== "open") return;
    chat._leaving = true;
    chat.reason = "ended";
    if (chat._hasPeer) this.#dismiss(chat);
    this._client._conversations.end(chat);
  }

  /** Whether the waiter has ended *chat* without a connection; then the server learns it now. */
  leaves(chat) {
    if (chat._leaving) this.#dismiss(chat);
    return chat._leaving;
  }

  #dismiss(chat) {
    this._client._connection.ask("disconnect", { uuid: chat.peer.uuid }, () => {
      chat._leaving = false;
    });
  }
}
