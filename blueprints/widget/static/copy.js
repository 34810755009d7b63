/** A copy of a conversation: on paper, or as a text file. Loaded when somebody wants it. */

import { bring } from "../kit/past.js";
import { dayStamp, Times } from "../kit/times.js";
import { apart } from "../kit/words.js";
import { element } from "./dom.js";

const STYLE = `
  body { margin: 24px; color: #000; background: #fff; font: 11pt/1.5 system-ui, sans-serif; }
  h1 { margin: 0 0 16px; font-size: 16pt; }
  p { margin: 0 0 8px; white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid; }
  b, time { color: #444; font-size: 9pt; }
`;

/** `print` or `save` all of the conversation that *visit* shows; *widget* has the texts, and the element around ours. */
export async function take(how, visit, widget) {
  const { chat, client, peer } = visit;
  await bring(client, chat.conversation, 1);
  await new Copy(chat.messages, peer, widget)[how]();
}

class Copy {
  #lines;
  #title;
  #day;
  #frame;
  #locale;

  /** Of *messages* with *peer*; *widget* has the texts and the element around all of ours. */
  constructor(messages, peer, { t, locale, frame }) {
    const times = new Times(locale);
    const first = messages[0]?.date ?? new Date().toISOString();
    const when = new Date(first).toLocaleDateString(locale, { dateStyle: "long" });
    this.#title = t("earlier_chat", { name: peer.name, when });
    this.#day = dayStamp(first);
    this.#frame = frame;
    this.#locale = locale;
    const who = ({ own, event }) => (event ? "" : `${own ? t("you") : apart(peer.name)}, `);
    this.#lines = messages.map(({ date, text, state, ...by }) => ({
      head: `${who(by)}${times.moment(date)}${state === "sent" ? "" : ` (${t(state)})`}`,
      text,
    }));
  }

  /** Let the browser save a file. */
  save() {
    const parts = this.#lines.map(({ head, text }) => `${head}\n${text}\n`);
    const file = new Blob([[`${this.#title}\n`, ...parts].join("\n")], { type: "text/plain;charset=utf-8" });
    const link = element("a", "", "", { href: URL.createObjectURL(file), download: `chat-${this.#day}.txt` });
    this.#frame.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it later
  }

  /** Print it, and nothing of the page around. */
  async print() {
    this.#frame.querySelector("iframe")?.remove(); // of the last time: a frame must stay while it is printed
    const sheet = element("iframe", "unseen", "", { "aria-hidden": "true", tabindex: "-1" });
    const isThere = new Promise((resolve) => sheet.addEventListener("load", resolve, { once: true }));
    this.#frame.append(sheet);
    await isThere; // until then Firefox may put another empty page into it
    const { contentDocument: page, contentWindow: view } = sheet;
    const style = new view.CSSStyleSheet();
    style.replaceSync(STYLE);
    page.adoptedStyleSheets = [style];
    page.title = this.#title;
    page.documentElement.lang = this.#locale;
    page.documentElement.dir = this.#frame.dir;
    const lines = this.#lines.flatMap(({ head, text }) => [element("b", "", head), element("p", "", text)]);
    page.body.append(element("h1", "", this.#title), ...lines);
    view.focus();
    view.print();
  }
}
