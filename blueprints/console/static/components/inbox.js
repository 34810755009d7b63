/** What visitors have left: the list, and one message with its answers. */

import { composes } from "../../kit/keys.js";
import { excess } from "../../kit/size.js";
import { brief, moment, REL, visitorName, webAddress, when } from "../format.js";
import { Component, createRef, html } from "../lib.js";
import { hasKeys, hint } from "../shortcuts.js";
import { t } from "../words.js";
import { Face } from "./face.js";
import { Skeletons } from "./messages.js";
import { Text } from "./text.js";

/** In the middle. *back()* closes it. */
export const Inbox = ({ desk, back }) =>
  desk.inbox.item ? html`<${Item} key=${desk.inbox.item.conversation} desk=${desk} />` : html`<${List} desk=${desk} back=${back} />`;

/** In the column on the left: how many are open, and the way to them. */
export const InboxButton = ({ desk }) => {
  const { waiting, isOpen } = desk.inbox;
  return html`
    <section class="inbox" aria-label=${t("left")}>
      <button type="button" aria-current=${String(isOpen)} title=${hint("M")} onClick=${() => desk.openInbox()}>
        <span>${t("left")}</span>
        ${waiting > 0 ? html`<span class="badge">${waiting}<span class="unseen"> ${t("left_waiting")}</span></span>`
          : html`<span class="none">${t("left_nothing")}</span>`}
      </button>
    </section>
  `;
};

/** How far a message is, in words. */
function progress({ state, claimed_by: by }) {
  if (state !== "claimed") return t(`inbox_${state}`);
  return by?.own ? t("inbox_mine") : t("inbox_claimed", { name: by?.name || t("transfer_nameless") });
}

const List = ({ desk, back }) => {
  const { inbox } = desk;
  const { messages, state, complete, problem } = inbox;
  return html`
    <header class="head">
      <div class="title"><h2>${t("left")}</h2></div>
      <div class="choices" role="group" aria-label=${t("left")}>
        ${["open", "done"].map((one) => html`
          <button key=${one} type="button" aria-pressed=${String(state === one)} onClick=${() => inbox.open(one)}>${t(`left_${one}`)}</button>`)}
      </div>
      <button type="button" onClick=${back} title=${hasKeys() ? "Esc" : undefined}>${t("close")}</button>
    </header>
    <div class="left" tabindex="0" role="region" aria-label=${t(`left_${state}`)}>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      ${!messages && !problem && html`<${Skeletons} />`}
      ${messages && !messages.length && html`
        <div class="nobody"><h2>${t("left_none")}</h2><p>${t(state === "open" ? "left_none_hint" : "left_none_done")}</p></div>`}
      <ul>${messages?.map((one) => html`<${Row} key=${one.conversation} item=${one} desk=${desk} />`)}</ul>
      ${messages?.length > 0 && !complete && html`<button type="button" class="link" onClick=${() => inbox.more()}>${t("show_more")}</button>`}
    </div>
  `;
};

const Row = ({ item, desk }) => html`
  <li>
    <button type="button" class="row" onClick=${() => desk.inbox.show(item)}>
      <${Face} person=${item} />
      <span class="who">
        <span class="name" dir="auto">${visitorName(item)}</span>
        <time datetime=${item.date} title=${moment(item.date)}>${brief(item.date)}</time>
      </span>
      <span class="what">
        <span class="last" dir="auto">${item.message}</span>
        <span class="progress ${item.state}">${progress(item)}</span>
      </span>
    </button>
  </li>
`;

