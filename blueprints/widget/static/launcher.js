/** The button in the corner and its texts, and the panel behind it, which is loaded when somebody wants it. */

import { asText } from "../kit/as-text.js";
import { asTag, load as loadCatalogue } from "../kit/catalogues.js";
import { inTime } from "../kit/in-time.js";
import { Listeners } from "../kit/listeners.js";
import { Home } from "./home.js";
import { STYLE } from "./launcher-style.js";
import { Pieces } from "./pieces.js";

const LANGUAGES = ["ar", "de", "en", "es", "fr", "ja", "ko", "pt", "ru", "zh"];
const UNSEEN = 3000; // ms that the button waits for its texts
const AGAIN = 5000; // ms before a file that did not load is tried again, doubled by each failure …
const SELDOM = 300_000; // … up to this
const SHEET_END = ".csapp-whole{}"; // the last line of panel.css: a proxy may have cut it
const BUBBLE =
  "M7 4h10a4 4 0 0 1 4 4v6a4 4 0 0 1-4 4h-5l-5 4v-4a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z" +
  "M8 10v2h2v-2zm3 0v2h2v-2zm3 0v2h2v-2z";
/** When one of these attributes changes, the page counts as another page. */
const OPTIONS = ["position", "theme", "locale", "catalogue", "title", "greeting", "visitor", "department", "departments"];
/** Events in the chat that the page does not get: see `guard.js`. */
const CAUGHT = "keydown keypress keyup focus blur focusin focusout pointerdown mousedown touchstart".split(" ");
const SVG = "http://www.w3.org/2000/svg";

export class Launcher extends Listeners {
  /** What the panel and `page.js` use of the launcher. */
  base; // the address of the chat, with a slash at the end
  key; // of what this browser stores; other keys begin with it
  pieces;
  frame = document.createElement("div");
  home;
  panel = null;
  around = null; // the `Page`, which is loaded with the panel, or earlier when the page changes, with …
  store = null; // … what this browser stores, and …
  opened = null; // … whether the panel is open in this tab, over reloads
  tags = []; // script tags with our options, the newest first
  options; // as they were read last
  given = null; // the token that the page has given with `identify`, or a function that fetches one …
  givenTo; // … for this visitor
  visitor; // the visitor whose chat is stored here, as `data-visitor` names it; undefined where nothing does
  pageText = null; // what the page has given with `page`
  departmentSaid = null; // … and with `department`
  caught = () => {}; // events in the chat, before the page sees them
  locale = "en";
  t = (key) => (key === "open" ? "Chat" : "");
  /** `t` and `direction` of a catalogue: as much of them as the button needs. */
  speak = ({ strings }) => ({ ...strings, t: (key) => strings[key] });

  #button = document.createElement("button");
  #icon = document.createElementNS(SVG, "path");
  #badge = document.createElement("span");
  #note = document.createElement("p");
  #loading = null;
  #again = 0; // a timer
  #unread = 0;
  #found = null; // the catalogue …
  #isMore = false; // … with the texts that the first click does not need
  #early = null; // what was typed since the button was pressed; null: it was not pressed
  #spoken = []; // what `setLocale` was last called with
  #turn = 0;

  constructor(base) {
    super();
    this.base = base;
    this.key = `csapp:${base.replace(/^\w+:\/\//, "")}`;
    this.pieces = new Pieces(`${base}csapp-static/widget/`);
    this.#build();
  }

