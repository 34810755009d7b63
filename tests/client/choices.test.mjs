// Choices and ratings: what is open, what was taken, what another tab has taken before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { offers } from "../../blueprints/kit/static/choices.js";
import { item, Stage } from "./stage.mjs";

const both = (...ids) => ids.map((id) => ({ id, text: id.toUpperCase() }));

test("of offers with the same choice the latest counts, and of answers the first", () => {
  const messages = [
    { id: "0", choice: "a" }, { id: "1", choices: both("a", "b") }, { id: "2", choices: both("b", "c") },
    { id: "3", choice: "b", state: "failed" }, { id: "4", choice: "c" }, { id: "5", choice: "b" },
  ];
  const found = offers(messages);
  assert.deepEqual([...found.keys()], ["1", "2"]);
  assert.equal(found.get("2").answer.choice, "c");
  assert.deepEqual([found.get("1").answer, found.get("1").isOpen, found.get("2").isOpen], [undefined, false, false]);
  assert.equal(offers(messages.slice(0, 2)).get("1").isOpen, true);
});

test("a choice that another tab has taken before is dropped, and what waits behind it is sent", async () => {
  const stage = new Stage();
  const offer = { seq: 1, type: "message_choice", from: "w", date: "d", payload: { message: "?", choices: both("a", "b") } };
  await stage.serve([offer]);
  const taken = stage.client.send("A", undefined, { choice: "a" });
  stage.client.send("more");
  await stage.pass(0);
  const [said] = stage.sent("message_text");
  assert.deepEqual(said.payload, { message: "A", choice: "a" });
  await stage.say("error", { code: "invalid_message", message: "payload.choice: the question is answered already" }, { reply_id: said.id });
  assert.ok(!stage.client.chat.messages.includes(taken));
  assert.deepEqual(stage.sent("message_text").at(-1).payload, { message: "more" });
});

test("the last rating counts, and the first one for how long it may be changed", async () => {
  const rated = (seq, rate, date) => ({ seq, type: "rating", from: "", date, payload: { rate, comment: "" } });
  const stage = new Stage();
  await stage.serve([item(1), rated(2, 2, "2027-01-15T08:00:00Z"), rated(3, 5, "2027-01-15T09:00:00Z")]);
  const { rating } = stage.client.chat;
  assert.deepEqual([rating.rate, rating.since], [5, Date.parse("2027-01-15T08:00:00Z")]);
  assert.deepEqual(stage.client.chat.messages.map(({ text }) => text), ["text 1"]);
});
