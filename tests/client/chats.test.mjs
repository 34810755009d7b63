// Conversations: order, gaps, ends, places in the queue, what is kept.
import assert from "node:assert/strict";
import { test } from "node:test";
import { item, Stage, Storage } from "./stage.mjs";

const texts = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => `text ${from + index}`);
const items = (from, to) => texts(from, to).map((text, index) => item(from + index, text));

test("each number is shown once", async () => {
  const stage = new Stage();
  await stage.serve(items(1, 3));
  await stage.hear(3);
  await stage.hear(4);
  await stage.hear(4);
  assert.deepEqual(stage.shown, texts(1, 4));
});

test("an entry of a kind that the client does not know is counted, and not shown", async () => {
  const event = (seq) => ({ seq, type: "event", from: "", date: "d", payload: { what: "joined", name: "Wim" } });
  const live = (stage, { type, payload, ...rest }) => stage.say(type, payload, { ...rest, conversation: "c1" });
  const stage = new Stage();
  const page = { conversation: "c1", complete: false, state: "open", last_seq: 53 };
  await stage.serve([item(51), event(52), item(53)]);
  await stage.say("message_history", { ...page, messages: [item(51), event(52), item(53)] }, { conversation: "c1" });
  await live(stage, event(54));
  await stage.hear(55);
  await live(stage, event(57)); // 56 is missing
  assert.equal(stage.sent("get_history").length, 1);
  const missed = [item(56), event(57)];
  await stage.answer("get_history", "message_history", { conversation: "c1", messages: missed, complete: true });
  const shown = ["text 51", "text 53", "text 55", "text 56"];
  assert.deepEqual(stage.shown, shown);
  const { chat } = stage.client;
  assert.deepEqual([chat.lastSeq, chat.unread], [57, 4]);
  stage.client.read();
  assert.equal(stage.sent("read").at(-1).payload.seq, 57);
  assert.equal(chat.unread, 0);

  const bring = async (messages) => {
    const older = stage.client.history();
    await stage.answer("get_history", "message_history", { conversation: "c1", messages, complete: false });
    return older;
  };
  const brought = await bring([event(49), item(50)]);
  assert.deepEqual(brought.messages.map(({ text }) => text), ["text 50"]);
  await bring([event(47), event(48)]);
  assert.deepEqual(stage.shown, ["text 50", ...shown]);
  stage.client.history();
  assert.equal(stage.sent("get_history").at(-1).payload.before, 47);
});

test("an entry without a number, which only waiters read, is passed over", async () => {
  const note = { n: 1, after: 52, type: "note", from: "wim", date: "d", payload: { text: "vip" } };
  const stage = new Stage();
  await stage.serve();
  const page = { conversation: "c1", complete: false, state: "open", last_seq: 53 };
  await stage.say("message_history", { ...page, messages: [note, item(52), note, item(53)] }, { conversation: "c1" });
  const { type, payload, ...rest } = note;
  await stage.say(type, payload, { ...rest, conversation: "c1" });
  await stage.hear(54);
  await stage.hear(56); // 55 is missing
  const missed = [item(55), note, item(56), note];
  await stage.answer("get_history", "message_history", { conversation: "c1", messages: missed, complete: true });
  const older = stage.client.history();
  assert.equal(stage.sent("get_history").at(-1).payload.before, 52);
  const messages = [note, item(50), item(51), note];
  await stage.answer("get_history", "message_history", { conversation: "c1", messages, complete: false });
  await older;
  assert.deepEqual(stage.shown, texts(50, 56));
  stage.client.history();
  assert.equal(stage.sent("get_history").at(-1).payload.before, 50);
});

test("a gap is filled from the history before anything behind it is shown", async () => {
  const stage = new Stage();
  await stage.serve(items(1, 2));
  await stage.hear(5);
  await stage.hear(6);
  assert.deepEqual(stage.shown, texts(1, 2));
  assert.equal(stage.sent("get_history").length, 1);
  assert.equal(stage.sent("get_history")[0].payload.after, 2);
  const answer = (from, to, complete) => (
    stage.answer("get_history", "message_history", { conversation: "c1", messages: items(from, to), complete })
  );
  await answer(3, 4, false);
  assert.equal(stage.sent("get_history")[1].payload.after, 4);
  await answer(5, 6, true);
  assert.deepEqual(stage.shown, texts(1, 6));
  await stage.hear(9);
  assert.equal(stage.sent("get_history")[2].payload.after, 6);
});

test("a gap that nobody can fill is left to the next connection", async () => {
  const stage = new Stage();
  await stage.serve(items(1, 2));
  await stage.hear(5);
  await stage.refuse("get_history", "unavailable", 1);
  assert.equal(stage.client.status.state, "waiting");
  await stage.pass(1000);
  await stage.enter();
  await stage.introduce([...items(3, 3), ...items(5, 6)]);
  assert.deepEqual(stage.shown, [...texts(1, 3), ...texts(5, 6)], "4 was erased");
});

