/**
 * `Connection` opens a WebSocket with a token, opens another one when it is lost, and matches requests
 * with their answers. What frames mean is the client's business; the constructor takes an object of it.
 *
 * @typedef {{state: "stopped"|"connecting"|"online"|"waiting"|"ended", code?: number,
 *   reason?: string, retryAt?: number}} Status  `ended`: it does not open another one by itself
 */

import { asText } from "./as-text.js";
import { toJson } from "./json.js";
import { Pulse } from "./pulse.js";
import { RETURNS } from "./returns.js";

const ABANDONED = 4000; // our own close code: 1000 would say that we leave for good
const OPENING = 15_000; // ms until a connection must be open and its `auth` accepted
const FIRST_PAUSE = 1000; // ms before another connection is tried, doubled by each failure …
const LONGEST_PAUSE = 15_000; // … up to this
const STEADY = 10_000; // ms after which a connection counts as good
const LONGEST = 1e6; // s: browsers' timers end at 24 days
const STOPPED = { code: "stopped", message: "The client is stopped." };
const LOST = { code: "lost", message: "The connection was lost before there was an answer." };

/** Why a request failed; `code` is the server's, `stopped`, or `lost`. */
export class ChatError extends Error {
  constructor({ code, message, retry_after: retryAfter }) {
    super(message);
    Object.assign(this, { code, retryAfter });
  }
}

export class Connection {
  /** @type {Status} */
  status = { state: "stopped" };
  /** Our UUID on this connection; "" before the server has sent `initialize`. */
  uuid = "";

  #url;
  #token;
  #env;
  #alarms;
  #client;
  #tab;
  #running = null; // an `AbortController`: ends the listeners of `begin`
  #socket = null;
  #attempt = null;
  #shown; // the token
  #refreshed = false;
  #failures = 0;
  #pulse;
  #asked = new Map(); // id → a request without an answer
  #count = 0;

  /**
   * To *url*, with *token* as the client has it; ids begin with *tab*. *client* has `authenticate()`
   * (ends with `show`), `frame(frame, {request, error})`, `status(status)`, `complain(error)`,
   * `changed()`, `clear()` (the stored state is unusable), `dropped()` (the connection is lost),
   * `refused()` and `quit()` (no other connection is tried), `matters()` (whether a silent connection is to be
   * probed), `probe()` (send a harmless request).
   */
  constructor({ url, token, env, alarms, tab }, client) {
    this.#url = url;
    this.#token = token;
    this.#env = env;
    this.#alarms = alarms;
    this.#tab = tab;
    this.#client = client;
    this.#pulse = new Pulse({ env, alarms, connection: this }, client);
  }

  /** The connection is gone or does not answer for longer than a moment, so that people should see it. */
  get lost() {
    return this.#pulse.lost;
  }

  get isOnline() {
    return this.status.state === "online";
  }

  get isRunning() {
    return this.#running !== null;
  }

  /** Begin; `connect` may follow. Returns a signal that `stop` aborts. */
  begin() {
    this.#running = new AbortController();
    this.#failures = 0;
    const { signal } = this.#running;
    this.#listen(signal);
    return signal;
  }

  /** Close the connection; *deliberate*: with 1000, so that the server does not wait for another one. */
  stop({ deliberate }) {
    this.#drop(deliberate ? 1000 : ABANDONED);
    this.#quit({ state: "stopped" });
  }

