/**
 * A visitor at this browser: the token, the phases of a chat, what is unread, and
 * agreement with the other tabs. It knows the launcher and no element of the panel.
 */

import { chime } from "./chime.js";
import { ChatClient } from "./csapp-client.js";
import { Tabs } from "./tabs.js";

const LOOK = 30_000; // ms between two looks at the desk while somebody may want to ask
const FIRST = 50; // messages asked for at once

export class Visit {
  /** @type {ChatClient} */
  client;
  /** `{ready, length}`: how busy the desk is; null before it is known. */
  desk = null;
  /** The line was lost and is not back yet. */
  lost = false;
  /** The key of a text that says what went wrong; empty: nothing has. */
  problem = "";

  #widget;
  #panel;
  #tabs;
  #timer = 0;
  #paging = false;
  #told = "";

  /** *panel* has `show()`, `announce(text)`, and `isLookedAt`. */
  constructor(widget, panel) {
    this.#widget = widget;
    this.#panel = panel;
    this.#tabs = new Tabs(widget.store.key, (message) => this.#hear(message));
    this.#make();
  }

  #make() {
    const { base, store, locale } = this.#widget;
    this.client = new ChatClient({
      url: new URL("v1/ws/user/connect", base).href,
      role: "user",
      token: (asked) => this.#token(asked),
      storage: localStorage,
      key: store.key,
      locale,
    });
    this.client.on("status", (status) => this.#line(status));
    this.client.on("message", (detail) => this.#message(detail));
    this.client.on("read", ({ chat }) => this.#tabs.tell({ read: chat.conversation, seq: chat.lastSeq }));
    this.client.on("error", (error) => this.#error(error));
    this.client.on("change", () => this.changed());
  }

  // ---- where it stands -----------------------------------------------------

  /** `start`, `queued`, `served` or `ended`. */
  get phase() {
    const { client, chat } = this;
    if (client.phase === "served") return "served";
    if (client.phase === "queued" || client.wanted) return chat?.state === "open" && this.lost ? "served" : "queued";
    return chat?.state === "ended" ? "ended" : "start";
  }

  /** The chat that is shown: none once the visitor has turned over a new leaf. */
  get chat() {
    const { chat } = this.client;
    return chat && chat.conversation !== (this.#widget.store.get().left ?? null) ? chat : null;
  }

  get name() {
    return this.chat?.peer.name || this.#widget.t("somebody");
  }

  get muted() {
    return Boolean(this.#widget.store.get().muted);
  }

  // ---- what the visitor does -------------------------------------------------

  /** Connect; and look how busy the desk is. */
  begin() {
    this.client.start();
    this.look();
  }

  /** The panel is closed: without a chat there is nothing to be connected for. */
  rest() {
    clearTimeout(this.#timer);
    if (this.phase === "start" || this.phase === "ended") this.client.stop({ leave: false });
  }

  say(text) {
    this.problem = "";
    if (this.phase === "start") {
      this.client.connect({ page: location.origin + location.pathname });
    }
    this.client.send(text);
    this.#widget.emit("message", { text, own: true });
    this.changed();
  }

  /** End the chat, or leave the line; the other tabs do, too. */
  leave() {
    this.client.disconnect();
    this.changed();
  }

  /** Put the ended chat away. */
  renew() {
    this.#widget.store.set({ left: this.chat?.conversation });
    this.look();
    this.changed();
  }

  mute(yes) {
    this.#widget.store.set({ muted: yes });
    this.#tabs.tell({});
    this.changed();
  }

  /** What was shown has been seen. */
  seen() {
    const { chat } = this;
    if (chat?.unread && this.#panel.isLookedAt) this.client.read(chat.lastSeq, chat.conversation);
  }

  /** Bring older messages of the chat. */
  async older() {
    const { chat } = this;
    if (this.#paging || !chat || chat.complete) return;
    this.#paging = true;
    await this.client.history({ conversation: chat.conversation, limit: FIRST }).catch(() => {});
    this.#paging = false;
  }

  /** The page says who it is, from now on. */
  identify() {
    if (this.phase === "start" || this.phase === "ended") this.reset();
  }

  /** Forget everything. */
  reset() {
    this.client.forget();
    this.#widget.store.clear();
    this.problem = "";
    this.changed();
  }

  // ---- the token ---------------------------------------------------------------

  async #token({ refresh } = {}) {
    const { base, store, given } = this.#widget;
    if (given) return given;
    const state = store.get();
    const visitor = this.#widget.option("visitor");
    const same = visitor === undefined || visitor === state.visitor || this.client.wanted;
    if (state.token && !refresh && same && Date.now() < state.renew) return state.token;
    const answer = await fetch(new URL("v1/visitor/token", base), {
      method: "POST",
      headers: state.token ? { Authorization: `Bearer ${state.token}` } : {},
      credentials: this.#widget.option("credentials") ?? "same-origin",
    });
    const { token, expires_in: life, message } = await answer.json();
    if (!answer.ok) throw new Error(message);
    store.set({ token, visitor, renew: Date.now() + life * 500 });
    return token;
  }

  // ---- what happens --------------------------------------------------------------

  /** Ask how busy the desk is, now and while it matters. */
  async look() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), LOOK);
    if (this.phase === "served" || document.hidden) return;
    try {
      const answer = await fetch(new URL("v1/status", this.#widget.base));
      const { waiters_ready: ready, queue_length: length, users_served: served } = await answer.json();
      this.desk = { ready, length, served };
    } catch {
      this.desk = null;
    }
    this.#panel.show();
  }

  #line({ state, code }) {
    if (state === "waiting") this.lost = true;
    if (state === "online" && this.lost) {
      this.lost = false;
      this.#panel.announce(this.#widget.t("back"));
    }
    if (state === "ended") this.#widget.emit("error", { code: String(code), message: this.client.status.reason });
  }

  #message({ chat, message, live }) {
    if (!live || message.own) return;
    const { t, emit } = this.#widget;
    this.#panel.announce(t("says", { name: chat.peer.name || t("somebody"), text: message.text }));
    if (!this.#panel.isLookedAt && !this.muted && this.#tabs.speaks) chime();
    emit("message", { text: message.text, own: false, name: chat.peer.name, date: message.date });
  }

  #error({ code, message }) {
    if (code !== "token") this.problem = code === "queue_full" ? "full" : "trouble"; // it comes back by itself
    this.#widget.emit("error", { code, message });
  }

  #hear({ read, seq }) {
    if (read) this.client.read(seq, read);
    this.changed();
  }

  /** Tell the panel, the page, and the next page. */
  changed() {
    const { client, phase, chat } = this;
    const { store, emit } = this.#widget;
    const kept = phase === "queued" || phase === "served" ? phase : "idle";
    if ((store.get().phase ?? "idle") !== kept) store.set({ phase: kept });
    this.#widget.unread = chat?.unread ?? 0;
    const status = { phase, connection: client.status.state, name: phase === "served" ? chat?.peer.name : "" };
    const told = JSON.stringify(status);
    if (told !== this.#told) emit("status", status);
    this.#told = told;
    this.#panel.show();
    this.seen();
  }
}
