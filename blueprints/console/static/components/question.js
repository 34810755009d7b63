/** A question before something that cannot be undone. Enter and Esc answer no. */

import { html } from "../lib.js";
import { t } from "../words.js";
import { Dialog } from "./dialog.js";

/** *title* asks; *text* says more; *no* and *yes* are on the buttons; *act()* does it. */
export const Question = ({ title, text, no, yes, act, close }) => html`
  <${Dialog} title=${title} name="question" close=${close}>
    ${text && html`<p>${text}</p>`}
    <footer>
      <button type="button" autofocus onClick=${close}>${no ?? t("cancel")}</button>
      <button type="button" class="primary" onClick=${() => {
        close();
        act();
      }}>${yes}</button>
    </footer>
  <//>
`;
