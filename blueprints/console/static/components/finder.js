/** Searches the waiter's conversations by name, and all messages of their visitors by words and filters. */

import { composes } from "../../kit/keys.js";
import { excess } from "../../kit/size.js";
import { visitorName, when } from "../format.js";
import { marked, plain } from "../found.js";
import { Component, createRef, html } from "../lib.js";
import { rich, t } from "../words.js";
import { Dialog } from "./dialog.js";
import { asked as narrowed, Filters } from "./filters.js";

const MOST = 200; // characters that the server looks for
const PAUSE = 250; // ms without a key until the server is asked
const ENOUGH = 10; // hits; with fewer the server is asked to go on, …
const TIMES = 4; // … so often without being told to

/** *desk* is searched; *close()* when something was chosen. */
export class Finder extends Component {
  #box = createRef();
  #list = createRef();
  #timer = 0;
  #asking = null;
  state = { words: "", chosen: {}, hits: [], beginnings: [], next: null, error: "", busy: false, picked: 0 };

  componentDidMount() {
    this.#box.current.focus();
  }

  componentDidUpdate() {
    this.#list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  componentWillUnmount() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  #typed = ({ target }) => this.#look({ words: target.value });

  #look({ words = this.state.words, chosen = this.state.chosen }) {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const isWanted = words.trim() !== "" || Object.keys(narrowed(chosen)).length > 0;
    const asks = isWanted && this.props.desk.hasHistory && !excess(words.trim(), MOST);
    this.setState({ words, chosen, hits: [], next: null, error: "", busy: asks, picked: 0 });
    if (asks) this.#timer = setTimeout(() => this.#ask(), PAUSE);
  }

  /** Ask for hits behind *before*. The server tries some texts at once: ask *times* for enough to be seen. */
  async #ask(before, times = TIMES) {
    const asking = (this.#asking = new AbortController());
    try {
      const { words, chosen, hits } = this.state;
      const about = { filters: narrowed(chosen), before, signal: asking.signal };
      const { hits: more, next, beginnings } = await this.props.desk.api.search(words.trim(), about);
      const goesOn = next !== null && hits.length + more.length < ENOUGH && times > 1;
      this.setState({ hits: [...hits, ...more], beginnings, next: goesOn ? null : next, busy: goesOn });
      if (goesOn && asking === this.#asking) this.#ask(next, times - 1);
    } catch (error) {
      if (asking === this.#asking && error.name !== "AbortError") this.setState({ error: error.message, busy: false });
    }
  }

  /** The choices: conversations by name, then messages, then a button for more. */
  #choices() {
    const { words, chosen, hits, next } = this.state;
    const wanted = plain(words.trim());
    const isNarrow = Object.keys(narrowed(chosen)).length > 0; // of one's own chats the names are known only
    const chats = (isNarrow ? [] : this.props.desk.chats)
      .map((chat) => ({ conversation: chat.conversation, name: visitorName(chat.peer) }))
      .filter(({ name }) => plain(name).includes(wanted));
    return [
      ...chats.map((chat) => ({ kind: "chat", ...chat })),
      ...hits.map((hit) => ({ kind: "hit", ...hit, name: visitorName(hit) })),
      ...(next ? [{ kind: "more", name: t("show_more") }] : []),
    ];
  }

  #choose(choice) {
    if (choice.kind === "more") {
      this.setState({ busy: true, next: null });
      this.#ask(this.state.next);
      return;
    }
    this.props.close();
    if (choice.kind === "chat") this.props.desk.select(choice.conversation, { write: true });
    else this.props.desk.openPast(choice);
  }

  #key = (event) => {
    const choices = this.#choices();
    const steps = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (composes(event) || !choices.length || (!steps && event.key !== "Enter")) return;
    event.preventDefault();
    const { picked } = this.state;
    if (steps) this.setState({ picked: (picked + steps + choices.length) % choices.length });
    else this.#choose(choices[picked]);
  };

  /** *text* with what was found in it: the words of the box, or what the server has found instead of them. */
  #marked(text, isHit = false) {
    const wanted = isHit ? this.state.beginnings : this.state.words.split(/\s+/);
    return marked(text, wanted).map(({ text: part, isHit }) => (isHit ? html`<mark>${part}</mark>` : part));
  }

  render({ desk, close }, { words, chosen, error, busy, picked }) {
    const choices = this.#choices();
    const asked = words.trim() !== "" || Object.keys(narrowed(chosen)).length > 0;
    const n = excess(words.trim(), MOST);
    return html`
      <${Dialog} title=${t("find")} name="finder" close=${close}>
        <input ref=${this.#box} type="text" role="combobox" aria-label=${t("find_in_chats")} value=${words}
          autocomplete="off" spellcheck=${false}
          placeholder=${t(desk.hasHistory ? "find_name_or_words" : "find_name")}
          aria-expanded=${String(choices.length > 0)} aria-controls="found" aria-autocomplete="list"
          aria-activedescendant=${choices.length ? `found-${picked}` : undefined}
          onInput=${this.#typed} onKeyDown=${this.#key} />
        ${desk.hasHistory && html`
          <${Filters} desk=${desk} chosen=${chosen} choose=${(some) => this.#look({ chosen: some })} />`}
        <ul id="found" role="listbox" aria-label=${t("found")} ref=${this.#list} hidden=${!choices.length}
            onMouseDown=${(event) => event.preventDefault() /* the box keeps the focus */}>
          ${choices.map((choice, at) => html`
            <li key=${`${choice.kind} ${choice.conversation} ${choice.seq}`} id=${`found-${at}`} role="option"
                aria-selected=${String(at === picked)} class=${choice.kind} onClick=${() => this.#choose(choice)}>
              <b dir="auto">${choice.kind === "more" ? choice.name : this.#marked(choice.name)}</b>
              ${choice.kind === "chat" && html`<span class="when">${t("your_chat")}</span>`}
              ${choice.kind === "hit" && html`
                <span class="when">${choice.rating && html`<${Stars} n=${choice.rating} /> `}<time datetime=${choice.date}>${when(choice.date)}</time></span>
                <span class="snippet" dir="auto">${choice.from === "waiter" ? rich("answer", { text: this.#marked(choice.snippet, true) }) : this.#marked(choice.snippet, true)}</span>`}
            </li>`)}
        </ul>
        ${busy && html`<div class="skeletons" role="img" aria-label=${t("searching")}><i class="bone row"></i><i class="bone row"></i></div>`}
        <p class="none" role="status">
          ${n ? t("too_long_by", { n }) : error || (asked && !busy && !choices.length && t("found_nothing"))
            || (!asked && !choices.length && t("find_hint"))}
        </p>
      <//>
    `;
  }
}

/** The rating of a conversation. */
const Stars = ({ n }) => html`<span role="img" aria-label=${t("filter_stars", { n })}>${"★".repeat(n)}</span>`;
