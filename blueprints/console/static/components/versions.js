/** Former versions of shared canned replies, to be read and restored. */

import { when } from "../format.js";
import { Component, createRef, html } from "../lib.js";
import { rich, t } from "../words.js";

/** The versions of *reply*, or (null) deleted replies; *back()* leads back. */
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
      await this.props.desk.canned.restore(version);
      this.props.back();
    } catch ({ message }) {
      this.setState({ error: message });
    }
  }

  render({ reply, back }, { versions, error }) {
    return html`
      <p class="none">${reply ? rich("versions_of", { name: html`<b>/${reply.shortcut}</b>` }) : t("deleted_hint")}</p>
      ${error && html`<p class="problem" role="alert">${error}</p>`}
      ${versions === null && !error && html`
        <div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i></div>`}
      ${versions?.length === 0 && html`<p>${t(reply ? "versions_none" : "deleted_none")}</p>`}
      <ul class="cards">
        ${versions?.map((one) => html`
          <li key=${one.version}>
            <p><b>/${one.shortcut}</b></p>
            <${Words} of=${one} />
            <p class="by">${written(one.author, one.date)} ${ended(one, reply)}</p>
            <p class="actions">
              <button type="button" class="link" aria-label=${restores(one)}
                      onClick=${() => this.#restore(one.version)}>${t("restore")}</button>
            </p>
          </li>`)}
      </ul>
      <footer><button type="button" ref=${this.#back} onClick=${back}>${t("back")}</button></footer>
    `;
  }
}

/** What a reply or a version says, and which choices it offers. */
export const Words = ({ of: { text, choices } }) => html`
  <p class="text" dir="auto">${text}</p>
  ${choices.length > 0 && html`<p class="text choices"><span class="unseen">${t("choices")}: </span>
    ${choices.map((one) => html`<span class="tag" dir="auto">${one}</span> `)}</p>`}`;

/** Who has changed it, or (*reply* is null) deleted it; with its department nobody did. */
function ended({ ended_by: name, ended: date }, reply) {
  if (!name) return t("deleted_at", { when: when(date) });
  return t(reply ? "changed_by" : "deleted_by", { name, when: when(date) });
}

/** Who wrote it, if that is known. */
export function written(author, date) {
  if (!author) return "";
  return date ? t("written_by", { name: author, when: when(date) }) : t("written_once_by", { name: author });
}

/** What the button that restores *one* does. */
function restores({ shortcut, author }) {
  const name = `/${shortcut}`;
  return author ? t("restore_of", { name, author }) : t("restore_this", { name });
}
