/** The left side: whether visitors are taken, how many wait, and one's chats. */

import { count, initials, visitorName } from "../format.js";
import { html } from "../lib.js";
import { Since } from "./since.js";

const LATE = 120_000; // ms without an answer after which a wait stands out
const MOST = 50; // chats at once that the buttons go up to

export const Sidebar = ({ desk }) => html`
  <nav class="sidebar" aria-label="Desk">
    <${Duty} desk=${desk} />
    <${Line} desk=${desk} />
    <${Chats} desk=${desk} />
  </nav>
`;

const Duty = ({ desk }) => {
  const { ready, wished, capacity, open } = desk;
  const on = wished ?? ready ?? false;
  const choose = (wanted) => () => wanted !== on && desk.setReady(wanted);
  return html`
    <section class="duty" aria-label="Duty">
      <div class="switch" role="group" aria-label="Do you take visitors?" aria-busy=${wished !== null}>
        <button type="button" class="away" aria-pressed=${String(!on)} onClick=${choose(false)}>Away</button>
        <button type="button" class="ready" aria-pressed=${String(on)} onClick=${choose(true)}>Ready</button>
      </div>
      <div class="capacity">
        <p><b>${open.length}</b> of <b>${capacity ?? "–"}</b> chats</p>
        <div class="stepper" role="group" aria-label="Chats at once">
          <button type="button" aria-label="Fewer chats at once" disabled=${!capacity || capacity <= 1}
                  onClick=${() => desk.setCapacity(capacity - 1)}>−</button>
          <button type="button" aria-label="More chats at once" disabled=${!capacity || capacity >= MOST}
                  onClick=${() => desk.setCapacity(capacity + 1)}>+</button>
        </div>
      </div>
    </section>
  `;
};

const Line = ({ desk }) => {
  const { inLine: length, lineSince } = desk;
  return html`
    <section class="queue" aria-label="Line">
      <h2>In line</h2>
      <p role="status">
        ${length === null && html`<i class="bone short"></i><span class="unseen">Not known yet</span>`}
        ${length === 0 && "Nobody is waiting"}
        ${length > 0 && html`<b>${count(length, "visitor")}</b>`}
      </p>
      ${length > 0 && lineSince && html`
        <p class="longest">longest <${Since} from=${lineSince} late=${LATE} /></p>`}
    </section>
  `;
};

const Chats = ({ desk }) => {
  const { chats, client } = desk;
  return html`
    <section class="chats" aria-label="My chats">
      <h2>My chats</h2>
      ${client.me === null && html`
        <div class="skeletons" role="img" aria-label="Loading chats"><i class="bone row"></i><i class="bone row"></i></div>`}
      ${client.me !== null && !chats.length && html`
        <p class="none">${desk.ready ? "The next visitor appears here by itself." : "Press Ready, and visitors are sent to you."}</p>`}
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
              aria-current=${String(desk.selected === conversation && !desk.past)}
              onClick=${() => desk.select(conversation, { write: true })}>
        <span class="face ${over ? "" : presence}" aria-hidden="true">${initials(name)}</span>
        <span class="who">
          <span class="name" dir="auto">${name}</span>
          ${!over && since && html`<span class="unseen">, waiting </span><${Since} from=${since} late=${LATE} />`}
        </span>
        <span class="what">
          <span class="last" dir="auto">${over ? "Ended" : typing ? "typing…" : said(last)}</span>
          ${unread > 0 && html`<span class="badge">${unread}<span class="unseen"> unread</span></span>`}
          ${fresh && html`<span class="badge">New</span>`}
        </span>
      </button>
    </li>
  `;
};

const said = (message) => (message ? `${message.own ? "You: " : ""}${message.text}` : "Nothing said yet");

/** Since when (ms) a visitor has been without an answer; null: it has one, or has not asked. */
function waitingSince({ messages }) {
  const answered = messages.findLastIndex((one) => one.own && one.state !== "failed");
  const asked = messages.slice(answered + 1).find((one) => !one.own);
  return asked ? Date.parse(asked.date) : null;
}
