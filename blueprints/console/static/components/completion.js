/** The list of canned replies above the box. */

import { Component, createRef, html } from "../lib.js";
import { t } from "../words.js";

const MOST = 50; // in the list; more letters narrow it down

// An item of the list while there are no replies: it leads to where they are made.
const NONE = [{ id: "none", isNone: true, text: "" }];

/**
 * Those of *replies* (null: not known) that fit *query*: by shortcut first, then by text; without a query by use;
 * `{isNone}` if there are no replies at all.
 */
export function listed(replies, query) {
  if (!replies?.length) return replies && query === "" ? NONE : [];
  if (query === "") return [...replies].sort(byUse).slice(0, MOST);
  const wanted = query.toLowerCase();
  const begins = replies.filter(({ shortcut }) => shortcut.startsWith(wanted));
  const holds = replies.filter(
    (one) => !begins.includes(one) && `${one.shortcut} ${one.text}`.toLowerCase().includes(wanted),
  );
  return [...begins, ...holds].slice(0, MOST);
}

/** What is used most comes first; of those that are used as often, what was used last. */
const byUse = (a, b) => b.used - a.used || Date.parse(b.last_used ?? 0) - Date.parse(a.last_used ?? 0);

/** The list *found*, with the one at *picked* marked; `insert(reply)` is called on a click. */
export class Completion extends Component {
  #list = createRef();

  componentDidMount() {
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    this.#list.current.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  render({ found, picked, insert }) {
    return html`
      <ul class="completion" id="completion" role="listbox" aria-label=${t("replies")} ref=${this.#list}>
        ${found.map((reply, at) => html`
          <li key=${reply.id} id=${`canned-${reply.id}`} role="option" aria-selected=${String(at === picked)}
              onMouseDown=${(event) => {
                event.preventDefault(); // the box keeps the focus
                insert(reply);
              }}>
            ${reply.isNone
              ? html`<b>${t("replies_none")}</b> <span>${t("replies_make")}</span>`
              : html`<b>/${reply.shortcut}</b> <span>${reply.text}</span>${reply.choices.map((one) => html` <span class="tag">${one}</span>`)}`}
          </li>`)}
      </ul>
    `;
  }
}