test("when more was missed than a page brings, the older ones are asked for later", async () => {
  const stage = new Stage();
  await stage.serve(items(1, 3));
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter();
  await stage.introduce(items(2001, 2050), "c1", false);
  assert.deepEqual(stage.shown, texts(2001, 2050));
  assert.equal(stage.client.chat.complete, false);
  const older = stage.client.history();
  assert.deepEqual(stage.sent("get_history").at(-1).payload, { conversation: "c1", before: 2001, limit: 50 });
  await stage.answer("get_history", "message_history", { conversation: "c1", messages: items(1951, 2000), complete: false });
  await older;
  assert.deepEqual(stage.shown, texts(1951, 2050));
});

test("after a reload the latest are brought back", async () => {
  const storage = new Storage();
  const before = new Stage({ storage });
  await before.serve(items(1, 80));
  before.client.read();
  await before.pass(0);
  const after = new Stage({ storage });
  assert.equal(after.client.phase, "served");
  await after.enter();
  assert.deepEqual(after.sent("auth")[0].payload.resume, { c1: 30 });
  await after.introduce(items(31, 82));
  assert.deepEqual(after.shown, texts(31, 82));
  assert.equal(after.client.chat.unread, 2);
  assert.equal(after.client.chat.complete, false);
  const live = after.heard.filter(([type, { live }]) => type === "message" && live).map(([, { message }]) => message.seq);
  assert.deepEqual(live, [81, 82], "only these are news");
});

test("a place in the queue is taken again with its ticket", async () => {
  const storage = new Storage();
  const before = new Stage({ storage });
  before.client.connect({ page: "/shop" });
  await before.enter();
  await before.answer("connect", "connect_queue", { location: 2, ticket: "place" });
  assert.equal(before.client.queue.location, 2);
  const after = new Stage({ storage });
  assert.equal(after.client.wanted, true);
  await after.enter();
  assert.equal(after.sent("connect")[0].payload.ticket, "place");
  assert.equal(after.sent("connect")[0].payload.page, "/shop");
});

test("who waits may go to another department, and waits on where that is refused", async () => {
  const stage = new Stage();
  await stage.enter();
  stage.client.connect({ page: "/shop", department: "sales", fields: { name: "Ann" } });
  const asked = () => stage.sent("connect").map(({ payload: { department, fields } }) => [department, fields?.name]);
  stage.client.connect({ department: "support" });
  assert.deepEqual(asked(), [["sales", "Ann"]], "one request at a time");
  await stage.answer("connect", "connect_queue", { location: 2, ticket: "t" });
  assert.deepEqual(asked()[1], ["support", undefined], "the form was for the other one");
  await stage.answer("connect", "connect_queue", { location: 5, ticket: "u" });
  assert.equal(stage.client.department, "support");
  stage.client.connect({ page: "/other" });
  assert.equal(asked().length, 2, "it waits there already");
  stage.client.connect({ department: "gone" });
  await stage.answer("connect", "error", { code: "invalid_message", message: "payload.department: there is no department" });
  assert.equal(asked().length, 3, "the ticket is not to blame");
  assert.deepEqual([stage.client.phase, stage.client.department], ["queued", "support"]);
  assert.equal(stage.heard.filter(([type]) => type === "error").length, 1);
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter();
  assert.deepEqual([stage.sent("connect")[0].payload.department, stage.sent("connect")[0].payload.ticket], ["support", "u"]);
});

test("a form or a department that is refused ends the wish, whatever the ticket says", async () => {
  for (const part of ["department", "fields.email"]) {
    const storage = new Storage();
    const before = new Stage({ storage });
    before.client.connect({ department: "sales", fields: { email: "ann" } });
    await before.enter();
    await before.answer("connect", "connect_queue", { location: 2, ticket: "t" });
    const stage = new Stage({ storage });
    await stage.enter();
    assert.deepEqual(stage.sent("connect")[0].payload.fields, { email: "ann" }, "it outlives a reload");
    await stage.answer("connect", "error", { code: "invalid_message", message: `payload.${part}: is wrong` });
    assert.equal(stage.sent("connect").length, 1);
    assert.equal(stage.client.wanted, false);
  }
});

test("the queue is told what waits in it, and what has become of that", async () => {
  const stage = new Stage();
  await stage.enter();
  stage.client.send("Where is my plate?");
  stage.client.connect({ page: "/shop" });
  const told = () => stage.sent("connect").map(({ payload }) => payload.question);
  assert.deepEqual(told(), ["Where is my plate?"]);
  stage.client.send("It is blue.");
  await stage.answer("connect", "connect_queue", { location: 2, ticket: "t" });
  assert.deepEqual(told().slice(1), ["Where is my plate?\nIt is blue."], "once the first has its answer");
  assert.equal(stage.sent("connect")[1].payload.page, "/shop");
  await stage.answer("connect", "connect_queue", { location: 2, ticket: "t" });
  stage.client.send("🙂".repeat(400));
  assert.equal(Array.from(told()[2]).length, 300);
  await stage.answer("connect", "connect_queue", { location: 2, ticket: "t" });
  assert.equal(told().length, 3, "nothing has changed");
});

test("a chat says why it has ended, and goes on saying so after a reload", async () => {
  for (const reason of ["ended", "lost"]) {
    const storage = new Storage();
    const stage = new Stage({ storage });
    await stage.serve();
    await stage.say("disconnected", { reason }, { from: "wim", conversation: "c1" });
    await stage.answer("get_history", "message_history", { conversation: "c1", messages: [], complete: true });
    assert.equal(stage.client.chat.reason, reason);
    assert.equal(new Stage({ storage }).client.chat.reason, reason);
  }
});

