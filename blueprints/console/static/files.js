/** What a waiter does with files: sends them, and looks at pictures. */

import { isPicture } from "../kit/picture.js";
import { problem } from "./problems.js";
import { t } from "./words.js";

export class Files {
  #desk;

  /** Of *desk*, the `Desk`. */
  constructor(desk) {
    this.#desk = desk;
  }

  /** What the server takes, `{max, types}`; null: none, or it has not said so yet. */
  get limits() {
    return this.#desk.client.files;
  }

  /** Whether files that come now are sent to the conversation in the middle. */
  get isWelcome() {
    return Boolean(this.limits && this.#desk.writable);
  }

  /** Send *files* to the conversation in the middle, one after the other; or say why not. */
  send(files) {
    const { client, writable } = this.#desk;
    if (!this.isWelcome || !files.length) {
      const isNowhere = this.limits && files.length && !writable;
      this.#desk.remark(t(isNowhere ? "files_where" : "no_files"));
      return;
    }
    this.#desk.begin(writable.conversation);
    for (const file of files) client.sendFile(file, writable.conversation);
  }

  /** Where the file *id* is for a while: `{url, thumb}`; undefined: it is gone. Rejects with a `ChatError`. */
  async link(id) {
    return (await this.#desk.client.fileLinks([id]))[id];
  }

  /** Show the picture *id*, and the others of *chat* beside it, as large as the window. */
  async view({ messages }, id) {
    const pictures = messages.map(({ file }) => file).filter((file) => file?.id && isPicture(file));
    const links = (ids) => this.#desk.client.fileLinks(ids);
    try {
      const { showPictures } = await import("../kit/gallery.js");
      await showPictures({ pictures, at: id, links, words: words(), parent: document.body });
    } catch {
      this.#desk.complain(problem({ code: "unreachable" }));
    }
  }
}

/** What the gallery says. */
const words = () => ({
  close: t("close"),
  previous: t("previous"),
  next: t("next"),
  download: t("download"),
  fails: t("no_picture"),
  at: (n, total, name) => t("picture_at", { n, total, name }),
});
