/** The canned replies, to be read and changed. */

import { excess } from "../../kit/size.js";
import { Component, createRef, html } from "../lib.js";
import { rich, t } from "../words.js";
import { Dialog } from "./dialog.js";
import { Versions, written } from "./versions.js";

const EMPTY = { shortcut: "", text: "", shared: false };

/** *desk* has the replies. */
export class Replies extends Component {
  #first = createRef();
  state = { edited: null, past: undefined, error: "", busy: false, doomed: null };

  componentDidMount() {
    this.#try(() => this.props.desk.canned.load());
  }

  componentDidUpdate(_props, { edited }) {
    if (this.state.edited && !edited) this.#first.current?.focus();
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

  #save = async (event) => {
    event.preventDefault();
    const { edited, busy } = this.state;
    if (!busy && !this.#excess && (await this.#try(() => this.props.desk.canned.save(edited)))) this.setState({ edited: null });
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

  /** By how many characters the text is too long. */
  get #excess() {
    return excess(this.state.edited.text, this.props.desk.client.me?.max_text);
  }

  #change(what) {
    this.setState(({ edited }) => ({ edited: { ...edited, ...what } }));
  }

  render({ desk, close }, { edited, past, error }) {
    return html`
      <${Dialog} title=${t("replies")} name="replies" close=${close}>
        ${error && html`<p class="problem" role="alert">${error}</p>`}
        ${past !== undefined
          ? html`<${Versions} desk=${desk} reply=${past} back=${() => this.#look(undefined)} />`
          : edited ? this.#form(edited) : this.#list(desk.canned.replies)}
      <//>
    `;
  }

  #list(replies) {
    return html`
      <p class="none">${rich("replies_hint", { key: html`<kbd>/</kbd>` })}</p>
      ${replies === null && !this.state.error && html`
        <div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i><i class="bone row"></i></div>`}
      ${replies?.length === 0 && html`
        <div class="trouble"><h3>${t("replies_none")}</h3><p>${t("replies_none_hint")}</p></div>`}
      <ul class="cards">
        ${replies?.map((reply) => html`
          <li key=${reply.id}>
            <p><b>/${reply.shortcut}</b> ${reply.shared && html`<span class="tag">${t("shared")}</span>`}</p>
            <p class="text" dir="auto">${reply.text}</p>
            ${reply.shared && reply.author && html`<p class="by">${written(reply.author, reply.changed)}</p>`}
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

  #form({ shortcut, text, shared }) {
    const n = this.#excess;
    return html`
      <form onSubmit=${this.#save}>
        <label for="shortcut">${t("shortcut")}</label>
        <input id="shortcut" ref=${this.#first} value=${shortcut} required autocomplete="off"
               autocapitalize="none" spellcheck=${false} onInput=${({ target }) => this.#change({ shortcut: target.value.replace(/^\//, "") })} />
        <label for="canned-text">${t("text")}</label>
        <textarea id="canned-text" rows="6" required value=${text} aria-invalid=${n ? "true" : undefined}
                  aria-describedby=${n ? "canned-excess" : undefined}
                  onInput=${({ target }) => this.#change({ text: target.value })}></textarea>
        <p class="problem" id="canned-excess" role="status">${n ? t("too_long_by", { n }) : ""}</p>
        <label class="check"><input type="checkbox" checked=${shared}
               onChange=${({ target }) => this.#change({ shared: target.checked })} /> ${t("shared_with_all")}</label>
        <footer>
          <button type="button" onClick=${() => this.setState({ edited: null, error: "" })}>${t("cancel")}</button>
          <button type="submit" class="primary" disabled=${n > 0}>${t("save")}</button>
        </footer>
      </form>
    `;
  }
}
