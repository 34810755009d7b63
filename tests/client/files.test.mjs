// Files: sent in pieces, resumed after a cut, then a message as any other; links of files.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FileServer, requestsTo } from "./file-server.mjs";
import { Stage } from "./stage.mjs";

const PIECE = 512 * 1024;
const LIMITS = { max: 3 * PIECE, types: ["image/*", "text/plain", "application/pdf"] };

/** A stage with a server for files. */
async function begin(options = {}) {
  const server = new FileServer();
  const stage = new Stage({ ...options, environment: { ...options.environment, XMLHttpRequest: requestsTo(server) } });
  stage.client.on("change", () => {}); // as pages do
  await stage.serve();
  stage.client.me = { ...stage.client.me, files: LIMITS };
  return [stage, server];
}

/** Let all happen that waits for nothing but the loop: blobs are read in their own time. */
async function settle(condition) {
  for (let turn = 0; !condition(); turn += 1) {
    assert.ok(turn < 2000, `in vain: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const file = (size, name = "notes.txt", type = "text/plain") => new File([new Uint8Array(size).fill(7)], name, { type });
const posts = ({ asked }) => asked.filter(({ method }) => method === "POST");

test("a file goes in pieces, and then is a message as any other", async () => {
  const [stage, server] = await begin();
  const message = stage.client.sendFile(file(PIECE + 10));
  assert.deepEqual([message.text, message.state, message.file.size], ["notes.txt", "uploading", PIECE + 10]);
  assert.deepEqual(stage.shown, ["notes.txt (uploading)"]);
  await settle(() => message.state === "sending");
  assert.deepEqual(posts(server).map(({ fields }) => fields.offset), ["0", `${PIECE}`]);
  assert.deepEqual(Object.keys(posts(server)[0].fields), ["conversation", "upload", "size", "offset", "file"]);
  assert.equal(posts(server)[0].url, "https://shop.example/chat/v1/files");
  assert.equal(posts(server)[0].token, "Bearer a-token");
  const [frame] = stage.sent("message_file");
  assert.deepEqual([frame.id, frame.payload], [message.id, { file: message.file.id }]);
  await stage.answer("message_file", "message_file_success", { seq: 1, date: "d" }, { conversation: "c1", seq: 1 });
  assert.deepEqual(stage.shown, ["notes.txt"]);
  assert.equal(message.seq, 1);
});

test("an image is said as one", async () => {
  const [stage, server] = await begin();
  server.answer = (request) => {
    request.end(201, { file: "f1", name: "cat.png", size: 9, mime: "image/png", width: 40, height: 30 });
    return true;
  };
  const message = stage.client.sendFile(file(12, "cat.jpg", "image/png"));
  await settle(() => message.state === "sending");
  assert.deepEqual(stage.sent("message_image")[0].payload, { file: "f1" });
  assert.equal(message.text, "cat.png", "the server has the last word");
});

test("texts do not wait for a file, and files go one after the other", async () => {
  const [stage, server] = await begin();
  const held = [];
  server.answer = (request) => held.push(request);
  stage.client.sendFile(file(5, "one.txt"));
  stage.client.sendFile(file(5, "two.txt"));
  stage.client.send("text");
  await settle(() => held.length);
  assert.equal(stage.sent("message_text").length, 1);
  await stage.receive(1);
  assert.deepEqual(stage.shown, ["text", "one.txt (uploading)", "two.txt (uploading)"]);
  assert.equal(held.length, 1, "the second waits");
  server.store(held[0]);
  await settle(() => held.length === 2);
  assert.equal(held[1].fields.file.name, "two.txt");
});

test("after a cut it goes on from what the server has", async () => {
  const [stage, server] = await begin();
  server.answer = (request) => {
    if (request.method !== "POST" || posts(server).length !== 2) return false;
    server.store(request, 100);
    return true;
  };
  const message = stage.client.sendFile(file(2 * PIECE));
  await settle(() => posts(server).length === 2 && posts(server)[1].isOver);
  await stage.pass(1000);
  await settle(() => message.state === "sending");
  assert.deepEqual(posts(server).map(({ fields }) => Number(fields.offset)), [0, PIECE, PIECE + 100]);
  assert.equal(server.uploads.get(posts(server)[0].fields.upload).bytes.length, 2 * PIECE);
});

test("in a tunnel it asks again and again, and at once when the connection is back", async () => {
  const [stage, server] = await begin();
  let isCut = true;
  server.answer = (request) => isCut && (request.end(0), true);
  const message = stage.client.sendFile(file(5));
  for (let turn = 1; turn < 30; turn += 1) {
    const before = server.asked.length;
    await stage.pass(15_000);
    await settle(() => server.asked.length > before && server.asked.at(-1).isOver);
  }
  assert.equal(message.state, "uploading");
  isCut = false;
  await stage.close(1006);
  await stage.happen("online");
  await stage.enter();
  await settle(() => message.file.id);
});

test("a refusal is final, and says why", async () => {
  const [stage, server] = await begin();
  server.answer = (request) => request.method === "POST" && (request.end(415, { code: "unsupported_type", message: "no" }), true);
  const message = stage.client.sendFile(file(5));
  await settle(() => message.state === "failed");
  assert.equal(message.error.code, "unsupported_type");
  stage.client.retry(message.id);
  assert.equal(message.state, "failed", "it is the same file");
  assert.deepEqual(stage.client.discard(message.id), message);
  assert.deepEqual(stage.shown, []);
});

test("what the server surely does not take is not sent", async () => {
  const [stage, server] = await begin();
  server.answer = () => true; // whatever is being sent just now
  stage.client.sendFile(file(5));
  for (const [one, code] of [
    [file(LIMITS.max + 1), "too_large"],
    [file(5, "a.zip", "application/zip"), "unsupported_type"],
  ]) {
    const message = stage.client.sendFile(one);
    await settle(() => message.state === "failed");
    assert.equal(message.error.code, code);
  }
  await settle(() => server.asked.length);
  assert.equal(server.asked.length, 1);
});

test("a text is one, whatever it calls itself", async () => {
  const [stage] = await begin();
  const message = stage.client.sendFile(file(5, "a.csv", "text/csv"));
  await settle(() => message.file.id);
});

test("what cannot be read has failed", async () => {
  const [stage] = await begin();
  const folder = file(5, "folder", "");
  folder.slice = () => ({ size: 5, arrayBuffer: () => Promise.reject(new Error("NotReadableError")) });
  const message = stage.client.sendFile(folder);
  await settle(() => message.state === "failed");
  assert.equal(message.error.code, "invalid_file");
});

test("a server that only fails is not asked for ever", async () => {
  const [stage, server] = await begin();
  server.answer = (request) => (request.end(503, { code: "unavailable", message: "no" }), true);
  const message = stage.client.sendFile(file(5));
  for (let turn = 0; message.state === "uploading"; turn += 1) {
    assert.ok(turn < 100);
    await stage.pass(15_000);
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(message.error.code, "unavailable");
});

test("who has sent too much waits as the server says, or is told", async () => {
  const [stage, server] = await begin();
  let after = "7";
  server.answer = (request) => after && (request.end(429, { code: "rate_limited", message: "" }, { "Retry-After": after }), true);
  const message = stage.client.sendFile(file(5));
  await settle(() => server.asked.length === 1 && server.asked[0].isOver);
  await stage.pass(6900);
  assert.equal(server.asked.length, 1);
  after = null;
  await stage.pass(1200);
  await settle(() => message.file.id);
  after = "1800";
  const late = stage.client.sendFile(file(5));
  await settle(() => late.state === "failed");
  assert.equal(late.error.code, "rate_limited");
});

test("a token that is refused is fetched anew, once", async () => {
  const asked = [];
  const token = (how) => asked.push(how) && `token ${asked.length}`;
  const [stage, server] = await begin({ token });
  server.answer = (request) => request.token === "Bearer token 1" && (request.end(401, { code: "expired_token" }), true);
  const message = stage.client.sendFile(file(5));
  await settle(() => message.file.id);
  assert.deepEqual(asked.at(-1), { refresh: true });
  assert.equal(server.asked.at(-1).token, "Bearer token 2");
});

test("an upload can be taken back", async () => {
  const [stage, server] = await begin();
  const held = [];
  server.answer = (request) => request.method === "POST" && held.push(request);
  const message = stage.client.sendFile(file(PIECE + 1));
  await settle(() => held.length);
  server.store(held[0]);
  await settle(() => held.length === 2);
  stage.client.discard(message.id);
  assert.ok(held[1].isAborted);
  await settle(() => server.asked.some(({ method, isOver }) => method === "DELETE" && isOver));
  assert.equal(server.uploads.size, 0);
  assert.deepEqual(stage.shown, []);
});

test("the end of the conversation is the end of its uploads; a new one may have them", async () => {
  const [stage, server] = await begin();
  const held = [];
  server.answer = (request) => held.push(request);
  const message = stage.client.sendFile(file(5));
  await settle(() => held.length);
  await stage.say("disconnected", { reason: "ended" }, { conversation: "c1" });
  await stage.answer("get_history", "message_history", { conversation: "c1", messages: [], complete: true });
  assert.equal(message.error.code, "not_connected");
  server.answer = () => false;
  stage.client.connect();
  stage.client.retry(message.id);
  assert.equal(message.state, "uploading");
  await stage.introduce([], "c2");
  await settle(() => message.file.id);
  assert.equal(posts(server).at(-1).fields.conversation, "c2");
  assert.notEqual(posts(server).at(-1).fields.upload, posts(server)[0].fields.upload);
});

test("a file that nobody has named in time is sent again", async () => {
  const [stage, server] = await begin();
  const message = stage.client.sendFile(file(5));
  await settle(() => message.state === "sending");
  await stage.refuse("message_file", "no_such_file");
  assert.equal(message.state, "failed");
  stage.client.retry(message.id);
  await settle(() => message.state === "sending");
  assert.equal(posts(server).length, 2);
  assert.equal(stage.sent("message_file").length, 2);
});

test("what the server has outlives a reload, and what it has not does not", async () => {
  const [stage, server] = await begin();
  const there = stage.client.sendFile(file(5, "there.txt"));
  await settle(() => there.state === "sending");
  server.answer = () => true;
  stage.client.sendFile(file(5, "coming.txt"));
  await stage.pass(0);
  const [kept, ...others] = stage.storage.of("outbox");
  assert.deepEqual([kept.file.id, kept.file.blob, others.length], [there.file.id, undefined, 0]);
  const next = new Stage({ storage: stage.storage });
  await next.serve();
  assert.deepEqual(next.sent("message_file")[0].payload, { file: there.file.id });
});

test("a file of the other side is a message with its name", async () => {
  const [stage] = await begin();
  const payload = { file: "f1", name: "cat.png", size: 9, mime: "image/png", width: 4, height: 3 };
  await stage.say("message_image", payload, { from: "wim", seq: 1, date: "d", conversation: "c1" });
  const [message] = stage.client.chat.messages;
  assert.deepEqual([message.text, message.own, stage.client.chat.unread], ["cat.png", false, 1]);
  assert.deepEqual(message.file, { id: "f1", name: "cat.png", size: 9, mime: "image/png", width: 4, height: 3 });
});

test("links are asked for together, and again when they run out", async () => {
  const [stage, server] = await begin();
  const [first, second] = await Promise.all([stage.client.fileLinks(["a", "foreign"]), stage.client.fileLinks(["b"])]);
  assert.deepEqual([Object.keys(first), Object.keys(second), server.links], [["a"], ["b"], 1]);
  assert.equal(first.a.url, "https://shop.example/chat/v1/files/a?key=1");
  await stage.client.fileLinks(["b", "a"]);
  assert.equal(server.links, 1);
  stage.now += 3_600_000;
  assert.equal((await stage.client.fileLinks(["a"])).a.url, "https://shop.example/chat/v1/files/a?key=2");
});

test("links that are refused may be asked for later", async () => {
  const [stage, server] = await begin();
  server.answer = (request) => (request.end(403, { code: "forbidden", message: "no" }), true);
  await assert.rejects(stage.client.fileLinks(["a"]), { name: "Error", code: "forbidden" });
  server.answer = () => false;
  assert.ok((await stage.client.fileLinks(["a"])).a);
});