  /** Drop the connection that there is, and connect now, if `begin` was called. */
  restart() {
    this.#drop(ABANDONED);
    this.#failures = 0;
    this.#refreshed = false;
    if (this.#running) this.connect();
  }

  async connect() {
    const attempt = (this.#attempt = {});
    this.#setStatus({ state: "connecting" });
    this.#alarms.set("connection", OPENING, () => this.abandon("no connection in time"));
    if (!(await this.#fetchToken(attempt))) return;
    try {
      const socket = (this.#socket = new this.#env.WebSocket(this.#url));
      socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
      socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
      socket.onerror = () => {}; // `close` follows and says more
    } catch (error) {
      this.abandon(error.message);
    }
  }

  /** Close this connection, which cannot be used, and open another one after a pause. */
  abandon(reason) {
    this.#lose(ABANDONED, reason);
  }

  // ---- the token -----------------------------------------------------------

  /** Fetch the token for *attempt*; false if there is none, or if another attempt has begun meanwhile. */
  async #fetchToken(attempt) {
    const token = this.#token;
    try {
      const shown = typeof token === "function" ? await token({ refresh: this.#refreshed }) : token;
      if (attempt !== this.#attempt) return false;
      this.#shown = shown;
      return true;
    } catch (error) {
      const message = asText(error instanceof Error ? error.message : error);
      if (attempt === this.#attempt) {
        this.#client.complain({ code: "token", message });
        this.abandon(message);
      }
      return false;
    }
  }

  /** The token for requests beside the connection; *refused*: the server did not take the last one. */
  async bearer(refused) {
    if (typeof this.#token === "function" && (refused || !this.#shown)) this.#shown = await this.#token({ refresh: refused });
    return this.#shown ?? this.#token;
  }

  /** Send `auth` with the token and *more*; `then()` when the server has accepted it. */
  show(more, then) {
    const payload = { token: this.#shown, version: 2, ...more };
    this.ask("auth", payload, (error) => (error ? this.#rejected(error) : this.#welcome(then)));
  }

  #welcome(then) {
    this.#alarms.set("connection", STEADY, () => {
      this.#failures = 0;
      this.#refreshed = false;
    });
    for (const [id, { type, payload, outlives }] of this.#asked) if (outlives) this.put(type, payload, { id });
    this.#pulse.trust();
    this.#setStatus({ state: "online" });
    if (this.isOnline) then(); // a handler of the event may have stopped the client
  }

  async #rejected({ code, message }) {
    if (code === "invalid_message") {
      this.#client.clear(); // storage was edited by hand
      this.#client.authenticate();
    } else if (!["invalid_token", "expired_token", "forbidden"].includes(code)) {
      this.abandon(message);
    } else if (!this.#mayRefresh()) {
      this.#finish(code === "forbidden" ? 4403 : 4401, message);
    } else if (await this.#fetchToken(this.#attempt)) {
      this.#client.authenticate();
    }
  }

  /** True once; again only after a connection was good. */
  #mayRefresh() {
    if (typeof this.#token !== "function" || this.#refreshed) return false;
    this.#refreshed = true;
    return true;
  }

  /** The token expires in *left* s: show another one on the same connection well before. */
  watchToken(left) {
    const pause = Math.min(left, LONGEST) * (0.6 + 0.2 * this.#env.random());
    const isOld = typeof this.#token === "function" && left > 1;
    this.#alarms.set("token", isOld ? pause * 1000 : undefined, () => this.#renew(left - pause));
  }

  async #renew(left) {
    const attempt = this.#attempt;
    this.watchToken(left); // in case this fails
    try {
      const token = await this.#token({ refresh: false, renew: true });
      if (attempt !== this.#attempt) return;
      this.#shown = token;
      this.ask("auth", { token, version: 2 }, (error) => {
        if (error?.code === "forbidden") this.abandon(error.message); // the token is of another subject
      });
    } catch {
      // the timer above tries again
    }
  }

  // ---- the end of a connection -------------------------------------------------------------

  #closed(code, reason) {
    if (RETURNS.includes(code) || (code === 4401 && this.#mayRefresh())) this.#lose(code, reason);
    else this.#finish(code, reason || this.#client.sentence(code));
  }

  /** The connection is lost: open another one after a pause. */
  #lose(code, reason = "") {
    this.#drop(ABANDONED);
    this.#pulse.distrust();
    const asked = /retry_after=(\d+(\.\d+)?)/.exec(reason)?.[1] ?? 0;
    const pause = this.#env.online() ? FIRST_PAUSE * 2 ** this.#failures : LONGEST_PAUSE;
    const spread = 0.3 + 0.7 * this.#env.random();
    const wait = spread * (asked ? FIRST_PAUSE : Math.min(pause, LONGEST_PAUSE)) + asked * 1000;
    this.#failures += 1;
    this.#setStatus({ state: "waiting", code, reason, retryAt: this.#env.now() + wait });
    this.#alarms.set("connection", wait, () => this.connect());
  }

  /** End for good: no other connection is tried. */
  #finish(code, reason) {
    this.#drop(ABANDONED);
    this.#client.refused();
    this.#quit({ state: "ended", code, reason });
  }

  #quit(status) {
    this.#running?.abort();
    this.#running = null;
    this.#client.quit();
    for (const { then } of this.#asked.values()) then?.(STOPPED);
    this.#asked.clear();
    this.#pulse.trust();
    this.#setStatus(status);
  }

  /** Close the WebSocket with *code*, and forget what held for it only. */
  #drop(code) {
    const socket = this.#socket;
    this.#socket = this.#attempt = null;
    this.uuid = "";
    this.#pulse.drop();
    this.#alarms.clear();
    for (const [id, { outlives, lost }] of this.#asked) {
      if (outlives) continue;
      this.#asked.delete(id);
      lost?.();
    }
    this.#client.dropped();
    if (socket?.readyState < 2) socket.close(code);
  }

  #setStatus(status) {
    this.status = status;
    this.#client.status(status);
  }

  // ---- the page around it --------------------------------------------------

  #listen(signal) {
    const { addEventListener, online, visible } = this.#env;
    const listen = (type, fn) => addEventListener(type, fn, { signal });
    const wake = () => this.#wake();
    listen("online", wake);
    listen("pageshow", wake);
    listen("visibilitychange", () => visible() && wake());
    listen("offline", () => online() || this.#pulse.doubt(0));
  }

  /** The page is looked at again, or the network is back: probe the connection, or connect now. */
  #wake() {
    this.#pulse.doubt();
    if (this.status.state !== "waiting") return;
    this.#failures = 0;
    this.connect();
  }

  /** The server owes an answer. */
  expect() {
    this.#pulse.expect();
  }

  // ---- frames --------------------------------------------------------------

  put(type, payload, { to, id = this.#id() } = {}) {
    this.#socket.send(toJson({ id, to, type, payload }));
  }

  #id() {
    this.#count += 1;
    return `${this.#tab}.${this.#count}`;
  }

  /** `then(error, frame)`; *outlives*: ask again on the next connection, under the same *id*. */
  ask(type, payload, then, outlives = false, lost, id = this.#id()) {
    this.#asked.set(id, { type, payload, then, outlives, lost });
    if (outlives ? this.isOnline : this.uuid) this.put(type, payload, { id });
    this.expect();
  }

  /** Whether a request of *type* has no answer yet. */
  isAsked(type) {
    return [...this.#asked.values()].some((one) => one.type === type);
  }

  /**
   * The answer to a request. One that *outlives* connections is sent again on the next one; any other must be
   * answered on this connection. Rejects with a `ChatError`.
   */
  question(type, payload, outlives = true, id) {
    return new Promise((resolve, reject) => {
      const then = (error, frame) => (error ? reject(new ChatError(error)) : resolve(frame));
      const lost = () => then(LOST);
      if (!this.#running) then(STOPPED);
      else if (outlives || this.isOnline) this.ask(type, payload, then, outlives, lost, id);
      else lost();
    });
  }

  #receive(data) {
    const frame = parse(data);
    this.#pulse.received();
    const { type, payload, reply_id: reply } = frame;
    const request = this.#asked.get(reply);
    const error = type === "error" ? payload : null;
    this.#asked.delete(reply);
    this.#client.frame(frame, { request, error });
    request?.then?.(error, frame);
    this.#client.changed();
  }
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}
