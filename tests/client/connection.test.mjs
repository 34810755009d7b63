// When it connects, when it comes back, and when it gives up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatClient, CLOSE_CODES, Stage } from "./stage.mjs";

const states = (stage) => stage.heard.filter(([type]) => type === "status").map(([, { state }]) => state);

test("addresses of pages become those of sockets", async () => {
  for (const url of ["https://shop.example/v1/ws", "wss://shop.example/v1/ws"]) {
    const stage = new Stage({ url });
    stage.client.start();
    await stage.pass(0);
    assert.equal(stage.socket.url, "wss://shop.example/v1/ws");
  }
});

test("it shows its token, its version and its locale, and is online when that is taken", async () => {
  const stage = new Stage({ locale: "zh-CN" });
  await stage.enter();
  assert.deepEqual(stage.sent("auth")[0].payload, { token: "a-token", version: 2, locale: "zh-CN", resume: {} });
  assert.deepEqual(states(stage), ["connecting", "online"]);
  assert.equal(stage.client.me.sub, "ann");
});

test("the newest initialize wins", async () => {
  const stage = new Stage();
  stage.client.connect();
  stage.client.start();
  await stage.pass(0);
  await stage.say("initialize", undefined, { to: "fresh" });
  await stage.say("initialize", undefined, { to: "standing" });
  assert.equal(stage.sent("auth").length, 1);
  await stage.answer("auth", "auth_success", { uuid: "standing", sub: "ann" });
  await stage.introduce();
  await stage.hear(1, "from another tab", "standing");
  assert.equal(stage.client.chat.messages[0].own, true);
});

test("pauses double up to 15 s, are spread out, and begin anew after a steady connection", async () => {
  for (const [luck, share] of [[1, 1], [0, 0.3]]) {
    const stage = new Stage();
    stage.luck = luck;
    stage.client.start();
    await stage.pass(0);
    for (const pause of [1000, 2000, 4000, 8000, 15_000, 15_000]) {
      await stage.close(1006);
      assert.equal(stage.client.status.state, "waiting");
      assert.equal(stage.client.status.retryAt, stage.now + pause * share);
      await stage.pass(pause * share - 1);
      assert.equal(stage.client.status.state, "waiting");
      await stage.pass(1);
      assert.equal(stage.client.status.state, "connecting");
    }
    await stage.enter();
    await stage.pass(10_000);
    await stage.close(1006);
    assert.equal(stage.next, 1000 * share);
  }
});

test("it comes back no sooner than a restarting server asks for", async () => {
  const stage = new Stage();
  stage.luck = 0;
  await stage.enter();
  await stage.close(1012, "the server restarts; retry_after=4.5");
  assert.equal(stage.next, 4800);
});

for (const [code, { reconnect, text }] of Object.entries(CLOSE_CODES)) {
  test(`after ${code} it ${reconnect ? "comes back" : "stops and says why"}`, async () => {
    const stage = new Stage();
    await stage.enter();
    await stage.close(Number(code));
    await stage.pass(20_000);
    assert.equal(stage.sockets.length, reconnect ? 3 : 1); // the second gave up after 15 s
    if (!reconnect) assert.deepEqual(stage.client.status, { state: "ended", code: Number(code), reason: text });
    await stage.happen("online");
    assert.equal(stage.client.status.state === "ended", !reconnect);
  });
}

test("what has ended can be started again", async () => {
  const stage = new Stage();
  await stage.enter();
  await stage.close(4400);
  stage.client.reconnect();
  await stage.enter();
  assert.equal(stage.client.status.state, "online");
});

test("a refused token is refreshed once", async () => {
  const asked = [];
  const token = async ({ refresh }) => `${asked.push(refresh)}`;
  const stage = new Stage({ token });
  stage.client.start();
  await stage.pass(0);
  await stage.say("initialize");
  await stage.refuse("auth", "expired_token");
  assert.deepEqual(stage.sent("auth").map(({ payload }) => payload.token), ["1", "2"]);
  await stage.refuse("auth", "expired_token");
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual(stage.client.status, { state: "ended", code: 4401, reason: "no: expired_token" });
});

