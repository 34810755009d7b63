/** A dialog: the rest of the page is out of reach while it is open, and Esc closes it. */

import { composes } from "../../kit/keys.js";
import { Component, createRef, html } from "../lib.js";
import { t } from "../words.js";
import { IconButton } from "./icons.js";

/** *close()* is called when it has closed; *name* is a class. */
export class Dialog extends Component {
  #dialog = createRef();

  componentDidMount() {
    this.#dialog.current.showModal();
  }

  componentWillUnmount() {
    this.#dialog.current.close(); // the focus goes back to where it was
  }

  // Only a press that begins and ends on the backdrop: selecting text may end there.
  #pressed = ({ target }) => {
    if (target === this.#dialog.current) this.props.close();
  };

  render({ title, name, close, children }) {
    return html`
      <dialog ref=${this.#dialog} class=${name} aria-label=${title} onMouseDown=${this.#pressed}
              onKeyDown=${(event) => event.key === "Escape" && composes(event) && event.preventDefault()}
              onCancel=${(event) => {
                event.preventDefault();
                close();
              }}>
        <div class="sheet">
          <header><h2>${title}</h2><${IconButton} icon="close" label=${t("close")} onClick=${close} /></header>
          ${children}
        </div>
      </dialog>
    `;
  }
}
