/** What the tabs of one browser tell each other. */

export class OtherTabs {
  #channel = null;

  /** Those that listen under *name*. *heard(message)*: one of them has told something. */
  constructor(name, heard) {
    try {
      this.#channel = new BroadcastChannel(name);
      this.#channel.onmessage = ({ data }) => heard(data);
    } catch {
      // forbidden, or none: each tab is by itself
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
