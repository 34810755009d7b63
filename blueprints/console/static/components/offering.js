/** The choices below the box that go with the message: each of them can be taken away. */

import { html } from "../lib.js";
import { t } from "../words.js";
import { Icon } from "./icons.js";

/** *texts* are the choices; *put(texts)* changes them. */
export const Offering = ({ texts, put }) => html`
  <div class="offering" role="group" aria-label=${t("offering")}>
    <ul>
      ${texts.map((text, at) => html`
        <li key=${text}><span dir="auto">${text}</span>
          <button type="button" aria-label=${t("choice_remove", { name: text })} title=${t("choice_remove", { name: text })}
                  onClick=${() => put(texts.filter((_, other) => other !== at))}><${Icon} name="close" /></button></li>`)}
    </ul>
    <button type="button" class="link" onClick=${() => put([])}>${t("choices_remove")}</button>
  </div>
`;
