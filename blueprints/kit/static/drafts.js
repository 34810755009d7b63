/** The unsent text of each conversation: it outlives reloads and restarts. */

const LIFE = 7 * 86_400_000; // ms after which nobody comes back to a draft
const DRAFTS = "drafts";

export class Drafts {
  #stored;
  #now;

  /** The drafts are stored in *stored*, a `Stored`; *now()* is the time in ms. */
  constructor(stored, now = Date.now) {
    this.#stored = stored;
    this.#now = now;
    if (stored.get(DRAFTS)) this.#write(this.#all()); // removes old drafts, and dates those of former releases
  }

  get(conversation) {
    return this.#all().find(([name]) => name === conversation)?.[1].text ?? "";
  }

  /** Write one draft; those that other tabs have written stay. */
  set(conversation, text) {
    const others = this.#all().filter(([name]) => name !== conversation);
    this.#write(text ? [...others, [conversation, { text, at: this.#now() }]] : others);
  }

  /** Forget them all. */
  clear() {
    this.#stored.set(DRAFTS);
  }

  #write(all) {
    this.#stored.set(DRAFTS, all.length ? Object.fromEntries(all) : undefined);
  }

  /** `[conversation, {text, at}]` of each that is not too old; in former releases a draft was a text without `at`. */
  #all() {
    const all = Object.entries(this.#stored.get(DRAFTS) ?? {});
    const read = ([name, one]) => [name, typeof one === "string" ? { text: one, at: this.#now() } : one];
    return all.map(read).filter(([, one]) => typeof one?.text === "string" && this.#now() - one.at < LIFE);
  }
}
