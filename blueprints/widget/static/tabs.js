/**
 * The tabs of one browser agree: what is read in one is read in all, and one of
 * them makes the sound: the one that was last looked at. Its name is in storage,
 * where all read the same.
 */

import { OtherTabs } from "../kit/other-tabs.js";
import { browserStorage, Stored } from "../kit/storage.js";
import { uuid } from "../kit/uuid.js";

const LAST = ":tab"; // which was looked at last

export class Tabs extends OtherTabs {
  #name = uuid();
  #pieces;
  #stored;

  /** The tabs with the launcher's key. *heard(message)*: another tab has told something. */
  constructor({ key, pieces }, heard) {
    super(key, (message) => (message === "gone" ? this.#claim() : heard(message)));
    this.#pieces = pieces;
    this.#stored = new Stored(browserStorage("localStorage"), key);
    addEventListener("focus", () => this.#claim());
    document.addEventListener("visibilitychange", () => !document.hidden && this.#claim());
    addEventListener("pagehide", () => this.#speaks && this.tell("gone"));
    if (!document.hidden) this.#claim();
  }

  /** Make the sound of a message, in one of the tabs; what makes it is loaded with the first. */
  async chime() {
    // before the first click or key on the page a browser plays nothing, and says so
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
    this.#stored.set(LAST, this.#name); // where that is forbidden, each tab is by itself
  }
}
