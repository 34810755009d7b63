/** The panel shows the start, the queue, the conversation and its end. `Visit` decides what happens. */

import { paintFace } from "../kit/faces.js";
import { inTime } from "../kit/in-time.js";
import { composes } from "../kit/keys.js";
import { Composer } from "./composer.js";
import { button, element, iconButton, wear } from "./dom.js";
import { Page } from "./page.js";
import { Start } from "./start.js";
import { Visit } from "./visit.js";

const OFFERED = 3; // conversations that the first screen names
const AGAIN = 2000; // ms before a file that did not load is tried again
const QUICK = 3000; // ms that a first question waits to learn what the site asks before a chat
const PHONE = matchMedia("(max-width: 480px)");
const TOUCH = matchMedia("(pointer: coarse)");

export class Panel {
  /** What the launcher shows while the panel is open. */
  cross = "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12 19 17.6 17.6 19 12 13.4 6.4 19 5 17.6 10.6 12 5 6.4z";

  #widget;
  #visit;
  #log = null; // the messages, once there is something to show, and …
  #foot = null; // … what stands below them, such as the visitor's position and the end …
  #bringing = null; // … a promise of both and of their texts, …
  #missing = ""; // … and the key of a text that says that they do not load
  #start;
  #prechat = null; // what is asked before a chat, where the site asks something …
  #coming = null; // … a promise of it …
  #isWithout = false; // … and whether the panel goes on without it, because it did not load
  #composer;
  #preview = null;
  #dialog = element("dialog", "panel", "", { part: "panel", tabindex: "-1", "aria-labelledby": "title" });
  #inside = element("div", "unseen", "", { "aria-live": "polite" });
  #outside = element("div", "unseen", "", { "aria-live": "polite" });
  #face = element("span", "face");
  #title = element("h2", "", "", { id: "title", dir: "auto" });
  #state = element("p", "state");
  #banner = element("div", "banner", "", { role: "status", part: "banner" });
  #typing = element("p", "typing");
  #problem = element("p", "problem", "", { role: "alert" });
  #mute = iconButton("mute", () => this.#visit.mute(!this.#visit.muted));
  #down = iconButton("down", () => this.close());
  #end = button("link end", "", () => this.#ask(true));
  #retry = button("", "", () => this.#visit.client.reconnect());
  #onTop = false; // in the top layer, with the page inert
  #asking = false; // the question whether to end the conversation is shown
  #isHeld = false; // a first question waits
  #shown = "";

