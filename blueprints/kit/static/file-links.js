/** `FileLinks`: where files are to be had for a while, asked for together and remembered until they run out. */

const MOST = 100; // files in one request
const MARGIN = 60; // s before its end when a link is not given out any more
const MOST_TRIES = 8; // while the server answers
const NO_FILES = { code: "unavailable", message: "The server does not say where the files are." };

export class FileLinks {
  #door;
  #known = new Map(); // id → {link: a promise, until}
  #batch = null; // {ids, links: a promise}: asked for at the end of this round of the loop
  #stop = new AbortController();

  /** Through *door*, a `FileDoor`. */
  constructor(door) {
    this.#door = door;
  }

  /** Of each of *ids* that this side may read, by its id: `{url}`, of images also `thumb`. Rejects with `{code, message}`. */
  async of(ids) {
    const links = await Promise.all(ids.map((id) => this.#link(id)));
    return Object.fromEntries(ids.map((id, at) => [id, links[at]]).filter(([, link]) => link));
  }

  #link(id) {
    const known = this.#known.get(id);
    if (known?.until > this.#door.now()) return known.link;
    if (!this.#batch || this.#batch.ids.length === MOST) this.#batch = this.#begin();
    this.#batch.ids.push(id);
    const found = { until: Infinity };
    found.link = this.#batch.links.then(
      ({ links, until }) => {
        found.until = links[id] ? until : 0;
        return links[id];
      },
      (error) => {
        found.until = 0;
        throw error;
      },
    );
    this.#known.set(id, found);
    return found.link;
  }

  #begin() {
    const batch = { ids: [] };
    batch.links = Promise.resolve().then(() => {
      if (this.#batch === batch) this.#batch = null;
      return this.#ask(batch.ids);
    });
    return batch;
  }

  async #ask(ids) {
    const { signal } = this.#stop;
    let failures = 0;
    for (let tries = 1; !signal.aborted; tries += 1) {
      const answer = await this.#door.ask("POST", "/links", { body: JSON.stringify({ files: ids }), signal });
      if (answer.links) return this.#read(answer);
      if (answer.status) failures += 1;
      if (failures > MOST_TRIES || (answer.status >= 400 && answer.status < 500 && answer.status !== 429)) {
        throw answer.code ? answer : NO_FILES;
      }
      await this.#door.pause(tries, answer.after, signal);
    }
    throw NO_FILES;
  }

  #read({ links, expires_in: life }) {
    const whole = ({ url, thumb }) => ({ url: this.#door.at(url), thumb: this.#door.at(thumb) });
    const found = Object.entries(links).map(([id, link]) => [id, whole(link)]);
    return { links: Object.fromEntries(found), until: this.#door.now() + (life - MARGIN) * 1000 };
  }

  /** Ask for nothing more until it is asked again. */
  halt() {
    this.#stop.abort();
    this.#stop = new AbortController();
  }
}
