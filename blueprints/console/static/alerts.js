/**
 * Sounds and desktop notifications for what a waiter must not miss. Of several
 * tabs only the one that was looked at last gives them.
 */

import { audible, enableSound, play } from "../kit/sound.js";
import { common, onShared, shared } from "./storage.js";
import { t } from "./words.js";

/** What there are alerts for: a visitor joins the queue, a conversation begins, a message comes, one is left. */
export const KINDS = ["queued", "chat", "message", "left"];

/** The ways of an alert: a sound, a desktop notification. */
export const WAYS = ["sound", "notify"];

const DEFAULT = { sound: true, notify: true };

export class Alerts {
  #calls = !navigator.locks; // without locks, which need https, each tab gives alerts
  #changed;
  #open;

  /** *changed()*: a setting has changed. *open(conversation)*: a notification was clicked. */
  constructor({ changed, open }) {
    this.#changed = changed;
    this.#open = open;
    onShared("alerts", changed);
    if (navigator.locks) this.#queueUp();
    addEventListener("focus", () => this.#queueUp({ steal: true }));
    // A waiter who has enabled the sound before need not do it again: the first click or key is enough.
    const wake = () => this.settings.enabled && !audible() && enableSound().then(changed);
    for (const type of ["pointerdown", "keydown"]) addEventListener(type, wake, { passive: true });
  }

  /** `{enabled, queued: {sound, notify}, chat: …, message: …, left: …}` */
  get settings() {
    const stored = shared.get("alerts") ?? {};
    const kinds = KINDS.map((kind) => [kind, { ...DEFAULT, ...stored[kind] }]);
    return { enabled: stored.enabled ?? false, ...Object.fromEntries(kinds) };
  }

  /** Set one switch: *what* is one of `WAYS`. */
  set(kind, what, on) {
    const { settings } = this;
    shared.set("alerts", { ...settings, [kind]: { ...settings[kind], [what]: on } });
    this.#changed();
  }

  /** Whether sounds can be heard now. */
  get audible() {
    return this.settings.enabled && audible();
  }

  /** `default`, `granted`, `denied`; or `missing` where the browser has none. */
  get permission() {
    return "Notification" in window ? Notification.permission : "missing";
  }

  /** On a click: make sounds possible, and ask for notifications. */
  async enable() {
    shared.set("alerts", { ...this.settings, enabled: true });
    await enableSound();
    if (this.permission === "default") await Notification.requestPermission();
    play("message"); // so that the waiter knows the sound
    this.#changed();
  }

  disable() {
    shared.set("alerts", { ...this.settings, enabled: false });
    this.#changed();
  }

  /** *length* visitors are in the queue now. There is an alert only if these are more than *before*. */
  queued(before, length) {
    if (length > before) this.#call("queued", t("notify_queued"), t("in_line", { n: length }));
  }

  chat(name, conversation) {
    this.#call("chat", name, t("notify_chat"), conversation);
  }

  message(name, text, conversation) {
    this.#call("message", name, text, conversation);
  }

  /** *count* messages that visitors have left are open now. There is an alert only if these are more than *before*. */
  left(before, count) {
    if (count > before) this.#call("left", t("notify_left"), t("notify_left_open", { n: count }));
  }

  #call(kind, title, body, conversation) {
    const { enabled, [kind]: wished } = this.settings;
    if (!enabled || !this.#calls) return;
    if (wished.sound) play(kind);
    if (wished.notify && this.permission === "granted" && document.hidden) {
      this.#notify(title, body, conversation, kind);
    }
  }

  #notify(title, body, conversation, kind) {
    let shown;
    try {
      shown = new Notification(title, { body, tag: common(conversation ?? kind), renotify: true });
    } catch {
      return; // on phones only service workers show notifications
    }
    shown.onclick = () => {
      window.focus();
      shown.close();
      if (conversation) this.#open(conversation);
    };
  }

  /** Become the tab that gives alerts: when all before it have gone, or at once. */
  #queueUp(options = {}) {
    if (!navigator.locks || (options.steal && this.#calls)) return;
    const held = () => {
      this.#calls = true;
      return new Promise(() => {}); // until the page ends, or another tab takes it
    };
    navigator.locks.request(common("calls"), options, held).catch(() => {
      this.#calls = false;
      // Not at once: while a page is left, WebKit refuses every request at once, without end.
      setTimeout(() => this.#queueUp());
    });
  }
}