test("who does not answer knows when the chat ends, until something is written", async () => {
  const stage = new Stage();
  const warn = () => stage.say("idle", { seconds: 60 }, { from: "wim", conversation: "c1" });
  await stage.serve();
  const { chat } = stage.client;
  assert.equal(chat.closes, 0);
  await warn();
  assert.equal(chat.closes, stage.client.now() + 60_000);
  assert.deepEqual(stage.heard.at(-1), ["idle", { chat, seconds: 60 }]);
  stage.client.send("one moment");
  assert.equal(chat.closes, 0);
  await warn();
  await stage.hear(1);
  assert.equal(chat.closes, 0);
  await stage.say("idle", { seconds: 60 }, { from: "wim", conversation: "unknown" });
});

const left = (seq, rest) => ({ conversation: "l1", seq, date: "d", ...rest });

test("who has got a visitor is the first one after the handover, whoever comes later", async () => {
  const stage = new Stage();
  await stage.serve([item(1)]);
  const event = (seq, payload) => stage.say("event", payload, { from: "", seq, date: "d", conversation: "c1" });
  await event(2, { what: "transferred", name: "Ada" });
  for (const [seq, name] of [[3, "Lin"], [4, "Mo"]]) await event(seq, { what: "joined", name });
  assert.deepEqual(stage.client.chat.messages.at(-1).event, { what: "transferred", name: "Ada", to: "Lin" });
});

test("what the site says by itself stands in its place, and is no message of either side", async () => {
  const stage = new Stage();
  await stage.serve([item(1), { ...item(2, "Welcome."), payload: { message: "Welcome.", words: "greeting" }, from: "" }]);
  const { chat } = stage.client;
  const before = chat.unread;
  const messages = [];
  stage.client.on("message", ({ message }) => messages.push(message.text));
  const payload = { message: "You speak with Wim.", words: "first" };
  await stage.say("message_text", payload, { from: "", seq: 3, date: "d", conversation: "c1" });
  assert.deepEqual(stage.shown.slice(-2), ["Welcome.", "You speak with Wim."]);
  assert.deepEqual(chat.messages.slice(-2).map(({ event, own }) => [event.words, own]), [["greeting", false], ["first", false]]);
  assert.deepEqual([chat.unread, messages, chat.lastSeq], [before, [], 3]);
  assert.equal(before, 1, "the first message is unread, and the greeting is not");
});

test("what the site says to those who wait is there as long as they wait, and comes once", async () => {
  const stage = new Stage();
  const said = [];
  stage.client.on("words", ({ what, message }) => said.push([what, message]));
  const words = (what, message) => stage.say("words", { what, message });
  const waits = async () => {
    await stage.enter();
    await stage.answer("connect", "connect_queue", { location: 0, ticket: "t" });
    await words("greeting", "Welcome.");
  };
  stage.client.connect();
  await waits();
  await words("looking", "Please wait.");
  const both = { greeting: "Welcome.", looking: "Please wait." };
  assert.deepEqual(stage.client.words, both);
  await stage.close(1006);
  await stage.pass(20_000);
  assert.deepEqual(stage.client.words, both, "it waits on");
  await waits(); // the server says it anew on each connection
  assert.deepEqual(stage.client.words, both);
  assert.deepEqual(said, Object.entries(both));
  await stage.introduce([item(1)]);
  assert.deepEqual(stage.client.words, {});
  stage.client.disconnect();
  await words("looking", "Please wait.");
  assert.deepEqual(stage.client.words, {}, "it waits no more");
});

test("a message is left by whom nobody serves, and its answer comes on return", async () => {
  const storage = new Storage();
  const stage = new Stage({ storage });
  stage.client.connect();
  await stage.enter();
  await stage.answer("connect", "offline", { reason: "closed" });
  const done = stage.client.leaveMessage({ message: "hello?", email: "ann@example.org", page: "/" });
  const asked = { message: "hello?", contact: { email: "ann@example.org" }, page: "/" };
  assert.deepEqual(stage.sent("leave_message")[0].payload, asked);
  await stage.answer("leave_message", "leave_message_success", left(1));
  const chat = await done;
  assert.deepEqual([chat.state, chat.reason, chat.awaits, chat.unread], ["ended", "message", true, 0]);
  assert.deepEqual([stage.client.phase, stage.client.wanted, stage.shown], ["idle", false, ["hello?"]]);

  const later = new Stage({ storage });
  await later.enter();
  assert.deepEqual(later.sent("auth")[0].payload.resume, { l1: 0 });
  const messages = [item(1, "hello?", "me", "x"), item(2, "hello!")];
  const page = { conversation: "l1", messages, complete: true, state: "ended", last_seq: 2, reason: "message", name: "Wim" };
  await later.say("message_history", page, { conversation: "l1" });
  assert.deepEqual([later.shown, later.client.chat.peer.name], [["hello?", "hello!"], "Wim"]);
  assert.deepEqual([later.client.chat.unread, later.client.chat.awaits], [1, true]);
  later.client.read();
  assert.deepEqual([later.client.chat.unread, later.client.chat.awaits], [0, false]);
  assert.equal(later.sent("read").length, 0);
});

