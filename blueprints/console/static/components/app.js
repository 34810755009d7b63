/** The whole console: the door, or the desk. */

import { watchFiles } from "../../kit/dragged.js";
import { receive } from "../../kit/incoming.js";
import { NARROW } from "../desk.js";
import { visitorName } from "../format.js";
import { Component, html } from "../lib.js";
import { hasKeys, hint, listen } from "../shortcuts.js";
import { tab } from "../storage.js";
import { t } from "../words.js";
import { Banners } from "./banner.js";
import { Conversation } from "./conversation.js";
import { Dialog } from "./dialog.js";
import { Door } from "./door.js";
import { Face } from "./face.js";
import { Finder } from "./finder.js";
import { Help } from "./help.js";
import { IconButton } from "./icons.js";
import { Offer } from "./offer.js";
import { Password } from "./password.js";
import { Question } from "./question.js";
import { Replies } from "./replies.js";
import { Settings } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { Transfer } from "./transfer.js";
import { Visitor } from "./visitor.js";
import { Why } from "./why.js";

/** No room for a third column. */
const COMPACT = "(max-width: 1099px)";

const TEXT_FIELD = "input:not([type=checkbox]), textarea";

/**
 * *session*, *alerts*, *desk* (null: signed out), *accounts*; *icon* is the address of the logo; *leave()*
 * signs out, *speak(language)* chooses one, *changed()* draws all again.
 */
export class App extends Component {
  #narrow = matchMedia(NARROW);
  #compact = matchMedia(COMPACT);
  state = { dialog: null, dragged: false, later: tab.get("later") ?? false };