  #build() {
    const svg = document.createElementNS(SVG, "svg");
    const part = (element, name) => {
      element.className = element.part = name;
      return element;
    };
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.#icon);
    part(this.#badge, "badge").setAttribute("aria-hidden", "true");
    part(this.#note, "note").setAttribute("role", "status");
    part(this.#button, "launcher").setAttribute("aria-haspopup", "dialog");
    this.#button.type = "button";
    this.#button.hidden = this.#note.hidden = true;
    this.#button.append(svg, this.#badge);
    this.#button.addEventListener("click", () => this.toggle());
    this.#button.addEventListener("keydown", (event) => this.#takeKey(event));
    this.frame.className = "csapp";
    this.frame.append(this.#button, this.#note);
  }

  // ---- on the page ----------------------------------------------------------

  /** The script has run, perhaps once more: *tag* is the newest with our options. */
  begin(tag) {
    this.tags = [tag, ...this.tags.filter((one) => one !== tag && one.isConnected)];
    if (this.home) this.#changed();
    else this.#arrive();
  }

  async #arrive() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.home = new Home(this.frame, [sheet], () => this.options && this.#changed());
    this.home.settle();
    const { position, theme, locale } = (this.options = this.read());
    this.setPosition(position);
    this.setTheme(theme);
    for (const type of CAUGHT) addEventListener(type, (event) => this.caught(event), true);
    addEventListener("resize", () => this.home.rise());
    addEventListener("storage", ({ key }) => key === this.key && this.wake()); // another tab may have begun a conversation
    addEventListener("pageshow", ({ persisted }) => persisted && this.#look().then((page) => page.doubt(), () => {}));
    await inTime(this.setLocale(locale), UNSEEN).catch(() => {});
    this.#button.hidden = false;
    this.emit("ready");
    this.wake();
  }

  /** The launcher is in another element, or there is another tag: the page has changed. */
  #changed() {
    this.home.settle();
    this.panel?.moved();
    this.#look().then((page) => page.look(), () => {});
  }

  /** An option: of the element, or else of the script tag. */
  option(name) {
    return [this.home.element, ...this.tags].find((one) => one.dataset[name] !== undefined)?.dataset[name];
  }

  /** The options that are read again when the page changes, and the page's language. */
  read() {
    const found = { lang: document.documentElement.lang };
    for (const name of OPTIONS) found[name] = this.option(name);
    return found;
  }

  /** The `Page`, which handles the page around the chat. */
  async #look() {
    if (this.around) return this.around; // even a repeated `import()` takes time, in which a visitor types
    const Page = await this.pieces.module("page.js", "Page");
    return (this.around ??= new Page(this));
  }

  /** What is stored under our own key; null: nothing, or nothing that can be read. */
  #read(storage) {
    try {
      return JSON.parse(globalThis[storage].getItem(this.key));
    } catch {
      return null;
    }
  }

