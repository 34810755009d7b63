/** The panel: start, in line, in a chat, after it. What happens is `Visit`'s business. */

import { composes } from "../kit/keys.js";
import { button, element, iconButton } from "./dom.js";
import { Log } from "./log.js";
import { Visit } from "./visit.js";

const PHONE = matchMedia("(max-width: 480px)");
const TOUCH = matchMedia("(pointer: coarse)");

export class Panel {
  #widget;
  #visit;
  #log;
  #dialog = element("dialog", "panel", "", { part: "panel", tabindex: "-1", "aria-labelledby": "title" });
  #inside = element("div", "unseen", "", { "aria-live": "polite" });
  #outside = element("div", "unseen", "", { "aria-live": "polite" });
  #title = element("h2", "", "", { id: "title" });
  #state = element("p", "state");
  #greeting = element("h2");
  #invitation = element("p");
  #desk = element("div", "desk", "", { role: "status" });
  #start = element("section", "start", "", { part: "start" });
  #place = element("p", "place", "", { role: "status" });
  #wait = element("p");
  #queue = element("section", "queue", "", { part: "queue" });
  #banner = element("div", "banner", "", { role: "status", part: "banner" });
  #typing = element("p", "typing");
  #problem = element("p", "problem", "", { role: "alert" });
  #form = element("form", "composer", "", { part: "composer" });
  #box = element("textarea", "", "", { rows: "1", enterkeyhint: "send", part: "input" });
  #foot = element("div", "foot", "", { tabindex: "-1" });
  #send = iconButton("send", () => this.#say());
  #mute = iconButton("mute", () => this.#visit.mute(!this.#visit.muted));
  #down = iconButton("down", () => this.close());
  #end = button("link end", "", () => this.#ask(true));
  #leave = button("link", "", () => this.#visit.leave());
  #retry = button("", "", () => this.#visit.client.reconnect());
  #asking = false; // whether the chat is really to be ended
  #shown = "";

