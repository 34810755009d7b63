/** `Inbox`: what visitors have left for this waiter's departments while nobody was there, and what it does with that. */

import { problem } from "./problems.js";

const PAGE = 50; // messages that are fetched at once
const MOST = 100; // … and that the server sends at most

export class Inbox {
  /** Whether it is shown in the middle. */
  isOpen = false;
  /** Which messages are listed: `open` or `done`. */
  state = "open";
  /** As the server sends them: `{conversation, name, email, message, date, state, …}`; null before it has. */
  messages = null;
  /** There are no others. */
  complete = true;
  /** The message that is shown; null: the list is. */
  item = null;
  /** A colleague has answered it or put it away meanwhile. */
  isGone = false;
  /** What went wrong, in words; "": nothing. */
  problem = "";
  /** The server has not yet done what was asked. */
  busy = false;

  #client;
  #changed;
  #more;
  #known = null; // how many were open when the server said so last; null: it has not yet
  #turn = 0; // of two requests for the list the later one counts

  /**
   * *client* is the waiter's, *hasHistory*: this server has messages. *more(before, now)*: the number of open
   * ones has changed; *changed()* draws the inbox again.
   */
  constructor(client, { hasHistory, more, changed }) {
    this.#client = client;
    this.#more = more;
    this.#changed = changed;
    client.on("inbox", ({ waiting }) => {
      this.#count(waiting);
      this.#refresh();
    });
    client.on("status", ({ state }) => {
      if (state !== "online") return;
      if (hasHistory) this.#ask();
      this.#refresh();
    });
  }

  /** Ask how many are open: a server on which none is says nothing by itself. */
  async #ask() {
    try {
      this.#count((await this.#client.inbox({ limit: 1 })).waiting);
    } catch {
      // the next connection asks again
    }
  }

  #count(waiting) {
    if (this.#known !== null) this.#more(this.#known, waiting);
    this.#known = waiting;
  }

  /** How many messages are open. */
  get waiting() {
    return this.#client.left;
  }

  /** Show the list of those in *state*. */
  open(state = "open") {
    this.isOpen = true;
    this.item = this.messages = null;
    this.state = state;
    this.problem = "";
    this.#refresh();
    this.#changed();
  }

  close() {
    this.isOpen = false;
    this.item = this.messages = null;
  }

  /** Show the message *item*; null: the list. */
  show(item) {
    this.item = item;
    this.isGone = false;
    this.problem = "";
    this.#changed();
  }

  /** Show the message that is *steps* further down in the list. */
  step(steps) {
    const all = this.messages ?? [];
    if (!all.length) return;
    const at = all.findIndex(({ conversation }) => conversation === this.item?.conversation);
    this.show(all[at < 0 ? (steps > 0 ? 0 : all.length - 1) : (at + steps + all.length) % all.length]);
  }

  /** Whether this waiter may answer the message that is shown. */
  get mayAnswer() {
    const { state, claimed_by: by } = this.item;
    return !this.isGone && state !== "answered" && (!by || by.own);
  }

  // ---- fetching --------------------------------------------------------------

  /** Fetch the list again. */
  async #refresh() {
    if (!this.isOpen) return;
    const limit = Math.min(Math.max(this.messages?.length ?? 0, PAGE), MOST);
    await this.#fetch({ limit }, ({ messages }) => {
      this.messages = messages;
      this.#follow();
    });
  }

  /** Fetch those that follow. */
  async more() {
    const end = this.messages.at(-1)?.conversation;
    const which = { limit: PAGE, [this.state === "done" ? "before" : "after"]: end };
    await this.#fetch(which, ({ messages }) => {
      this.messages = [...this.messages, ...messages];
    });
  }

  async #fetch(which, then) {
    const turn = (this.#turn += 1);
    try {
      const page = await this.#client.inbox({ state: this.state, ...which });
      if (turn !== this.#turn || !this.isOpen) return;
      this.complete = page.complete;
      then(page);
    } catch (error) {
      if (turn === this.#turn && error.code !== "stopped") this.problem = problem(error);
    }
    this.#changed();
  }

  /** What is shown has changed, or is in this list no more. */
  #follow() {
    if (!this.item) return;
    const { conversation, state } = this.item;
    const found = this.messages.find((one) => one.conversation === conversation);
    if (found) this.item = found;
    else if (this.state === "open" && state !== "answered" && state !== "put_away") this.isGone = true;
  }

  // ---- what the waiter does ----------------------------------------------------

  claim() {
    return this.#do((conversation) => this.#client.claim(conversation), { state: "claimed", claimed_by: this.#me });
  }

  release() {
    return this.#do((conversation) => this.#client.release(conversation), { state: "open", claimed_by: undefined });
  }

  putAway() {
    return this.#do((conversation) => this.#client.putAway(conversation), { state: "put_away", claimed_by: undefined });
  }

  /** Answer with *text*; whether that is done. */
  answer(text) {
    const { name } = this.#client.me ?? {};
    const answers = [...(this.item.answers ?? []), { name, message: text, date: new Date(this.#client.now()).toISOString() }];
    return this.#do((conversation) => this.#client.answer(conversation, text), { state: "answered", answers });
  }

  get #me() {
    return { name: this.#client.me?.name ?? "", own: true };
  }

  /** Do *act* with the message that is shown, which is as *then* says afterwards; whether it is done. */
  async #do(act, then) {
    const { conversation } = this.item;
    this.busy = true;
    this.problem = "";
    this.#changed();
    try {
      await act(conversation);
      if (this.item?.conversation === conversation) this.item = { ...this.item, ...then };
      return true;
    } catch (error) {
      this.problem = problem(error);
      return false;
    } finally {
      this.busy = false;
      this.#refresh();
      this.#changed();
    }
  }
}