  get #stored() {
    return this.store?.get() ?? this.#read("localStorage") ?? {};
  }

  /** Resolves when what is stored here belongs to the present visitor; rejects while nobody knows. */
  async #assure() {
    const said = this.option("visitor");
    const before = this.#stored.visitor;
    if (this.around || (before && said !== undefined && before !== said)) await (await this.#look()).assure();
    else this.visitor = said;
  }

  /** Take up what this browser has stored: a conversation under way, an open panel. */
  async wake(pause = AGAIN) {
    try {
      await this.#assure();
      const { phase, awaits } = this.#stored; // a conversation, or a message that was left
      if (this.#read("sessionStorage") || ["queued", "served"].includes(phase) || awaits > Date.now()) await this.#load();
      if (this.around?.wasOpen && !this.panel.isOpen) this.#show(false);
      this.panel?.follow();
    } catch {
      clearTimeout(this.#again);
      this.#again = setTimeout(() => this.wake(Math.min(pause * 2, SELDOM)), pause);
    }
  }

  // ---- the panel ----------------------------------------------------------------

  #load() {
    this.#loading ??= this.#fetch().catch((error) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  async #fetch() {
    if (!this.#found) await this.setLocale(...this.#spoken);
    if (!this.#found) throw new Error("there are no texts");
    const [Panel, css] = await Promise.all([
      this.pieces.module("panel.js", "Panel"),
      this.pieces.text("panel.css", SHEET_END),
    ]);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.home.element.shadowRoot.adoptedStyleSheets.push(sheet);
    this.panel = new Panel(this);
  }

  #show(focus, typed) {
    this.panel.open(focus, typed);
    this.#label();
  }

  /** A visitor who opens the chat and types at once loses no letter: the button takes the keys until the box is there. */
  #takeKey(event) {
    const { key } = event;
    const letter = key === "Enter" && event.shiftKey ? "\n" : key;
    const isCommand = event.metaKey || event.ctrlKey !== event.altKey; // both together are AltGr
    if (this.#early === null || isCommand) return;
    if (key === "Backspace") this.#early = [...this.#early].slice(0, -1).join("");
    else if ([...letter].length === 1) this.#early += letter;
    else if (key !== "Enter") return;
    event.preventDefault(); // a space would press the button again
    event.stopPropagation();
  }

  /** What the button says and shows. */
  #label() {
    const open = Boolean(this.panel?.isOpen);
    const count = this.#unread;
    const unread = count ? `, ${this.t("unread", { n: count })}` : "";
    this.#button.setAttribute("aria-expanded", open);
    this.#button.setAttribute("aria-label", open ? this.t("close") : this.t("open") + unread);
    this.#icon.setAttribute("d", open ? this.panel.cross : BUBBLE);
    this.#badge.hidden = !count;
    this.#badge.textContent = count > 99 ? "99+" : count;
  }

  /** Called by the panel when it has closed itself. */
  closed(focus) {
    this.#label();
    if (focus) this.#button.focus({ preventScroll: true });
    this.emit("close");
  }

  /** Called by the panel with the number of unread messages. */
  set unread(count) {
    if (count === this.#unread) return;
    this.#unread = count;
    this.#label();
    this.emit("unread", { count });
  }

  // ---- commands -------------------------------------------------------------------

  async open() {
    this.home.settle();
    if (this.panel?.isOpen) {
      this.panel.rise();
      return;
    }
    this.#button.setAttribute("aria-busy", "true");
    this.#note.hidden = true;
    this.#early ??= "";
    try {
      await this.#assure();
      await this.#load();
      this.#show(true, this.#early);
      this.emit("open");
    } catch (error) {
      this.#note.hidden = false;
      this.#note.textContent = this.t("unreachable") || "The chat cannot be loaded.";
      this.emit("error", { code: "unreachable", message: String(error) });
    }
    this.#early = null;
    this.#button.setAttribute("aria-busy", "false");
  }

  close() {
    this.panel?.close();
  }

  toggle() {
    return this.panel?.isOpen ? this.close() : this.open();
  }

  identify(token) {
    this.given = token ?? null;
    this.givenTo = this.option("visitor");
    this.panel?.identify();
  }

  reset() {
    this.given = null;
    this.panel?.reset();
    this.store?.clear();
    try {
      for (const key of Object.keys(localStorage)) if (key.startsWith(this.key)) localStorage.removeItem(key);
    } catch {
      // forbidden: then there is nothing
    }
  }

  async setLocale(locale, catalogue = this.option("catalogue")) {
    const turn = (this.#turn += 1);
    this.#spoken = [locale, catalogue];
    const failed = (error) => this.emit("error", { code: "no_catalogue", message: String(error) });
    const said = asTag(locale) || asTag(document.documentElement.lang);
    try {
      const found = await loadCatalogue({
        wanted: said ? [said] : navigator.languages,
        known: LANGUAGES,
        folder: `${this.base}csapp-static/widget/locales/`,
        own: catalogue,
        failed,
      });
      if (this.#isMore) await this.speakMore(found);
      if (turn !== this.#turn) return; // another language was chosen meanwhile
      this.#found = found;
      this.locale = this.frame.lang = found.locale;
      this.translate();
    } catch (error) {
      failed(error);
    }
    this.#label();
    this.panel?.relabel();
  }

  /** Add to *found* the texts that the first click does not need, which from now on any language has. */
  async speakMore(found = this.#found) {
    this.#isMore = true;
    const texts = JSON.parse(await this.pieces.text(`locales/later/${found.language}.json`, "}"));
    Object.assign(found.strings, { ...texts, ...found.strings }); // a catalogue of the page's own counts
  }

  /** Take the texts of the catalogue that was found. */
  translate() {
    if (!this.#found) return;
    const { t, direction } = this.speak(this.#found);
    this.t = t;
    this.frame.dir = direction;
  }

  page(words) {
    this.pageText = words == null ? null : asText(words).slice(0, 2000);
  }

  department(key) {
    this.departmentSaid = key == null ? null : asText(key);
    this.panel?.choose();
  }

  setPosition(position) {
    this.frame.dataset.position = position === "start" ? "start" : "end";
  }

  setTheme(theme) {
    const own = theme === "light" || theme === "dark";
    this.frame.dataset.theme = own ? theme : "auto";
    this.frame.style.colorScheme = own ? theme : "light dark";
  }

  on(type, listener) {
    if (typeof listener !== "function") throw new Error("csapp: on takes a function");
    super.on(type, listener);
  }
}
