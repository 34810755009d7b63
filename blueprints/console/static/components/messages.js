/** The messages of a conversation, by day, with their receipts. */

import { offers } from "../../kit/choices.js";
import { mayRetry } from "../../kit/file-part.js";
import { Follow, NEAR } from "../../kit/follow.js";
import { together } from "../../kit/messages.js";
import { SIGNS, stamps } from "../../kit/receipts.js";
import { excess } from "../../kit/size.js";
import { day, moment, sameDay, time } from "../format.js";
import { Component, createRef, html } from "../lib.js";
import { problem, whyNotSent } from "../problems.js";
import { locale, t } from "../words.js";
import { FileBubble, percent } from "./file.js";
import { Text } from "./text.js";

/**
 * *chat* is shown (give it a `key` of the conversation), *files* is the desk's `Files`; *retry(id)*, *edit(id)*, *discard(id)* for what was
 * not sent, *most* how long a text may be, *older()* fetches more (a promise), *sight(on)* is called when the
 * newest comes into sight or leaves it; *mark* is the `seq` of the first unread message, and *target*
 * `{seq}` of a message to scroll to.
 */
export class Messages extends Component {
  #log = createRef();
  #follow = new Follow(() => this.#log.current);
  #asking = false;
  #shown = null; // the target that was scrolled to
  #isEmpty = true;
  state = { trouble: false, inSight: true };
  #size = new ResizeObserver(() => this.#follow.check() && this.#follow.toEnd());

  componentDidMount() {
    this.#size.observe(this.#log.current);
    this.#place(0);
    this.#see(this.#follow.on);
  }

  componentWillUnmount() {
    this.#size.disconnect();
  }

  getSnapshotBeforeUpdate() {
    return { fromEnd: this.#follow.measure() };
  }

  componentDidUpdate(_props, { inSight }, { fromEnd }) {
    const isFirstFill = this.#place(fromEnd);
    if (isFirstFill || this.#follow.on !== inSight) this.#see(this.#follow.on);
  }

  /** Scroll to the right place; returns whether these are the first messages of this conversation. */
  #place(fromEnd) {
    const { target, chat: { messages } } = this.props;
    const isFirstFill = this.#isEmpty && messages.length > 0;
    this.#isEmpty = !messages.length;
    this.#follow.shown(messages, fromEnd);
    if (isFirstFill) this.#toUnread();
    if (target && target !== this.#shown) this.#goTo(target);
    else this.#fill();
    return isFirstFill;
  }

  #goTo(target) {
    const line = this.#log.current.querySelector(`[data-seq="${target.seq}"]`);
    if (!line) return;
    this.#shown = target;
    this.#follow.on = false;
    line.scrollIntoView({ block: "center" });
    line.focus({ preventScroll: true });
  }

  /** Scroll to the first unread message, unless all unread ones can be seen from the end. */
  #toUnread() {
    if (this.#follow.on) this.#follow.toEnd();
    this.#follow.toMark(this.#log.current.querySelector(".unread"));
  }

  /** A message has become higher after it was drawn. */
  #grown = () => this.#follow.check() && this.#follow.toEnd();

  #toEnd = () => {
    this.#follow.toEnd();
    this.#see(true);
    this.#log.current.focus({ preventScroll: true }); // the button is gone
  };