test("an answer that comes at once is said, also to a page that does not know of the message", async () => {
  const stage = new Stage();
  await stage.enter();
  await stage.say("message_answered", left(2, { name: "Wim", message: "hello!" }));
  const [{ payload }] = stage.sent("get_history");
  assert.deepEqual(payload, { conversation: "l1", after: 0, limit: payload.limit });
  const messages = [item(1, "hello?", "me", "x"), item(2, "hello!")];
  await stage.answer("get_history", "message_history", { conversation: "l1", messages, complete: true });
  assert.deepEqual(stage.shown, ["hello?", "hello!"]);
  await stage.say("message_answered", left(3, { name: "Wim", message: "one more" }));
  const { chat } = stage.client;
  assert.deepEqual([stage.shown.at(-1), chat.unread, chat.peer.name], ["one more", 2, "Wim"]);
  assert.equal(stage.heard.filter(([type]) => type === "answered").length, 2);
});

test("what is left is left by nobody who is refused", async () => {
  const stage = new Stage();
  await stage.enter();
  const refused = assert.rejects(stage.client.leaveMessage({ message: "hello?" }), { code: "rate_limited" });
  await stage.refuse("leave_message", "rate_limited");
  await refused;
  assert.equal(stage.client.chats.size, 0);
});

test("what is sent again is left once, under one id, until it is stored or its text is another one", async () => {
  const stage = new Stage();
  await stage.enter();
  const ids = () => stage.sent("leave_message").map(({ id }) => id);
  const leave = (message) => stage.client.leaveMessage({ message });
  const first = assert.rejects(leave("hello?"), { code: "unavailable" });
  leave("hello?").catch(() => {}); // pressed twice
  assert.equal(ids().length, 1);
  await stage.refuse("leave_message", "unavailable");
  await first;
  const other = assert.rejects(leave("hello"));
  await stage.refuse("leave_message", "id_conflict");
  await other;
  const again = leave("hello");
  await stage.answer("leave_message", "leave_message_success", left(1));
  await again;
  leave("hello").catch(() => {}); // and once more, the same words
  const [a, b, c, d] = ids();
  assert.equal(new Set([a, b, c, d]).size, 4);
  const one = new Stage();
  await one.enter();
  for (const code of ["unavailable", "rate_limited"]) {
    const refused = assert.rejects(one.client.leaveMessage({ message: "hello?" }), { code });
    await one.refuse("leave_message", code);
    await refused;
  }
  const done = one.client.leaveMessage({ message: "hello?", id: "of an earlier page" });
  await one.answer("leave_message", "leave_message_success", left(1));
  await done;
  assert.equal(new Set(one.sent("leave_message").map(({ id }) => id)).size, 1);
});

test("an answer that is sent again is stored once", async () => {
  const stage = new Stage({ role: "waiter" });
  await stage.enter();
  const refused = assert.rejects(stage.client.answer("l1", "hello!"), { code: "unavailable" });
  await stage.refuse("answer_message", "unavailable");
  await refused;
  const done = stage.client.answer("l1", "hello!");
  stage.client.answer("l2", "hello!");
  await stage.say("answer_message_success", left(2), { reply_id: stage.sent("answer_message")[1].id });
  assert.deepEqual(await done, left(2));
  const [first, again, other] = stage.sent("answer_message").map(({ id }) => id);
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("an answer takes no place of a conversation that goes on", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.say("message_answered", left(1, { name: "Lin", message: "hello!" }));
  assert.equal(stage.client.chat.conversation, "c1");
});

test("a waiter sees what was left, and answers it", async () => {
  const stage = new Stage({ role: "waiter" });
  await stage.enter();
  const inbox = [];
  stage.client.on("inbox", (detail) => inbox.push(detail));
  await stage.say("inbox_changed", { waiting: 2 });
  assert.deepEqual([stage.client.left, inbox], [2, [{ waiting: 2 }]]);
  const page = stage.client.inbox({ state: "done", limit: 3 });
  assert.deepEqual(stage.sent("get_inbox")[0].payload, { state: "done", limit: 3 });
  await stage.answer("get_inbox", "inbox", { waiting: 2, messages: [], complete: true });
  assert.deepEqual(await page, { waiting: 2, messages: [], complete: true });
  for (const [method, type] of [["claim", "claim"], ["release", "release"], ["putAway", "put_away"]]) {
    const done = stage.client[method]("l1");
    assert.deepEqual(stage.sent(`${type}_message`)[0].payload, { conversation: "l1" });
    await stage.answer(`${type}_message`, `${type}_message_success`, { conversation: "l1" });
    await done;
  }
  const done = stage.client.answer("l1", "hello!");
  assert.deepEqual(stage.sent("answer_message")[0].payload, { conversation: "l1", message: "hello!" });
  await stage.answer("answer_message", "answer_message_success", left(2));
  assert.deepEqual(await done, left(2));
  const refused = assert.rejects(stage.client.claim("l1"), { code: "claimed" });
  await stage.answer("claim_message", "error", { code: "claimed", message: "Lin has claimed this message" });
  await refused;
});

test("who leaves knows why, and who was away is told by the history", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.disconnect();
  assert.equal(stage.client.chat.reason, "left");
  const other = new Stage();
  await other.serve();
  await other.close(1006);
  await other.pass(1000);
  await other.enter();
  const page = { conversation: "c1", messages: [], complete: true, state: "ended", reason: "lost", last_seq: 0 };
  await other.say("message_history", page);
  assert.equal(other.client.chat.state, "ended");
  assert.equal(other.client.chat.reason, "lost");
});

