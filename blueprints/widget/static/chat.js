/**
 * One connection to csapp in version 1 of its protocol: opens, introduces
 * itself, numbers its frames, and comes back after the closes for which the
 * protocol says so. It knows nothing of the page around it.
 */

/** Closes after which a client connects again; after any other it stops and says why. */
const RECONNECT = new Set([1001, 1006, 1011, 1012, 1013, 4408, 4413]);

const WHY = {
  1000: "The connection was closed.",
  1008: "The server refused this connection.",
  1009: "That was too long for the server.",
  4400: "The server did not understand this page.",
  4401: "The sign-in is not valid any more.",
  4403: "This token is for the other side of the chat.",
  4409: "Signed in again somewhere else.",
  4410: "This chat is closed to you.",
  4429: "Too many messages in too short a time.",
};

const FIRST_PAUSE = 1000; // ms, doubled by each failure
const LONGEST_PAUSE = 30_000; // ms
const STEADY = 10_000; // ms after which a connection counts as good
const PATIENCE = 15_000; // ms for a connection to come about
const ABANDONED = 4000; // our own close code; 1000 would say that we leave for good

export class Chat {
  /** Our UUID: the `to` of the newest `initialize`. */
  uuid = null;
  /** `closed`, `connecting`, `open`, `waiting` (to connect again) or `stopped`. */
  state = "closed";

  #url;
  #page;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #greeted = 0;
  #auth = null;
  #name = randomName();
  #count = 0;

  /**
   * *page* has `token()`; `opened()`, called after `auth` was sent on each new
   * connection; `received(frame)` for all that follows; `changed(state)`;
   * `refused(why)` when the token is not taken; `stopped(why)` when there will be
   * no other attempt.
   */
  constructor(path, page) {
    this.#url = new URL(path, document.baseURI);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#page = page;
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.#socket && this.#lose(ABANDONED));
  }

  /** Connect, unless that is under way. */
  open() {
    if (this.state === "connecting" || this.state === "open") return;
    this.#failures = 0;
    this.#connect();
  }

  /** Connect now instead of after the pause. */
  retry() {
    if (this.state === "waiting") this.#connect();
  }

  /** Leave for good. */
  close() {
    this.#drop(1000);
    this.#change("closed");
  }

  /** Send a frame. Returns its id, or null while there is no connection. */
  send(type, payload, to) {
    return this.state === "open" ? this.#put({ type, to, payload }) : null;
  }

  #put(frame) {
    this.#count += 1;
    const id = `${this.#name}-${this.#count}`;
    this.#socket.send(JSON.stringify({ id, ...frame }));
    return id;
  }

  #connect() {
    this.#drop(ABANDONED);
    this.#change("connecting");
    this.#timer = setTimeout(() => this.#lose(ABANDONED), PATIENCE);
    const socket = new WebSocket(this.#url);
    socket.onmessage = (event) => this.#read(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    this.#socket = socket;
  }

  #read(text) {
    const frame = JSON.parse(text);
    if (frame.type === "initialize") {
      this.uuid = frame.to;
      if (this.state === "connecting") {
        this.#introduce();
        return;
      }
    }
    if (frame.type === "error" && frame.reply_id === this.#auth) {
      this.close(); // and hear no more of what was sent behind `auth`
      this.#page.refused(plain(frame.payload.message));
      return;
    }
    this.#page.received(frame);
  }

  #introduce() {
    clearTimeout(this.#timer);
    this.#greeted = performance.now();
    this.#auth = this.#put({ type: "auth", payload: { token: this.#page.token() } });
    this.#change("open");
    this.#page.opened();
  }

  #closed(code, reason) {
    if (RECONNECT.has(code)) {
      this.#lose(code, reason);
      return;
    }
    this.#drop(code);
    this.#change("stopped");
    this.#page.stopped(WHY[code] ?? `The server closed the connection (${code}).`);
  }

  #lose(code, reason = "") {
    if (this.state === "open" && performance.now() - this.#greeted > STEADY) this.#failures = 0;
    this.#drop(ABANDONED);
    this.#timer = setTimeout(() => this.#connect(), this.#pause(code, reason));
    this.#failures += 1;
    this.#change("waiting");
  }

  #pause(code, reason) {
    const asked = code === 1012 && /retry_after=(\d+(?:\.\d+)?)/.exec(reason);
    if (asked) return Number(asked[1]) * 1000 + Math.random() * FIRST_PAUSE;
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures);
    return longest * (0.5 + Math.random() / 2);
  }

  #drop(code) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    if (socket.readyState < WebSocket.CLOSING) socket.close(code);
  }

  #change(state) {
    if (this.state === state) return;
    this.state = state;
    this.#page.changed(state);
  }
}

/**
 * Fetch `{token, sub, name}`; *login* is `{name, password}` where somebody signs
 * in. Throws an Error whose message can be shown.
 */
export async function fetchToken(path, login) {
  let response;
  try {
    const body = login && { body: JSON.stringify(login), headers: { "Content-Type": "application/json" } };
    response = await fetch(path, { method: "POST", ...body });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = new Error(sentence(answer.message ?? `the server answered ${response.status}`));
    error.status = response.status;
    throw error;
  }
  return answer;
}

const held = new Map();

/** What this tab remembers over a reload. Each page has its own. */
export const memory = {
  get(key) {
    if (held.has(key)) return held.get(key);
    try {
      return JSON.parse(sessionStorage.getItem(place(key)));
    } catch {
      return null;
    }
  },
  set(key, value) {
    held.set(key, value);
    try {
      sessionStorage.setItem(place(key), JSON.stringify(value));
    } catch {
      // full or forbidden: then it is forgotten at the next reload
    }
  },
};

/** "payload.token: the token has expired" → "The token has expired." */
export function plain(message) {
  return sentence(message.replace(/^[a-z.]+: /, ""));
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

function place(key) {
  return `csapp:${location.pathname}:${key}`;
}

function randomName() {
  // not randomUUID: it is missing on plain http, except on localhost
  const numbers = crypto.getRandomValues(new Uint32Array(2));
  return Array.from(numbers, (number) => number.toString(36)).join("");
}
