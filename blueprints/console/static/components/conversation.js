/** The middle: a chat, one of the past, or what to do while there is none. */

import { visitorName } from "../format.js";
import { html } from "../lib.js";
import { Composer } from "./composer.js";
import { IconButton } from "./icons.js";
import { Messages, Skeletons } from "./messages.js";
import { Since } from "./since.js";

/** *narrow*: one column at a time; *about()* shows who this is, *back()* the list. */
export const Conversation = ({ desk, back, about, narrow }) => html`
  <main class="conversation">
    ${desk.past ? html`<${Past} desk=${desk} />`
      : desk.chat ? html`<${Open} desk=${desk} chat=${desk.chat} back=${back} about=${about} narrow=${narrow} />`
      : html`<${Nobody} desk=${desk} />`}
  </main>
`;

const Open = ({ desk, chat, back, about, narrow }) => {
  const { client } = desk;
  const { conversation, presence, state, peer } = chat;
  const name = visitorName(peer);
  const over = state === "ended";
  const ends = desk.ending.get(conversation);
  const { target } = desk;
  return html`
    <header class="head">
      <${IconButton} icon="back" label="Back to my chats" class="iconic back" onClick=${back} />
      <div class="title">
        <h2 dir="auto">${name}</h2>
        <p>${over ? "Ended" : presence === "away" ? "Away for a moment" : "Online"}</p>
      </div>
      <${IconButton} icon="person" label="About this visitor" class="iconic about" onClick=${about} />
      ${over
        ? html`<button type="button" onClick=${() => desk.end(conversation)} title="E">Put away</button>`
        : html`<button type="button" onClick=${() => desk.end(conversation)} title="E" disabled=${Boolean(ends)}>End chat</button>`}
    </header>
    <${Messages} key=${conversation} chat=${chat} name=${name} label=${`Messages with ${name}`}
      target=${target?.conversation === conversation ? target : undefined}
      look=${() => desk.look()} older=${() => client.history({ conversation })}
      retry=${(id) => client.retry(id)} discard=${(id) => client.discard(id)} />
    ${ends && html`
      <div class="ending" role="status">
        <p>This chat ends in <${Since} from=${ends} down />.</p>
        <button type="button" class="primary" onClick=${() => desk.undo(conversation)}>Undo</button>
      </div>`}
    ${over
      ? html`<p class="over" role="status">This chat has ended.</p>`
      : html`<${Composer} key=${conversation} desk=${desk} chat=${chat} name=${name} focused=${desk.write && !narrow} />`}
  `;
};

const Past = ({ desk }) => {
  const { conversation, name, error } = desk.past;
  const chat = desk.client.chats.get(conversation);
  return html`
    <header class="head past">
      <div class="title">
        <h2 dir="auto">${name}</h2>
        <p>Earlier conversation, to be read only</p>
      </div>
      <button type="button" onClick=${() => desk.closePast()} title="Esc">Close</button>
    </header>
    ${error && html`<div class="trouble" role="alert"><h3>It cannot be shown just now</h3><p>${error}</p></div>`}
    ${!error && !chat?.messages.length && !chat?.complete && html`<div class="log"><${Skeletons} /></div>`}
    ${!error && chat && (chat.messages.length > 0 || chat.complete) && html`
      <${Messages} key=${conversation} chat=${chat} name=${name} label=${`Earlier messages with ${name}`}
        target=${desk.target ?? undefined} look=${() => {}} older=${() => desk.client.history({ conversation })}
        retry=${() => {}} discard=${() => {}} />`}
  `;
};

const Nobody = ({ desk }) => {
  const known = desk.ready !== null;
  const title = desk.ready ? "You are ready" : known ? "You are away" : "Welcome";
  const text = desk.ready
    ? "The next visitor appears on the left by itself. You can leave this page open and do something else."
    : "Nobody is sent to you. Press Ready when you want to take visitors.";
  return html`
    <div class="nobody">
      <svg viewBox="0 0 64 64" aria-hidden="true"><path d="M14 10h36a8 8 0 0 1 8 8v20a8 8 0 0 1-8 8H32L18 56V46h-4a8 8 0 0 1-8-8V18a8 8 0 0 1 8-8z" /></svg>
      <h2>${desk.chats.length ? "Choose a chat" : title}</h2>
      <p>${desk.chats.length ? "J and K go through your chats." : text}</p>
    </div>
  `;
};
