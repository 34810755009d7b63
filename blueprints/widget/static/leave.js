/** The form with which a visitor leaves a message when nobody is there. Loaded when somebody wants it. */

import { Times } from "../kit/times.js";
import { uuid } from "../kit/uuid.js";
import { button, element } from "./dom.js";
import { Fields } from "./fields.js";
import { FORM_STYLE } from "./leave-style.js";
import { STYLE } from "./prechat-style.js";

const AWAITED = 14 * 86_400_000; // ms for which pages that are loaded look for an answer

export class Leave {
  /** The style for the root in which it is. */
  static style = STYLE + FORM_STYLE;

  element = element("form", "leave", "", { novalidate: "", part: "leave" });

  #widget;
  #visit;
  #composer;
  #fields;
  #title = element("h2");
  #when = element("p", "state", "", { "data-state": "away" });
  #hint = element("p");
  #problem = element("p", "wrong", "", { role: "alert" });
  #send = button("primary", "", () => this.#leave());
  #back = button("link", "", () => this.#turnBack());
  #busy = false;

  /** Of *visit*, with the texts of *widget*; what is written stands in the box of *composer*, too. */
  constructor(widget, visit, composer) {
    this.#widget = widget;
    this.#visit = visit;
    this.#composer = composer;
    this.#fields = new Fields(widget, { reception: { declared: this.#declared }, changed: () => {} }, () => this.#leave());
    const buttons = element("div", "buttons");
    buttons.append(this.#send, this.#back);
    this.element.append(this.#title, this.#when, this.#hint, this.#fields.element, this.#problem, buttons);
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.element.addEventListener("input", () => this.#keep());
    this.relabel();
  }

  /** What is asked, as a site declares what it asks before a chat. */
  get #declared() {
    const { t } = this.#widget;
    const { client } = this.#visit;
    const fields = [
      { name: "name", type: "text", max: 200 },
      { name: "email", type: "email", max: 254 },
      { name: "message", type: "textarea", label: t("your_message"), required: true, max: client.me?.max_text },
    ];
    return { fields: client.me?.name ? fields.slice(1) : fields };
  }

  relabel() {
    const { t } = this.#widget;
    this.#title.textContent = t("leave");
    this.#send.textContent = t("leave_send");
    this.#back.textContent = t("return");
    this.#fields.relabel();
    this.#show();
  }

  /** Show the form anew, with what stands in the box. */
  begin() {
    const { store } = this.#widget;
    const { fields } = store.get();
    store.set({ fields: { ...fields, message: this.#composer.text || fields?.message } });
    this.#problem.textContent = "";
    this.#fields.relabel();
    this.#show();
  }

  #show() {
    const { t, locale } = this.#widget;
    const { client, reception } = this.#visit;
    const opens = client.offline?.opens ?? reception.welcome?.opens;
    const when = opens && new Times(locale).when(opens, client.now());
    this.#when.textContent = when ? t("opens", { when }) : t("offline");
    this.#hint.textContent = t(reception.welcome?.mail ? "leave_hint_mail" : "leave_hint");
    this.#fields.show("");
  }

  /** What is written is not lost, whatever becomes of the page and of the form. */
  #keep() {
    this.#composer.text = this.#fields.filled.message ?? "";
    this.#visit.client.setDraft(this.#composer.text, "");
  }

  #turnBack() {
    this.#visit.isLeaving = false;
    this.#visit.changed();
  }

  async #leave() {
    if (this.#busy || !this.#fields.check()) return;
    this.#mark(true, "");
    const visit = this.#visit;
    const { around, locale: language } = this.#widget;
    const { department } = visit.wish();
    const { filled } = this.#fields;
    try {
      await visit.client.leaveMessage({ ...filled, id: this.#id(filled.message), department, page: around.place, language });
      this.#mark(false, "");
      this.#done();
    } catch ({ code, message = "" }) {
      if (code === "id_conflict") this.#widget.store.set({ tried: undefined });
      this.#mark(false, code === "rate_limited" ? "left_often" : "trouble");
      const [, name] = /^payload\.(?:contact\.)?(\w+)/.exec(message) ?? [];
      if (code === "invalid_message" && this.#fields.refuse(name)) this.#problem.textContent = "";
    }
  }

  /** The id of *message*: on each page the same until it is stored, because the server may have it already. */
  #id(message) {
    const { store } = this.#widget;
    const { tried } = store.get();
    const id = tried?.message === message ? tried.id : uuid();
    store.set({ tried: { message, id } });
    return id;
  }

  #mark(busy, problem) {
    this.#busy = busy;
    this.#send.disabled = busy;
    this.#problem.textContent = problem && this.#widget.t(problem);
  }

  /** The message is stored: forget it here, and look for an answer. */
  #done() {
    const { store } = this.#widget;
    const { message, ...fields } = store.get().fields;
    store.set({ fields, tried: undefined, awaits: Date.now() + AWAITED });
    this.#composer.text = "";
    this.#visit.client.setDraft("", "");
    this.#turnBack();
  }
}
