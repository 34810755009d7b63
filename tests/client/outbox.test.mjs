// What is said: sent, refused, repeated, inherited.
import assert from "node:assert/strict";
import { test } from "node:test";
import { item, Locks, Stage, Storage } from "./stage.mjs";

const ids = (stage) => stage.sent("message_text").map(({ id }) => id);
const texts = (stage) => stage.sent("message_text").map(({ payload }) => payload.message);

test("one message is under way at a time", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.send("one");
  stage.client.send("two");
  assert.deepEqual(texts(stage), ["one"]);
  assert.deepEqual(stage.shown, ["one (sending)", "two (sending)"]);
  await stage.receive(1);
  assert.deepEqual(texts(stage), ["one", "two"]);
  await stage.receive(2);
  assert.deepEqual(stage.shown, ["one", "two"]);
  assert.deepEqual(stage.storage.of("outbox"), []);
});

test("what was refused for a while is repeated with its id, later each time, before what follows", async () => {
  const stage = new Stage();
  stage.luck = 0;
  await stage.serve();
  const first = stage.client.send("one");
  stage.client.send("two");
  for (const [code, pause] of [["unavailable", 1000], ["rate_limited", 2000], ["unavailable", 4000]]) {
    await stage.refuse("message_text", code, 1);
    await stage.pass(pause - 1);
    const before = ids(stage).length;
    await stage.pass(1);
    assert.equal(ids(stage).length, before + 1);
  }
  assert.deepEqual(new Set(ids(stage)), new Set([first.id]));
  await stage.receive(1);
  assert.deepEqual(texts(stage).at(-1), "two");
});

test("what is refused for good has failed, and the next goes out", async () => {
  const stage = new Stage();
  await stage.serve();
  const first = stage.client.send("one");
  stage.client.send("two");
  await stage.refuse("message_text", "id_conflict");
  assert.equal(first.error.code, "id_conflict");
  assert.deepEqual(stage.shown, ["one (failed)", "two (sending)"]);
  await stage.receive(1);
  await stage.hear(2);
  assert.deepEqual(stage.shown, ["one (failed)", "two", "text 2"]);
  const refused = first.id;
  stage.client.retry(first.id);
  assert.deepEqual(stage.shown, ["two", "text 2", "one (sending)"]);
  assert.notEqual(ids(stage).at(-1), refused, "that id is taken");
  stage.client.discard(first.id);
  assert.equal(stage.shown.length, 3, "what is under way cannot be taken back");
});

test("failed messages can be discarded", async () => {
  const stage = new Stage();
  await stage.serve();
  const { id } = stage.client.send("one");
  await stage.refuse("message_text", "too_large");
  let changes = 0;
  stage.client.on("change", () => (changes += 1));
  stage.client.discard(id);
  await stage.pass(0);
  assert.equal(changes, 1);
  assert.deepEqual(stage.shown, []);
  assert.deepEqual(stage.storage.of("outbox"), []);
});

test("what no frame can hold is not sent: it would end the connection", async () => {
  const stage = new Stage();
  await stage.serve();
  const message = stage.client.send("€".repeat(30_000));
  assert.equal(message.error.code, "too_large");
  assert.deepEqual(texts(stage), []);
});

test("half a character is replaced: the server could not read the frame, and not say which it was", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.send("half \ud83d");
  assert.deepEqual(texts(stage), ["half \ufffd"]);
});

test("NUL is replaced as well: the server refuses it for good", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.send("a\0b");
  assert.deepEqual(texts(stage), ["a\ufffdb"]);
});

test("whatever a page is called, and wherever its name is cut, one can ask from it", async () => {
  for (const [page, told] of [["a\0b \ud83d", "a\ufffdb \ufffd"], [`${"p".repeat(1999)}🙂`, `${"p".repeat(1999)}\ufffd`]]) {
    const stage = new Stage();
    await stage.enter();
    stage.client.connect({ page, department: "\0" });
    const { payload } = stage.sent("connect")[0];
    assert.deepEqual([payload.page, payload.department], [told, "\ufffd"]);
  }
});

test("after a return the rest is sent again, with the same ids, behind the page", async () => {
  const stage = new Stage();
  await stage.serve();
  const one = stage.client.send("one");
  const two = stage.client.send("two");
  await stage.close(1006);
  await stage.pass(1000);
  stage.client.send("three");
  await stage.enter();
  assert.deepEqual(stage.sent("auth")[0].payload.resume, { c1: 0 });
  assert.deepEqual(texts(stage), []);
  await stage.introduce([item(1, "one", "me", one.id), item(2)]);
  assert.deepEqual(stage.shown, ["one", "text 2", "two (sending)", "three (sending)"]);
  assert.deepEqual(ids(stage), [two.id]);
});

