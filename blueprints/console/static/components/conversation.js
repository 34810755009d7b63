/** The middle: a conversation, a past one, what visitors have left, or a hint while there is none. */

import { visitorName } from "../format.js";
import { html } from "../lib.js";
import { hasKeys, hint } from "../shortcuts.js";
import { rich, t } from "../words.js";
import { Composer } from "./composer.js";
import { Face } from "./face.js";
import { IconButton } from "./icons.js";
import { Inbox } from "./inbox.js";
import { Messages, Skeletons } from "./messages.js";
import { Since } from "./since.js";

/** *about()* shows the visitor, *back()* the list, *make()* where canned replies are made, *hand()* to whom to hand over; *dragged*: files are over the page. */
export const Conversation = ({ desk, dragged, back, about, make, hand }) => html`
  <main class="conversation">
    ${desk.inbox.isOpen ? html`<${Inbox} desk=${desk} back=${() => desk.closeInbox()} />`
      : desk.past ? html`<${Past} desk=${desk} />`
      : desk.chat ? html`<${Open} desk=${desk} chat=${desk.chat} back=${back} about=${about} make=${make} hand=${hand} />`
      : html`<${Nobody} desk=${desk} />`}
    ${dragged && desk.files.isWelcome && html`<p class="dropping">${t("drop_here", { name: visitorName(desk.chat.peer) })}</p>`}
  </main>
`;

const Open = ({ desk, chat, back, about, make, hand }) => {
  const { client } = desk;
  const { conversation, presence, state, peer } = chat;
  const name = visitorName(peer);
  const over = state === "ended";
  const ends = desk.endings.at(conversation);
  const { target } = desk;
  return html`
    <header class="head">
      <${IconButton} icon="back" label=${t("back_to_chats")} class="iconic back" onClick=${back} />
      <${Face} person=${peer} />
      <div class="title">
        <h2 dir="auto">${name}</h2>
        <p>${t(over ? "over" : !desk.isSure ? "visitor_unknown" : presence === "away" ? "visitor_away" : "visitor_online")}</p>
      </div>
      <${IconButton} icon="person" label=${t("about_visitor")} class="iconic about" onClick=${about} />
      ${!over && !chat.rating && client.me?.ratings && html`<${IconButton} icon="star" label=${t(chat.invited ? "rating_asked" : "rating_ask")}
        disabled=${chat.invited || presence === "away"} onClick=${() => client.invite(conversation)} />`}
      ${!over && html`<${IconButton} icon="transfer" label=${t("transfer")} keys=${hint("T")} disabled=${Boolean(ends)} onClick=${hand} />`}
      ${over
        ? html`<button type="button" onClick=${() => desk.end(conversation)} title=${hint("E")}>${t("put_away")}</button>`
        : html`<button type="button" onClick=${() => desk.end(conversation)} title=${hint("E")} disabled=${Boolean(ends)}>${t("end")}</button>`}
    </header>
    <${Messages} key=${conversation} chat=${chat} name=${name} label=${t("messages_with", { name })}
      target=${target?.conversation === conversation ? target : undefined}
      files=${desk.files} mark=${desk.marks.of(conversation)} most=${client.me?.max_text} sight=${(on) => desk.sight(on)}
      older=${() => client.history({ conversation })}
      retry=${(id) => client.retry(id)} edit=${(id) => desk.edit(id)} discard=${(id) => discard(client, id)} />
    ${ends && html`
      <div class="ending" role="status">
        <p>${rich("ends_in", { wait: html`<${Since} from=${ends} down />` })}</p>
        <button type="button" class="primary" onClick=${() => desk.undo(conversation)}>${t("undo")}</button>
      </div>`}
    ${over
      ? html`<p class="over" role="status">${ending(chat)}</p>`
      : html`<${Composer} key=${conversation} desk=${desk} chat=${chat} name=${name} make=${make} focused=${desk.write} />`}
  `;
};

/** Remove what was not sent, and its buttons with it: the focus goes on in the box. */
function discard(client, id) {
  client.discard(id);
  if (hasKeys()) document.getElementById("composer")?.focus();
}

/** Shows that the conversation is over, who has ended it and why, as far as that is known. */
function ending({ reason, peer }) {
  const why = t(`over_${reason}`, { name: visitorName(peer) });
  return why ? t("ended_because", { why }) : t("ended");
}

const Past = ({ desk }) => {
  const { conversation, name, error } = desk.past;
  const chat = desk.client.chats.get(conversation);
  return html`
    <header class="head past">
      <div class="title">
        <h2 dir="auto">${name}</h2>
        <p>${t("past_only")}</p>
      </div>
      <button type="button" onClick=${() => desk.closePast()} title=${hasKeys() ? "Esc" : undefined}>${t("close")}</button>
    </header>
    ${error && html`<div class="trouble" role="alert"><h3>${t("past_trouble")}</h3><p>${error}</p></div>`}
    ${!error && !chat?.messages.length && !chat?.complete && html`<div class="log"><${Skeletons} /></div>`}
    ${!error && chat && (chat.messages.length > 0 || chat.complete) && html`
      <${Messages} key=${conversation} chat=${chat} name=${name} label=${t("past_messages_with", { name })}
        files=${desk.files} target=${desk.target ?? undefined} older=${() => desk.client.history({ conversation })} />`}
  `;
};

const Nobody = ({ desk }) => {
  const known = desk.duty.ready !== null;
  const title = desk.duty.ready ? "you_ready" : known ? "you_away" : "welcome";
  const choose = hint("J") ? "choose_chat_hint" : "choose_chat_left";
  const text = desk.duty.ready ? "you_ready_hint" : "you_away_hint";
  return html`
    <div class="nobody">
      <svg viewBox="0 0 64 64" aria-hidden="true"><path d="M14 10h36a8 8 0 0 1 8 8v20a8 8 0 0 1-8 8H32L18 56V46h-4a8 8 0 0 1-8-8V18a8 8 0 0 1 8-8z" /></svg>
      <h2>${t(desk.chats.length ? "choose_chat" : title)}</h2>
      <p>${t(desk.chats.length ? choose : text)}</p>
    </div>
  `;
};
