/** Messages between the tabs of one browser. */

export class OtherTabs {
  #channel = null;

  /** Tabs that listen under *name*. *heard(message)* is called with what another tab sends. */
  constructor(name, heard) {
    try {
      this.#channel = new BroadcastChannel(name);
      this.#channel.onmessage = ({ data }) => heard(data);
    } catch {
      // forbidden or missing: tabs know nothing of each other
    }
  }

  tell(message) {
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
