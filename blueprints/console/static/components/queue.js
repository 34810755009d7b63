/** The visitors in the queue, and *Take* for each of them. */

import { REL, visitorName, webAddress } from "../format.js";
import { html } from "../lib.js";
import { rich, t } from "../words.js";
import { Face } from "./face.js";
import { LATE, Since } from "./since.js";

const FEW = 3; // visitors that fit into any window

/** *why(visitor)* shows why it waits. */
export const Queue = ({ desk, why }) => {
  const { length, since } = desk.queue;
  const visitors = desk.waiting;
  const more = length - desk.queue.visitors?.length;
  return html`
    <section class="queue ${visitors?.length > FEW ? "long" : ""}" aria-label=${t("queue")}>
      <div class="sum">
        <h2>${t("queue")}</h2>
        <p role="status">
          ${length === null && html`<i class="bone short"></i><span class="unseen">${t("not_known_yet")}</span>`}
          ${length === 0 && t("queue_empty")}
          ${length > 0 && html`<b>${t("visitors", { n: length })}</b>`}
        </p>
        ${length > 0 && since && html`
          <p class="longest">${rich("longest", { wait: html`<${Since} from=${since} late=${LATE} />` })}</p>`}
      </div>
      ${visitors?.length > 0 && html`
        <ul tabindex="0" aria-label=${t("who_waits")}>
          ${visitors.map((one) => html`<${Waiting} key=${one.uuid} visitor=${one} desk=${desk} why=${why} />`)}
          ${more > 0 && html`<li class="rest">${t("and_more", { n: more })}</li>`}
        </ul>`}
    </section>
  `;
};

const Waiting = ({ visitor, desk, why }) => {
  const { uuid, question, page, since, fields = {}, department } = visitor;
  const name = visitorName(visitor);
  const shown = desk.labels.of(fields).filter((one) => !["name", "question"].includes(one.name));
  const filled = shown.map(({ label, value }) => t("filled_in", { label, value })).join(" · ");
  const address = webAddress(page);
  return html`
    <li class="waiting">
      <${Face} person=${visitor} />
      <p class="who">
        <b dir="auto">${name}</b><${Since} from=${Date.parse(since)} late=${LATE} />
        <button type="button" class="link ask" aria-label=${t("why_this", { name })} onClick=${() => why(visitor)}>${t("why")}</button>
        ${department && html`<span class="of" dir="auto">${desk.labels.department(department)}</span>`}
      </p>
      ${question && html`<p class="question" dir="auto" title=${question}>${question}</p>`}
      ${filled && html`<p class="page" dir="auto" title=${filled}>${filled}</p>`}
      ${page && html`<p class="page">${address
        ? html`<a href=${address} target="_blank" rel=${REL} title=${page}>${page.replace(/^https?:\/\//, "")}</a>` : page}</p>`}
      ${desk.mayTake && html`
        <button type="button" aria-label=${t("take_this", { name })} disabled=${desk.queue.taking !== ""}
                onClick=${() => desk.serve(uuid)}>${t("take")}</button>`}
    </li>
  `;
};
