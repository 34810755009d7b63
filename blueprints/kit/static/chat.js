/**
 * One conversation, as one side sees it; what begins with `_` is the client's own.
 *
 * @typedef {{id: string, conversation: string, text: string, own: boolean, date: string,
 *   state: "sending"|"sent"|"failed", seq?: number, author?: string,
 *   error?: {code: string, message: string}}} Message  `author`: the waiter's colleague who said it
 */
export class Chat {
  /** Whom one talks to; a waiter is also told `sub`, `page` and `opened` of a visitor. */
  peer = { uuid: "", name: "", avatar: "" };
  /** @type {Message[]} in order */
  messages = [];
  lastSeq = 0;
  readByPeer = 0;
  unread = 0; // how many
  /** @type {Message | undefined} the first of the unread */
  firstUnread;
  /** @type {"online"|"away"} */
  presence = "online";
  /** The other side types. */
  typing = false;
  /** @type {"open"|"ended"} */
  state = "open";
  /** Why it has ended, as `disconnected` says: `left`, `ended`, `lost`, …; "": nobody has said. */
  reason = "";

  _floor = 1; // the first `seq` in `messages`, or that of the next to come
  _newest = 0; // the highest ever seen, also before a reload
  _top = 0; // … or heard of
  _asking = false; // for what is missing below it
  _read = 0;
  _readSent = 0;
  _met = false; // on this connection, the server has said who is at the other end …
  _here = false; // … and what was missed
  _paged = false;
  _leaving = false; // to be ended when the server can be told
  _doubtful = false; // it may be over: the server is being asked
  _typed = -Infinity;

  constructor(conversation) {
    this.conversation = conversation;
  }

  /** Nothing older is left on the server. */
  get complete() {
    return this._floor <= 1;
  }

  _place(message) {
    const list = this.messages;
    this._remove(message);
    let at = list.length;
    while (at && rank(list[at - 1]) > rank(message)) at -= 1;
    list.splice(at, 0, message);
  }

  _remove(message) {
    const at = this.messages.lastIndexOf(message);
    if (at >= 0) this.messages.splice(at, 1);
  }

  /** Begin at *floor*; what has no number stays. */
  _begin(floor) {
    this.messages = this.messages.filter(({ seq }) => !seq);
    this._floor = floor;
    this.lastSeq = floor - 1;
  }

  _count() {
    const { messages, _read: read } = this;
    const unread = messages.filter(({ own, author, seq }) => !own && !author && seq > read);
    this.unread = unread.length;
    [this.firstUnread] = unread;
  }
}

// what has failed stays where it was
const rank = ({ seq, after }) => seq ?? (after === undefined ? Infinity : after + 0.5);
