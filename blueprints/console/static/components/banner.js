/** What stands in the way, and what to do about it. */

import { sentence } from "../format.js";
import { html } from "../lib.js";
import { Since } from "./since.js";

const KEPT = "What you write is kept and sent when the connection is back.";

const LOST = {
  1012: "The server is being restarted.",
  1013: "The server is full just now.",
  4408: "The connection took too long to answer.",
  4413: "The connection was too slow.",
};

const ENDED = {
  4409: "You have signed in somewhere else, and this window has stopped. Your chats go on there.",
  4410: "This console is closed to you. Ask whoever runs this chat.",
  4429: "This window has sent too much in too short a time, and has stopped.",
};

/** The line is down: *status* is the client's. */
const Lost = ({ client, status: { state, code, reason, retryAt } }) => {
  if (state === "waiting") {
    return html`
      <div class="banner bad">
        <p role="alert">${LOST[code] ?? "The connection is lost."} ${KEPT}</p>
        <p class="soon">Next try in <${Since} from=${retryAt} down /></p>
        <button type="button" onClick=${() => client.reconnect()}>Try now</button>
      </div>`;
  }
  if (state !== "ended") return null;
  return html`
    <div class="banner bad">
      <p role="alert">${ENDED[code] ?? sentence(reason)}</p>
      <button type="button" class="primary" onClick=${() => client.reconnect()}>
        ${code === 4409 ? "Use this window" : "Connect again"}</button>
    </div>`;
};

const Refused = ({ desk }) => desk.problem && html`
  <div class="banner bad">
    <p role="alert">${desk.problem}</p>
    <button type="button" onClick=${() => desk.complain("")}>Close</button>
  </div>`;

/** Browsers keep a page silent until somebody has pressed something in it. */
const Silent = ({ alerts, later }) => html`
  <div class="banner">
    <p>Hear and see when somebody is waiting, also while you look elsewhere.</p>
    <button type="button" onClick=${later}>Not now</button>
    <button type="button" class="primary" onClick=${() => alerts.enable()}>Enable sound</button>
  </div>`;

/** *later()*: the question about sound is put off; null: it was. */
export const Banners = ({ desk, alerts, later }) => html`
  <section class="notices" aria-label="Notices">
    <${Lost} client=${desk.client} status=${desk.client.status} />
    <${Refused} desk=${desk} />
    ${!alerts.settings.enabled && later && html`<${Silent} alerts=${alerts} later=${later} />`}
  </section>
`;
