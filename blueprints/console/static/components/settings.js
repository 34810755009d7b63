/** What calls the waiter, and how. */

import { KINDS } from "../alerts.js";
import { html } from "../lib.js";
import { Dialog } from "./dialog.js";

const PERMISSION = {
  granted: "Desktop notifications are allowed; they appear while you look elsewhere.",
  default: "Desktop notifications are not allowed yet.",
  denied: "The browser blocks desktop notifications for this site; its settings can change that.",
  missing: "This browser has no desktop notifications.",
};

export const Settings = ({ alerts, close }) => {
  const { settings, permission } = alerts;
  return html`
    <${Dialog} title="Alerts" name="settings" close=${close}>
      <p>
        ${settings.enabled
          ? html`<button type="button" onClick=${() => alerts.disable()}>Turn all alerts off</button>`
          : html`<button type="button" class="primary" onClick=${() => alerts.enable()}>Enable sound and notifications</button>`}
        ${settings.enabled && permission === "default" && html`
          <button type="button" onClick=${() => alerts.enable()}>Allow notifications</button>`}
      </p>
      <table>
        <thead><tr><td></td><th scope="col">Sound</th><th scope="col">Notification</th></tr></thead>
        <tbody>
          ${Object.entries(KINDS).map(([kind, name]) => html`
            <tr key=${kind}>
              <th scope="row">${name}</th>
              ${["sound", "notify"].map((what) => html`
                <td><input type="checkbox" checked=${settings[kind][what]} disabled=${!settings.enabled}
                  aria-label=${`${what === "sound" ? "Sound" : "Notification"}: ${name}`}
                  onChange=${({ target }) => alerts.set(kind, what, target.checked)} /></td>`)}
            </tr>`)}
        </tbody>
      </table>
      <p class="none">${PERMISSION[permission]}</p>
    <//>
  `;
};
