/** The messages of a conversation, by day, with what became of each. */

import { Follow, NEAR } from "../../kit/follow.js";
import { lastRead, together } from "../../kit/messages.js";
import { day, moment, sameDay, time } from "../format.js";
import { Component, createRef, html } from "../lib.js";
import { problem } from "../problems.js";
import { locale, t } from "../words.js";
import { Text } from "./text.js";

/**
 * *chat* is shown (give it a `key` of the conversation); *retry(id)*, *discard(id)* for what was not sent, *older()*
 * fetches more (a promise), *look()* is called when the newest is in sight, and
 * *target* is the `seq` of a message to go to.
 */
export class Messages extends Component {
  #log = createRef();
  #follow = new Follow(() => this.#log.current);
  #asking = false;
  #shown = null; // the target that was gone to
  state = { trouble: false };
  #size = new ResizeObserver(() => this.#follow.check() && this.#follow.toEnd());

  componentDidMount() {
    this.#size.observe(this.#log.current);
    this.#settle();
  }

  componentWillUnmount() {
    this.#size.disconnect();
  }

  getSnapshotBeforeUpdate() {
    this.#follow.check();
    const { scrollHeight, scrollTop } = this.#log.current;
    return { fromEnd: scrollHeight - scrollTop };
  }

  componentDidUpdate(_props, _state, { fromEnd }) {
    const log = this.#log.current;
    const first = this.props.chat.messages[0]?.id;
    if (first !== this.first && !this.#follow.on) {
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
    if (this.#follow.on) this.#follow.toEnd();
    this.#fill();
  }

  #goTo(target) {
    const line = this.#log.current.querySelector(`[data-seq="${target.seq}"]`);
    if (!line) return;
    this.#shown = target;
    this.#follow.leave();
    line.scrollIntoView({ block: "center" });
    line.focus({ preventScroll: true });
  }

  #scrolled = () => {
    if (this.#follow.scrolled()) this.props.look();
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
    const read = lastRead(messages, chat.readByPeer);
    return html`
      <div class="log" role="log" aria-live="polite" aria-label=${label} tabindex="0"
           ref=${this.#log} onScroll=${this.#scrolled}>
        <div class="older">
          ${!chat.complete && !trouble && html`<${Skeletons} />`}
          ${!chat.complete && trouble && html`
            <p class="note">${t("earlier_trouble")}
              <button type="button" class="link" onClick=${this.#again}>${t("retry")}</button></p>`}
          ${chat.complete && !messages.length && html`<p class="note">${t("nothing_said")}</p>`}
        </div>
        ${messages.map((message, at) => html`
          ${(at === 0 || !sameDay(messages[at - 1].date, message.date)) && html`
            <p class="note day" key=${`day ${message.id}`}>${day(message.date)}</p>`}
          <${Message} key=${message.id} message=${message} state=${message.state} seq=${message.seq}
            name=${name} locale=${locale()} joined=${together(messages[at - 1], message)} read=${message === read}
            aimed=${target?.seq === message.seq && target !== undefined && message.seq !== undefined}
            retry=${retry} discard=${discard} />`)}
        <p class="note typing" aria-live="off">${chat.typing && chat.state === "open" ? t("is_typing", { name }) : ""}</p>
      </div>
    `;
  }
}

class Message extends Component {
  shouldComponentUpdate(next) {
    const seen = ["message", "state", "seq", "name", "locale", "joined", "read", "aimed"];
    return seen.some((one) => next[one] !== this.props[one]);
  }

  render({ message, name, joined, read, aimed, retry, discard }) {
    const { id, own, text, date, state, seq, error } = message;
    return html`
      <div class="line ${own ? "mine" : "theirs"} ${state} ${joined ? "joined" : ""} ${aimed ? "aimed" : ""}"
           data-seq=${seq} tabindex=${aimed ? -1 : undefined}>
        <p class="bubble">
          <span class="unseen">${t("speaker", { name: own ? t("you") : name })} </span>
          <${Text} text=${text} />
          <span class="meta">
            <time datetime=${date} title=${moment(date)}>${time(date)}</time>
            ${own && state !== "failed" && html`<${Delivery} state=${state} read=${read} />`}
          </span>
        </p>
        ${state === "failed" && html`
          <p class="why">
            <span>${t("failed")} ${error ? problem(error) : ""}</span>
            <button type="button" class="link" onClick=${() => retry(id)}>${t("retry")}</button>
            <button type="button" class="link" onClick=${() => discard(id)}>${t("discard")}</button>
          </p>`}
        ${read && html`<p class="read">${t("read")}</p>`}
      </div>
    `;
  }
}

const Delivery = ({ state }) =>
  state === "sending"
    ? html`<span class="delivery" role="img" aria-label=${t("sending")}>
        <svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" /><path d="M8 5v3l2 1" /></svg></span>`
    : html`<span class="delivery" role="img" aria-label=${t("sent")}>
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 8.5l3.5 3.5L13 4.5" /></svg></span>`;

/** Where messages are going to be. */
export const Skeletons = () => html`
  <div class="skeletons" role="img" aria-label=${t("loading_messages")}>
    <i class="bone wide"></i><i class="bone mine"></i><i class="bone"></i>
  </div>
`;