const Item = ({ desk }) => {
  const { inbox } = desk;
  const { item, busy, isGone } = inbox;
  const { name, email, message, date, department, page, claimed_by: by, state, answers = [] } = item;
  const address = webAddress(page ?? "");
  const isOpen = !isGone && (state === "open" || (state === "claimed" && by?.own));
  return html`
    <header class="head wraps">
      <div class="title">
        <h2 dir="auto">${visitorName(item)}</h2>
        <p role="status">${isGone ? t("left_gone") : progress(item)}</p>
      </div>
      ${isOpen && html`
        <button type="button" disabled=${busy} onClick=${() => (by?.own ? inbox.release() : inbox.claim())}>${t(by?.own ? "release" : "claim")}</button>
        <button type="button" disabled=${busy} onClick=${() => inbox.putAway()}>${t("put_away")}</button>`}
      <button type="button" onClick=${() => inbox.show(null)} title=${hasKeys() ? "Esc" : undefined}>${t("back")}</button>
    </header>
    <div class="left one" tabindex="0" role="region" aria-label=${t("left_of", { name: visitorName(item) })}>
      <dl>
        ${name && html`<dt>${t("name")}</dt><dd dir="auto">${name}</dd>`}
        <dt>${t("email")}</dt>
        <dd>${email ? html`<a href=${`mailto:${encodeURIComponent(email).replace("%40", "@")}`}>${email}</a>` : t("left_no_email")}</dd>
        ${department && html`<dt>${t("department")}</dt><dd dir="auto">${desk.labels.department(department)}</dd>`}
        ${page && html`<dt>${t("page")}</dt><dd>${address ? html`<a href=${address} target="_blank" rel=${REL}>${page}</a>` : page}</dd>`}
      </dl>
      <${Said} by=${t("speaker", { name: visitorName(item) })} date=${date} text=${message} />
      ${answers.map((one) => html`
        <${Said} key=${one.date} by=${t("speaker", { name: one.name || t("transfer_nameless") })} date=${one.date} text=${one.message} own />`)}
    </div>
    ${inbox.mayAnswer && html`<${Answer} desk=${desk} item=${item} />`}
    ${!inbox.mayAnswer && inbox.problem && html`<p class="problem" role="alert">${inbox.problem}</p>`}
  `;
};

const Said = ({ by, date, text, own }) => html`
  <div class="said ${own ? "own" : ""}">
    <p><b dir="auto">${by}</b> <time datetime=${date} title=${moment(date)}>${when(date)}</time></p>
    <${Text} text=${text} />
  </div>
`;

/** Where the visitor finds the answer, and how it is sent. */
function howAnswered({ mail }) {
  if (hasKeys()) return t(mail ? "left_answer_mail_keys" : "left_answer_keys");
  return t(mail ? "left_answer_mail" : "left_answer_hint");
}

/** Where a message is answered. What is typed is kept, as for conversations. */
class Answer extends Component {
  #box = createRef();
  state = { text: this.props.desk.client.draft(this.props.item.conversation) };

  componentDidMount() {
    if (hasKeys()) this.#box.current.focus({ preventScroll: true });
  }

  get #excess() {
    return excess(this.state.text.trim(), this.props.desk.client.me?.max_text);
  }

  #put(text) {
    this.props.desk.client.setDraft(text, this.props.item.conversation);
    this.setState({ text });
  }

  #send = async (event) => {
    event.preventDefault();
    const { inbox } = this.props.desk;
    const text = this.state.text.trim();
    if (!text || inbox.busy || this.#excess) return;
    if (await inbox.answer(text)) this.#put("");
  };

  render({ desk: { inbox } }, { text }) {
    const n = this.#excess;
    return html`
      <form class="answer" onSubmit=${this.#send}>
        <label for="composer">${t("left_answer")}</label>
        <textarea id="composer" ref=${this.#box} rows="3" value=${text} aria-invalid=${n ? "true" : undefined} aria-describedby="answer-hint"
          onInput=${({ target }) => this.#put(target.value)}
          onKeyDown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && !composes(event) && this.#send(event)}></textarea>
        <p id="answer-hint" class=${n || inbox.problem ? "problem" : "none"} role=${inbox.problem ? "alert" : undefined}>
          ${n ? t("too_long_by", { n }) : inbox.problem || howAnswered(inbox.item)}</p>
        <button type="submit" class="primary" disabled=${inbox.busy || !text.trim() || n > 0}>${t("left_send")}</button>
      </form>
    `;
  }
}
