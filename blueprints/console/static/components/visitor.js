/** The right side: the visitor. */

import { moment, REL, visitorName, webAddress, when } from "../format.js";
import { html } from "../lib.js";
import { t } from "../words.js";

export const Visitor = ({ desk, chat }) => {
  const { peer, conversation } = chat;
  const { sub = "", page = "", opened, fields = {}, department } = peer;
  const name = visitorName(peer);
  const address = webAddress(page);
  const filled = desk.labels.of(fields).filter((one) => one.name !== "name" || one.value !== name);
  return html`
    <div class="visitor">
      <h2>${t("about_visitor")}</h2>
      <dl>
        <dt>${t("name")}</dt><dd dir="auto">${name}</dd>
        ${sub && sub !== name && !sub.startsWith("anonymous-") && html`<dt>${t("user")}</dt><dd dir="auto">${sub}</dd>`}
        ${department && html`<dt>${t("department")}</dt><dd dir="auto">${desk.labels.department(department)}</dd>`}
        ${filled.flatMap(({ name: key, label, value, href }) => [
          html`<dt key=${key} dir="auto">${label}</dt>`,
          html`<dd key=${`${key} value`} class="filled" dir="auto">${href ? html`<a href=${href}>${value}</a>` : value}</dd>`,
        ])}
        <dt>${t("page")}</dt>
        <dd>${address ? html`<a class="where" href=${address} title=${page} target="_blank" rel=${REL}>${page}</a>` : page || t("not_known")}</dd>
        ${opened && html`<dt>${t("since")}</dt><dd><time datetime=${opened} title=${moment(opened)}>${when(opened)}</time></dd>`}
      </dl>
      ${desk.hasHistory && html`<${Earlier} desk=${desk} chat=${chat} key=${conversation} />`}
    </div>
  `;
};

const Earlier = ({ desk, chat }) => {
  const known = desk.archive.earlier(chat);
  const others = known?.sessions.filter((one) => one.conversation !== chat.conversation) ?? [];
  const name = visitorName(chat.peer);
  return html`
    <h3>${t("past")}</h3>
    ${known === null && html`<div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i></div>`}
    ${known?.error && html`
      <p class="none">${t("past_unread")} <button type="button" class="link" onClick=${() => desk.archive.retry()}>${t("retry")}</button></p>`}
    ${known && !known.error && !others.length && html`<p class="none">${t("past_none")}</p>`}
    <ul class="earlier">
      ${others.map(({ conversation, opened, last_seq: messages }) => html`
        <li key=${conversation}>
          <button type="button" aria-current=${String(desk.past?.conversation === conversation)}
                  onClick=${() => desk.openPast({ conversation, name })}>
            <time datetime=${opened}>${when(opened)}</time>
            <span>${t("messages", { n: messages })}</span>
          </button>
        </li>`)}
    </ul>
  `;
};
