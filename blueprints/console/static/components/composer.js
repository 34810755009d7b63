/** Where a waiter writes and attaches files: each key stores the draft, a slash opens the canned replies. */

import { composes, sends } from "../../kit/keys.js";
import { excess } from "../../kit/size.js";
import { Component, createRef, html } from "../lib.js";
import { FEWEST } from "../choices.js";
import { filled } from "../placeholders.js";
import { t } from "../words.js";
import { Completion, listed } from "./completion.js";
import { Icon, IconButton } from "./icons.js";
import { Offering } from "./offering.js";

// The word at the cursor, if it begins with a slash; an input method may write a wide slash.
const SLASH = /(?:^|\s)[/／]([^\s/／]*)$/;

// Keys that move the cursor and change nothing.
const MOVES = /^(Arrow|Home|End|Page)/;

/**
 * *chat* is the conversation it writes to; *make()* leads to where canned replies are made. Give it the
 * conversation as `key`, because each conversation has a box of its own.
 */
export class Composer extends Component {
  #box = createRef();
  #chooser = createRef();
  state = { text: this.props.desk.client.draft(this.props.chat.conversation), query: null, picked: 0,
    choices: this.props.desk.choices.of(this.props.chat.conversation) };

  componentDidMount() {
    const box = this.#box.current;
    box.setSelectionRange(box.value.length, box.value.length);
    if (this.props.focused) box.focus({ preventScroll: true });
    addEventListener("resize", this.#grow);
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    this.#grow();
    const given = this.props.desk.box.take(this.props.chat.conversation);
    if (given) this.#add(given);
  }

  componentWillUnmount() {
    removeEventListener("resize", this.#grow);
    this.#typing(false);
  }

  /** Make the box as high as its text, up to what the sheet allows: not every browser does that by itself. */
  #grow = () => {
    const box = this.#box.current;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
  };

  /** By how many characters it is too long for the server. */
  get #excess() {
    return excess(this.state.text.trim(), this.props.desk.client.me?.max_text);
  }

  #typing(on) {
    this.props.desk.client.typing(on, this.props.chat.conversation);
  }

  #found() {
    const { desk, chat } = this.props;
    const { query } = this.state;
    return query === null ? [] : listed(filled(desk.canned.replies, chat.peer, desk.client.me), query);
  }

  #put(text) {
    const { desk, chat } = this.props;
    desk.client.setDraft(text, chat.conversation);
    desk.box.say("");
    this.setState({ text });
  }

  /** Offer *choices* with the message, instead of others. */
  #offer = (choices) => {
    const { desk, chat } = this.props;
    desk.choices.put(chat.conversation, choices);
    this.setState({ choices });
    this.#box.current.focus();
  };

  /** Whether the choices are too few to choose. */
  get #isFew() {
    const { length } = this.state.choices;
    return length > 0 && length < FEWEST;
  }

  /** Insert a text of another part; *apart*: on a line of its own. */
  #add({ text, apart, choices }) {
    if (choices) this.#offer(choices);
    const box = this.#box.current;
    const { value, selectionStart: start, selectionEnd: end } = box;
    const isBegun = apart && start > 0 && value[start - 1] !== "\n";
    box.setRangeText(isBegun ? `\n${text}` : text, start, end, "end");
    box.focus();
    this.#put(box.value);
  }

  #typed = ({ target }) => {
    this.#put(target.value);
    this.#typing(target.value !== "");
    this.#lookForSlash();
  };

  /** The list is open while the cursor is in a word that begins with a slash. */
  #lookForSlash = () => {
    const { value, selectionStart, selectionEnd } = this.#box.current;
    const slash = selectionStart === selectionEnd && SLASH.exec(value.slice(0, selectionStart));
    const query = slash ? slash[1] : null;
    if (query !== this.state.query) this.setState({ query, picked: 0 });
  };

  #insert({ id, text, choices, isNone }) {
    const box = this.#box.current;
    const end = box.selectionStart;
    const start = end - this.state.query.length - 1;
    this.#put(box.value.slice(0, start) + text + box.value.slice(end));
    this.setState({ query: null }, () => {
      box.focus();
      box.setSelectionRange(start + text.length, start + text.length);
      if (isNone) this.props.make();
    });
    if (isNone) return;
    this.props.desk.canned.use(id);
    if (choices.length) this.#offer(choices);
  }

  #send = (event) => {
    event?.preventDefault();
    const { choices } = this.state;
    const text = this.state.text.trim();
    this.#box.current.focus();
    if (!text || this.#excess || this.#isFew) return;
    this.props.desk.send(text, this.props.chat.conversation, choices);
    this.setState({ text: "", query: null, choices: [] });
  };

  #chosen = ({ target }) => {
    this.props.desk.files.send([...target.files]);
    target.value = ""; // or the same file would be no change
    this.#box.current.focus();
  };

  #key = (event) => {
    if (composes(event)) return; // Enter picks a candidate of an input method
    const found = this.#found();
    if (found.length && this.#choose(event, found)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (sends(event)) {
      this.#send(event);
    }
  };

  /** Handle a key for the list; true if the list has used it. */
  #choose({ key, shiftKey }, found) {
    const { picked } = this.state;
    const steps = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (steps) this.setState({ picked: (picked + steps + found.length) % found.length });
    else if ((key === "Enter" && !shiftKey) || key === "Tab") this.#insert(found[picked]);
    else if (key === "Escape") this.setState({ query: null });
    else return false;
    return true;
  }

  /** The sentence above the box: the text is too long, the choices are too few, or one of `Box`. */
  #said() {
    const n = this.#excess;
    if (!n && this.#isFew) return t("choices_few");
    return n ? t("too_long_by", { n }) : this.props.desk.box.said;
  }

  render({ desk, name }, { text, query, picked, choices }) {
    const found = this.#found();
    const open = query !== null && found.length > 0;
    const said = this.#said();
    return html`
      <form class="composer" onSubmit=${this.#send}>
        ${open && html`<${Completion} found=${found} picked=${picked} insert=${(one) => this.#insert(one)} />`}
        <p class="unseen" role="status">${open && !found[0].isNone ? t("replies_found", { n: found.length }) : ""}</p>
        <p class="said" id="said" role="status">${said}</p>
        ${desk.files.limits && html`
          <${IconButton} icon="attach" label=${t("attach")} class="iconic attach" onClick=${() => this.#chooser.current.click()} />
          <input type="file" ref=${this.#chooser} multiple hidden aria-label=${t("attach")} accept=${desk.files.limits.types.join()} onChange=${this.#chosen} />`}
        <textarea ref=${this.#box} rows="1" value=${text} enterkeyhint="send"
          id="composer" aria-label=${t("reply_to", { name })} aria-autocomplete="list" aria-haspopup="listbox"
          aria-invalid=${this.#excess ? "true" : undefined} aria-describedby=${said ? "said" : undefined}
          aria-controls=${open ? "completion" : undefined}
          aria-activedescendant=${open ? `canned-${found[picked].id}` : undefined}
          placeholder=${t(desk.hasHistory ? "write_or_slash" : "write")}
          onInput=${this.#typed} onKeyDown=${this.#key} onClick=${this.#lookForSlash}
          onKeyUp=${({ key }) => MOVES.test(key) && this.#lookForSlash()} onBlur=${() => this.setState({ query: null })}></textarea>
        <button type="submit" class="primary send" aria-label=${t("send")} disabled=${!text.trim() || this.#excess > 0 || this.#isFew}>
          <${Icon} name="send" /></button>
        ${choices.length > 0 && html`<${Offering} texts=${choices} put=${this.#offer} />`}
      </form>
    `;
  }
}
