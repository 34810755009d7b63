/** Fetches older messages of a conversation, as far back as they are wanted. */

import { PAGE } from "./limits.js";

/**
 * Have the messages of *conversation* at *client* back to *seq*: 1 means all of them, Infinity the latest.
 * Rejects with a `ChatError`.
 */
export async function bring(client, conversation, seq) {
  for (;;) {
    const chat = client.chats.get(conversation);
    const first = chat?.messages.find((one) => one.seq)?.seq;
    if (chat?.complete || first <= seq) return;
    await client.history({ conversation, limit: PAGE });
  }
}
