/** Changes the password of the waiter's own account. */

import { Component, createRef, html } from "../lib.js";
import { t } from "../words.js";
import { Dialog } from "./dialog.js";

/** Name, text, what browsers know it by. */
const FIELDS = [
  ["current", "password_current", "current-password"],
  ["new", "password_new", "new-password"],
];

/** *session* names the account. */
export class Password extends Component {
  #inputs = { current: createRef(), new: createRef() };
  #done = createRef();
  state = { current: "", new: "", field: null, why: "", busy: false, done: false };

  componentDidMount() {
    this.#inputs.current.current.focus();
  }

  #save = async (event) => {
    event.preventDefault();
    if (this.state.busy) return;
    this.setState({ busy: true, field: null, why: "" }); // so that the same sentence is read out again
    try {
      await this.props.session.changePassword(this.state.current, this.state.new);
      this.setState({ done: true }, () => this.#done.current.focus());
    } catch ({ field, message }) {
      this.setState({ busy: false, field: this.#inputs[field] ? field : null, why: message }, () =>
        this.#inputs[this.state.field ?? "current"].current.select());
    }
  };

  render({ close, session }, { busy, done, field, why }) {
    return html`
      <${Dialog} title=${t("change_password")} name="password" close=${close}>
        ${done ? html`
          <p role="status">${t("password_changed")}</p>
          <footer><button type="button" class="primary" ref=${this.#done} onClick=${close}>${t("close")}</button></footer>` : html`
          <form onSubmit=${this.#save}>
            <input class="unseen" type="text" autocomplete="username" value=${session.who} readonly tabindex="-1" aria-hidden="true" />
            ${FIELDS.map(([name, label, complete]) => this.#field(name, t(label), complete))}
            <p class="none" id="password-help">${t("password_hint")}</p>
            ${field === null && html`<p class="problem" role="alert">${why}</p>`}
            <footer>
              <button type="button" onClick=${close}>${t("cancel")}</button>
              <button type="submit" class="primary" aria-disabled=${busy ? "true" : undefined}>${t(busy ? "saving" : "change_password")}</button>
            </footer>
          </form>`}
      <//>
    `;
  }

  #field(name, label, complete) {
    const { field, why } = this.state;
    const wrong = field === name;
    const described = [wrong && `${name}-why`, name === "new" && "password-help"].filter(Boolean);
    return html`
      <label for=${`${name}-password`}>${label}</label>
      <input id=${`${name}-password`} ref=${this.#inputs[name]} type="password" required
             autocomplete=${complete} value=${this.state[name]} aria-invalid=${wrong ? "true" : undefined}
             aria-describedby=${described.join(" ") || undefined}
             onInput=${({ target }) => this.setState({ [name]: target.value })} />
      ${wrong && html`<p class="problem" role="alert" id=${`${name}-why`}>${why}</p>`}
    `;
  }
}