test("a chat that goes on with another waiter has no end to tell of", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.say("disconnected", { reason: "lost" }, { from: "wim", conversation: "c1" });
  await stage.say("connect_queue", { location: 0, ticket: "t" });
  await stage.introduce();
  assert.equal(stage.client.chat.reason, "");
});

test("a wish outlives a reload, not a night", async () => {
  const storage = new Storage();
  const before = new Stage({ storage });
  before.client.connect();
  await before.enter();
  const after = new Stage({ storage, environment: { now: () => before.now + 700_000 } });
  assert.equal(after.client.wanted, false);
});

test("a full queue is asked again after its pause", async () => {
  const stage = new Stage();
  stage.luck = 0;
  stage.client.connect();
  await stage.enter();
  await stage.refuse("connect", "queue_full", 10);
  assert.equal(stage.heard.at(-1)[1].code, "queue_full");
  await stage.pass(10_000);
  assert.equal(stage.sent("connect").length, 2);
});

test("who is sent away asks again when it opens, while somebody looks", async () => {
  const stage = new Stage();
  stage.luck = 0.5;
  const opens = new Date(stage.now + 600_000).toISOString();
  stage.client.connect({ department: "sales" });
  await stage.enter();
  await stage.answer("connect", "offline", { reason: "closed", opens });
  assert.deepEqual([stage.client.phase, stage.client.wanted], ["offline", true]);
  assert.deepEqual(stage.client.offline, { reason: "closed", opens });
  assert.deepEqual(
    stage.heard.filter(([type]) => type === "phase" || type === "offline"),
    [
      ["phase", "offline"],
      ["offline", { reason: "closed", opens }],
    ],
  );
  await stage.pass(609_000);
  assert.equal(stage.sent("connect").length, 1, "not all at once");
  stage.isVisible = false;
  await stage.pass(1000);
  assert.equal(stage.sent("connect").length, 1);
  stage.isVisible = true;
  await stage.pass(11_000);
  assert.deepEqual(stage.sent("connect")[1].payload, { department: "sales" });
  await stage.answer("connect", "connect_queue", { location: 0, ticket: "t" });
  assert.deepEqual([stage.client.phase, stage.client.offline], ["queued", null]);
});

test("where nobody is there it is asked again by and by; a week is not waited for at once", async () => {
  const stage = new Stage();
  stage.luck = 0;
  stage.client.connect();
  await stage.enter();
  await stage.answer("connect", "offline", { reason: "nobody" });
  await stage.pass(30_000);
  assert.equal(stage.sent("connect").length, 2);
  for (const payload of [{ reason: "closed" }, { reason: "closed", opens: new Date(stage.now + 6e9).toISOString() }]) {
    const before = stage.sent("connect").length;
    await stage.answer("connect", "offline", payload);
    await stage.pass(3_599_000);
    assert.equal(stage.sent("connect").length, before);
    await stage.pass(1000);
    assert.equal(stage.sent("connect").length, before + 1);
  }
});

test("who is sent away may ask for something else, or for nothing any more", async () => {
  const stage = new Stage();
  const storage = stage.storage;
  stage.client.connect({ department: "sales" });
  await stage.enter();
  await stage.answer("connect", "offline", { reason: "closed" });
  stage.client.connect({ department: "support" });
  assert.equal(stage.client.phase, "idle", "it is to be seen");
  assert.equal(stage.sent("connect")[1].payload.department, "support");
  await stage.answer("connect", "offline", { reason: "nobody" });
  stage.client.disconnect();
  assert.deepEqual([stage.client.phase, stage.client.wanted, stage.client.offline], ["idle", false, null]);
  await stage.answer("get_history", "error", { code: "not_connected", message: "no such conversation" });
  await stage.pass(7_200_000);
  assert.equal(stage.sent("connect").length, 2);
  assert.equal(storage.of("state").want, null);
});

test("an answer that comes after the visitor has left counts no more", async () => {
  const stage = new Stage();
  stage.client.connect();
  await stage.enter();
  stage.client.disconnect();
  await stage.answer("connect", "offline", { reason: "closed" });
  assert.equal(stage.client.phase, "idle");
});

test("a user whose waiter is lost keeps its chat", async () => {
  const stage = new Stage();
  await stage.serve(items(1, 1));
  const message = stage.client.send("still there?");
  await stage.say("disconnected", undefined, { from: "wim", conversation: "c1" });
  await stage.refuse("message_text", "not_connected");
  await stage.say("connect_queue", { location: 0, ticket: "t" });
  await stage.answer("get_history", "message_history", { conversation: "c1", messages: [], complete: true });
  assert.equal(stage.client.phase, "queued");
  assert.equal(stage.client.chat.state, "open");
  assert.equal(message.state, "sending");
  await stage.introduce();
  assert.equal(stage.sent("message_text").length, 2);
});

