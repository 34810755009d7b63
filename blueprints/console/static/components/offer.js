/** A link wants to sign in somebody else: the person here decides. */

import { Component, createRef, html } from "../lib.js";

/** *session* is `choosing`. */
export class Offer extends Component {
  #stay = createRef();

  componentDidMount() {
    this.#stay.current.focus();
  }

  render({ session }) {
    const { present, offered } = session.offer;
    return html`
      <main class="door">
        <h2>Sign in as somebody else?</h2>
        <p>You are signed in as <bdi>${present}</bdi>. A link was opened that signs in <bdi>${offered}</bdi>.
          If you did not open it yourself, stay.</p>
        <button type="button" ref=${this.#stay} class="primary" onClick=${() => session.choose(false)}>
          Stay <bdi>${present}</bdi></button>
        <button type="button" onClick=${() => session.choose(true)}>Sign in as <bdi>${offered}</bdi></button>
      </main>
    `;
  }
}
