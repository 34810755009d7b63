/** What a search is narrowed down to: a waiter, a department, dates and stars. */

import { Component, html } from "../lib.js";
import { t } from "../words.js";

const STARS = ["5", "4", "3", "2", "1"];

/** The beginning of the *day* of this browser's time zone, `YYYY-MM-DD`, or that of the day *later*; for the server. */
function moment(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  const begin = new Date(year, month - 1, date + later);
  return Number.isNaN(begin.getTime()) || begin.getFullYear() > 9998 ? "" : begin.toISOString();
}

/** *chosen*, `{waiter, department, from, to, rating}` as the form has it, as the server names it. */
export function asked({ waiter, department, from, to, rating }) {
  const all = { waiter, department, from: from && moment(from), to: to && moment(to, 1), rating };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

/** *desk* knows departments and colleagues, *chosen* is what the form shows, *choose(chosen)* is called with a change. */
export class Filters extends Component {
  state = { isOpen: false, waiters: null };

  #toggled = async ({ target: { open: isOpen } }) => {
    this.setState({ isOpen });
    if (!isOpen || this.state.waiters) return;
    try {
      this.setState({ waiters: await this.props.desk.api.waiters() });
    } catch {
      // without their names there is nothing to choose
    }
  };

  #set(what) {
    this.props.choose({ ...this.props.chosen, ...what });
  }

  #select(name, label, options) {
    const { chosen } = this.props;
    return html`
      <label><span>${t(label)}</span>
        <select value=${chosen[name] ?? ""} onChange=${({ target }) => this.#set({ [name]: target.value })}>
          <option value="">${t("filter_any")}</option>
          ${options.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
        </select></label>`;
  }

  #date(name, label) {
    const { chosen } = this.props;
    return html`
      <label><span>${t(label)}</span>
        <input type="date" value=${chosen[name] ?? ""} onInput=${({ target }) => this.#set({ [name]: target.value })} /></label>`;
  }

  render(_props, { isOpen }) {
    return html`
      <details class="filters" onToggle=${this.#toggled}>
        <summary>${t("filters")}</summary>
        ${isOpen && this.#form()}
      </details>
    `;
  }

  #form() {
    const { departments } = this.props.desk.labels;
    const named = (this.state.waiters ?? []).map(({ sub, name }) => [sub, name || sub]);
    return html`
      <div>
        ${named.length > 1 && this.#select("waiter", "filter_waiter", named)}
        ${departments.length > 0 && this.#select("department", "filter_department", departments.map(({ key, name }) => [key, name]))}
        ${this.#select("rating", "filter_rating", STARS.map((one) => [one, t("filter_stars", { n: Number(one) })]))}
        ${this.#date("from", "filter_from")}
        ${this.#date("to", "filter_to")}
      </div>
    `;
  }
}
