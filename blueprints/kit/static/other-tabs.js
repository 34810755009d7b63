/** Messages between the tabs of one browser. */

export class OtherTabs {
  #channel = null;

  /** Tabs that listen under *name*. *received(message)* is called with what another tab sends. */
  constructor(name, received) {
    try {
      this.#channel = new BroadcastChannel(name);
      this.#channel.onmessage = ({ data }) => received(data);
    } catch {
      // forbidden or missing: tabs know nothing of each other
    }
  }

  send(message) {
    try {
      this.#channel?.postMessage(message);
    } catch {
      // closed by the page, or forbidden by now
    }
  }

  close() {
    this.#channel?.close();
  }
}
