/** What people write, as text; only http and https addresses become links. */

import { pieces, REL } from "../format.js";
import { html } from "../lib.js";

export const Text = ({ text }) => html`
  <span class="text" dir="auto">${pieces(text).map(({ text: part, href }) =>
    href ? html`<a href=${href} target="_blank" rel=${REL}>${part}</a>` : part,
  )}</span>
`;
