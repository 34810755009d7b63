/**
 * `Page` handles the page around the chat: its options may change, a cache may have made it for another visitor,
 * and its scripts do not expect anybody to write here. Loaded with the panel, or alone as soon as the page changes.
 */

import { inTime } from "../kit/in-time.js";
import { browserStorage, Stored } from "../kit/storage.js";
import { Words } from "../kit/words.js";
import { guard } from "./guard.js";
import { Tabs } from "./tabs.js";

const PATIENCE = 10_000; // ms for the server's answer who the visitor is

export class Page {
  #launcher;
  #watcher = new MutationObserver(() => this.look());
  #sure = null; // a promise: the stored chat belongs to the present visitor
  #isStale = false; // the page may be old, so what it says of the visitor may be wrong

  constructor(launcher) {
    const { key } = launcher;
    const stored = new Stored(browserStorage("localStorage"), key);
    const get = () => stored.get("") ?? {};
    // the page has cleared its storage: what was stored since belongs to a chat without a token
    if (!stored.get("")) new Stored(browserStorage("localStorage"), `${key}:user:`).clear();
    this.#launcher = launcher;
    // `clear` removes everything, also what the protocol's client has stored
    launcher.store = { key, get, set: (changes) => stored.set("", { ...get(), ...changes }), clear: () => stored.clear() };
    launcher.opened = new Stored(browserStorage("sessionStorage"), key);
    guard(launcher);
    launcher.speak = (found) => new Words(found.strings, found);
    launcher.translate();
    this.#watcher.observe(document.documentElement, { attributeFilter: ["lang"] });
    // before the launcher reacts to it
    addEventListener("storage", (event) => (event.key ?? key) === key && this.#follow(), true);
    this.look();
  }

  /** What waiters see of the page: its address without the query, or the page's own words. */
  get place() {
    const { protocol, origin, pathname } = location;
    const said = this.#launcher.pageText ?? this.#launcher.option("page");
    // a frame without an address of its own is part of the page around it
    const address = protocol === "about:" ? document.baseURI.split(/[?#]/)[0] : origin + pathname;
    return said === "off" ? "" : (said ?? address);
  }

  /** The other tabs of this browser; *received* as in `Tabs`. */
  tabs(received) {
    return new Tabs(this.#launcher, received);
  }

  /** Whether requests to the chat carry cookies. */
  get credentials() {
    return this.#launcher.option("credentials") ?? "same-origin";
  }

  /** Whether the panel was open on this tab's last page. On a phone it covers the screen: not opened unasked. */
  get wasOpen() {
    const covers = matchMedia("(max-width: 480px)").matches;
    if (covers && performance.getEntriesByType("navigation")[0]?.type !== "reload") return false;
    return this.#launcher.opened.get("") !== null;
  }

  /** Read the options again: they may have changed. */
  look() {
    const launcher = this.#launcher;
    const [before, now] = [launcher.options, launcher.read()];
    const differs = (...names) => names.some((name) => now[name] !== before[name]);
    launcher.options = now;
    for (const one of [launcher.home.element, ...launcher.tags]) {
      if (one.nodeType) this.#watcher.observe(one, { attributes: true });
    }
    if (differs("position")) launcher.setPosition(now.position);
    if (differs("theme")) launcher.setTheme(now.theme);
    if (differs("locale", "catalogue", "lang")) launcher.setLocale(now.locale);
    else if (differs("title", "greeting", "department", "departments")) launcher.panel?.relabel();
    if (differs("visitor")) this.#ask();
  }

  // ---- the visitor to whom the chat belongs -------------------------------------------------------

  /** The browser shows the page as it was when the visitor left it. */
  doubt() {
    this.#leave();
    this.#isStale = true;
    this.#ask();
  }

  #ask() {
    this.#sure = null;
    this.#launcher.wake();
  }

  /** Another tab has written something down. */
  #follow() {
    this.#leave();
    const { visitor } = this.#launcher;
    const other = this.#launcher.store.get().visitor;
    if (visitor === undefined || !other || other === visitor) return;
    this.#isStale = true;
    this.#sure = null;
  }

  /** If another tab has removed all that was stored, forget what is in memory. */
  #leave() {
    const { store, panel } = this.#launcher;
    if (!Object.keys(store.get()).length) panel?.reset();
  }

  /** Resolves when what is stored here belongs to the present visitor; rejects while nobody knows. */
  assure() {
    this.#sure ??= this.#meet().catch((error) => {
      this.#sure = null;
      throw error;
    });
    return this.#sure;
  }

  /**
   * A visitor must not see what another one has left in this browser. But the page may come from a cache and be
   * made for somebody else: before anything is removed, ask the server who the visitor is.
   */
  async #meet() {
    const launcher = this.#launcher;
    const said = launcher.option("visitor");
    const before = launcher.visitor || launcher.store.get().visitor;
    let now = said;
    if (said !== undefined && before && (said !== before || this.#isStale)) {
      launcher.frame.hidden = true;
      try {
        now = (await this.#who()) ?? said;
        if (now !== before) this.#forget(now);
      } catch (error) {
        launcher.close();
        throw error;
      } finally {
        launcher.frame.hidden = false;
      }
    }
    this.#isStale = false;
    launcher.visitor = now;
  }

  /** The visitor, as `data-visitor` would name it on a page that is made now; undefined if it would not. */
  async #who() {
    const { credentials } = this;
    const { base } = this.#launcher;
    if (credentials !== "include" && !base.startsWith(`${origin}/`)) return undefined; // no cookies are sent there
    const answer = await inTime(fetch(`${base}v1/visitor/me`, { credentials }), PATIENCE);
    if (answer.status === 429 || answer.status >= 500) throw new Error(`the server answered ${answer.status}`);
    return (await answer.json().catch(() => ({}))).visitor ?? undefined;
  }

  #forget(visitor) {
    const launcher = this.#launcher;
    if (launcher.givenTo !== visitor) launcher.given = null;
    launcher.panel?.reset();
    launcher.store.clear();
  }
}
