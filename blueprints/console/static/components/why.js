/** Why a visitor waits: each waiter who might serve it, and why it does not. */

import { when, visitorName } from "../format.js";
import { Component, html } from "../lib.js";
import { problem } from "../problems.js";
import { t } from "../words.js";
import { Dialog } from "./dialog.js";

const AGAIN = 5000; // ms between two requests while the dialog is open

/** *visitor* of the queue, until *close()*. */
export class Why extends Component {
  #timer = 0;
  state = { found: null, error: "" };

  componentDidMount() {
    this.#load();
  }

  componentWillUnmount() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #load() {
    const { desk, visitor } = this.props;
    let found = null;
    let error = "";
    try {
      found = await desk.client.explain(visitor.uuid);
    } catch (caught) {
      error = t(`take_${caught.code}`) || problem(caught);
    }
    if (this.#timer === null) return; // it was closed meanwhile
    this.setState({ found, error });
    if (found) this.#timer = setTimeout(() => this.#load(), AGAIN);
  }

  render({ visitor, close }, { found, error }) {
    return html`
      <${Dialog} title=${t("why_this", { name: visitorName(visitor) })} name="reasons" close=${close}>
        ${!found && !error && html`
          <div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i><i class="bone row"></i></div>`}
        <p role="status" class=${error ? "problem" : "none"}>${error || (found && this.#facts(found).join(" "))}</p>
        ${found && this.#waiters(found)}
      <//>
    `;
  }

  #facts({ location, away, closed, moves_to: to, moves_at: at }) {
    const { labels } = this.props.desk;
    const name = labels.department(to) || t("transfer_nowhere");
    return [
      location ? t("why_ahead", { n: location }) : t("why_next"),
      away && t("why_away_visitor"),
      closed && t("why_closed_now"),
      at && t("why_moves", { department: name, time: when(Date.parse(at)) }),
    ].filter(Boolean);
  }

  #waiters({ waiters, reasons, more }) {
    const rest = Object.values(reasons).reduce((sum, n) => sum + n, 0) - waiters.length;
    if (!waiters.length) return html`<p>${t("why_nobody")}</p>`;
    return html`
      <ul>
        ${waiters.map(({ uuid, name, reason, load: open, capacity: most, department }) => html`
          <li key=${uuid}>
            <b dir="auto">${name || t("transfer_nameless")}</b>
            <span class="when">${t(`why_${reason}`, { open, most, department: this.props.desk.labels.department(department) }) || reason}</span>
          </li>`)}
        ${rest > 0 && html`<li class="when">${t("and_more", { n: rest })}</li>`}
        ${!rest && more && html`<li class="when">…</li>`}
      </ul>
    `;
  }
}
