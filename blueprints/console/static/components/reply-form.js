/** The form for one canned reply. */

import { excess } from "../../kit/size.js";
import { Component, createRef, html } from "../lib.js";
import { t } from "../words.js";

/** A new reply. */
export const EMPTY = { shortcut: "", text: "", shared: false, department: "", choices: [] };

const OWN = "own";
const ALL = "all";

/** The choices in a box, one a line. */
const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** *reply* is changed, or `EMPTY`; *save(reply)* stores it, *cancel()* leads back. */
export class ReplyForm extends Component {
  #first = createRef();
  state = { ...this.props.reply, lines: this.props.reply.choices.join("\n") };

  componentDidMount() {
    this.#first.current.focus();
  }

  /** By how many characters the text is too long. */
  get #excess() {
    return excess(this.state.text, this.props.desk.client.me?.max_text);
  }

  #save = (event) => {
    event.preventDefault();
    const { lines, ...reply } = this.state;
    if (!this.#excess) this.props.save({ ...reply, choices: linesOf(lines) });
  };

  render({ desk, cancel }, { shortcut, text, lines }) {
    const n = this.#excess;
    return html`
      <form onSubmit=${this.#save}>
        <label for="shortcut">${t("shortcut")}</label>
        <input id="shortcut" ref=${this.#first} value=${shortcut} required autocomplete="off"
               autocapitalize="none" spellcheck=${false} onInput=${({ target }) => this.setState({ shortcut: target.value.replace(/^\//, "") })} />
        <label for="canned-text">${t("text")}</label>
        <textarea id="canned-text" rows="4" required value=${text} aria-invalid=${n ? "true" : undefined}
                  aria-describedby=${n ? "canned-excess canned-hint" : "canned-hint"}
                  onInput=${({ target }) => this.setState({ text: target.value })}></textarea>
        <p class="hint" id="canned-hint">${t("placeholders_hint")}</p>
        <p class="problem" id="canned-excess" role="status">${n ? t("too_long_by", { n }) : ""}</p>
        <label for="canned-choices">${t("choices")}</label>
        <textarea id="canned-choices" rows="3" value=${lines} aria-describedby="choices-hint"
                  onInput=${({ target }) => this.setState({ lines: target.value })}></textarea>
        <p class="hint" id="choices-hint">${t("choices_hint")}</p>
        ${this.#sharing(desk)}
        <footer>
          <button type="button" onClick=${cancel}>${t("cancel")}</button>
          <button type="submit" class="primary" disabled=${n > 0}>${t("save")}</button>
        </footer>
      </form>
    `;
  }

  /** Who has it: oneself, all waiters, or those of a department of which one is a member. */
  #sharing({ canned, labels }) {
    const { shared, department } = this.state;
    if (!canned.departments.length) {
      return html`<label class="check"><input type="checkbox" checked=${shared}
        onChange=${({ target }) => this.setState({ shared: target.checked })} /> ${t("shared_with_all")}</label>`;
    }
    const value = !shared ? OWN : department ? `of ${department}` : ALL;
    const choose = ({ target }) =>
      this.setState({ shared: target.value !== OWN, department: target.value.startsWith("of ") ? target.value.slice(3) : "" });
    return html`
      <label for="canned-shared">${t("shared_with")}</label>
      <select id="canned-shared" value=${value} onChange=${choose}>
        <option value=${OWN}>${t("shared_with_none")}</option>
        <option value=${ALL}>${t("all_waiters")}</option>
        ${canned.departments.map((key) => html`<option value=${`of ${key}`}>${labels.department(key)}</option>`)}
      </select>`;
  }
}