  /** In the shadow root of *widget*, the launcher, which has loaded its style already. */
  constructor(widget) {
    this.#widget = widget;
    this.#visit = new Visit(widget, this);
    const visit = this.#visit;
    this.#log = new Log({
      retry: (id) => visit.retry(id),
      discard: (id) => visit.client.discard(id),
      older: () => visit.older(),
      scrolled: () => visit.seen(),
    });
    this.#build();
    this.#listen();
    this.relabel();
    widget.frame.append(this.#dialog, this.#outside);
    visit.changed();
    if (visit.phase === "queued" || visit.phase === "served") visit.begin();
  }

  get #t() {
    return this.#widget.t;
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Whether what is shown is seen. */
  get isLookedAt() {
    return this.isOpen && !document.hidden && this.#log.isFollowing;
  }

  /** The page has put the widget elsewhere: what was scrolled is at its beginning. */
  moved() {
    this.#log.moved();
  }

  open(focus) {
    this.#visit.begin();
    if (PHONE.matches) this.#dialog.showModal();
    else this.#dialog.open = true; // `show()` would take the focus in any case
    this.#widget.opened.set("", true);
    this.show();
    this.#log.toEnd();
    this.#visit.seen();
    if (focus) this.#focus();
  }

  close() {
    if (!this.isOpen) return;
    const focused = this.#dialog.contains(this.#dialog.getRootNode().activeElement);
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

  reset() {
    this.#box.value = "";
    this.close();
    this.#visit.reset();
  }

  /** What was not heard by anybody is to be written again. */
  takeBack(text) {
    this.#box.value = [text, this.#box.value].filter(Boolean).join("\n");
    this.#keepDraft();
  }

  // ---- building -----------------------------------------------------------

  #build() {
    const who = element("div", "who");
    who.append(this.#title, this.#state);
    const head = element("div", "head", "", { part: "header" });
    head.append(who, this.#end, this.#mute, this.#down);
    this.#start.append(this.#greeting, this.#invitation, this.#desk);
    this.#banner.append(element("span"), this.#retry);
    const body = element("div", "body");
    body.append(this.#banner, this.#start, this.#log.element);
    this.#queue.append(this.#place, this.#wait, this.#leave);
    this.#send.type = "submit";
    this.#send.part = "send";
    this.#form.append(this.#box, this.#send);
    this.#dialog.append(
      ...[head, body, this.#queue, this.#typing, this.#problem, this.#form, this.#foot, this.#inside],
    );
  }

  #listen() {
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
      event.preventDefault();
      this.#say();
    });
    this.#box.addEventListener("input", () => {
      this.#visit.client.typing(Boolean(this.#box.value));
      this.#keepDraft();
      this.#enable();
    });
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event)) return;
      event.stopPropagation();
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

  /** Say everything in another language. */
  relabel() {
    const t = this.#t;
    this.#log.relabel(t, this.#widget.locale);
    this.#greeting.textContent = this.#widget.option("greeting") ?? t("greeting");
    this.#invitation.textContent = t("invitation");
    this.#end.textContent = t("end");
    this.#leave.textContent = t("leave_line");
    this.#retry.textContent = t("reconnect");
    this.#send.look(t("send"), "send");
    this.#down.look(t("close"), "down");
    this.#shown = "";
    this.show();
  }

  // ---- showing --------------------------------------------------------------

  show() {
    const visit = this.#visit;
    const { phase, chat } = visit;
    const served = phase === "served";
    const messages = chat?.messages ?? [];
    this.#title.textContent = served ? visit.name : (this.#widget.option("title") ?? this.#t("title"));
    this.#state.hidden = !served;
    this.#state.dataset.state = visit.lost ? "unknown" : chat?.presence === "away" ? "away" : "here";
    this.#state.textContent = this.#t(visit.lost ? "away" : this.#state.dataset.state);
    this.#mute.look(this.#t(visit.muted ? "unmute" : "mute"), visit.muted ? "muted" : "sound");
    this.#start.hidden = phase !== "start";
    this.#log.element.hidden = phase === "start";
    this.#queue.hidden = phase !== "queued";
    this.#end.hidden = !served;
    this.#asking &&= served;
    this.#form.hidden = phase === "ended" || this.#asking;
    this.#problem.hidden = phase === "queued" || !visit.problem;
    this.#problem.textContent = visit.problem && this.#t(visit.problem);
    this.#showLine();
    this.#showDesk();
    this.#showPlace();
    this.#showTyping(served && chat.typing);
    this.#showFoot(phase);
    this.#log.show(messages, { readTo: chat?.readByPeer, complete: chat?.complete, waiting: phase === "queued" });
    this.#enable();
    this.#turn(phase);
  }

  /** The phase is another: say so, and keep the focus in the panel. */
  #turn(phase) {
    if (phase === this.#shown) return;
    const before = this.#shown;
    this.#shown = phase;
    if (!before) this.#box.value = this.#visit.client.draft(this.#draftOf()) || this.#box.value;
    else this.#keepDraft();
    const ask = this.#t(phase === "start" ? "ask" : "write");
    this.#box.placeholder = ask;
    this.#box.setAttribute("aria-label", ask);
    if (before && phase === "served") this.announce(this.#t("connected", { name: this.#visit.name }));
    if (before && phase === "ended") this.announce(this.#t("ended"));
    const root = this.#dialog.getRootNode();
    if (before && this.isOpen && (!root.activeElement || root.activeElement.closest("[hidden]"))) this.#focus();
  }

  #showLine() {
    const { client, lost, crowded } = this.#visit;
    const { state, code } = client.status;
    const over = state === "ended";
    this.#banner.hidden = !over && !lost;
    this.#banner.firstChild.textContent = this.#t(
      over ? (code === 4410 ? "refused" : "stopped") : crowded ? "full" : "reconnecting",
    );
  }

  #showDesk() {
    const { desk } = this.#visit;
    if (!desk) {
      if (desk === false) this.#desk.replaceChildren();
      else if (!this.#desk.querySelector(".skeleton")) this.#desk.replaceChildren(element("i", "skeleton"));
      return;
    }
    const offline = !desk.ready;
    const text = offline ? this.#t("offline") : desk.length ? this.#t("busy", { n: desk.length }) : this.#t("free");
    if (this.#desk.firstChild?.textContent === text) return;
    const state = element("p", "state", text);
    state.dataset.state = offline ? "away" : "here";
    this.#desk.replaceChildren(state, ...(offline ? [element("p", "", this.#t("offline_hint"))] : []));
  }

  #showPlace() {
    const { client, desk } = this.#visit;
    const place = client.queue ? this.#t("ahead", { n: client.queue.location }) : this.#t(this.#visit.problem || "finding");
    if (this.#place.textContent !== place) this.#place.textContent = place; // it is announced
    const minutes = Math.round((client.queue?.wait ?? 0) / 60);
    const wait = client.queue?.wait && (minutes ? this.#t("wait", { n: minutes }) : this.#t("wait_short"));
    this.#wait.textContent = desk && !desk.ready ? this.#t("offline_queue") : wait || this.#t("queue_hint");
  }

  #showTyping(on) {
    const name = on ? this.#t("typing", { name: this.#visit.name }) : "";
    if (this.#typing.textContent === name) return;
    this.#typing.replaceChildren(...(on ? [element("i"), element("i"), element("i"), name] : []));
  }

  #showFoot(phase) {
    const what = phase === "ended" ? "ended" : this.#asking ? "asking" : "";
    this.#foot.hidden = !what;
    const said = what && what + this.#t("end");
    if (this.#foot.dataset.said === said) return;
    this.#foot.dataset.said = said;
    const parts =
      what === "ended"
        ? [element("p", "", this.#t("ended")), button("primary", this.#t("again"), () => this.#visit.renew())]
        : [
            element("p", "", this.#t("end_question")),
            button("primary", this.#t("end"), () => this.#visit.leave()),
            button("", this.#t("keep"), () => this.#ask(false)),
          ];
    this.#foot.replaceChildren(...(what ? parts : []));
  }

  // ---- doing ------------------------------------------------------------------

  #say() {
    const text = this.#box.value.trim();
    if (!text) return;
    this.#box.value = "";
    this.#keepDraft();
    this.#visit.say(text);
    this.#box.focus();
  }

  #ask(yes) {
    this.#asking = yes;
    this.show();
    this.#focus();
  }

  #enable() {
    this.#send.disabled = !this.#box.value.trim();
  }

  #draftOf() {
    return this.#visit.phase === "served" ? this.#visit.chat.conversation : "";
  }

  #keepDraft() {
    this.#visit.client.setDraft(this.#box.value, this.#draftOf());
  }

  /** Where the visitor goes on; a phone's keyboard comes only when it is asked for. */
  #focus() {
    const target = !this.#foot.hidden ? this.#foot.querySelector("button") : this.#box;
    (target === this.#box && TOUCH.matches ? this.#dialog : target).focus();
  }

  /** Say *text* to who cannot see it. */
  announce(text) {
    const region = this.isOpen ? this.#inside : this.#outside;
    while (region.childElementCount > 4) region.firstChild.remove();
    region.append(element("p", "", text));
  }
}
