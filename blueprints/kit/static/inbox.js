import { Once } from "./once.js";

/** What a waiter asks of the messages that visitors have left for its departments, and does with them. */
export class Inbox {
  #connection;
  #once = new Once();

  constructor(connection) {
    this.#connection = connection;
  }

  /** The payload of `inbox`. */
  async page({ state, after, before, limit } = {}) {
    return (await this.#connection.question("get_inbox", { state, after, before, limit })).payload;
  }

  /** Send a frame of *type* about the message *conversation*: `claim_message`, `release_message`, `put_away_message`. */
  async change(type, conversation) {
    await this.#connection.question(type, { conversation });
  }

  /** Resolves with `{conversation, seq, date}` when the answer is stored: once, also where it is asked for again. */
  async answer(conversation, message) {
    const ask = (id) => this.#connection.question("answer_message", { conversation, message }, true, id);
    return (await this.#once.ask(conversation, message, ask)).payload;
  }
}
