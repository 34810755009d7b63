/**
 * `Chat`: one conversation as this side sees it. Pages know it by that name. What begins with `_` is for the
 * client only.
 *
 * @typedef {{id: string, conversation: string, text: string, own: boolean, date: string,
 *   state: "uploading"|"sending"|"sent"|"failed", seq?: number, author?: string,
 *   file?: {id?: string, name: string, size: number, mime: string, width?: number, height?: number, sent?: number, blob?: Blob},
 *   error?: {code: string, message: string}, choices?: {id: string, text: string}[], choice?: string,
 *   event?: {what: string, name?: string, to?: string} | {words: string, message: string}}} Message
 *   `file`: it is a file, whose name is the text; `id` once the server has it, `sent`: how many bytes are on the server,
 *   `blob`: of one that this page has sent; `choices`: of these the visitor may take one; `choice`: the id of the one that
 *   it takes; `author`: the waiter's colleague who wrote it; `event`: it is no text of either side, but says that the waiter
 *   `name` has handed the visitor over, to the waiter `to` if that is known; or, with `words`, the site says `text`
 */
export class Chat {
  /** The other side; for waiters also `sub`, `page`, `opened` and `fields` of the visitor. */
  peer = { uuid: "", name: "", avatar: "" };
  /** @type {Message[]} in order */
  messages = [];
  /** @type {{n: number, after: number, text: string, author: string, date: string}[]} what only waiters read, in order */
  notes = [];
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
  /** User: when it ends, by the server's clock in ms, unless the user writes something; 0: it goes on. */
  closes = 0;
  /** Why it has ended, as `disconnected` says: `left`, `ended`, `lost`, …; "": the server has not said. */
  reason = "";

  /**
   * What the visitor thinks of it: `{rate, comment, seq, date, since}`; null: it has not said so, as far as messages were
   * brought. `since`: when it has rated first, in ms.
   */
  rating = null;
  /** The waiter has asked for a rating. */
  invited = false;

  _floor = 1; // the first `seq` in `messages`, or of the next message that comes
  _newest = 0; // the highest `seq` that was ever shown, also before a reload
  _announced = 0; // the highest `seq` that the server has named on this connection
  _isFetching = false; // the client fetches what is missing below `_announced`
  _read = 0;
  _readSent = 0;
  _hasPeer = false; // on this connection, the server has said who the other side is …
  _hasPage = false; // … has sent the messages that were missed …
  _isCaughtUp = false; // … and has done both, so that messages may be sent
  _leaving = false; // a waiter has ended it, which the server does not know yet
  _isDoubted = false; // it may have ended: the client has asked the server, which has not answered yet
  _typed = -Infinity;

  constructor(conversation) {
    this.conversation = conversation;
  }

  /** It is a message that was left, and no answer to it was read yet. */
  get awaits() {
    return this.reason === "message" && this._read < 2;
  }

  /** The server has nothing older. */
  get complete() {
    return this._floor <= 1;
  }

  _place(message) {
    const list = this.messages;
    this.closes = 0;
    this._remove(message);
    let at = list.length;
    while (at && rank(list[at - 1]) > rank(message)) at -= 1;
    list.splice(at, 0, message);
  }

  /** Add the staff entries *found*; one may come twice. */
  _note(found) {
    const notes = found.filter(({ type }) => type === "note").map(({ payload, ...one }) => ({ ...one, text: payload.text }));
    const all = new Map([...this.notes, ...notes].map((one) => [one.n, one]));
    this.notes = [...all.values()].sort((one, other) => one.n - other.n);
  }

  /** Take in *rating*: the last one counts, and the first one for how long it may be changed. */
  _rate(rating) {
    const { rating: known } = this;
    const since = Math.min(Date.parse(rating.date), known?.since ?? Infinity);
    this.rating = { ...(known?.seq > rating.seq ? known : rating), since };
    this.invited = false;
  }

  _remove(message) {
    const at = this.messages.lastIndexOf(message);
    if (at >= 0) this.messages.splice(at, 1);
  }

  /** Forget the messages with a `seq`: the next ones begin at *floor*. */
  _begin(floor) {
    this.messages = this.messages.filter(({ seq }) => !seq);
    this._floor = floor;
    this.lastSeq = floor - 1;
  }

  _count() {
    const { messages, _read: read } = this;
    const unread = messages.filter(({ own, author, event, seq }) => !own && !author && !event && seq > read);
    this.unread = unread.length;
    [this.firstUnread] = unread;
  }
}

// a message that has failed stays where it was shown
const rank = ({ seq, after }) => seq ?? (after === undefined ? Infinity : after + 0.5);
