/** A duration that goes on counting. */

import { duration } from "../format.js";
import { Component, html } from "../lib.js";

const shown = new Set();
setInterval(() => shown.forEach((one) => one.forceUpdate()), 1000);

/** How long ago *from* (ms) was; or, *down*, how long it is until then. Past *late* ms it stands out. */
export class Since extends Component {
  componentDidMount() {
    shown.add(this);
  }

  componentWillUnmount() {
    shown.delete(this);
  }

  render({ from, down = false, late = Infinity, class: name = "" }) {
    const passed = down ? from - Date.now() + 999 : Date.now() - from;
    return html`<span class="since ${name} ${passed > late ? "late" : ""}">${duration(passed)}</span>`;
  }
}