test("a chat that the waiter ends is over, and the wish with it", async () => {
  const stage = new Stage();
  await stage.serve();
  const message = stage.client.send("bye?");
  await stage.say("disconnected", undefined, { from: "wim", conversation: "c1" });
  await stage.refuse("message_text", "not_connected");
  assert.equal(stage.client.chat.state, "open", "it may go on with another waiter");
  await stage.answer("get_history", "message_history", { conversation: "c1", messages: [], complete: true });
  assert.equal(stage.client.chat.state, "ended");
  assert.equal(stage.client.phase, "idle");
  assert.equal(stage.client.wanted, false);
  assert.equal(message.state, "failed");
});

test("a chat that is ended while one comes back is not begun anew", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter();
  const barrier = stage.sent("get_history").at(-1);
  await stage.introduce();
  await stage.say("disconnected", undefined, { from: "wim", conversation: "c1" });
  const history = { conversation: "c1", messages: [], complete: true, state: "ended" };
  await stage.say("message_history", history, { reply_id: barrier.id });
  assert.equal(stage.sent("connect").length, 0);
  await stage.answer("get_history", "message_history", history);
  assert.equal(stage.client.chat.state, "ended");
  assert.equal(stage.client.wanted, false);
  assert.equal(stage.sent("connect").length, 0);
});

test("ending a chat sends what was said before", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.send("one");
  stage.client.send("two");
  stage.client.disconnect();
  const types = stage.socket.sent.map(({ type }) => type);
  assert.deepEqual(types.slice(-4), ["message_text", "message_text", "disconnect", "get_history"]);
  assert.equal(stage.client.phase, "idle");
  assert.equal(stage.client.chat.state, "ended");
});

test("leaving in the tunnel is told on the way out", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  stage.client.disconnect();
  await stage.pass(1000);
  await stage.enter();
  await stage.introduce();
  assert.equal(stage.sent("disconnect").length, 1);
  assert.equal(stage.sent("connect").length, 0);
  assert.equal(stage.client.phase, "idle");
  stage.client.connect();
  assert.equal(stage.sent("connect").length, 0, "first the end is confirmed");
  await stage.refuse("get_history", "forbidden");
  assert.equal(stage.sent("connect").length, 1);
});

test("a place that comes too late is not taken", async () => {
  const stage = new Stage();
  stage.client.connect();
  await stage.enter();
  stage.client.disconnect();
  await stage.answer("connect", "connect_queue", { location: 0, ticket: "t" });
  assert.equal(stage.client.phase, "idle");
  assert.equal(stage.client.wanted, false);
});

test("what the server does not know any more is over, but the wish stands", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter();
  await stage.say("error", { code: "forbidden", message: "payload.resume: c1 is no conversation of yours" });
  assert.equal(stage.sent("connect").length, 0);
  await stage.refuse("get_history", "forbidden");
  assert.equal(stage.client.chat.state, "ended");
  assert.equal(stage.sent("connect").length, 1);
  assert.deepEqual(stage.heard.filter(([type]) => type === "error"), []);
});

test("typing is repeated every three seconds, and ends by itself", async () => {
  const stage = new Stage();
  await stage.serve();
  for (let key = 0; key < 50; key += 1) {
    stage.client.typing(true);
    await stage.pass(100);
  }
  const told = () => stage.sent("typing").map(({ payload }) => payload.on);
  assert.deepEqual(told(), [true, true]);
  await stage.pass(5000);
  assert.deepEqual(told(), [true, true, false]);
  stage.client.typing(false);
  assert.deepEqual(told(), [true, true, false]);
});

test("who has stopped to say that it types does not type", async () => {
  const stage = new Stage();
  await stage.serve();
  const say = (on) => stage.say("typing", { on }, { from: "wim", conversation: "c1" });
  await say(true);
  assert.equal(stage.client.chat.typing, true);
  await stage.pass(6000);
  assert.equal(stage.client.chat.typing, false);
  await say(true);
  await stage.hear(1);
  assert.equal(stage.client.chat.typing, false);
});

test("read marks are told once, and again after a return", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.hear(1);
  assert.equal(stage.client.chat.unread, 1);
  stage.client.read();
  stage.client.read(9);
  assert.equal(stage.client.chat.unread, 0);
  assert.deepEqual(stage.sent("read").map(({ payload }) => payload.seq), [1]);
});

for (const [name, storage] of [
  ["is forbidden", { getItem: () => { throw new Error("forbidden"); }, setItem: () => { throw new Error("full"); }, removeItem: () => { throw new Error("no"); } }],
  ["is none", null],
]) {
  test(`storage that ${name} breaks nothing`, async () => {
    const stage = new Stage({ storage });
    await stage.serve();
    stage.client.send("one");
    stage.client.setDraft("half a th");
    await stage.receive(1);
    assert.deepEqual(stage.shown, ["one"]);
    assert.equal(stage.client.draft(), "half a th");
    stage.client.forget();
  });
}

