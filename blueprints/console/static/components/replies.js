/** The canned replies, to be read and changed. */

import { when } from "../format.js";
import { Component, html } from "../lib.js";
import { rich, t } from "../words.js";
import { Dialog } from "./dialog.js";
import { EMPTY, ReplyForm } from "./reply-form.js";
import { Versions, Words, written } from "./versions.js";

/** *desk* has the replies. */
export class Replies extends Component {
  state = { edited: null, past: undefined, error: "", busy: false, doomed: null };

  componentDidMount() {
    this.#try(() => this.props.desk.canned.load());
  }

  async #try(work) {
    this.setState({ busy: true, error: "" });
    try {
      await work();
      this.setState({ busy: false });
      return true;
    } catch (error) {
      this.setState({ busy: false, error: error.message });
      return false;
    }
  }

  #save = async (reply) => {
    if (!this.state.busy && (await this.#try(() => this.props.desk.canned.save(reply)))) this.setState({ edited: null });
  };

  /** The first press asks, the second deletes. */
  #remove(id) {
    if (this.state.doomed !== id) this.setState({ doomed: id });
    else this.#try(() => this.props.desk.canned.remove(id)).then(() => this.setState({ doomed: null }));
  }

  /** Show former versions of *reply*, or (null) deleted replies; undefined: back to the list. */
  #look(reply) {
    this.setState({ past: reply, error: "", doomed: null });
  }

  render({ desk, close }, { edited, past, error }) {
    return html`
      <${Dialog} title=${t("replies")} name="replies" close=${close}>
        ${error && html`<p class="problem" role="alert">${error}</p>`}
        ${past !== undefined
          ? html`<${Versions} desk=${desk} reply=${past} back=${() => this.#look(undefined)} />`
          : edited ? html`<${ReplyForm} desk=${desk} reply=${edited} save=${this.#save} cancel=${() => this.setState({ edited: null, error: "" })} />`
          : this.#list(desk)}
      <//>
    `;
  }

  #list({ canned: { replies }, labels }) {
    return html`
      <p class="none">${rich("replies_hint", { key: html`<kbd>/</kbd>` })}</p>
      ${replies === null && !this.state.error && html`
        <div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i><i class="bone row"></i></div>`}
      ${replies?.length === 0 && html`
        <div class="trouble"><h3>${t("replies_none")}</h3><p>${t("replies_none_hint")}</p></div>`}
      <ul class="cards">
        ${replies?.map((reply) => html`
          <li key=${reply.id}>
            <p><b>/${reply.shortcut}</b> ${reply.shared && html`<span class="tag">${labels.department(reply.department) || t("shared")}</span>`}</p>
            <${Words} of=${reply} />
            <p class="by">${reply.shared && written(reply.author, reply.changed)} ${used(reply)}</p>
            <p class="actions">
              ${reply.shared && html`
                <button type="button" class="link" aria-label=${t("history_of", { name: `/${reply.shortcut}` })} onClick=${() => this.#look(reply)}>${t("history")}</button>`}
              <button type="button" class="link" aria-label=${t("edit_this", { name: `/${reply.shortcut}` })}
                      onClick=${() => this.setState({ edited: reply, error: "", doomed: null })}>${t("edit")}</button>
              <button type="button" class="link bad" aria-label=${t("delete_this", { name: `/${reply.shortcut}` })}
                      onClick=${() => this.#remove(reply.id)}>${t(this.state.doomed === reply.id ? "delete_really" : "delete")}</button>
            </p>
          </li>`)}
      </ul>
      <footer>
        <button type="button" onClick=${() => this.#look(null)}>${t("deleted_replies")}</button>
        <button type="button" class="primary" onClick=${() => this.setState({ edited: EMPTY, error: "" })}>${t("new_reply")}</button>
      </footer>
    `;
  }
}

/** How often *reply* was used, and when last. */
function used({ used: n, last_used: last }) {
  return n ? t("used", { n, when: when(last) }) : t("used_never");
}
