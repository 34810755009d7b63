/** What shared canned replies were before, to be read and restored. */

import { when } from "../format.js";
import { Component, createRef, html } from "../lib.js";

/** Of *reply*, or (null) of those that are no more. *desk* keeps them; *back()* leads back. */
export class Versions extends Component {
  #back = createRef();
  state = { versions: null, error: "" };

  componentDidMount() {
    this.#back.current.focus();
    this.#load();
  }

  async #load() {
    const { desk, reply } = this.props;
    try {
      this.setState({ versions: await desk.api.versions(reply?.id) });
    } catch ({ message }) {
      this.setState({ error: message });
    }
  }

  async #restore(version) {
    this.setState({ error: "" });
    try {
      await this.props.desk.restoreReply(version);
      this.props.back();
    } catch ({ message }) {
      this.setState({ error: message });
    }
  }

  render({ reply, back }, { versions, error }) {
    return html`
      <p class="none">${reply ? html`What <b>/${reply.shortcut}</b> was before.` : "Shared replies that were deleted."}</p>
      ${error && html`<p class="problem" role="alert">${error}</p>`}
      ${versions === null && !error && html`
        <div class="skeletons" role="img" aria-label="Loading"><i class="bone row"></i></div>`}
      ${versions?.length === 0 && html`<p>${reply ? "It was always like this." : "None was deleted."}</p>`}
      <ul class="cards">
        ${versions?.map((one) => html`
          <li key=${one.version}>
            <p><b>/${one.shortcut}</b></p>
            <p class="text" dir="auto">${one.text}</p>
            <p class="by">${written(one.author, one.date)} ${reply ? "Changed" : "Deleted"} by ${one.ended_by}, ${when(one.ended)}.</p>
            <p class="actions">
              <button type="button" class="link" aria-label=${`Restore /${one.shortcut} of ${one.author || "before"}`}
                      onClick=${() => this.#restore(one.version)}>Restore</button>
            </p>
          </li>`)}
      </ul>
      <footer><button type="button" ref=${this.#back} onClick=${back}>Back</button></footer>
    `;
  }
}

/** Who wrote it, as far as it is known. */
export const written = (author, date) => (author ? `Written by ${author}${date ? `, ${when(date)}` : ""}.` : "");