const garbage = [
  "", "{", "null", "[]", "7", '"x"', '{"chats":[1]}', '{"chats":{"c1":7,"":{},"c2":{"last":"x","peer":[]}}}',
  '{"chats":{"c1":null}}', '{"chats":{"c1":{"last":{}}},"current":"c1","leaving":7}',
  '{"chats":{"c1":{"last":-3,"read":1e99,"state":4}},"want":{"page":7,"fields":"x"},"at":1800000000000,"ticket":{}}',
  '[{"tab":"x","id":7},{"tab":"x","id":"i","conversation":"c1","text":{}},null,3]',
  '[{"tab":{},"id":"i","conversation":"c1","text":"t","state":"failed","error":7,"after":"x"}]',
];
for (const text of garbage) {
  test(`storage edited by hand breaks nothing: ${text}`, async () => {
    const storage = new Storage();
    for (const key of ["state", "outbox", "drafts"]) storage.setItem(`csapp:user:${key}`, text);
    const stage = new Stage({ storage });
    stage.client.connect();
    stage.client.start();
    await stage.pass(0);
    await stage.say("initialize");
    const isSeq = (seq) => Number.isSafeInteger(seq) && seq >= 0;
    const resume = () => Object.entries(stage.sent("auth").at(-1).payload.resume);
    if (!resume().every(([name, seq]) => name && isSeq(seq))) await stage.refuse("auth", "invalid_message");
    assert.ok(resume().every(([name, seq]) => name && isSeq(seq)));
    await stage.answer("auth", "auth_success", { uuid: "me", sub: "ann" });
    if (stage.sent("get_history").length) await stage.refuse("get_history", "forbidden");
    const ticket = () => stage.sent("connect").at(-1).payload.ticket;
    if (typeof ticket() === "object") await stage.refuse("connect", "invalid_message");
    assert.ok(["string", "undefined"].includes(typeof ticket()));
    await stage.introduce([], "c9");
    stage.client.setDraft("draft");
    stage.client.send("one");
    assert.equal(stage.sent("message_text").at(-1).payload.message, "one");
  });
}

test("a waiter's storage edited by hand makes no visitor of it", async () => {
  const storage = new Storage();
  const chats = { c1: { peer: { uuid: "una" }, last: 0, read: 0, state: "open", leaving: true } };
  storage.setItem("csapp:waiter:state", JSON.stringify({ sub: "ann", current: "c1", chats }));
  const stage = new Stage({ role: "waiter", storage });
  assert.equal(stage.client.phase, "idle");
  await stage.enter();
  assert.equal(stage.client.chat, null);
  await stage.say("new_connection", { uuid: "una", conversation: "c1", last_seq: 0 }, { conversation: "c1" });
  assert.equal(stage.sent("disconnect").at(-1).payload.uuid, "una", "it was ended while there was no connection");
});

test("another person on this computer finds nothing of the one before", async () => {
  const storage = new Storage();
  const before = new Stage({ storage });
  await before.serve();
  before.client.send("secret");
  before.client.setDraft("more secrets");
  const after = new Stage({ storage });
  await after.enter("eve");
  assert.equal(after.client.chats.size, 0);
  assert.equal(after.client.draft("c1"), "");
  after.client.connect();
  await after.introduce([], "c2");
  assert.equal(after.sent("message_text").length, 0);
  assert.ok(![...storage.kept.values()].join().includes("secret"));
});

/** Two tabs of one visitor, with one storage; both show its position in the queue. */
async function twoTabsInTheQueue() {
  const storage = new Storage();
  const [first, second] = [new Stage({ storage }), new Stage({ storage })];
  for (const stage of [first, second]) {
    stage.client.connect();
    await stage.enter();
    await stage.answer("connect", "connect_queue", { location: 0, ticket: "t" });
  }
  return { storage, first, second };
}

test("a place in the queue that was left in another tab is left in this one", async () => {
  const { storage, first, second } = await twoTabsInTheQueue();
  second.now += 1000;
  second.client.send("a tab that writes what it knew"); // must not bring the first one back, or out
  await second.pass(0);
  await first.happen("storage", { key: "csapp:user:state" });
  assert.equal(first.client.phase, "queued");
  first.now += 2000;
  first.client.disconnect();
  await first.pass(0);
  await second.happen("storage", { key: "csapp:user:state" });
  assert.equal(second.client.phase, "idle");
  assert.equal(second.client.wanted, false);
});

test("a place in the queue that was left on another device is left here", async () => {
  const stage = new Stage();
  stage.client.connect();
  await stage.enter();
  await stage.answer("connect", "connect_queue", { location: 0, ticket: "t" });
  const { id } = stage.client.send("for whoever comes");
  await stage.say("disconnected", { reason: "left" }, { from: "me" });
  assert.equal(stage.client.phase, "idle");
  assert.equal(stage.client.wanted, false);
  assert.equal(stage.client.discard(id).text, "for whoever comes");
  await stage.pass(120_000);
  assert.equal(stage.sent("disconnect").length, 0); // the other device may wait again
  assert.equal(stage.sent("connect").length, 2); // the second brought the text's first words
  await stage.say("connect_queue", { location: 0, ticket: "u" });
  assert.equal(stage.client.phase, "queued"); // it does
});

for (const reason of ["left", undefined]) {
  test(`a chat that waits for another waiter is over when it was left on another device: ${reason}`, async () => {
    const stage = new Stage();
    await stage.serve();
    await stage.say("disconnected", { reason: "lost" }, { from: "wim", conversation: "c1" });
    await stage.say("connect_queue", { location: 0, ticket: "t" });
    await stage.say("disconnected", { reason }, { from: "me", conversation: "c1" });
    const { client } = stage;
    assert.deepEqual([client.phase, client.wanted, client.chat.state], ["idle", false, "ended"]);
    assert.equal(client.chat.reason, reason ?? "");
    await stage.pass(120_000);
    assert.equal(stage.sent("connect").length, 1);
  });
}

