/** Signing in: with a name and a password, or with a token. */

import { Component, createRef, html } from "../lib.js";
import { rich, t } from "../words.js";

/** *accounts*: there are names and passwords here. */
export class Door extends Component {
  #first = createRef();
  #password = createRef();
  state = { name: "", password: "", token: "", why: this.props.session.why, busy: false };

  componentDidMount() {
    this.#first.current.focus();
  }

  #enter = async (event) => {
    event.preventDefault();
    const { name, password, busy } = this.state;
    if (busy) return;
    this.setState({ busy: true, why: "" }); // so that the same sentence is read out again
    try {
      await this.props.session.enterAs(name, password);
    } catch (error) {
      this.setState({ busy: false, why: error.message }, () => this.#password.current?.select());
    }
  };

  #show = (event) => {
    event.preventDefault();
    const token = this.state.token.trim();
    if (token) this.props.session.enterWith(token);
  };

  render({ accounts }, { name, password, token, why, busy }) {
    return html`
      <main class="door">
        <h2>${t("sign_in")}</h2>
        <p class="problem" role="alert">${why}</p>
        ${accounts && html`
          <form onSubmit=${this.#enter}>
            <label for="name">${t("name")}</label>
            <input id="name" ref=${this.#first} value=${name} autocomplete="username" autocapitalize="none"
                   spellcheck=${false} required onInput=${({ target }) => this.setState({ name: target.value })} />
            <label for="password">${t("password")}</label>
            <input id="password" ref=${this.#password} type="password" value=${password} required
                   autocomplete="current-password" onInput=${({ target }) => this.setState({ password: target.value })} />
            <button type="submit" class="primary" aria-disabled=${busy ? "true" : undefined}>${t(busy ? "signing_in" : "sign_in")}</button>
          </form>`}
        <details open=${!accounts}>
          <summary>${t("sign_in_token")}</summary>
          <form onSubmit=${this.#show}>
            <label for="token">${t("token")}</label>
            <input id="token" ref=${accounts ? undefined : this.#first} value=${token} autocomplete="off" autocapitalize="none"
                   spellcheck=${false} required aria-describedby="token-help"
                   onInput=${({ target }) => this.setState({ token: target.value })} />
            <p class="none" id="token-help">${rich("token_hint", { command: html`<code translate="no">flask chat token --role waiter --sub YOU</code>` })}</p>
            <button type="submit" class=${accounts ? "" : "primary"}>${t("use_token")}</button>
          </form>
        </details>
      </main>
    `;
  }
}
