// A page without a page: a ChatClient driven by JSON lines on stdin, which tells all it shows.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
const WebSocket = createRequire(`${process.env.NODE_PATH}/`)("ws");
const { ChatClient } = await import("../../blueprints/kit/static/client.js");
const { url, role, token, tokens, haste } = JSON.parse(process.argv[2]);

const began = Date.now();
const environment = {
  WebSocket,
  // what takes the client a minute takes the test a few seconds
  setTimeout: (fn, ms) => setTimeout(fn, ms / haste),
  now: () => began + (Date.now() - began) * haste,
};
const kept = new Map(); // survives reloads
const storage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => kept.set(key, value),
  removeItem: (key) => kept.delete(key),
};
const problems = [];
const lines = []; // states of the connection, since the beginning
let client;
let fetched = ""; // the last token
let count = 0; // tokens fetched at *tokens*

async function fetchToken({ refresh, renew }) {
  if (fetched && !refresh && !renew) return fetched;
  const headers = fetched ? { Authorization: `Bearer ${fetched}` } : {};
  const answer = await (await fetch(tokens, { method: "POST", headers })).json();
  count += 1;
  return (fetched = answer.token);
}

function open() {
  client = new ChatClient({ url, role, token: tokens ? fetchToken : token, storage, environment });
  client.on("status", ({ state }) => lines.push(state));
  const seen = new Map(); // conversation → seqs of which an event has told
  client.on("message", ({ chat, message }) => message.seq && told(seen, chat, message));
  client.on("receipt", ({ chat, message }) => message.seq && told(seen, chat, message));
  client.on("error", (error) => problems.push(error.message));
  client.on("change", show);
  client.start();
}

function told(seen, { conversation }, { seq }) {
  if (seen.get(conversation) >= seq) problems.push(`an event of ${seq} after ${seen.get(conversation)}`);
  seen.set(conversation, seq);
}

/** At every moment: each seq once and in order, without a hole, and the unsent at the end. */
function look({ conversation, messages }) {
  const seqs = messages.filter(({ seq }) => seq).map(({ seq }) => seq);
  const first = seqs[0];
  if (seqs.some((seq, index) => seq !== first + index)) problems.push(`${conversation}: ${seqs}`);
  const states = messages.map(({ state }) => state);
  if (states.lastIndexOf("sent") > states.indexOf("sending") && states.includes("sending")) {
    problems.push(`${conversation}: ${states}`);
  }
  if (new Set(messages.map(({ id }) => id)).size < messages.length) problems.push(`${conversation}: an id twice`);
}

function show() {
  const { status, phase, queue, duty, line, me } = client;
  const chats = {};
  for (const [name, chat] of client.chats) {
    look(chat);
    const { peer, messages, lastSeq, readByPeer, unread, presence, typing, state, complete } = chat;
    chats[name] = { peer, messages, lastSeq, readByPeer, unread, presence, typing, state, complete };
  }
  print({ state: { status, phase, queue, duty, line, me, chats, problems, lines, count } });
}

const print = (what) => console.log(JSON.stringify(what));

const methods = {
  reload() {
    client.stop({ leave: false });
    open();
    show(); // what was shown before is gone when the call returns
  },
};

open();
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, args } = JSON.parse(line);
  Promise.resolve()
    .then(() => (methods[method] ?? client[method].bind(client))(...args))
    .then((result) => print({ id, result: typeof result === "function" ? null : result }))
    .catch((error) => print({ id, error: `${error.name}: ${error.message}` }));
}
process.exit();
