// A stage for ChatClient: a clock that is wound by hand, sockets whose other end is the test.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
export const { ChatClient, CLOSE_CODES } = await import(process.env.CLIENT ?? "../../blueprints/kit/static/client.js");

const settle = () => new Promise((resolve) => setImmediate(resolve));

export class Storage {
  kept = new Map();
  getItem = (key) => this.kept.get(key) ?? null;
  setItem = (key, value) => void this.kept.set(key, value);
  removeItem = (key) => void this.kept.delete(key);
  /** What is stored under *key* for a user. */
  of = (key) => JSON.parse(this.getItem(`csapp:user:${key}`));
}

/** `navigator.locks`: each lock has one holder, the others wait. */
export class Locks {
  #holders = new Map();

  request(name, { signal }, fn) {
    const before = this.#holders.get(name) ?? Promise.resolve();
    const mine = before.then(() => (signal.aborted ? null : fn()));
    this.#holders.set(name, mine);
    return mine;
  }
}

export class Stage {
  now = 1_800_000_000_000;
  sockets = [];
  luck = 1; // what Math.random says
  isOnline = true;
  isVisible = true;
  heard = []; // [type, detail] of each event
  #timers = new Map();
  #count = 0;
  #listeners = [];

  constructor(options = {}) {
    const stage = this;
    class FakeSocket {
      readyState = 0;
      sent = [];
      constructor(url) {
        this.url = url;
        stage.sockets.push(this);
      }
      send(text) {
        this.sent.push(JSON.parse(text));
      }
      close(code) {
        this.readyState = 3;
        this.code = code;
      }
    }
    this.storage = options.storage ?? new Storage();
    this.client = new ChatClient({
      url: "wss://shop.example/chat/v1/ws/user/connect",
      role: "user",
      token: "a-token",
      storage: this.storage,
      ...options,
      environment: {
        WebSocket: FakeSocket,
        setTimeout: (fn, ms) => {
          this.#timers.set(++this.#count, { at: this.now + ms, fn });
          return this.#count;
        },
        clearTimeout: (timer) => this.#timers.delete(timer),
        random: () => this.luck,
        now: () => this.now,
        addEventListener: (type, fn, { signal }) => this.#listeners.push({ type, fn, signal }),
        online: () => this.isOnline,
        visible: () => this.isVisible,
        locks: undefined,
        ...options.environment,
      },
    });
    for (const type of ["status", "phase", "chat", "message", "receipt", "typing", "error", "offline", "idle", "answered"]) {
      this.client.on(type, (detail) => this.heard.push([type, detail]));
    }
  }

  /** Let *ms* pass, and all that is due in it happen. */
  async pass(ms) {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [id, { at, fn }] = due;
      this.#timers.delete(id);
      this.now = at;
      fn();
      await settle();
    }
    this.now = end;
  }

  /** ms until it tries to come back. */
  get next() {
    return this.client.status.retryAt - this.now;
  }

  /** An event of the window. */
  async happen(type, detail = {}) {
    for (const one of this.#listeners) if (one.type === type && !one.signal.aborted) one.fn(detail);
    await settle();
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** All frames of *type* on the present socket. */
  sent(type) {
    return this.socket.sent.filter((frame) => frame.type === type);
  }

  /** The server says *frame*. */
  async say(type, payload, rest = {}) {
    this.socket.readyState = 1;
    this.socket.onmessage({ data: JSON.stringify({ id: "s", to: "me", type, payload, ...rest }) });
    await settle();
  }

  /** The server answers the latest frame of *type* with *answer*. */
  async answer(type, answer, payload, rest = {}) {
    await this.say(answer, payload, { reply_id: this.sent(type).at(-1).id, ...rest });
  }

  async refuse(type, code, retry_after) {
    await this.answer(type, "error", { code, message: `no: ${code}`, retry_after });
  }

  async close(code, reason = "") {
    this.socket.readyState = 3;
    this.socket.onclose({ code, reason });
    await settle();
  }

  /** Connect and sign in as *sub*. */
  async enter(sub = "ann") {
    if (this.client.status.state === "stopped") this.client.start();
    await settle();
    await this.say("initialize");
    await this.answer("auth", "auth_success", { uuid: "me", sub, name: "", avatar: "", role: "user" });
  }

  /** … and be in a chat, of which *messages* are told. */
  async serve(messages = [], conversation = "c1") {
    this.client.connect();
    await this.enter();
    await this.introduce(messages, conversation);
  }

  async introduce(messages = [], conversation = "c1", complete = true) {
    const last_seq = messages.at(-1)?.seq ?? this.client.chats.get(conversation)?.lastSeq ?? 0;
    const peer = { uuid: "wim", name: "Wim", avatar: "", conversation, last_seq, resumed: false };
    await this.say("connect_success", peer, { conversation });
    await this.say("message_history", { conversation, messages, complete, state: "open", last_seq }, { conversation });
  }

  /** The waiter's message *seq*. */
  async hear(seq, text = `text ${seq}`, from = "wim") {
    await this.say("message_text", { message: text }, { from, seq, date: "d", conversation: "c1" });
  }

  /** The receipt of the latest message. */
  async receive(seq) {
    await this.answer("message_text", "message_text_success", { seq, date: "d" }, { conversation: "c1", seq });
  }

  /** What the chat shows. */
  get shown() {
    return this.client.chat.messages.map(({ text, state }) => (state === "sent" ? text : `${text} (${state})`));
  }
}

/** Message *seq* as it stands in a history. */
export const item = (seq, text = `text ${seq}`, from = "wim", client_id = undefined) => ({
  seq, type: "message_text", from, date: "d", payload: { message: text }, client_id,
});