test("a login that was revoked is renewed once", async () => {
  const asked = [];
  const stage = new Stage({ token: async ({ refresh }) => `${asked.push(refresh)}` });
  await stage.enter();
  await stage.close(4401);
  await stage.pass(1000);
  assert.deepEqual(asked, [false, true]);
  await stage.close(4401);
  assert.equal(stage.client.status.state, "ended");
});

test("a token that cannot be had is asked for again", async () => {
  let answer = () => Promise.reject(new Error("no network"));
  const stage = new Stage({ token: () => answer() });
  stage.client.start();
  await stage.pass(0);
  assert.equal(stage.client.status.state, "waiting");
  assert.equal(stage.heard.find(([type]) => type === "error")[1].message, "no network");
  answer = () => Promise.resolve("at last");
  await stage.pass(1000);
  assert.equal(stage.sockets.length, 1);
});

for (const odd of [undefined, null, Symbol("x"), Object.create(null)]) {
  test(`a page whose token fails with ${typeof odd === "object" ? odd && "an object" : String(odd)} is asked again`, async () => {
    const stage = new Stage({ token: () => Promise.reject(odd) });
    stage.client.start();
    await stage.pass(0);
    assert.equal(stage.client.status.state, "waiting");
    assert.equal(stage.heard.find(([type]) => type === "error")[1].code, "token");
  });
}

test("a connection that does not come about is given up", async () => {
  const stage = new Stage();
  stage.client.start();
  await stage.pass(15_000);
  assert.equal(stage.socket.code, 4000);
  assert.equal(stage.client.status.state, "waiting");
});

test("a receipt that does not come makes it probe the connection, and leave it", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.send("anybody there?");
  await stage.pass(8000);
  assert.equal(stage.sent("get_history").length, 1, "the probe");
  await stage.pass(7000);
  assert.equal(stage.socket.code, 4000);
  assert.equal(stage.client.status.state, "waiting");
});

test("an answer to the probe keeps the connection", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.client.send("slow");
  await stage.pass(8000);
  await stage.refuse("get_history", "unavailable", 1);
  await stage.pass(30_000);
  assert.equal(stage.sockets.length, 1);
  assert.equal(stage.client.status.state, "online");
});

test("a chat in which nothing happens is probed once a minute, an idle page never", async () => {
  const stage = new Stage();
  await stage.enter();
  await stage.pass(600_000);
  assert.equal(stage.sent("get_history").length, 0);
  stage.client.connect();
  await stage.answer("connect", "connect_queue", { location: 3, ticket: "t" });
  await stage.pass(60_000);
  assert.equal(stage.sent("connect").length, 2, "which a place in the queue answers");
  await stage.answer("connect", "connect_queue", { location: 2, ticket: "t" });
  await stage.introduce();
  await stage.pass(60_000);
  assert.equal(stage.sent("get_history").length, 1);
});

test("back online, it does not wait", async () => {
  const stage = new Stage();
  await stage.enter();
  stage.isOnline = false;
  await stage.close(1006);
  assert.equal(stage.next, 15_000, "without a network there is no hurry");
  await stage.happen("online");
  assert.equal(stage.client.status.state, "connecting");
});

for (const type of ["online", "pageshow", "visibilitychange"]) {
  test(`${type} makes it probe a connection that has been silent`, async () => {
    const stage = new Stage();
    await stage.serve();
    await stage.pass(4999);
    await stage.happen(type);
    assert.equal(stage.sent("get_history").length, 0);
    await stage.pass(1);
    await stage.happen(type);
    assert.equal(stage.sent("get_history").length, 1);
    await stage.pass(7000);
    assert.equal(stage.client.status.state, "waiting");
  });
}

test("offline makes it probe the connection at once", async () => {
  const stage = new Stage();
  await stage.serve();
  stage.isOnline = false;
  await stage.happen("offline");
  assert.equal(stage.sent("get_history").length, 1);
});

test("a connection that is gone is told of within 3 s, a blip is not", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  assert.equal(stage.client.lost, false, "it may be back at once");
  await stage.pass(1000);
  await stage.enter();
  await stage.pass(5000);
  assert.equal(stage.client.lost, false);
  await stage.close(1006);
  await stage.pass(1999);
  assert.equal(stage.client.lost, false);
  let told = false;
  stage.client.on("change", () => (told = stage.client.lost));
  await stage.pass(1);
  assert.equal(stage.client.lost, true);
  assert.equal(told, true);
  await stage.enter();
  assert.equal(stage.client.lost, false);
});

