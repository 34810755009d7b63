/** Hands a visitor to another waiter or to a department: first to whom, then with which note. */

import { composes } from "../../kit/keys.js";
import { excess } from "../../kit/size.js";
import { visitorName } from "../format.js";
import { plain } from "../found.js";
import { Component, createRef, html } from "../lib.js";
import { problem } from "../problems.js";
import { t } from "../words.js";
import { Dialog } from "./dialog.js";

/** The visitor of *chat* is handed over; *close()* when that is done or given up. */
export class Transfer extends Component {
  #box = createRef();
  #list = createRef();
  #note = createRef();
  #yes = createRef();
  state = { waiters: null, words: "", picked: 0, to: null, note: "", error: "", busy: false };

  componentDidMount() {
    this.#box.current.focus();
    this.#load();
  }

  componentDidUpdate(_props, { to }) {
    if (to !== this.state.to) (this.state.to ? (this.#note.current ?? this.#yes.current) : this.#box.current)?.focus();
    this.#list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  async #load() {
    try {
      this.setState({ waiters: await this.props.desk.client.colleagues() });
    } catch (error) {
      this.setState({ waiters: [], error: problem(error) });
    }
  }

  // ---- to whom -------------------------------------------------------------

  /** All who can be meant by what is typed: waiters, then departments. */
  get #choices() {
    const wanted = plain(this.state.words.trim());
    return [...this.#people, ...this.#departments].filter(({ name }) => plain(name).includes(wanted));
  }

  get #people() {
    const { client } = this.props.desk;
    const others = (this.state.waiters ?? []).filter(({ uuid }) => uuid !== client.me?.uuid);
    const people = others.map(({ uuid, name, ready, load, capacity }) => {
      const rank = load >= capacity ? 2 : ready ? 0 : 1;
      const key = ["transfer_is_ready", "transfer_is_away", "transfer_is_full"][rank];
      return { key: uuid, to: uuid, name: name || t("transfer_nameless"), state: t(key, { open: load, most: capacity }), rank, isFull: rank === 2 };
    });
    return people.sort((one, other) => one.rank - other.rank || one.name.localeCompare(other.name));
  }

  get #departments() {
    const { labels, client } = this.props.desk;
    const waiters = this.state.waiters ?? [];
    const isAny = labels.departments.length === 0;
    const nowhere = { key: "", name: t(isAny ? "transfer_queue" : "transfer_nowhere") };
    const isWanted = isAny || waiters.some(({ departments }) => departments.includes(""));
    const all = [...labels.departments, ...(isWanted ? [nowhere] : [])];
    return all.map(({ key, name }) => {
      const is = ({ uuid, ready, departments }) => ready && uuid !== client.me?.uuid && departments.includes(key);
      const n = waiters.filter(is).length;
      return { key: `department ${key}`, department: key, name, state: n ? t("transfer_ready", { n }) : t("transfer_nobody"), isFull: false };
    });
  }

  #choose(choice) {
    if (choice.isFull) this.setState({ error: t("transfer_full", { name: choice.name }) });
    else this.setState({ to: choice, error: "" });
  }

  #key = (event) => {
    const choices = this.#choices;
    const steps = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (composes(event) || !choices.length || (!steps && event.key !== "Enter")) return;
    event.preventDefault();
    const { picked } = this.state;
    if (steps) this.setState({ picked: (picked + steps + choices.length) % choices.length, error: "" });
    else this.#choose(choices[picked]);
  };

  // ---- handing over --------------------------------------------------------

  #hand = async (event) => {
    event.preventDefault();
    const { desk, chat, close } = this.props;
    const { to, note, busy } = this.state;
    if (busy || this.#excess) return;
    this.setState({ busy: true, error: "" });
    try {
      const { to: waiter, department } = to;
      await desk.client.transfer(chat.conversation, { to: waiter, department, note: note.trim() || undefined });
      close();
    } catch (error) {
      const why = t(`transfer_${error.code}`, { name: to.name }) || problem(error);
      this.setState({ busy: false, error: why });
      this.#load(); // others may be full by now
    }
  };

  get #excess() {
    return excess(this.state.note.trim(), this.props.desk.client.me?.max_text);
  }

  render({ chat, close }, { to, error }) {
    const name = visitorName(chat.peer);
    return html`
      <${Dialog} title=${t("transfer_of", { name })} name="finder transfer" close=${close}>
        ${to ? this.#confirmation(to, name) : this.#search()}
        <p class=${error ? "problem" : "none"} role="status">${error || (!to && t("transfer_hint"))}</p>
      <//>
    `;
  }

  #search() {
    const { words, picked, waiters } = this.state;
    const choices = this.#choices;
    return html`
      <input ref=${this.#box} type="text" role="combobox" aria-label=${t("transfer_to")} value=${words}
        autocomplete="off" spellcheck=${false} placeholder=${t("transfer_to")}
        aria-expanded=${String(choices.length > 0)} aria-controls="takers" aria-autocomplete="list"
        aria-activedescendant=${choices.length ? `taker-${picked}` : undefined}
        onInput=${({ target }) => this.setState({ words: target.value, picked: 0, error: "" })} onKeyDown=${this.#key} />
      ${waiters === null && html`<div class="skeletons" role="img" aria-label=${t("loading")}><i class="bone row"></i><i class="bone row"></i></div>`}
      <ul id="takers" role="listbox" aria-label=${t("transfer_to")} ref=${this.#list} hidden=${waiters === null || !choices.length}
          onMouseDown=${(event) => event.preventDefault() /* the box keeps the focus */}>
        ${waiters !== null && choices.map((choice, at) => html`
          <li key=${choice.key} id=${`taker-${at}`} role="option" aria-selected=${String(at === picked)}
              aria-disabled=${choice.isFull ? "true" : undefined} onClick=${() => this.#choose(choice)}>
            <b dir="auto">${choice.name}</b>
            <span class="when">${choice.state}</span>
          </li>`)}
      </ul>
      ${waiters !== null && !choices.length && html`<p class="none">${t("found_nothing")}</p>`}
    `;
  }

  #confirmation(to, name) {
    const { note, busy } = this.state;
    const n = this.#excess;
    return html`
      <form onSubmit=${this.#hand}>
        <p dir="auto">${t("transfer_question", { visitor: name, name: to.name })}</p>
        ${this.props.desk.hasHistory && html`
          <label for="transfer-note">${t("transfer_note")}</label>
          <textarea id="transfer-note" ref=${this.#note} rows="3" value=${note} aria-invalid=${n ? "true" : undefined}
            aria-describedby="transfer-excess" onInput=${({ target }) => this.setState({ note: target.value })}
            onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && !composes(event) && this.#hand(event)}></textarea>
          <p class=${n ? "problem" : "none"} id="transfer-excess">${n ? t("too_long_by", { n }) : t("transfer_note_hint")}</p>`}
        <footer>
          <button type="button" onClick=${() => this.setState({ to: null, error: "" })}>${t("back")}</button>
          <button type="submit" class="primary" ref=${this.#yes} disabled=${busy || n > 0}>${t("transfer")}</button>
        </footer>
      </form>
    `;
  }
}
