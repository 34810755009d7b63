/** The client for both sides, which pages of others import as `csapp-client.js`: see docs/client.md. */

import { BaseClient } from "./base-client.js";
import { sentence } from "./closes.js";
import { ChatError } from "./connection.js";
import { Files } from "./files.js";
import { Inbox } from "./inbox.js";
import { Once } from "./once.js";
import { Visitor } from "./visitor.js";
import { Waiter } from "./waiter.js";

export { CLOSE_CODES } from "./closes.js";
export { ChatError };

export class ChatClient extends BaseClient {
  #inbox = new Inbox(this._connection);
  #once = new Once();

  _sentence = sentence;

  /** *role*: `user` or `waiter`; `BaseClient` has the other options. */
  constructor({ role, ...options }) {
    super({ files: async () => Files, ...options }, role === Waiter.role ? Waiter : Visitor);
  }

  /** The same; who calls it again with the same message, until that is stored, leaves it once. */
  leaveMessage({ id, ...asked }) {
    return this.#once.ask("", asked.message, (own) => super.leaveMessage({ ...asked, id: own }), id);
  }

  /** Waiter: ask the visitor for a rating. `invited` of the chat says when it was asked; `error` follows if that fails. */
  invite(conversation) {
    this._put("rate", {}, this.chats.get(conversation));
  }

  /** Waiter: what visitors have left for its departments (`{state, after, before, limit}`); the payload of `inbox`. */
  inbox(which) {
    return this.#inbox.page(which);
  }

  /** Waiter: see to the message *conversation*, so that no colleague does; rejects if one does already. */
  claim(conversation) {
    return this.#inbox.change("claim_message", conversation);
  }

  /** Waiter: leave a claimed message to others. */
  release(conversation) {
    return this.#inbox.change("release_message", conversation);
  }

  /** Waiter: the message needs no answer. */
  putAway(conversation) {
    return this.#inbox.change("put_away_message", conversation);
  }

  /** Waiter: answer a message; resolves with `{conversation, seq, date}` when that is stored. */
  answer(conversation, text) {
    return this.#inbox.answer(conversation, text);
  }

  /** Waiter: take users from now on, *capacity* at once; the answer is in `duty`. */
  ready(duty) {
    this._side.wish({ ...duty, ready: true });
  }

  /** Waiter: take no more users; the present ones stay. *capacity* (as for `ready`) counts for `take`. */
  unready(duty) {
    this._side.wish({ ...duty, ready: false });
  }

  /** Waiter: past conversations, newest first; with *sub*, those of one visitor. */
  async sessions({ before, limit, sub } = {}) {
    return (await this._connection.question("get_history_session", { before, limit, sub })).payload;
  }

  /** Waiter: the first users of the queue; the payload of `queue`. */
  async waiting() {
    return (await this._connection.question("get_queue", {})).payload;
  }

  /** Waiter: serve the user *uuid* of the queue now; rejects if that is not possible. The conversation follows. */
  async take(uuid) {
    await this._connection.question("take", { uuid }, false);
  }

  /** Waiter: why the user *uuid* of the queue waits; the payload of `explanation`. Rejects if it waits no more. */
  async explain(uuid) {
    return (await this._connection.question("explain", { uuid })).payload;
  }

  /** Waiter: the waiters who are here; the payload of `waiters`. */
  async colleagues() {
    return (await this._connection.question("get_waiters", {})).payload;
  }

  /**
   * Waiter: hand the visitor of *conversation* to the waiter *to*, a UUID, or to the *department* of this key, with a
   * *note*; rejects if that is not possible. The conversation ends here.
   */
  async transfer(conversation, { to, department, note }) {
    const { uuid } = this.chats.get(conversation)?.peer ?? {};
    await this._connection.question("transfer", { uuid, to_waiter: to, department, note }, false);
  }
}