  componentDidMount() {
    this.#receive();
    for (const one of [this.#narrow, this.#compact]) one.addEventListener("change", () => this.forceUpdate());
    const at = (act) => () => this.props.desk && act(this.props.desk);
    const write = at(() => document.getElementById("composer")?.focus());
    const step = (steps) => at((desk) => {
      desk.step(steps);
      queueMicrotask(write); // when its box is there: what is typed now belongs into that box
    });
    listen({
      write,
      type: write,
      next: step(1),
      previous: step(-1),
      end: at((desk) => desk.chat && !desk.past && !desk.inbox.isOpen && desk.endings.at(desk.selected) === undefined && this.#open("end")),
      transfer: at((desk) => desk.writable && desk.endings.at(desk.selected) === undefined && this.#open("transfer")),
      undo: at((desk) => desk.undo(desk.selected)),
      ready: at((desk) => (desk.duty.wished ?? desk.duty.ready ? this.#open("away") : desk.duty.setReady(true))),
      inbox: at((desk) => desk.openInbox()),
      find: at(() => this.#open("find")),
      help: at(() => this.#open("help")),
      escape: at((desk) => this.#escape(desk)),
    });
  }

  #escape(desk) {
    const { inbox } = desk;
    if (inbox.isOpen && inbox.item) inbox.show(null);
    else if (inbox.isOpen) desk.closeInbox();
    else if (desk.past) desk.closePast();
    else if (this.#narrow.matches) desk.select(null);
  }

  #receive() {
    receive(window, (target) => Boolean(target.closest?.(TEXT_FIELD)), {
      text: (text) => text && !document.querySelector("dialog[open]") && this.props.desk?.give(text),
      files: (files) => !document.querySelector("dialog[open]") && this.props.desk?.files.send(files),
    });
    watchFiles(window, (dragged) => this.setState({ dragged }));
  }

  #open = (dialog) => this.setState({ dialog });
  #close = () => this.setState({ dialog: null });

  #later = () => {
    tab.set("later", true);
    this.setState({ later: true });
  };

  render({ session, desk, accounts, icon }) {
    return html`
      <header class="bar">
        <img src=${icon} alt="" width="32" height="32" />
        <h1>${t("title")}</h1>
        ${desk && this.#tools()}
      </header>
      ${session.state === "out" && html`<${Door} key="door" session=${session} accounts=${accounts} />`}
      ${session.state === "choosing" && html`<${Offer} session=${session} />`}
      ${session.state === "asking" && html`<main class="door"><div class="skeletons" role="img" aria-label=${t("signing_in")}><i class="bone row"></i></div></main>`}
      ${desk && this.#desk()}
    `;
  }

  #tools() {
    const { session, desk, alerts } = this.props;
    const { status, lost } = desk.client;
    const state = lost ? "waiting" : status.state;
    const quiet = !alerts.settings.enabled || !alerts.audible;
    return html`
      <p class="state ${state}" role="status">${t(`connection_${state}`)}</p>
      ${desk.client.me && html`<${Face} person=${desk.client.me} />`}
      <p class="me" dir="auto">${desk.client.me?.name || desk.client.me?.sub}</p>
      <div class="tools" role="toolbar" aria-label=${t("tools")}>
        <${IconButton} icon="search" label=${t("find")} keys=${hasKeys() ? "Ctrl K" : undefined} onClick=${() => this.#open("find")} />
        ${desk.hasHistory && html`<${IconButton} icon="replies" label=${t("replies")} onClick=${() => this.#open("replies")} />`}
        <${IconButton} icon=${quiet ? "silent" : "bell"} label=${t(quiet ? "settings_silent" : "settings")} onClick=${() => this.#open("settings")} />
        ${session.hasPassword && html`<${IconButton} icon="key" label=${t("change_password")} onClick=${() => this.#open("password")} />`}
        ${hasKeys() && html`<${IconButton} icon="help" label=${t("keyboard")} keys=${hint("?")} onClick=${() => this.#open("help")} />`}
        <${IconButton} icon="out" label=${t("sign_out")} onClick=${() => (desk.open.length ? this.#open("leave") : this.props.leave())} />
      </div>
    `;
  }

  #desk() {
    const { desk, alerts } = this.props;
    const { matches: narrow } = this.#narrow;
    const { isOpen } = desk.inbox;
    const inside = desk.chat || desk.past || isOpen;
    const third = !this.#compact.matches && desk.chat && !isOpen;
    return html`
      <${Banners} desk=${desk} alerts=${alerts} later=${this.state.later ? null : this.#later} />
      <div class="desk ${third ? "" : "two"}" role=${narrow && !inside ? "main" : undefined}>
        ${(!narrow || !inside) && html`<${Sidebar} desk=${desk} why=${(of) => this.setState({ dialog: "why", of })} />`}
        ${(!narrow || inside) && html`
          <${Conversation} desk=${desk} dragged=${this.state.dragged} back=${() => desk.select(null)} about=${() => this.#open("about")} make=${() => this.#open("replies")} hand=${() => this.#open("transfer")} />`}
        ${third && html`<aside aria-label=${t("visitor")}><${Visitor} desk=${desk} chat=${desk.chat} /></aside>`}
      </div>
      ${this.#dialog()}
    `;
  }

  #dialog() {
    const { session, desk, alerts } = this.props;
    switch (this.state.dialog) {
      case "find": return html`<${Finder} desk=${desk} close=${this.#close} />`;
      case "transfer": return desk.chat && html`<${Transfer} desk=${desk} chat=${desk.chat} close=${this.#close} />`;
      case "why": return html`<${Why} desk=${desk} visitor=${this.state.of} close=${this.#close} />`;
      case "replies": return html`<${Replies} desk=${desk} close=${this.#close} />`;
      case "settings": return html`<${Settings} alerts=${alerts} speak=${this.props.speak} changed=${this.props.changed} close=${this.#close} />`;
      case "password": return html`<${Password} session=${session} close=${this.#close} />`;
      case "help": return html`<${Help} close=${this.#close} />`;
      case "about": return desk.chat && html`
        <${Dialog} title=${t("visitor")} name="about" close=${this.#close}><${Visitor} desk=${desk} chat=${desk.chat} /><//>`;
      case "leave": return html`
        <${Question} title=${t("sign_out_question")} text=${t("chats_will_end", { n: desk.open.length })}
          no=${t("stay")} yes=${t("sign_out_and_end")} act=${this.props.leave} close=${this.#close} />`;
      case "away": return html`
        <${Question} title=${t("away_question")} text=${t("you_away_hint")} yes=${t("away")}
          act=${() => desk.duty.setReady(false)} close=${this.#close} />`;
      case "end": return desk.chat && html`<${End} desk=${desk} chat=${desk.chat} close=${this.#close} />`;
      default: return null;
    }
  }
}

const End = ({ desk, chat: { conversation, peer, state }, close }) => {
  const over = state === "ended";
  return html`
    <${Question} title=${t(over ? "put_away_question" : "end_question", { name: visitorName(peer) })}
      yes=${t(over ? "put_away" : "end")} act=${() => desk.end(conversation)} close=${close} />`;
};
