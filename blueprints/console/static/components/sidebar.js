/** The left side: readiness, the queue, what visitors have left, and the waiter's conversations. */

import { brief, moment, visitorName } from "../format.js";
import { html } from "../lib.js";
import { hasKeys } from "../shortcuts.js";
import { rich, t } from "../words.js";
import { Face } from "./face.js";
import { InboxButton } from "./inbox.js";
import { Queue } from "./queue.js";
import { LATE, Since } from "./since.js";

const MOST = 50; // conversations: the highest capacity that the buttons choose

export const Sidebar = ({ desk, why }) => html`
  <nav class="sidebar" aria-label=${t("desk")}>
    <${Duty} desk=${desk} />
    <${Queue} desk=${desk} why=${why} />
    ${desk.hasHistory && html`<${InboxButton} desk=${desk} />`}
    <${Chats} desk=${desk} />
  </nav>
`;

const Duty = ({ desk }) => {
  const { duty, open } = desk;
  const { ready, wished, capacity, isSetAway } = duty;
  const on = wished ?? ready ?? false;
  const choose = (wanted) => () => wanted !== on && duty.setReady(wanted);
  return html`
    <section class="duty" aria-label=${t("duty")}>
      <div class="switch" role="group" aria-label=${t("duty_question")} aria-busy=${wished !== null}>
        <button type="button" class="away" aria-pressed=${String(!on)} onClick=${choose(false)}>${t("away")}</button>
        <button type="button" class="ready" aria-pressed=${String(on)} onClick=${choose(true)}>${t("ready")}</button>
      </div>
      <p class="none" role="status">${isSetAway ? t("set_away") : ""}</p>
      <div class="capacity">
        <p>${rich("capacity", { open: html`<b>${open.length}</b>`, most: html`<b>${capacity ?? "–"}</b>` })}</p>
        <div class="stepper" role="group" aria-label=${t("at_once")}>
          <button type="button" aria-label=${t("fewer")} disabled=${!capacity || capacity <= 1}
                  onClick=${() => duty.setCapacity(capacity - 1)}>−</button>
          <button type="button" aria-label=${t("more")} disabled=${!capacity || capacity >= MOST}
                  onClick=${() => duty.setCapacity(capacity + 1)}>+</button>
        </div>
      </div>
    </section>
  `;
};

const Chats = ({ desk }) => {
  const { chats, client } = desk;
  return html`
    <section class="chats" aria-label=${t("chats")}>
      <h2>${t("chats")}</h2>
      ${client.me === null && html`
        <div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i><i class="bone row"></i></div>`}
      ${client.me !== null && !chats.length && html`
        <p class="none">${t(desk.duty.ready ? "chats_ready_hint" : "chats_away_hint")}</p>`}
      <ul>${chats.map((chat) => html`<${Row} key=${chat.conversation} chat=${chat} desk=${desk} />`)}</ul>
    </section>
  `;
};

const Row = ({ chat, desk }) => {
  const { conversation, peer, messages, unread, typing, presence, state } = chat;
  const name = visitorName(peer);
  const last = messages.at(-1);
  const since = waitingSince(chat);
  const fresh = desk.fresh.has(conversation) && !unread;
  const over = state === "ended";
  return html`
    <li>
      <button type="button" class="row ${over ? "gone" : ""} ${unread || fresh ? "new" : ""}"
              aria-current=${String(desk.selected === conversation && !desk.past && !desk.inbox.isOpen)}
              onClick=${() => desk.select(conversation, { write: hasKeys() })}>
        <${Face} person=${peer} presence=${over || !desk.isSure ? "" : presence} />
        <span class="who">
          <span class="name" dir="auto">${name}</span>
          ${!over && since ? html`<span class="unseen">, ${t("waits")} </span><${Since} from=${since} late=${LATE} />`
            : last && html`<time datetime=${last.date} title=${moment(last.date)}>${brief(last.date)}</time>`}
        </span>
        <span class="what">
          <span class="last" dir="auto">${over ? t("over") : typing && desk.isSure ? t("typing") : said(last)}</span>
          ${unread > 0 && html`<span class="badge">${unread}<span class="unseen"> ${t("unread")}</span></span>`}
          ${fresh && html`<span class="badge">${t("new")}</span>`}
        </span>
      </button>
    </li>
  `;
};

const said = (message) => {
  if (!message) return t("nothing_said_yet");
  return message.own ? t("said_you", { text: message.text }) : message.text;
};

/** Since when (ms) a visitor waits for an answer; null: it does not. */
function waitingSince({ messages }) {
  const answered = messages.findLastIndex((one) => one.own && one.state !== "failed");
  const asked = messages.slice(answered + 1).find((one) => !one.own && !one.event);
  return asked ? Date.parse(asked.date) : null;
}
