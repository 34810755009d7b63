/** A link would sign in another waiter: the person here decides. */

import { Component, createRef, html } from "../lib.js";
import { rich, t } from "../words.js";

/** *session* is `choosing`. */
export class Offer extends Component {
  #stay = createRef();

  componentDidMount() {
    this.#stay.current.focus();
  }

  render({ session }) {
    const { present, offered } = session.offer;
    const [here, guest] = [present, offered].map((name) => html`<bdi>${name}</bdi>`);
    return html`
      <main class="door">
        <h2>${t("offer_question")}</h2>
        <p>${rich("offer", { here, guest })}</p>
        <button type="button" ref=${this.#stay} class="primary" onClick=${() => session.choose(false)}>
          ${rich("offer_stay", { here })}</button>
        <button type="button" onClick=${() => session.choose(true)}>${rich("offer_take", { guest })}</button>
      </main>
    `;
  }
}
