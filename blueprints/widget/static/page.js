/**
 * The page around the chat: what it says may change, it may have been made for somebody else, and its
 * scripts do not expect anybody to write here. It comes with the panel, or alone as soon as it matters.
 */

import { inTime } from "../kit/in-time.js";
import { browserStorage, Stored } from "../kit/storage.js";
import { Words } from "../kit/words.js";
import { guard } from "./guard.js";
import { Tabs } from "./tabs.js";

const PATIENCE = 10_000; // ms for the server's word of who the visitor is

export class Page {
  #launcher;
  #watcher = new MutationObserver(() => this.look());
  #sure = null; // a promise: it is known whose chat this is
  #isStale = false; // what the page says may be of long ago

  constructor(launcher) {
    const { key } = launcher;
    const stored = new Stored(browserStorage("localStorage"), key);
    const get = () => stored.get("") ?? {};
    // where the page has cleared its storage, what was stored since is of a chat without a token
    if (!stored.get("")) new Stored(browserStorage("localStorage"), `${key}:user:`).clear();
    this.#launcher = launcher;
    // `clear`: everything, also what the protocol's client has stored
    launcher.store = { key, get, set: (changes) => stored.set("", { ...get(), ...changes }), clear: () => stored.clear() };
    launcher.opened = new Stored(browserStorage("sessionStorage"), key);
    guard(launcher);
    launcher.speak = (found) => new Words(found.strings, found);
    launcher.talk();
    this.#watcher.observe(document.documentElement, { attributeFilter: ["lang"] });
    // before the launcher does what follows from it
    addEventListener("storage", (event) => (event.key ?? key) === key && this.#follow(), true);
    this.look();
  }

  /** What waiters are told of the page: its address without the query, or the page's own words. */
  get place() {
    const { protocol, origin, pathname } = location;
    const said = this.#launcher.told ?? this.#launcher.option("page");
    // what a frame holds without an address of its own is part of the page around it
    const address = protocol === "about:" ? document.baseURI.split(/[?#]/)[0] : origin + pathname;
    return said === "off" ? "" : (said ?? address);
  }

  /** The other tabs of this browser; *heard* as `Tabs` has it. */
  tabs(heard) {
    return new Tabs(this.#launcher, heard);
  }

  /** Whether cookies go along to the chat. */
  get credentials() {
    return this.#launcher.option("credentials") ?? "same-origin";
  }

  /** Whether the panel was open on this tab's last page; a phone's screen is not covered unasked. */
  get wasOpen() {
    const covers = matchMedia("(max-width: 480px)").matches;
    if (covers && performance.getEntriesByType("navigation")[0]?.type !== "reload") return false;
    return this.#launcher.opened.get("") !== null;
  }

  /** The options may be others by now. */
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
    else if (differs("title", "greeting")) launcher.panel?.relabel();
    if (differs("visitor")) this.#ask();
  }

  // ---- whose chat it is -------------------------------------------------------

  /** It has come back as it was when it was left. */
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

  /** Where all is forgotten by now, nothing is in memory. */
  #leave() {
    const { store, panel } = this.#launcher;
    if (!Object.keys(store.get()).length) panel?.reset();
  }

  /** Resolves when what is stored here belongs to the present visitor; rejects while that is not known. */
  assure() {
    this.#sure ??= this.#meet().catch((error) => {
      this.#sure = null;
      throw error;
    });
    return this.#sure;
  }

  /**
   * What another visitor has left at this browser is not for this one. But a page may have been made for
   * somebody else, and come out of a cache: before anything is forgotten, the server is asked who this is.
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

  /** Who the visitor is, as `data-visitor` would say it on a page that is made now; undefined where it would not. */
  async #who() {
    const { credentials } = this;
    const { base } = this.#launcher;
    if (credentials !== "include" && !base.startsWith(`${origin}/`)) return undefined; // no cookies go there
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
