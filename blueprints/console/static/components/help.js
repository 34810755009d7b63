/** Every key there is. */

import { html } from "../lib.js";
import { KEYS, lettersCount } from "../shortcuts.js";
import { t } from "../words.js";
import { Dialog } from "./dialog.js";

export const Help = ({ close }) => html`
  <${Dialog} title=${t("keyboard")} name="help" close=${close}>
    <dl>
      ${KEYS.filter(({ letter }) => !letter || lettersCount()).map(({ keys, what }) => html`
        <div key=${what}><dt>${keys.map((key) => html`<kbd translate="no">${key}</kbd>`)}</dt><dd>${t(what)}</dd></div>`)}
    </dl>
    <p class="none">${t(lettersCount() ? "keys_hint" : "keys_off")}</p>
  <//>
`;
