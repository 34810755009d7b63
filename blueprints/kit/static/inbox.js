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

  /** Do *what* (`claim`, `release`, `put_away`) with the message *conversation*. */
  async change(what, conversation) {
    await this.#connection.question(`${what}_message`, { conversation });
  }

  /** Resolves with `{conversation, seq, date}` when the answer is stored. */
  async answer(conversation, message) {
    return (await this.#connection.question("answer_message", { conversation, message })).payload;
  }
}
