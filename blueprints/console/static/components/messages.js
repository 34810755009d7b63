/** The messages of a conversation, by day, with what became of each. */

import { day, moment, sameDay, time } from "../format.js";
import { Component, createRef, html } from "../lib.js";
import { Text } from "./text.js";

const NEAR = 64; // px from an end that count as being there

/**
 * *chat* is shown (give it a `key` of the conversation); *retry(id)*, *discard(id)* for what was not sent, *older()*
 * fetches more (a promise), *look()* is called when the newest is in sight, and
 * *target* is the `seq` of a message to go to.
 */
export class Messages extends Component {
  #log = createRef();
  #follows = true; // the newest message is in sight, and stays there
  #lastTop = 0; // where it was scrolled to when that was last looked at
  #asking = false;
  #shown = null; // the target that was gone to
  state = { trouble: false };
  #size = new ResizeObserver(() => this.#checkFollows() && this.#toEnd());

  componentDidMount() {
    this.#size.observe(this.#log.current);
    this.#settle();
  }

  componentWillUnmount() {
    this.#size.disconnect();
  }

  getSnapshotBeforeUpdate() {
    this.#checkFollows();
    const { scrollHeight, scrollTop } = this.#log.current;
    return { fromEnd: scrollHeight - scrollTop };
  }

  componentDidUpdate(_props, _state, { fromEnd }) {
    const log = this.#log.current;
    const first = this.props.chat.messages[0]?.id;
    if (first !== this.first && !this.#follows) {
      log.scrollTop = log.scrollHeight - fromEnd; // older ones came: the eye stays where it is
    }
    this.first = first;
    this.#settle();
  }

  #settle() {
    const { target } = this.props;
    if (target && target !== this.#shown) {
      this.#goTo(target);
      return;
    }
    if (this.#follows) this.#toEnd();
    this.#fill();
  }

  #goTo(target) {
    const line = this.#log.current.querySelector(`[data-seq="${target.seq}"]`);
    if (!line) return;
    this.#shown = target;
    this.#follows = false;
    line.scrollIntoView({ block: "center" });
    line.focus({ preventScroll: true });
  }

  #toEnd() {
    const log = this.#log.current;
    if (!log) return;
    log.scrollTop = log.scrollHeight;
    this.#lastTop = log.scrollTop;
  }

  /** Whether the newest message is kept in sight. The scroll event comes some time after scrolling, so compare. */
  #checkFollows() {
    if (!this.#log.current) return false;
    const { scrollHeight, scrollTop, clientHeight } = this.#log.current;
    if (scrollTop < this.#lastTop && scrollHeight - scrollTop - clientHeight >= NEAR) this.#follows = false;
    return this.#follows;
  }

  #scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = this.#log.current;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#lastTop = scrollTop;
    if (this.#follows) this.props.look();
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

  #again = () => this.setState({ trouble: false }); // and what is shown anew is filled

  render({ chat, label, name, target, retry, discard }, { trouble }) {
    const { messages } = chat;
    this.first ??= messages[0]?.id;
    const read = messages.findLast((one) => one.own && one.seq && one.seq <= chat.readByPeer);
    return html`
      <div class="log" role="log" aria-live="polite" aria-label=${label} tabindex="0"
           ref=${this.#log} onScroll=${this.#scrolled}>
        <div class="older">
          ${!chat.complete && !trouble && html`<${Skeletons} />`}
          ${!chat.complete && trouble && html`
            <p class="note">Earlier messages cannot be read just now.
              <button type="button" class="link" onClick=${this.#again}>Try again</button></p>`}
          ${chat.complete && !messages.length && html`<p class="note">Nothing has been said yet.</p>`}
        </div>
        ${messages.map((message, at) => html`
          ${(at === 0 || !sameDay(messages[at - 1].date, message.date)) && html`
            <p class="note day" key=${`day ${message.id}`}>${day(message.date)}</p>`}
          <${Message} key=${message.id} message=${message} state=${message.state} seq=${message.seq}
            name=${name} follows=${follows(messages[at - 1], message)} read=${message === read}
            aimed=${target?.seq === message.seq && target !== undefined && message.seq !== undefined}
            retry=${retry} discard=${discard} />`)}
        <p class="note typing" aria-live="off">${chat.typing && chat.state === "open" ? `${name} is typing…` : ""}</p>
      </div>
    `;
  }
}

/** Whether *message* belongs together with the one above it. */
function follows(above, message) {
  return above !== undefined && above.own === message.own && sameDay(above.date, message.date)
    && new Date(message.date) - new Date(above.date) < 120_000;
}

class Message extends Component {
  shouldComponentUpdate(next) {
    const seen = ["message", "state", "seq", "name", "follows", "read", "aimed"];
    return seen.some((one) => next[one] !== this.props[one]);
  }

  render({ message, name, follows: joined, read, aimed, retry, discard }) {
    const { id, own, text, date, state, seq, error } = message;
    return html`
      <div class="line ${own ? "mine" : "theirs"} ${state} ${joined ? "joined" : ""} ${aimed ? "aimed" : ""}"
           data-seq=${seq} tabindex=${aimed ? -1 : undefined}>
        <p class="bubble">
          <span class="unseen">${own ? "You" : name}: </span>
          <${Text} text=${text} />
          <span class="meta">
            <time datetime=${date} title=${moment(date)}>${time(date)}</time>
            ${own && state !== "failed" && html`<${Delivery} state=${state} read=${read} />`}
          </span>
        </p>
        ${state === "failed" && html`
          <p class="why">
            <span>Not sent. ${error?.message ?? ""}</span>
            <button type="button" class="link" onClick=${() => retry(id)}>Try again</button>
            <button type="button" class="link" onClick=${() => discard(id)}>Discard</button>
          </p>`}
        ${read && html`<p class="read">Read</p>`}
      </div>
    `;
  }
}

const Delivery = ({ state }) =>
  state === "sending"
    ? html`<span class="delivery" role="img" aria-label="Sending">
        <svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" /><path d="M8 5v3l2 1" /></svg></span>`
    : html`<span class="delivery" role="img" aria-label="Sent">
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 8.5l3.5 3.5L13 4.5" /></svg></span>`;

/** Where messages are going to be. */
export const Skeletons = () => html`
  <div class="skeletons" role="img" aria-label="Loading messages">
    <i class="bone wide"></i><i class="bone mine"></i><i class="bone"></i>
  </div>
`;
