/** What a waiter asks of the messages that visitors have left for its departments, and does with them. */
export class Inbox {
  #connection;

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

  /** Resolves with `{conversation, seq, date}` when the answer is stored. */
  async answer(conversation, message) {
    return (await this.#connection.question("answer_message", { conversation, message })).payload;
  }
}
