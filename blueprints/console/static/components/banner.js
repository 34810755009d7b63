/** What keeps the waiter from working, and a button against it. */

import { html } from "../lib.js";
import { problem } from "../problems.js";
import { rich, t } from "../words.js";
import { Since } from "./since.js";

/** The connection is down, or does not answer. */
const Lost = ({ desk: { client, lostBy } }) => {
  const { state, code, reason, retryAt } = client.status;
  if (state === "waiting" || client.lost) {
    return html`
      <div class="banner bad">
        <p role="alert">${(state !== "online" && t(`lost_${lostBy}`)) || t("lost")} ${t("lost_kept")}</p>
        <p class="soon">${state === "waiting" && rich("next_try", { wait: html`<${Since} from=${retryAt} down />` })}</p>
        <button type="button" onClick=${() => client.reconnect()}>${t("try_now")}</button>
      </div>`;
  }
  if (state !== "ended") return null;
  return html`
    <div class="banner bad">
      <p role="alert">${t(`ended_${code}`) || problem({ code, message: reason })}</p>
      <button type="button" class="primary" onClick=${() => client.reconnect()}>
        ${t(code === 4409 ? "use_window" : "connect_again")}</button>
    </div>`;
};

const Refused = ({ desk }) => desk.problem && html`
  <div class="banner bad">
    <p role="alert">${desk.problem}</p>
    <button type="button" onClick=${() => desk.complain("")}>${t("close")}</button>
  </div>`;

/** Browsers play no sound of a page before a click or key. */
const Silent = ({ alerts, later }) => html`
  <div class="banner">
    <p>${t("sound_question")}</p>
    <button type="button" onClick=${later}>${t("not_now")}</button>
    <button type="button" class="primary" onClick=${() => alerts.enable()}>${t("enable_sound")}</button>
  </div>`;

/** *later()* puts off the question about sound; null: it was put off. */
export const Banners = ({ desk, alerts, later }) => html`
  <section class="notices" aria-label=${t("notices")}>
    <${Lost} desk=${desk} />
    <${Refused} desk=${desk} />
    ${!alerts.settings.enabled && later && html`<${Silent} alerts=${alerts} later=${later} />`}
  </section>
`;
