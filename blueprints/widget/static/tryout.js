/** The visitor's page. Phases: start → joining → queue → chat → over. */

import { Chat, fetchToken, memory, plain } from "./chat.js";
import { Thread } from "./thread.js";

const QUIET = 100; // ms without a frame after which nothing more has been kept for us
const NO_WELCOME = 1000; // ms after which we take it that our session is over

const STATES = {
  closed: "Not connected",
  connecting: "Connecting…",
  open: "Connected",
  waiting: "Reconnecting…",
  stopped: "Disconnected",
};

const at = (id) => document.getElementById(id);
const parts = { start: at("start"), queue: at("queue"), over: at("over") };

const thread = new Thread({
  label: "Messages",
  boxLabel: "Your message",
  names: { me: "You", them: "Agent" },
  say: (text) => chat.send("message_text", { message: text }),
  changed: remember,
});

const chat = new Chat("v1/ws/user/connect", {
  token: () => memory.get("token"),
  opened,
  received: (frame) => {
    if (returning) awaitQuiet();
    (on[frame.type] ?? ignore)(frame);
  },
  changed: showState,
  refused: (why) => {
    memory.set("token", null);
    begin(why);
  },
  stopped: finish,
});

let phase = "start";
let ending = ""; // why the chat is over
let asked = null; // id of our `connect`
let returning = 0; // the timer that runs while a chat may still stand
let refusals = 0;

// ---- what the visitor does --------------------------------------------

at("begin").addEventListener("click", () => begin());
at("again").addEventListener("click", () => {
  thread.clear();
  begin();
});
at("leave").addEventListener("click", () => {
  leave();
  thread.clear();
  go("start");
  at("begin").focus();
});
at("end").addEventListener("click", () => {
  leave();
  finish("You ended the chat.");
});
at("retry").addEventListener("click", () => chat.retry());

/** Ask for an agent. *refused*: why the last token was not taken. */
async function begin(refused) {
  refusals = refused ? refusals + 1 : 0;
  complain("");
  go("joining");
  try {
    if (refusals > 1) throw new Error(refused);
    if (!memory.get("token")) memory.set("token", (await fetchToken("v1/visitor/token")).token);
  } catch (error) {
    go("start");
    complain(error.message);
    return;
  }
  if (phase !== "joining") return; // left meanwhile
  if (chat.state === "open") connect();
  else chat.open();
}

function leave() {
  chat.send("disconnect");
  chat.close();
}

// ---- what the server says ---------------------------------------------

function opened() {
  if (phase === "over") chat.close();
  else if (phase !== "chat") connect();
  // Somebody who comes back to a chat hears first what was kept for it, and
  // that may be its end. Only then is it time to ask for an agent.
  else returning = setTimeout(connect, NO_WELCOME);
}

function awaitQuiet() {
  clearTimeout(returning);
  returning = setTimeout(connect, QUIET);
}

function stay() {
  clearTimeout(returning);
  returning = 0;
}

function connect() {
  stay();
  asked = chat.send("connect");
}

const on = {
  connect_queue({ payload: { location } }) {
    refusals = 0;
    if (phase === "over" || phase === "chat") thread.add("note", "You are back in line.");
    const people = location === 1 ? "1 person" : `${location} people`;
    at("place").textContent = location === 0 ? "You are next in line" : `${people} ahead of you`;
    go("queue");
  },
  connect_success() {
    refusals = 0;
    if (phase !== "chat") thread.add("note", "You are connected to an agent.");
    go("chat");
  },
  message_text({ payload }) {
    thread.add("them", payload.message);
  },
  disconnected() {
    stay();
    finish("The agent ended the chat.");
  },
  error({ reply_id: id, payload }) {
    const why = plain(payload.message);
    if (id && thread.fail(id, why)) return;
    if (id && id === asked) {
      chat.close();
      thread.clear();
      go("start");
    }
    if (phase === "chat") thread.add("note", why);
    else complain(why);
  },
};

function ignore() {}

/** The chat is over, and *why*. */
function finish(why) {
  stay();
  ending = why;
  go("over");
}

// ---- what is shown ----------------------------------------------------

function go(next) {
  const before = phase;
  phase = next;
  document.body.dataset.phase = phase;
  const waiting = phase === "joining" || phase === "queue";
  if (phase === "joining") at("place").textContent = "Looking for an agent…";
  parts.start.hidden = phase !== "start";
  parts.queue.hidden = !waiting;
  parts.over.hidden = phase !== "over";
  at("ending").textContent = ending;
  thread.log.hidden = phase === "start" || (phase !== "chat" && thread.empty);
  thread.form.hidden = phase !== "chat";
  at("end").hidden = phase !== "chat";
  showState(chat.state);
  remember();
  if (before !== phase) refocus();
}

/** What had the focus is gone. It never jumps to a button: somebody may be typing. */
function refocus() {
  if (phase === "chat") thread.box.focus();
  else if (phase === "over") at("ending").focus();
  else if (phase !== "start") at("place").focus();
}

function showState(state) {
  at("state").hidden = phase === "start" || (phase === "over" && state !== "stopped");
  at("state").textContent = STATES[state];
  at("state").dataset.state = state;
  at("lost").hidden = state !== "waiting" || phase === "start" || phase === "over";
  thread.writable = state === "open";
}

function complain(text) {
  for (const place of document.querySelectorAll(".problem")) {
    place.textContent = text;
    place.hidden = !text;
  }
}

// ---- over a reload ----------------------------------------------------

function remember() {
  memory.set("chat", { phase, ending, thread: thread.remember() });
}

const before = memory.get("chat");
if (before) {
  ending = before.ending;
  thread.restore(before.thread);
}
parts.start.after(thread.log);
at("card").append(thread.form);
addEventListener("pagehide", remember);

if (before?.phase === "chat") {
  go("chat");
  chat.open();
} else if (before?.phase === "joining" || before?.phase === "queue") {
  begin();
} else {
  go(before?.phase ?? "start");
}
