/** A file among the messages, as a picture or as a row with its name, and how much of it is sent. */

import { fileSize } from "../../kit/file-size.js";
import { isPicture, makeRoom, painted } from "../../kit/picture.js";
import { REL } from "../format.js";
import { Component, createRef, html } from "../lib.js";
import { locale, t } from "../words.js";

const MOST = 280; // px of a picture, in each direction
const USUAL = [4, 3]; // the shape of a picture that is not known yet

/** How much of *file* is sent, in percent. */
export const percent = ({ sent = 0, size }) => (size ? Math.floor((100 * sent) / size) : 0);

/**
 * The bubble of *message*, which has a file; *files* is the desk's `Files`, *speaker* who has sent it. *view(id)* shows
 * the picture as large as the window; *grown()*: the bubble has become higher.
 */
export class FileBubble extends Component {
  #bubble = createRef();
  #canvas = createRef();
  #asked = false; // for the link, which is here or comes
  state = { link: null, isUnfit: false };

  get #isPicture() {
    return !this.state.isUnfit && isPicture(this.props.message.file);
  }

  get #isThere() {
    const { file, state } = this.props.message;
    return Boolean(file.id) && state === "sent";
  }

  componentDidMount() {
    const { blob, width, height } = this.props.message.file;
    if (this.#isPicture) this.#makeRoom(width, height);
    if (this.#isPicture && blob) this.#paint(blob);
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    if (!this.#isPicture) this.#bubble.current.removeAttribute("style");
    if (this.#isThere && !(this.#isPicture && this.props.message.file.blob)) this.#ask();
  }

  /** Before anything is loaded, so that nothing jumps. */
  #makeRoom(width = USUAL[0] * MOST, height = USUAL[1] * MOST) {
    makeRoom(this.#bubble.current, width, height, MOST);
  }

  /** The picture that this page sends. */
  async #paint(blob) {
    try {
      const { canvas, width, height } = await painted(blob, MOST);
      if (!this.#canvas.current) return;
      this.#makeRoom(width, height);
      this.#canvas.current.replaceChildren(canvas);
      this.props.grown();
    } catch {
      this.#fallBack();
    }
  }

  /** The picture cannot be shown here: its name can. */
  #fallBack = () => {
    this.setState({ isUnfit: true }, this.props.grown);
  };

  async #ask() {
    if (this.#asked) return;
    this.#asked = true;
    try {
      this.setState({ link: await this.props.files.link(this.props.message.file.id) });
    } catch {
      this.#asked = false; // the next drawing asks again
    }
  }

  /** Whoever is about to click gets a link that has not run out: that of the drawing may have. */
  #renew = () => {
    this.#asked = false;
    if (this.#isThere) this.#ask();
  };

  render({ message: { file, state }, speaker, view }) {
    return html`
      <div class="bubble ${this.#isPicture ? "photo" : "document"}" ref=${this.#bubble}>
        <span class="unseen">${t("speaker", { name: speaker })} </span>
        ${this.#isPicture ? this.#picture(file, view) : this.#row(file)}
        ${state === "uploading" && html`<${Coming} name=${file.name} percent=${percent(file)} />`}
      </div>
    `;
  }

  #picture({ id, blob, name }, view) {
    const { link } = this.state;
    return html`
      <button type="button" class="view" aria-label=${t("picture", { name })} disabled=${!this.#isThere} onClick=${() => view(id)}>
        ${blob ? html`<span key="own" ref=${this.#canvas}></span>`
          : link && html`<img key="theirs" src=${link.thumb ?? link.url} alt="" referrerpolicy="no-referrer" onError=${this.#fallBack} />`}
      </button>`;
  }

  #row({ name, size }) {
    const { link } = this.state;
    return html`
      <a class="file" href=${link?.url} download=${name} target="_blank" rel=${REL}
         onPointerEnter=${this.#renew} onFocus=${this.#renew} onTouchStart=${this.#renew}>
        <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M9 3h10l6 6v18a2 2 0 0 1-2 2H9a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm10 0v6h6" /></svg>
        <span><b dir="auto">${name}</b> <small>${fileSize(size, locale())}</small></span>
      </a>`;
  }
}

const Coming = ({ name, percent: done }) => html`
  <div class="coming" role="progressbar" aria-label=${name} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${done}>
    <i style=${{ width: `${done}%` }}></i>
  </div>`;
