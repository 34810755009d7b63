/** `Files`: what a client does with files. Loaded when the first one is sent or shown. */

import { FileDoor } from "./file-door.js";
import { FileLinks } from "./file-links.js";
import { Uploads } from "./upload.js";

export class Files {
  #door;
  #links;
  #uploads;

  /** *door*: as `FileDoor` takes it; *limits* and *client*: as `Uploads` does. */
  constructor(door, limits, client) {
    this.#door = new FileDoor(door);
    this.#links = new FileLinks(this.#door);
    this.#uploads = new Uploads(this.#door, limits, client);
  }

  upload(message) {
    this.#uploads.add(message);
  }

  cancel(message) {
    this.#uploads.cancel(message);
  }

  links(ids) {
    return this.#links.of(ids);
  }

  /** The connection is there again. */
  wake() {
    this.#door.wake();
  }

  /** The client is stopped. */
  halt() {
    this.#uploads.halt();
    this.#links.halt();
  }
}
