/** The settings: alerts, the language, shortcuts of single letters. */

import { KINDS, WAYS } from "../alerts.js";
import { html } from "../lib.js";
import { hasKeys, lettersCount, setLetters } from "../shortcuts.js";
import { chosen, language, LANGUAGES, nameOf, t } from "../words.js";
import { Dialog } from "./dialog.js";

/** *speak(language)*: another one, or "": the browser's; *changed()*: draw all again. */
export const Settings = ({ alerts, speak, changed, close }) => html`
  <${Dialog} title=${t("settings")} name="settings" close=${close}>
    <${Alerts} alerts=${alerts} />
    <h3><label for="language">${t("language")}</label></h3>
    <select id="language" onChange=${({ target }) => speak(target.value)}>
      <option key=${`browser ${language()}`} value="" selected=${!chosen()}>${t("language_browser")}</option>
      ${LANGUAGES.map((one) => html`
        <option key=${one} value=${one} lang=${one} selected=${chosen() === one}>${nameOf(one)}</option>`)}
    </select>
    ${hasKeys() && html`<${Letters} changed=${changed} />`}
  <//>
`;

const Alerts = ({ alerts }) => {
  const { settings, permission } = alerts;
  return html`
    <h3>${t("alerts")}</h3>
    <p>
      ${settings.enabled
        ? html`<button type="button" onClick=${() => alerts.disable()}>${t("alerts_off")}</button>`
        : html`<button type="button" class="primary" onClick=${() => alerts.enable()}>${t("alerts_on")}</button>`}
      ${settings.enabled && permission === "default" && html`
        <button type="button" onClick=${() => alerts.enable()}>${t("notify_allow")}</button>`}
    </p>
    <table>
      <thead><tr><td></td>${WAYS.map((way) => html`<th scope="col">${t(`alert_${way}`)}</th>`)}</tr></thead>
      <tbody>
        ${KINDS.map((kind) => html`
          <tr key=${kind}>
            <th scope="row">${t(`alert_${kind}`)}</th>
            ${WAYS.map((way) => html`
              <td><input type="checkbox" checked=${settings[kind][way]} disabled=${!settings.enabled}
                aria-label=${t("alert_this", { way: t(`alert_${way}`), what: t(`alert_${kind}`) })}
                onChange=${({ target }) => alerts.set(kind, way, target.checked)} /></td>`)}
          </tr>`)}
      </tbody>
    </table>
    <p class="none">${t(`notify_${permission}`)}</p>
  `;
};

const Letters = ({ changed }) => html`
  <h3>${t("keyboard")}</h3>
  <label class="check">
    <input type="checkbox" checked=${lettersCount()} aria-describedby="letters-hint" onChange=${({ target }) => {
      setLetters(target.checked);
      changed();
    }} /> ${t("letters")}
  </label>
  <p class="none" id="letters-hint">${t("letters_hint")}</p>
`;