test("who leaves the queue and asks again at once waits for the new answer", async () => {
  const stage = new Stage();
  stage.client.connect();
  await stage.enter();
  await stage.answer("connect", "connect_queue", { location: 0, ticket: "t" });
  stage.client.disconnect();
  stage.client.connect();
  await stage.answer("disconnect", "disconnected", { reason: "left" }, { from: "me" });
  assert.equal(stage.client.wanted, true);
  await stage.answer("get_history", "error", { code: "forbidden", message: "no" });
  await stage.answer("connect", "connect_queue", { location: 3, ticket: "u" });
  assert.equal(stage.client.phase, "queued");
});

test("a tab that hears late that the queue was left does not undo what another tab has asked since", async () => {
  const { storage, first, second } = await twoTabsInTheQueue();
  first.now += 2000;
  first.client.disconnect();
  first.client.connect();
  await first.pass(0);
  second.now += 5000;
  await second.say("disconnected", { reason: "left" }, { from: "me" });
  await second.pass(0);
  await first.happen("storage", { key: "csapp:user:state" });
  assert.equal(first.client.wanted, true);
  assert.equal(second.client.wanted, true); // as it says
});

test("a waiter's tabs agree on what was pressed last", async () => {
  const storage = new Storage();
  const [first, second] = [new Stage({ storage, role: "waiter" }), new Stage({ storage, role: "waiter" })];
  for (const stage of [first, second]) await stage.enter("wim");
  const told = { key: "csapp:waiter:state" };
  first.client.ready({ capacity: 3 });
  await first.pass(0);
  await second.happen("storage", told);
  assert.deepEqual(second.sent("ready").map(({ payload }) => payload), [{ capacity: 3 }]);
  second.now += 1000;
  second.client.unready();
  await second.pass(0);
  await first.say("queue_status", { length: 1, longest_wait: 0 }); // writes, but not what is older
  assert.equal(first.sent("unready").length, 1);
  await second.happen("storage", told);
  assert.deepEqual([second.sent("ready").length, second.sent("unready").length], [1, 1]);
  assert.deepEqual(JSON.parse(storage.getItem(told.key)).want, { ready: false });
});

test("a duty that the server remembers is kept up", async () => {
  const stage = new Stage({ role: "waiter" });
  await stage.enter("wim");
  await stage.say("ready", { capacity: 4 });
  assert.deepEqual(stage.client.duty, { ready: true, capacity: 4 });
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter("wim");
  assert.deepEqual(stage.sent("ready").map(({ payload }) => payload), [{ capacity: 4 }]);
});

test("whom the desk sets away is told so, and stays away on later connections", async () => {
  const stage = new Stage({ role: "waiter" });
  await stage.enter("wim");
  await stage.say("ready", { capacity: 4 });
  await stage.say("unready", { capacity: 4 });
  assert.deepEqual(stage.client.duty, { ready: false, capacity: 4, byDesk: true });
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter("wim");
  assert.deepEqual([stage.sent("ready").length, stage.sent("unready").length], [0, 1]);
  await stage.answer("unready", "unready", { capacity: 4 });
  assert.equal(stage.client.duty.byDesk, true, "until the waiter is ready again");
  stage.client.ready();
  await stage.answer("ready", "ready", { capacity: 4 });
  assert.deepEqual(stage.client.duty, { ready: true, capacity: 4 });
});

test("a login that was replaced does not come back ready", async () => {
  const storage = new Storage();
  const stage = new Stage({ storage, role: "waiter" });
  await stage.enter("wim");
  stage.client.ready();
  await stage.close(4409);
  const later = new Stage({ storage, role: "waiter" });
  await later.enter("wim");
  assert.equal(later.sent("ready").length, 0);
});

test("a visitor is taken out of turn at once or not at all", async () => {
  const stage = new Stage({ role: "waiter" });
  await stage.enter("wim");
  const taken = assert.rejects(stage.client.take("u1"), { code: "lost" });
  await stage.close(1006);
  await taken;
  await assert.rejects(stage.client.take("u2"), { code: "lost" });
  await stage.pass(1000);
  await stage.enter("wim");
  assert.equal(stage.sent("take").length, 0, "whoever was clicked on is somebody else's by now");
  const again = stage.client.take("u3");
  await stage.answer("take", "take_success", {});
  await again;
});

test("ids are made on plain http too", async () => {
  const made = crypto.randomUUID;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  try {
    const stage = new Stage();
    await stage.serve();
    assert.match(stage.client.send("one").id, /^[0-9a-f]{32}$/);
  } finally {
    Object.defineProperty(crypto, "randomUUID", { value: made, configurable: true });
  }
});

test("changes are told once for all that happens at once", async () => {
  const stage = new Stage();
  let changes = 0;
  stage.client.on("change", () => (changes += 1));
  stage.client.connect();
  stage.client.setDraft("x");
  stage.client.send("one");
  await stage.pass(0);
  assert.equal(changes, 1);
});
