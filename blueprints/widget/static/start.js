/** The first screen: which waiters are there, how soon they answer, frequent questions, and earlier conversations. */

import { paintFace } from "../kit/faces.js";
import { Times } from "../kit/times.js";
import { button, element } from "./dom.js";

export class Start {
  element = element("section", "start", "", { part: "start" });

  #greeting = element("h2");
  #invitation = element("p");
  #desk = element("div", "desk", "", { role: "status" });
  #questions = element("div", "questions", "", { role: "group", part: "questions" });
  #earlier = element("div", "earlier");
  #shown = {}; // what each of them shows
  #on;
  #t;
  #times;
  #names;

  /** *on* has `ask(question)`, `leave()` (a message), `open(conversation)`, `base` (the chat's address), `now()`. */
  constructor(on) {
    this.#on = on;
    this.element.append(this.#greeting, this.#invitation, this.#desk, this.#questions, this.#earlier);
  }

  /** Show *element* before the frequent questions. */
  put(element) {
    this.#desk.after(element);
  }

  relabel(t, locale, greeting) {
    this.#t = t;
    this.#times = new Times(locale);
    this.#names = new Intl.ListFormat(locale, { type: "conjunction" });
    this.#greeting.textContent = greeting ?? t("greeting");
    this.#invitation.textContent = t("invitation");
    this.#questions.setAttribute("aria-label", t("questions"));
    this.#shown = {};
  }

  /**
   * *desk* and *welcome* as in `Reception`; *earlier*: conversations, `{conversation, name, date}`. *offline*: what
   * a visitor who has asked was answered, `{reason, opens}`.
   */
  show({ desk, welcome, earlier, offline }) {
    const { team = [], reply, questions = [], open, messages } = welcome ?? {};
    const away = offline ?? (open === false ? welcome : null);
    const day = new Date(this.#on.now()).getDate();
    this.#refresh(this.#desk, { desk, team, reply, away, day, messages }, () => {
      const parts = away ? this.#awayParts(away, offline) : this.#deskParts(desk, team, reply);
      const isNobody = away || desk?.ready === 0;
      if (messages && isNobody) parts.push(button("primary", this.#t("leave"), () => this.#on.leave()));
      return parts;
    });
    this.#refresh(this.#questions, { questions }, () =>
      questions.map((one) => {
        const made = button("question", one, () => this.#on.ask(one));
        made.dir = "auto";
        return made;
      }),
    );
    this.#refresh(this.#earlier, { earlier, day }, () =>
      earlier.map(({ conversation, name, date }) => {
        const words = this.#t("earlier_chat", { name, when: this.#times.when(date, this.#on.now()) });
        return button("link", words, () => this.#on.open(conversation));
      }),
    );
  }

  /** Replace only parts that have changed: screen readers announce changes, and a part may have the focus. */
  #refresh(where, what, parts) {
    const key = JSON.stringify(what);
    if (this.#shown[where.className] === key) return;
    this.#shown[where.className] = key;
    const made = parts();
    where.replaceChildren(...made);
    where.hidden = !made.length;
  }

  /** The visitor would be sent away, or has *asked* and was. */
  #awayParts({ opens }, asked) {
    const words = opens ? this.#t("opens", { when: this.#times.when(opens, this.#on.now()) }) : this.#t("offline");
    const parts = [element("p", "state", words, { "data-state": "away" })];
    if (asked) parts.push(element("p", "", this.#t("offline_kept")));
    return parts;
  }

  #deskParts(desk, team, reply) {
    if (desk === null) return [element("i", "skeleton")];
    const parts = [];
    if (team.length) parts.push(this.#faces(team));
    if (desk) {
      const isOff = !desk.ready;
      const words = isOff ? this.#t("offline") : desk.length ? this.#t("busy", { n: desk.length }) : this.#t("free");
      parts.push(element("p", "state", words, { "data-state": isOff ? "away" : "here" }));
      if (isOff) parts.push(element("p", "", this.#t("offline_hint")));
    }
    const time = this.#times.duration(Math.max(1, Math.round(reply / 60)) * 60_000);
    if (reply != null) parts.push(element("p", "reply", this.#t("reply", { time })));
    return parts;
  }

  #faces(team) {
    const all = element("div", "team");
    for (const waiter of team) {
      const face = element("span", "face");
      paintFace(face, waiter, this.#on.base);
      all.append(face);
    }
    const names = element("span");
    for (const { type, value } of this.#names.formatToParts(team.map(({ name }) => name))) {
      names.append(type === "element" ? element("bdi", "", value) : value); // a name may run in the other direction
    }
    all.append(names);
    return all;
  }
}