  /** In the shadow root of *widget*, the launcher, which has loaded its style already. */
  constructor(widget) {
    this.#widget = widget;
    widget.around ??= new Page(widget); // unless the page has changed before
    this.#visit = new Visit(widget, this);
    const visit = this.#visit;
    this.#start = new Start({
      ask: (question) => this.#say(question),
      leave: () => this.#have("leave", this.#composer),
      open: (conversation) => this.#have("turnTo", conversation),
      base: widget.base,
      now: this.#now,
    });
    this.#composer = new Composer({
      say: (text) => this.#say(text, true),
      attach: (files) => visit.sendFiles(files),
      typed: () => {
        visit.client.typing(Boolean(this.#composer.text));
        this.#keepDraft();
        this.#bring(); // there will soon be something to show
      },
      load: (...piece) => widget.pieces.module(...piece),
      most: this.#most,
    });
    this.#build();
    this.#listen();
    this.relabel();
    widget.frame.append(this.#dialog, this.#outside);
    visit.changed();
    if (!visit.isIdle || visit.awaits) visit.begin();
  }

  #most = () => this.#visit.client.me?.max_text;
  #now = () => this.#visit.client.now();

  get #t() {
    return this.#widget.t;
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Whether the visitor can see the newest message. */
  get isLookedAt() {
    return this.isOpen && !document.hidden && Boolean(this.#log?.isFollowing);
  }

  /** The page has moved the widget: scroll back, and return to the top layer. */
  moved() {
    const dialog = this.#dialog;
    if (this.isOpen && this.#onTop && !dialog.matches(":modal")) this.#unfold(true);
    for (const animation of dialog.getAnimations()) animation.finish();
    this.#log?.moved();
  }

  /** *typed*: what was typed while there was no box yet. */
  open(focus, typed) {
    this.#visit.begin();
    this.#unfold(PHONE.matches);
    this.#widget.opened.set("", true);
    this.#preview?.hide();
    this.show();
    this.#toUnread();
    if (focus) this.rise();
    if (typed) this.#composer.insert(typed);
  }

  #toUnread() {
    this.#log?.toUnread();
    this.#visit.seen();
  }

  #unfold(onTop) {
    const dialog = this.#dialog;
    this.#onTop = onTop;
    if (!onTop) {
      dialog.open = true; // `show()` would take the focus in any case
      return;
    }
    dialog.close();
    dialog.showModal();
    dialog.focus(); // not the first button
  }

  /** Take the focus. If a dialog of the page makes the rest inert, show the panel above that dialog. */
  rise() {
    this.#focus();
    if (this.#isFocused || !this.#dialog.offsetWidth) return;
    this.#unfold(true);
    this.#focus();
  }

  get #isFocused() {
    return this.#dialog.contains(this.#dialog.getRootNode().activeElement);
  }

  close() {
    if (!this.isOpen) return;
    const focused = this.#isFocused;
    this.#dialog.close();
    this.#widget.opened.remove("");
    this.#visit.rest();
    this.#widget.closed(focused);
  }

  follow() {
    this.#visit.follow();
  }

  identify() {
    this.#visit.identify();
  }

  /** The page has named a department. */
  async choose() {
    (await this.#bringPrechat())?.choose();
  }

  /** The server has refused *error*; whether that is about what is asked before a chat, which shows it. */
  refused({ code, message }) {
    const is = code === "invalid_message" && /^payload\.(department|fields)/.test(message);
    if (is) this.#bringPrechat().then((prechat) => (prechat ? prechat.refused(message) : this.#visit.fail()));
    return is;
  }

  reset() {
    this.#composer.text = "";
    this.#preview?.hide();
    this.close();
    this.#visit.reset();
  }

  /** Put *text*, which no waiter has received, back into the box. */
  takeBack(text) {
    this.#composer.text = [text, this.#composer.text].filter(Boolean).join("\n");
    this.#keepDraft();
  }

  /** Show *what* a waiter has written while the panel was closed: `{name, avatar, text}`. */
  async preview(what) {
    const Preview = await this.#widget.pieces.module("preview.js", "Preview");
    this.#preview ??= new Preview(this.#widget, () => this.#widget.open());
    // meanwhile it may have been read in another tab, or removed
    if (!this.isOpen && this.#visit.chat?.unread) this.#preview.show(what);
  }

  // ---- building -----------------------------------------------------------

  #build() {
    const who = element("div", "who");
    who.append(this.#title, this.#state);
    const head = element("div", "head", "", { part: "header" });
    head.append(this.#face, who, this.#end, this.#mute, this.#down);
    this.#banner.append(element("span"), this.#retry);
    const body = element("div", "body");
    body.append(this.#banner, this.#start.element);
    const { element: form, hint } = this.#composer;
    this.#dialog.append(
      ...[head, body, this.#typing, this.#problem, hint, form, this.#inside],
    );
    this.#composer.guard(this.#widget.frame);
  }

  /** Load the log when there is something to show; if that fails, try again. */
  #bring() {
    const load = (name) => this.#widget.pieces.module("log.js", name);
    this.#bringing ??= Promise.all([load("Log"), load("Foot"), this.#widget.speakMore()]).then(
      (both) => this.#putIn(...both),
      () => {
        this.#missing = "unreachable";
        this.show();
        setTimeout(() => {
          this.#bringing = null;
          this.#bring();
        }, AGAIN);
      },
    );
    return this.#bringing;
  }

  /** Have the foot do *what*, as soon as it is there. */
  async #have(what, about) {
    await this.#bring();
    if (this.#foot) this.#foot[what](about);
    else this.#visit.fail();
  }

  #putIn(Log, Foot) {
    const visit = this.#visit;
    const put = (text) => {
      this.takeBack(text);
      this.#composer.box.focus();
    };
    this.#foot = new Foot(this.#widget, visit, (yes) => this.#ask(yes), put, this.#typing);
    this.#log = new Log({
      ...this.#foot.ofLog,
      face: (face) => paintFace(face, visit.peer, this.#widget.base),
      most: this.#most,
      now: this.#now,
    });
    wear(this.#dialog, Log.style);
    this.#log.putBehind(this.#start.element);
    this.#composer.element.after(this.#foot.element);
    if (this.#prechat) this.#foot.queue.prepend(this.#prechat.waiting);
    this.#foot.relabel();
    this.#log.relabel(this.#t, this.#widget.locale);
    this.#missing = "";
    this.show();
    if (!this.isOpen) return;
    this.#toUnread();
    // a visitor who has opened the panel at the end of a conversation waits for the button
    if (this.#composer.element.hidden && this.#dialog.getRootNode().activeElement === this.#dialog) this.#focus();
  }

  /** Load what is asked before a chat. Resolves with it; with null if it does not load. */
  #bringPrechat() {
    this.#coming ??= this.#widget.pieces.module("prechat.js", "Prechat").then(
      (Prechat) => {
        const prechat = new Prechat(this.#widget, this.#visit, () => this.#composer.say());
        wear(this.#dialog, Prechat.style);
        this.#start.put(prechat.element);
        this.#foot?.queue.prepend(prechat.waiting);
        prechat.relabel();
        this.#prechat = prechat;
        this.show();
        return prechat;
      },
      () => {
        setTimeout(() => (this.#coming = null), AGAIN);
        this.#isWithout = true;
        this.show();
        return null;
      },
    );
    return this.#coming;
  }

  #listen() {
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event)) return;
      event.preventDefault(); // or the browser also closes a dialog of the page
      this.close();
    });
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault(); // a phone's gesture for "back"
      this.close();
    });
    document.addEventListener("visibilitychange", () => !document.hidden && this.#visit.seen());
    PHONE.addEventListener("change", () => {
      if (!this.isOpen) return;
      this.#dialog.close();
      this.open(true);
    });
  }

  /** Show all texts in another language. */
  relabel() {
    const t = this.#t;
    const { locale } = this.#widget;
    this.#log?.relabel(t, locale);
    this.#start.relabel(t, locale, this.#widget.option("greeting"));
    this.#foot?.relabel();
    this.#prechat?.relabel();
    if (this.isOpen) this.#visit.speak();
    this.#composer.relabel(t);
    this.#end.textContent = t("end");
    this.#retry.textContent = t("reconnect");
    this.#down.look(t("close"), "down");
    this.#shown = "";
    this.show();
  }

  // ---- showing --------------------------------------------------------------

  show() {
    const visit = this.#visit;
    const { chat, past } = visit;
    const phase = past ? "past" : visit.isLeaving ? "leaving" : visit.phase === "offline" ? "start" : visit.phase;
    const isStart = ["start", "leaving"].includes(phase);
    const served = phase === "served";
    this.#showWho(phase);
    this.#mute.look(this.#t(visit.muted ? "unmute" : "mute"), visit.muted ? "muted" : "sound");
    this.#start.element.hidden = phase !== "start";
    this.#end.hidden = !served || !this.#foot;
    this.#asking &&= served;
    this.#composer.hidden = ["ended", "past", "leaving"].includes(phase) || this.#asking;
    const problem = (phase !== "queued" && visit.problem) || (!isStart && this.#missing);
    this.#problem.hidden = !problem;
    this.#problem.textContent = problem && this.#t(problem);
    this.#showConnection();
    const { desk, welcome } = visit.isRefused ? {} : visit.reception;
    const isComing = visit.asks && !this.#prechat && !this.#isWithout; // what is below it would jump
    const known = isComing ? { desk: null } : { desk, welcome, offline: visit.client.offline };
    if (phase === "start") this.#start.show({ ...known, earlier: visit.earlier.slice(0, OFFERED) });
    if (visit.asks && !this.#prechat) this.#bringPrechat();
    this.#prechat?.show();
    this.#foot?.show(phase, this.#asking);
    this.#showLog(phase, isStart);
    this.#composer.ask((phase === "start" && this.#prechat?.question) || this.#t(phase === "start" ? "ask" : "write"));
    this.#composer.takes(visit.client.me ? visit.client.files : undefined, served && !this.#asking);
    this.#composer.show();
    if (chat?.unread === 0) this.#preview?.hide();
    this.#turn(phase);
  }

  #showLog(phase, isStart) {
    const { chat, mark, past } = this.#visit;
    if (!isStart) this.#bring();
    if (!this.#log) return;
    const { messages = [], readByPeer: readTo, complete, unread } = chat ?? {};
    this.#log.show(messages, { readTo, complete, waiting: phase === "queued", mark, unread: past ? 0 : unread });
    this.#log.hidden = isStart;
  }

  /** Show the waiter. */
  #showWho(phase) {
    const { peer, lost, chat, client } = this.#visit;
    const isSomebody = phase === "served" || phase === "past" || (phase === "ended" && Boolean(chat?.peer.name));
    this.#face.hidden = !isSomebody;
    if (isSomebody) paintFace(this.#face, peer, this.#widget.base);
    this.#title.textContent = isSomebody ? peer.name : (this.#widget.option("title") ?? this.#t("title"));
    this.#state.hidden = phase !== "served";
    const isOver = client.status.state === "ended";
    const state = isOver ? "stopped" : lost ? "lost" : chat?.presence === "away" ? "away" : "here";
    this.#state.dataset.state = state;
    this.#state.textContent = this.#t(state);
  }

  /** The phase has changed: announce it, and leave the focus in the panel. */
  #turn(phase) {
    if (phase === this.#shown) return;
    const before = this.#shown;
    this.#shown = phase;
    if (!before) this.#composer.text = this.#visit.client.draft(this.#draftOf()) || this.#composer.text;
    else this.#keepDraft();
    if (before && phase === "served") this.announce(this.#t("connected", { name: this.#visit.name }));
    if (before && phase === "ended") this.announce(this.#foot?.ending);
    const root = this.#dialog.getRootNode();
    if (before && this.isOpen && (!root.activeElement || root.activeElement.closest("[hidden]"))) this.#focus();
  }

  /** Show that the connection is lost, or has ended. */
  #showConnection() {
    const { client, lost, crowded } = this.#visit;
    const { state, code } = client.status;
    const over = state === "ended";
    this.#banner.hidden = !over && !lost;
    this.#banner.firstChild.textContent = this.#t(
      over ? (code === 4410 ? "refused" : "stopped") : crowded ? "full" : "reconnecting",
    );
  }

  // ---- doing ------------------------------------------------------------------

  /** *isTyped*: *text* stands in the box. */
  async #say(text, isTyped) {
    if (this.#isHeld) return;
    this.#isHeld = true;
    const mayAsk = this.#visit.phase !== "start" || (await this.#mayAsk());
    this.#isHeld = false;
    if (isTyped) text = this.#composer.text.trim(); // meanwhile it may have become longer
    else if (!mayAsk && !this.#composer.text) this.takeBack(text);
    if (!mayAsk || !text) return;
    if (isTyped) this.#composer.text = "";
    this.#keepDraft();
    this.#visit.say(text);
  }

  /** Whether all is filled in that the site asks before a chat. What has not come in time is not asked. */
  async #mayAsk() {
    const visit = this.#visit;
    await inTime(visit.reception.known, QUICK).catch(() => {});
    const prechat = visit.asks && (await this.#bringPrechat());
    return !prechat || prechat.check();
  }

  #ask(yes) {
    this.#asking = yes;
    this.show();
    this.#focus();
  }

  #draftOf() {
    return this.#visit.phase === "served" ? this.#visit.chat.conversation : "";
  }

  #keepDraft() {
    this.#visit.client.setDraft(this.#composer.text, this.#draftOf());
  }

  /** Put the focus where the visitor goes on; on a phone not into the box, because the keyboard would open. */
  #focus() {
    const { box, element: form } = this.#composer;
    const target = form.hidden ? this.#foot?.element.querySelector("input, textarea, button") : TOUCH.matches ? null : box;
    (target ?? this.#dialog).focus({ preventScroll: true });
  }

  /** Let screen readers read out *text*. */
  announce(text) {
    const region = this.isOpen ? this.#inside : this.#outside;
    while (region.childElementCount > 4) region.firstChild.remove();
    region.append(element("p", "", text));
  }
}
