/**
 * The tabs of one browser agree: what is read in one tab is read in all, and only the
 * tab that was looked at last makes the sound. Its name is in the browser's storage,
 * where all tabs read the same value.
 */

import { OtherTabs } from "../kit/other-tabs.js";
import { browserStorage, Stored } from "../kit/storage.js";
import { uuid } from "../kit/uuid.js";

const LAST = ":tab"; // the tab that was looked at last

export class Tabs extends OtherTabs {
  #name = uuid();
  #pieces;
  #stored;

  /** The tabs with the launcher's key. *received(message)* is called with what another tab sends. */
  constructor({ key, pieces }, received) {
    super(key, (message) => (message === "gone" ? this.#claim() : received(message)));
    this.#pieces = pieces;
    this.#stored = new Stored(browserStorage("localStorage"), key);
    addEventListener("focus", () => this.#claim());
    document.addEventListener("visibilitychange", () => !document.hidden && this.#claim());
    addEventListener("pagehide", () => this.#speaks && this.send("gone"));
    if (!document.hidden) this.#claim();
  }

  /** Make the sound of a message in one of the tabs; `sound.js` is loaded with the first. */
  async chime() {
    // before the first click or key on the page a browser plays nothing, and logs a warning
    if (!this.#speaks || navigator.userActivation?.hasBeenActive === false) return;
    const [enableSound, play] = await Promise.all(
      ["enableSound", "play"].map((name) => this.#pieces.module("../kit/sound.js", name)),
    );
    await enableSound();
    play("answer");
  }

  get #speaks() {
    return (this.#stored.get(LAST) ?? this.#name) === this.#name;
  }

  #claim() {
    this.#stored.set(LAST, this.#name); // if that is forbidden, each tab makes the sound
  }
}