  /** Whether the newest is in sight. */
  #see(inSight) {
    if (inSight !== this.state.inSight) this.setState({ inSight });
    this.props.sight?.(inSight);
  }

  #scrolled = () => {
    const inSight = this.#follow.scrolled();
    if (inSight !== this.state.inSight) this.#see(inSight);
    this.#fill();
  };

  /** Near the top, or with room left, fetch older messages. */
  async #fill() {
    const { chat, older } = this.props;
    const log = this.#log.current;
    if (this.#asking || this.state.trouble || chat.complete || !chat.messages.length || log.scrollTop > NEAR) return;
    this.#asking = true;
    try {
      await older();
      this.setState({}); // there may be room for more, once these are in their place
    } catch {
      this.setState({ trouble: true });
    } finally {
      this.#asking = false;
    }
  }

  #again = () => this.setState({ trouble: false }); // drawing again fetches more

  render({ chat, label, name }, { trouble, inSight }) {
    const { messages, complete, unread } = chat;
    return html`
      <div class="log" role="log" aria-live="polite" aria-label=${label} tabindex="0"
           ref=${this.#log} onScroll=${this.#scrolled}>
        <div class="older">
          ${!complete && !trouble && html`<${Skeletons} />`}
          ${!complete && trouble && html`
            <p class="note">${t("earlier_trouble")}
              <button type="button" class="link" onClick=${this.#again}>${t("retry")}</button></p>`}
          ${complete && !messages.length && html`<p class="note">${t("nothing_said")}</p>`}
        </div>
        ${this.#lines()}
        <p class="note typing" aria-live="off">${chat.typing && chat.state === "open" ? t("is_typing", { name }) : ""}</p>
      </div>
      ${!inSight && html`
        <div class="newer"><button type="button" class=${unread ? "primary" : ""} onClick=${this.#toEnd}>
          ${unread ? t("new_messages", { n: unread }) : t("to_newest")} ↓</button></div>`}
    `;
  }

  #lines() {
    const { chat, name, target, mark, most, files, retry, edit, discard } = this.props;
    const { messages } = chat;
    const below = stamps(messages, chat.readByPeer);
    const offered = offers(messages);
    const lines = messages.map((message, at) => html`
      ${this.#notes(messages[at - 1]?.seq ?? 0, message.seq)}
      ${(at === 0 || !sameDay(messages[at - 1].date, message.date)) && html`
        <p class="note day" key=${`day ${message.id}`}>${day(message.date)}</p>`}
      ${mark !== undefined && message.seq === mark && html`<p class="note unread" key="unread">${t("unread_here")}</p>`}
      ${message.event ? html`<p class="note handed" key=${message.id} dir="auto" data-seq=${message.seq}>${message.event.words ? message.text : handed(message.event)}</p>` : html`
        <${Message} key=${message.id} message=${message} state=${message.state} seq=${message.seq}
        name=${name} locale=${locale()} joined=${belongs(messages[at - 1], message)} taken=${offered.get(message.id)?.answer?.choice} ...${below[at]} most=${most}
        sent=${message.file && percent(message.file)} files=${files} view=${(id) => files.view(chat, id)} grown=${this.#grown}
        isOver=${chat.state === "ended"} aimed=${target?.seq === message.seq && target !== undefined && message.seq !== undefined}
        retry=${retry} edit=${edit} discard=${discard} />`}`);
    return [...lines, this.#notes(messages.findLast(({ seq }) => seq)?.seq ?? 0), chat.rating && html`<${Rated} key="rating" ...${chat.rating} />`];
  }

  /** What only waiters read, behind the message *after* and before the next one. */
  #notes(after, next = Infinity) {
    const here = this.props.chat.notes.filter((note) => note.after >= after && note.after < next);
    return here.map(({ n, author, text }) => html`
      <p class="staff" key=${`note ${n}`} dir="auto"><b>${t("note_of", { name: author })}</b> ${text}</p>`);
  }
}

/** Whether *next* belongs to the group of *one*: by the same person, soon after. */
const belongs = (one, next) => together(one, next) && one.author === next.author && !one.event;

/** Who has handed the visitor over, and to whom. */
function handed({ name, to }) {
  const by = { name: name || t("transfer_nameless"), to };
  return t(to ? "handed_to" : "handed", by);
}

/** What the visitor thinks of the conversation. */
const Rated = ({ rate, comment }) => html`
  <p class="staff rated" dir="auto">
    <b>${t("rated", { n: rate })}</b> <span class="stars" aria-hidden="true">${"★".repeat(rate)}${"☆".repeat(5 - rate)}</span>
    ${comment && html`<span>${`\n${comment}`}</span>`}</p>`;

/** What was offered to the visitor, and which of it the visitor has taken. */
const Choices = ({ choices, taken }) => html`
  <ul class="offered" aria-label=${t("choices")}>
    ${choices.map(({ id, text }) => html`
      <li key=${id} dir="auto" class=${id === taken ? "taken" : ""}>${text}${id === taken && html`<span class="unseen"> ${t("choice_taken")}</span>`}</li>`)}
  </ul>`;

const SEEN = ["taken", "message", "state", "seq", "name", "locale", "joined", "time", "receipt", "aimed", "most", "isOver", "sent"];

class Message extends Component {
  shouldComponentUpdate(next) {
    return SEEN.some((one) => next[one] !== this.props[one]);
  }

  render({ message, name, joined, taken, time: timed, receipt, aimed, files, view, grown, ...more }) {
    const { id, own, author, text, file, date, state, seq, choices } = message;
    const side = own ? "mine" : author ? "mine colleague" : "theirs";
    const speaker = own ? t("you") : author || name;
    return html`
      <div class="line ${side} ${state} ${joined ? "joined" : ""} ${aimed ? "aimed" : ""}"
           data-seq=${seq} tabindex=${aimed ? -1 : undefined}>
        ${author && !joined && html`<p class="author" aria-hidden="true">${author}</p>`}
        ${file ? html`<${FileBubble} message=${message} files=${files} speaker=${speaker} view=${view} grown=${grown} />` : html`
          <p class="bubble">
            <span class="unseen">${t("speaker", { name: speaker })} </span>
            <${Text} text=${text} />
          </p>`}
        ${choices && html`<${Choices} choices=${choices} taken=${taken} />`}
        ${state === "failed" ? html`<${Failed} message=${message} files=${files} ...${more} />` : (timed || receipt) && html`
          <p class="meta">
            ${timed && html`<time datetime=${date} title=${moment(date)}>${time(date)}</time>`}
            ${receipt && html`<span class="receipt" role="img" aria-label=${t(receipt)}><${Sign} of=${receipt} /> ${t(receipt)}</span>`}
            ${state === "uploading" && html`<button type="button" class="link" onClick=${() => more.discard(id)}>${t("cancel")}</button>`}
          </p>`}
      </div>
    `;
  }
}

const Sign = ({ of }) => html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d=${SIGNS[of]} /></svg>`;

const Failed = ({ message, files, most, isOver, retry, edit, discard }) => {
  const { id, text, file, error } = message;
  const n = file ? 0 : excess(text, most);
  const why = file ? whyNotSent(error, files.limits, locale()) : error ? problem(error) : "";
  return html`
    <p class="why">
      <${Sign} of="failed" />
      <span>${t("failed")} <span dir="auto">${n ? t("too_long_by", { n }) : why}</span></span>
      ${(file ? !isOver && mayRetry(message) : !n) && html`<button type="button" class="link" onClick=${() => retry(id)}>${t("retry")}</button>`}
      ${!isOver && !file && html`<button type="button" class="link" onClick=${() => edit(id)}>${t("edit")}</button>`}
      <button type="button" class="link" onClick=${() => discard(id)}>${t("discard")}</button>
    </p>
  `;
};

/** Placeholders until messages have come. */
export const Skeletons = () => html`
  <div class="skeletons" role="img" aria-label=${t("loading_messages")}>
    <i class="bone wide"></i><i class="bone mine"></i><i class="bone"></i>
  </div>
`;
