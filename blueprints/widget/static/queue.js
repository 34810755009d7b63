/** The visitor's position in the queue, how long it is likely to wait, and the button to leave. */

import { button, element } from "./dom.js";

export class Queue {
  element = element("section", "queue", "", { part: "queue" });

  #position = element("p", "place", "", { role: "status" });
  #wait = element("p");
  #leave;
  #t;

  constructor(leave) {
    this.#leave = button("link", "", leave);
    this.element.append(this.#position, this.#wait, this.#leave);
  }

  relabel(t) {
    this.#t = t;
    this.#leave.textContent = t("leave_line");
  }

  /** Show what `Visit` knows. */
  show({ client: { queue }, problem, isRefused, reception: { desk } }) {
    const isOff = desk && !desk.ready;
    const { location: n, wait } = queue ?? {};
    // while no waiter is there, the first visitor is not shown as "next"
    const ahead = n === 0 && (isOff || desk === null) ? this.#t("in_line") : this.#t("ahead", { n });
    const position = queue ? ahead : this.#t(problem || "finding");
    if (this.#position.textContent !== position) this.#position.textContent = position; // read out when it changes
    const minutes = Math.round((wait ?? 0) / 60);
    const likely = wait && (minutes ? this.#t("wait", { n: minutes }) : this.#t("wait_short"));
    this.#wait.hidden = isRefused;
    this.#wait.textContent = isOff ? this.#t("offline_queue") : likely || this.#t("queue_hint");
  }
}
