// How much of a conversation is fetched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bring } from "../../blueprints/kit/static/past.js";

/** A client with a chat of *last* messages, of which none is here; *perPage* come at once. */
function client(last, perPage) {
  const chats = new Map();
  let asked = 0;
  return {
    chats,
    get asked() {
      return asked;
    },
    history: async ({ conversation }) => {
      asked += 1;
      const chat = chats.get(conversation) ?? { messages: [], complete: false };
      const end = chat.messages[0]?.seq ?? last + 1;
      const first = Math.max(1, end - perPage);
      const older = Array.from({ length: end - first }, (_, at) => ({ seq: first + at }));
      chats.set(conversation, { messages: [...older, ...chat.messages], complete: first === 1 });
    },
  };
}

for (const [what, seq, last, asked, first] of [
  ["all", 1, 7, 3, 1],
  ["all of nothing", 1, 0, 1, undefined],
  ["the latest", Infinity, 7, 1, 5],
  ["back to one", 4, 7, 2, 2],
])
  test(`${what} is fetched, once`, async () => {
    const of = client(last, 3);
    await bring(of, "c", seq);
    await bring(of, "c", seq);
    assert.deepEqual([of.asked, of.chats.get("c").messages[0]?.seq], [asked, first]);
  });