test("what was under way when the connection was lost is sent again, with its id", async () => {
  const stage = new Stage();
  await stage.serve();
  const { id } = stage.client.send("one");
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter();
  await stage.introduce();
  assert.deepEqual(ids(stage), [id]);
});

test("nothing is said before the page that tells what was missed", async () => {
  const stage = new Stage();
  stage.client.connect();
  await stage.enter();
  await stage.say("connect_success", { uuid: "wim", name: "Wim", conversation: "c1", last_seq: 0 });
  stage.client.send("one");
  assert.deepEqual(texts(stage), []);
  await stage.introduce();
  assert.deepEqual(texts(stage), ["one"]);
});

test("a page's word on a message and its receipt are one message", async () => {
  const stage = new Stage();
  await stage.serve();
  const one = stage.client.send("one");
  await stage.say("message_history", {
    conversation: "c1", messages: [item(1, "one", "me", one.id)], complete: true, state: "open", last_seq: 1,
  });
  await stage.receive(1);
  assert.deepEqual(stage.shown, ["one"]);
});

test("an echo and a receipt are one message at every moment", async () => {
  const stage = new Stage();
  await stage.serve();
  const one = stage.client.send("one");
  await stage.hear(1, "one", "me");
  assert.deepEqual(stage.shown, ["one (sending)"]);
  await stage.receive(1);
  assert.deepEqual(stage.client.chat.messages.map(({ id }) => id), [one.id]);
});

test("what is said before there is a chat waits for it", async () => {
  const stage = new Stage();
  stage.client.send("hello?");
  assert.deepEqual(stage.shown, ["hello? (sending)"]);
  await stage.serve();
  assert.deepEqual(texts(stage), ["hello?"]);
  assert.equal(stage.client.chat.conversation, "c1");
  assert.deepEqual([...stage.client.chats.keys()], ["c1"]);
});

test("only what has failed can be sent again: the order of what waits stays", async () => {
  const stage = new Stage();
  const first = stage.client.send("one");
  stage.client.send("two");
  stage.client.retry(first.id);
  assert.deepEqual(stage.shown, ["one (sending)", "two (sending)"]);
});

test("what was not sent when a chat ends has failed, and can be said in the next", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  const message = stage.client.send("too late");
  await stage.pass(1000);
  await stage.enter();
  await stage.say("message_history", {
    conversation: "c1", messages: [], complete: true, state: "ended", last_seq: 0,
  });
  await stage.refuse("get_history", "forbidden");
  assert.equal(message.state, "failed");
  assert.equal(stage.client.phase, "idle");
  stage.client.connect();
  stage.client.retry(message.id);
  await stage.introduce([], "c2");
  assert.deepEqual(texts(stage), ["too late"]);
  assert.equal(message.conversation, "c2");
});

test("the outbox outlives the page", async () => {
  const storage = new Storage();
  const before = new Stage({ storage });
  await before.serve();
  const one = before.client.send("one");
  const after = new Stage({ storage });
  await after.enter();
  assert.deepEqual(after.shown, ["one (sending)"]);
  await after.introduce();
  assert.deepEqual(ids(after), [one.id]);
});

test("with locks, another tab's outbox is taken over when that tab is gone, and not before", async () => {
  const shared = { storage: new Storage(), environment: { locks: new Locks() } };
  const [first, second] = [new Stage(shared), new Stage(shared)];
  await first.serve();
  const { id } = first.client.send("from the first");
  await second.serve();
  assert.deepEqual(texts(second), []);
  first.client.stop({ leave: false });
  await second.pass(0);
  assert.deepEqual(ids(second), [id]);
  await second.receive(1);
  assert.deepEqual(shared.storage.of("outbox"), []);
});

test("a tab that opens later is watched too", async () => {
  const shared = { storage: new Storage(), environment: { locks: new Locks() } };
  const [first, second] = [new Stage(shared), new Stage(shared)];
  await first.serve();
  await second.serve();
  second.client.send("from the second");
  await first.happen("storage", { key: "csapp:user:outbox" });
  second.client.stop({ leave: false });
  await first.pass(0);
  assert.deepEqual(texts(first), ["from the second"]);
});

test("tabs do not overwrite each other's outbox", async () => {
  const shared = { storage: new Storage(), environment: { locks: new Locks() } };
  const [first, second] = [new Stage(shared), new Stage(shared)];
  await first.serve();
  await second.serve();
  first.client.send("one");
  second.client.send("two");
  await first.receive(1);
  assert.deepEqual(shared.storage.of("outbox").map(({ text }) => text), ["two"]);
});
