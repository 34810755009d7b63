/** Every key there is. */

import { html } from "../lib.js";
import { KEYS } from "../shortcuts.js";
import { Dialog } from "./dialog.js";

export const Help = ({ close }) => html`
  <${Dialog} title="Keyboard" name="help" close=${close}>
    <dl>
      ${KEYS.map(({ keys, what }) => html`
        <div key=${what}><dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${what}</dd></div>`)}
    </dl>
    <p class="none">Single letters count while you are not writing: Esc leaves the box.</p>
  <//>
`;
