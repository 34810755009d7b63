/** The right side: who this is. */

import { moment, visitorName, webAddress, when } from "../format.js";
import { html } from "../lib.js";

export const Visitor = ({ desk, chat }) => {
  const { peer, conversation } = chat;
  const { sub = "", page = "", opened } = peer;
  const name = visitorName(peer);
  const address = webAddress(page);
  return html`
    <div class="visitor">
      <h2>About this visitor</h2>
      <dl>
        <dt>Name</dt><dd dir="auto">${name}</dd>
        ${sub && sub !== name && !sub.startsWith("anonymous-") && html`<dt>User</dt><dd dir="auto">${sub}</dd>`}
        <dt>Page</dt>
        <dd>${address ? html`<a href=${address} target="_blank" rel="noopener noreferrer">${page}</a>` : page || "Not known"}</dd>
        ${opened && html`<dt>Since</dt><dd><time datetime=${opened} title=${moment(opened)}>${when(opened)}</time></dd>`}
      </dl>
      ${desk.keeps && html`<${Earlier} desk=${desk} chat=${chat} key=${conversation} />`}
    </div>
  `;
};

const Earlier = ({ desk, chat }) => {
  const known = desk.archive.earlier(chat);
  const others = known?.sessions.filter((one) => one.conversation !== chat.conversation) ?? [];
  const name = visitorName(chat.peer);
  return html`
    <h3>Earlier conversations</h3>
    ${known === null && html`<div class="skeletons" role="img" aria-label="Loading"><i class="bone row"></i></div>`}
    ${known?.error && html`
      <p class="none">They cannot be read just now. <button type="button" class="link" onClick=${() => desk.archive.retry()}>Try again</button></p>`}
    ${known && !known.error && !others.length && html`<p class="none">This is the first one with you.</p>`}
    <ul class="earlier">
      ${others.map(({ conversation, opened, last_seq: messages }) => html`
        <li key=${conversation}>
          <button type="button" aria-current=${String(desk.past?.conversation === conversation)}
                  onClick=${() => desk.openPast({ conversation, name })}>
            <time datetime=${opened}>${when(opened)}</time>
            <span>${messages} ${messages === 1 ? "message" : "messages"}</span>
          </button>
        </li>`)}
    </ul>
  `;
};