test("attempts that fail do not hide that the connection is gone", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  await stage.pass(1000);
  await stage.say("initialize");
  await stage.close(1006);
  await stage.pass(1000);
  assert.equal(stage.client.lost, true);
  await stage.pass(2000);
  await stage.say("initialize");
  assert.equal(stage.client.lost, true, "a greeting is not yet a connection");
});

for (const [how, doubt] of [
  ["goes offline", (stage) => stage.happen("offline", (stage.isOnline = false))],
  ["is looked at after a silence", async (stage) => (await stage.pass(5000), stage.happen("pageshow"))],
  ["waits for a receipt", async (stage) => (stage.client.send("well?"), stage.pass(8000))],
]) {
  test(`a browser that ${how} pings, and tells of no answer within 3 s`, async () => {
    const stage = new Stage();
    await stage.serve();
    await doubt(stage);
    await stage.pass(1999);
    assert.equal(stage.client.lost, false);
    await stage.pass(1);
    assert.equal(stage.client.lost, true);
    await stage.refuse("get_history", "unavailable", 1);
    assert.equal(stage.client.lost, false, "any answer will do");
  });
}

test("who has stopped has lost nothing", async () => {
  const stage = new Stage();
  await stage.serve();
  await stage.close(1006);
  await stage.pass(2000);
  stage.client.stop();
  assert.equal(stage.client.lost, false);
  await stage.pass(10_000);
  assert.equal(stage.client.lost, false);
});

test("the time is the server's, whatever the computer's clock says", async () => {
  const stage = new Stage();
  const [ours, theirs] = [stage.now, stage.now + 5 * 3_600_000];
  assert.equal(stage.client.now(), ours, "nobody knows better yet");
  stage.client.start();
  await stage.pass(0);
  await stage.say("initialize");
  const me = { uuid: "me", sub: "ann" };
  await stage.answer("auth", "auth_success", me, { date: new Date(theirs).toISOString() });
  assert.equal(stage.client.now(), theirs);
  await stage.pass(1000);
  assert.equal(stage.client.now(), theirs + 1000);
  assert.equal(stage.client.send("what time is it?").date, new Date(theirs + 1000).toISOString());
});

test("leaving is a close with 1000; staying is not", async () => {
  for (const [options, code] of [[{}, 1000], [{ leave: false }, 4000]]) {
    const stage = new Stage();
    await stage.serve();
    stage.client.stop(options);
    assert.equal(stage.socket.code, code);
    assert.equal(stage.client.chat.state, code === 1000 ? "ended" : "open");
    await stage.pass(100_000);
    assert.equal(stage.sockets.length, 1);
  }
});

test("requests are asked again on the next connection, and rejected by a stop", async () => {
  const stage = new Stage();
  await stage.serve([{ seq: 61, type: "message_text", from: "wim", date: "d", payload: { message: "" } }]);
  const found = stage.client.history({ before: 61 });
  await stage.close(1006);
  await stage.pass(1000);
  await stage.enter();
  assert.equal(stage.sent("get_history").filter(({ payload }) => payload.before === 61).length, 1);
  stage.client.stop();
  await assert.rejects(found, { code: "stopped" });
  await assert.rejects(stage.client.sessions(), { code: "stopped" });
});

test("a handler that throws stops nobody", async () => {
  const stage = new Stage();
  let reported;
  globalThis.reportError = (error) => (reported = error);
  stage.client.on("status", () => {
    throw new Error("the page's own");
  });
  await stage.enter();
  assert.equal(reported.message, "the page's own");
  assert.equal(stage.client.status.state, "online");
});

test("a handler may stop it, or ask, the moment it is online", async () => {
  const stage = new Stage();
  stage.client.on("status", ({ state }) => state === "online" && stage.client.history({ conversation: "c9" }).catch(() => {}));
  await stage.enter();
  assert.equal(stage.sent("get_history").length, 1);
  await stage.close(1006);
  await stage.pass(1000);
  stage.client.on("status", ({ state }) => state === "online" && stage.client.stop());
  await stage.enter();
  assert.equal(stage.client.status.state, "stopped");
});

