/**
 * The launcher: one classic script, `<script async src="…/widget.js"></script>`.
 *
 * It puts `<csapp-widget>` on the page, answers `csapp("open")` and its like, and
 * loads the panel at the first click, or at once when a chat is under way. It
 * stores nothing. docs/widget.md has the options, the commands and the events.
 */

import { browserStorage, Kept } from "../kit/storage.js";
import { asTag, load as loadWords } from "../kit/words.js";

(() => {
  const script = document.currentScript;
  const asked = window.csapp?.q ?? [];
  if (!script || customElements.get("csapp-widget")) return;

  const BASE = new URL(".", script.src);
  const FILES = new URL("csapp-static/widget/", BASE);
  /** What this browser remembers is under this key, and under others that begin with it. */
  const KEY = `csapp:${BASE.host}${BASE.pathname}`;
  const LANGUAGES = ["ar", "de", "en", "es", "fr", "ja", "ko", "pt", "ru", "zh"];
  const BUBBLE =
    "M7 4h10a4 4 0 0 1 4 4v6a4 4 0 0 1-4 4h-5l-5 4v-4a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z" +
    "M8 10v2h2v-2zM11 10v2h2v-2zM14 10v2h2v-2z";
  const CROSS = "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5 6.4z";

  const STYLE = `
    :host {
      all: initial !important;
      position: fixed !important;
      inset: auto 0 0 auto !important;
      display: block !important;
      width: 0 !important;
      height: 0 !important;
      z-index: var(--csapp-z-index, 2147483000) !important;
    }
    :host([hidden]) { display: none !important; }
    @media print { :host { display: none !important; } }
    * { box-sizing: border-box; }
    [hidden] { display: none !important; }
    .csapp {
      --day: initial; /* see panel.css */
      --night: ;
      --accent: var(--csapp-accent, var(--day, #2f5bd7) var(--night, #8cabff));
      --on-accent: var(--csapp-on-accent, var(--day, #fff) var(--night, #0c1633));
      --surface: var(--csapp-surface, var(--day, #fff) var(--night, #1a1d22));
      --text: var(--csapp-text, var(--day, #1b1f26) var(--night, #e7e9ed));
      --muted: var(--csapp-muted, var(--day, #5a6270) var(--night, #a1a8b4));
      --line: var(--csapp-line, var(--day, #e1e4e9) var(--night, #2d323a));
      --bad: var(--day, #b3261e) var(--night, #ff9a91);
      --gap: var(--csapp-gap, 24px);
      --size: var(--csapp-size, 56px);
      color-scheme: light dark;
      color: var(--text);
      font: 16px/1.5 var(--csapp-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
      text-align: start;
      overflow-wrap: anywhere;
    }
    @media (prefers-color-scheme: dark) {
      .csapp[data-theme="auto"] { --day: ; --night: initial; }
    }
    .csapp[data-theme="light"] { color-scheme: light; }
    .csapp[data-theme="dark"] { --day: ; --night: initial; color-scheme: dark; }
    .launcher, .note {
      position: fixed;
      inset-block-end: calc(var(--gap) + env(safe-area-inset-bottom, 0px));
      inset-inline-end: var(--gap);
    }
    [data-position="start"] > .launcher, [data-position="start"] > .note {
      inset-inline: var(--gap) auto;
    }
    .launcher {
      display: grid;
      place-items: center;
      width: var(--size);
      height: var(--size);
      padding: 0;
      border: 1px solid transparent;
      border-radius: 50%;
      background: var(--accent);
      color: var(--on-accent);
      box-shadow: 0 1px 3px rgb(16 24 40 / 16%), 0 8px 24px rgb(16 24 40 / 20%);
      cursor: pointer;
      transition: transform 160ms, opacity 160ms;
    }
    .launcher:hover { transform: scale(1.05); }
    .launcher:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
    .launcher[aria-busy="true"] { opacity: 0.6; }
    .launcher svg { width: 50%; height: 50%; }
    .badge {
      position: absolute;
      inset-block-start: -4px;
      inset-inline-end: -4px;
      min-width: 24px;
      padding: 0 6px;
      border: 2px solid var(--surface);
      border-radius: 12px;
      background: #b3261e;
      color: #fff;
      font: 600 13px/20px inherit;
      font-family: inherit;
      font-variant-numeric: tabular-nums;
      text-align: center;
    }
    .note {
      max-width: min(320px, calc(100vw - 3 * var(--gap) - var(--size)));
      margin: 0;
      margin-inline-end: calc(var(--size) + 16px);
      padding: 8px 16px;
      border: 1px solid var(--line);
      border-radius: 12px;
      background: var(--surface);
      box-shadow: 0 8px 24px rgb(16 24 40 / 16%);
    }
    [data-position="start"] > .note { margin-inline: calc(var(--size) + 16px) 0; }
    .unseen {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
      white-space: nowrap;
    }
    @media (prefers-reduced-motion: reduce) {
      *, ::before, ::after { animation: none !important; transition: none !important; }
    }
  `;

  // ---- what this browser remembers ----------------------------------------

  const kept = new Kept(browserStorage("localStorage"), KEY);
  const store = {
    key: KEY,
    get: () => kept.get("") ?? {},
    set: (changes) => kept.set("", { ...store.get(), ...changes }),
    /** Everything, also what the protocol's client has kept. */
    clear: () => kept.clear(),
  };
  /** Whether the panel is open in this tab, over reloads. */
  const opened = new Kept(browserStorage("sessionStorage"), KEY);
  const underWay = () => ["queued", "served"].includes(store.get().phase);

  /** Whether the panel was open on this tab's last page; a phone's screen is not covered unasked. */
  const wasOpen = () => {
    const covers = matchMedia("(max-width: 480px)").matches;
    if (covers && performance.getEntriesByType("navigation")[0]?.type !== "reload") return false;
    return opened.get("") !== null;
  };

  // ---- events ---------------------------------------------------------------

  const listeners = new Map();
  const of = (type) => listeners.get(type) ?? listeners.set(type, new Set()).get(type);
  const emit = (type, detail) => {
    for (const listener of [...of(type)]) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error);
      }
    }
  };

  // ---- what is loaded ---------------------------------------------------------

  const failures = {}; // path → how often it did not come

  /** One of our modules. Browsers remember under its address what they could not get. */
  const module = async (path) => {
    try {
      return await import(new URL(failures[path] ? `${path}?${failures[path]}` : path, FILES));
    } catch (error) {
      failures[path] = (failures[path] ?? 0) + 1;
      throw error;
    }
  };

  const noCatalogue = (error) => emit("error", { code: "no_catalogue", message: String(error) });

  /** The words of *locale*, or else of the page, or of the browser; *own*: a catalogue of the page's. */
  const load = (locale, own) => {
    const said = asTag(locale) || asTag(document.documentElement.lang);
    return loadWords({
      wanted: said ? [said] : navigator.languages,
      known: LANGUAGES,
      folder: new URL("locales/", FILES),
      own,
      failed: noCatalogue,
    });
  };

  // ---- the element ------------------------------------------------------------

  class Widget extends HTMLElement {
    /** What the panel uses of the launcher. */
    base = BASE;
    files = FILES;
    store = store;
    opened = opened;
    emit = emit;
    frame = document.createElement("div");
    /** The token that the page has given with `identify`, or a function that fetches one. */
    given = null;
    locale = "en";
    t = (key) => (key === "open" ? "Chat" : "");

    #button = document.createElement("button");
    #icon = document.createElementNS("http://www.w3.org/2000/svg", "path");
    #badge = document.createElement("span");
    #note = document.createElement("p");
    #panel = null;
    #loading = null;
    #unread = 0;
    #words = null;
    #asked = []; // what `setLocale` was last called with
    #turn = 0;
    #place = null;

    connectedCallback() {
      if (this.shadowRoot) {
        this.#panel?.moved();
        return;
      }
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
      this.frame.className = "csapp";
      this.frame.dataset.position = this.option("position") === "start" ? "start" : "end";
      this.setTheme(this.option("theme"));
      this.#build();
      root.append(this.frame);
      this.#forgetOthers();
      this.#begin();
      addEventListener("storage", async (event) => {
        if (event.key !== KEY) return;
        if (underWay()) await this.#load().catch(() => {}); // another tab has begun a chat
        this.#panel?.follow();
      });
    }

    /** What the element says, or else the script tag. */
    option(name) {
      return this.dataset[name] ?? script.dataset[name];
    }

    /** What waiters are told of the page: its address without the query, or the page's own words. */
    get place() {
      const said = this.#place ?? this.option("page");
      return said === "off" ? "" : said ?? location.origin + location.pathname;
    }

    #build() {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", "0 0 24 24");
      svg.setAttribute("aria-hidden", "true");
      this.#icon.setAttribute("fill", "currentColor");
      this.#icon.setAttribute("fill-rule", "evenodd");
      svg.append(this.#icon);
      this.#badge.className = "badge";
      this.#badge.part = "badge";
      this.#badge.setAttribute("aria-hidden", "true");
      this.#note.className = "note";
      this.#note.part = "note";
      this.#note.setAttribute("role", "status");
      this.#note.hidden = true;
      this.#button.type = "button";
      this.#button.className = "launcher";
      this.#button.part = "launcher";
      this.#button.hidden = true;
      this.#button.setAttribute("aria-haspopup", "dialog");
      this.#button.append(svg, this.#badge);
      this.#button.addEventListener("click", () => this.toggle());
      this.frame.append(this.#button, this.#note);
    }

    async #begin() {
      await this.setLocale(this.option("locale"));
      this.#button.hidden = false;
      emit("ready");
      const reopen = wasOpen();
      if (reopen || underWay()) await this.#load().catch(() => {});
      if (reopen) this.#show(false);
    }

    /** What another visitor has left at this browser is not for this one. */
    #forgetOthers() {
      const visitor = this.option("visitor");
      const before = store.get().visitor;
      if (visitor !== undefined && before && before !== visitor) store.clear();
    }

    #load() {
      this.#loading ??= this.#fetch().catch((error) => {
        this.#loading = null;
        throw error;
      });
      return this.#loading;
    }

    async #fetch() {
      if (!this.#words) await this.setLocale(...this.#asked);
      if (!this.#words) throw new Error("there are no texts");
      const [{ Panel }, css] = await Promise.all([
        module("panel.js"),
        fetch(new URL("panel.css", FILES)).then((answer) => answer.text()),
      ]);
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      this.shadowRoot.adoptedStyleSheets.push(sheet);
      this.#panel = new Panel(this);
    }

    #show(focus) {
      this.#panel?.open(focus);
      this.#label();
    }

    /** What the button says and shows. */
    #label() {
      const open = Boolean(this.#panel?.isOpen);
      const count = this.#unread;
      const unread = count ? `, ${this.t("unread", { n: count })}` : "";
      this.#button.setAttribute("aria-expanded", open);
      this.#button.setAttribute("aria-label", open ? this.t("close") : this.t("open") + unread);
      this.#icon.setAttribute("d", open ? CROSS : BUBBLE);
      this.#badge.hidden = !count;
      this.#badge.textContent = count > 99 ? "99+" : count;
    }

    /** Called by the panel when it has closed itself. */
    closed(focus) {
      this.#label();
      if (focus) this.#button.focus();
      emit("close");
    }

    /** Called by the panel: so many messages wait to be read. */
    set unread(count) {
      if (count === this.#unread) return;
      this.#unread = count;
      this.#label();
      emit("unread", { count });
    }

    // ---- commands -----------------------------------------------------------

    async open() {
      if (this.#panel?.isOpen) return;
      this.#button.setAttribute("aria-busy", "true");
      this.#note.hidden = true;
      try {
        await this.#load();
        this.#show(true);
        emit("open");
      } catch (error) {
        this.#note.hidden = false;
        this.#note.textContent = this.t("unreachable") || "The chat cannot be loaded.";
        emit("error", { code: "unreachable", message: String(error) });
      }
      this.#button.setAttribute("aria-busy", "false");
    }

    close() {
      this.#panel?.close();
    }

    toggle() {
      return this.#panel?.isOpen ? this.close() : this.open();
    }

    identify(token) {
      this.given = token ?? null;
      this.#panel?.identify();
    }

    reset() {
      this.given = null;
      this.#panel?.reset();
      store.clear();
    }

    async setLocale(locale, catalogue = this.option("catalogue")) {
      const turn = (this.#turn += 1);
      this.#asked = [locale, catalogue];
      try {
        const words = await load(locale, catalogue);
        if (turn !== this.#turn) return; // another was wanted meanwhile
        this.#words = words;
        this.locale = this.frame.lang = words.locale;
        this.t = words.t;
        this.frame.dir = words.direction;
      } catch (error) {
        noCatalogue(error);
      }
      this.#label();
      this.#panel?.relabel();
    }

    page(words) {
      this.#place = words == null ? null : String(words).slice(0, 2000);
    }

    setTheme(theme) {
      this.frame.dataset.theme = theme === "light" || theme === "dark" ? theme : "auto";
    }

    on(type, listener) {
      of(type).add(listener);
    }

    off(type, listener) {
      of(type).delete(listener);
    }
  }

  const COMMANDS = ["open", "close", "toggle", "identify", "reset", "page", "setLocale", "setTheme", "on", "off"];

  const mount = () => {
    customElements.define("csapp-widget", Widget);
    const widget = document.querySelector("csapp-widget") ?? document.createElement("csapp-widget");
    window.csapp = (command, ...values) => {
      if (!COMMANDS.includes(command)) throw new Error(`csapp: there is no command ${command}`);
      widget[command](...values);
    };
    if (!widget.isConnected) document.body.append(widget);
    for (const [command, ...values] of asked) {
      try {
        window.csapp(command, ...values);
      } catch (error) {
        reportError(error); // the next one is to be heard all the same
      }
    }
  };

  if (document.body && document.readyState !== "loading") mount();
  else addEventListener("DOMContentLoaded", mount, { once: true });
})();
