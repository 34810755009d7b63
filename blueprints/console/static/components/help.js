/** Every key there is. */

import { html } from "../lib.js";
import { KEYS } from "../shortcuts.js";
import { t } from "../words.js";
import { Dialog } from "./dialog.js";

export const Help = ({ close }) => html`
  <${Dialog} title=${t("keyboard")} name="help" close=${close}>
    <dl>
      ${KEYS.map(({ keys, what }) => html`
        <div key=${what}><dt>${keys.map((key) => html`<kbd translate="no">${key}</kbd>`)}</dt><dd>${t(what)}</dd></div>`)}
    </dl>
    <p class="none">${t("keys_hint")}</p>
  <//>
`;