test("handlers are taken off", () => {
  const client = new ChatClient({ url: "ws://x", role: "user", token: "", storage: null });
  let calls = 0;
  const off = client.on("phase", () => (calls += 1));
  off();
  client.connect();
  assert.equal(calls, 0);
});

// ---- the token runs out -----------------------------------------------------------

/** Answers the latest `auth` as the server does, with a token of *seconds*. */
const enterFor = async (stage, seconds, sub = "ann") => {
  if (stage.client.status.state === "stopped") stage.client.start();
  await stage.pass(0);
  await stage.say("initialize");
  await stage.answer("auth", "auth_success", { uuid: "me", sub, expires_in: seconds });
};

for (const [luck, share] of [[1, 0.8], [0, 0.6]]) {
  test(`after ${share} of its life another token is shown on the same connection`, async () => {
    const asked = [];
    const stage = new Stage({ token: async (how) => `token ${asked.push(how)}` });
    stage.luck = luck;
    stage.client.connect();
    await enterFor(stage, 50);
    await stage.introduce([{ seq: 1, type: "message_text", from: "wim", date: "d", payload: { message: "hi" } }]);
    const told = stage.heard.length;
    await stage.pass(share * 50_000 - 1);
    assert.equal(stage.sent("auth").length, 1);
    await stage.pass(1);
    assert.deepEqual(asked, [{ refresh: false }, { refresh: false, renew: true }]);
    assert.deepEqual(stage.sent("auth")[1].payload, { token: "token 2", version: 2 });
    await stage.answer("auth", "auth_success", { uuid: "me", sub: "ann", expires_in: 50 });
    assert.equal(stage.sockets.length, 1);
    assert.deepEqual(stage.heard.slice(told), [], "nobody notices");
    assert.equal(stage.client.chat.lastSeq, 1);
    assert.deepEqual(states(stage), ["connecting", "online"]);
    await stage.pass(share * 50_000);
    assert.equal(stage.sent("auth").length, 3, "and again");
  });
}

test("a token that cannot be had in time is asked for again and again", async () => {
  let asked = 0;
  const token = async ({ renew }) => {
    if (renew && (asked += 1) < 4) throw new Error("no network");
    return "a-token";
  };
  const stage = new Stage({ token });
  stage.luck = 0;
  await enterFor(stage, 1000);
  await stage.pass(980_000); // at 600, 840, 936 and 974.4 s
  assert.equal(asked, 4);
  assert.equal(stage.sent("auth").length, 2);
  assert.deepEqual(states(stage), ["connecting", "online"]);
  assert.deepEqual(stage.heard.filter(([type]) => type === "error"), []);
});

test("where the token is somebody else's by now, it comes back as that one", async () => {
  const stage = new Stage({ token: async ({ renew }) => (renew ? "bob's" : "ann's") });
  await enterFor(stage, 100);
  await stage.pass(80_000);
  await stage.refuse("auth", "forbidden");
  assert.equal(stage.socket.code, 4000);
  assert.equal(stage.client.status.state, "waiting");
  await stage.pass(1000);
  await enterFor(stage, 100, "bob");
  assert.equal(stage.client.me.sub, "bob");
});

test("what was lost meanwhile is not shown on the next connection", async () => {
  let give;
  const token = ({ renew }) => (renew ? new Promise((resolve) => (give = resolve)) : Promise.resolve("first"));
  const stage = new Stage({ token });
  await enterFor(stage, 100);
  await stage.pass(80_000);
  await stage.close(1006);
  await stage.pass(1000);
  await enterFor(stage, 100);
  give("late");
  await stage.pass(0);
  assert.deepEqual(stage.sent("auth").map(({ payload }) => payload.token), ["first"]);
});

test("a token without a function is not renewed, nor one that says nothing of its life", async () => {
  const fixed = new Stage();
  await enterFor(fixed, 100);
  const silent = new Stage({ token: async () => "a-token" });
  await silent.enter();
  for (const stage of [fixed, silent]) {
    await stage.pass(100_000);
    assert.equal(stage.sent("auth").length, 1);
  }
});

test("a token of ten years is renewed after days, not at once", async () => {
  const stage = new Stage({ token: async () => "a-token" });
  await enterFor(stage, 10 * 365 * 86_400);
  assert.ok(stage.sent("auth").length === 1);
  await stage.pass(600_000);
  assert.equal(stage.sent("auth").length, 1);
});
