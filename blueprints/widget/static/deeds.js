/** What a visitor does with the conversation that is shown, and with its messages. Loaded together with them. */

import { isPicture } from "../kit/picture.js";

const PAGE = 50; // messages asked for at once
const MOST_EARLIER = 20; // earlier conversations that are remembered

export class Deeds {
  #widget;
  #visit;
  #put;
  #paging = false;

  /** In *visit* of *widget*; *put(text)* puts a text into the box. */
  constructor(widget, visit, put) {
    this.#widget = widget;
    this.#visit = visit;
    this.#put = put;
  }

  /** What `Log` has buttons for, and what it needs when it is scrolled. */
  get ofLog() {
    const visit = this.#visit;
    return {
      retry: (id) => visit.retry(id),
      edit: (id) => {
        const { text } = visit.client.discard(id);
        if (visit.phase === "ended") this.renew(); // the text goes into the next conversation
        this.#put(text);
      },
      discard: (id) => visit.client.discard(id),
      take: ({ id, text }) => visit.say(text, { choice: id }),
      mayTake: () => !visit.past && visit.chat?.state === "open",
      links: (ids) => visit.client.fileLinks(ids),
      limits: () => visit.client.files,
      view: (id) => this.#view(id),
      older: () => this.#older(),
      said: () => visit.client.words,
      scrolled: () => visit.seen(),
    };
  }

  /** Show the picture *id*, and the others of the conversation beside it, as large as the window. */
  async #view(id) {
    const { pieces, frame, t } = this.#widget;
    const { chat, client } = this.#visit;
    const pictures = chat.messages.map(({ file }) => file).filter((file) => file?.id && isPicture(file));
    try {
      const show = await pieces.module("../kit/gallery.js", "showPictures");
      await show({ pictures, at: id, links: (ids) => client.fileLinks(ids), words: words(t), parent: frame });
    } catch {
      this.#visit.fail();
    }
  }

  /** Show an earlier conversation; "": none any more. */
  async turnTo(conversation) {
    const visit = this.#visit;
    visit.past = conversation;
    visit.problem = "";
    visit.changed();
    if (!conversation || visit.chat?.messages.length) return;
    // the visitor may look at something else by now, or may have closed the panel
    await visit.client.history({ conversation, limit: PAGE }).catch(() => visit.past === conversation && visit.fail());
  }

  /** Put the ended conversation away. */
  renew() {
    const visit = this.#visit;
    const { conversation, messages, reason } = visit.chat;
    const one = { conversation, ...visit.peer, date: messages.at(-1)?.date, reason };
    const earlier = one.date ? [one, ...visit.earlier].slice(0, MOST_EARLIER) : visit.earlier;
    this.#widget.store.set({ left: conversation, earlier });
    visit.begin();
    visit.changed();
  }

  /** Fetch older messages of the conversation. */
  async #older() {
    const { chat, client } = this.#visit;
    if (this.#paging || !chat || chat.complete) return;
    this.#paging = true;
    await client.history({ conversation: chat.conversation, limit: PAGE }).catch(() => {});
    this.#paging = false;
  }
}

/** What the gallery says. */
const words = (t) => ({
  close: t("rate_close"),
  previous: t("previous"),
  next: t("next"),
  download: t("download"),
  fails: t("no_picture"),
  at: (n, total, name) => t("picture_at", { n, total, name }),
});
