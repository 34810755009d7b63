/** A duration that goes on counting. */

import { duration, now } from "../format.js";
import { Component, html } from "../lib.js";

/** After so many ms without an answer a wait stands out. */
export const LATE = 120_000;

const shown = new Set();
setInterval(() => shown.forEach((one) => one.forceUpdate()), 1000);

/**
 * How long ago *from* (ms, by the server's clock) was; with *down*, how long until then, by this computer's
 * clock. After *late* ms it stands out.
 */
export class Since extends Component {
  componentDidMount() {
    shown.add(this);
  }

  componentWillUnmount() {
    shown.delete(this);
  }

  render({ from, down = false, late = Infinity, class: name = "" }) {
    const passed = down ? from - Date.now() + 999 : now() - from;
    return html`<span class="since ${name} ${passed > late ? "late" : ""}" translate="no">${duration(passed)}</span>`;
  }
}
