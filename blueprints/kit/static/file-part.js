/** `FilePart`: what a client needs of files before it has loaded `files.js`, which does the rest. */

import { asText } from "./as-text.js";

const FILES = ["message_image", "message_file"];
const FINAL = ["too_large", "unsupported_type", "invalid_file", "refused"]; // the file itself is the reason
const AGAIN = 5000; // ms before a part that did not load is tried again

/** What a message about *blob*, a `File` or `Blob`, has beside what all messages have. */
export function ofFile(blob) {
  const { size, type: mime } = blob;
  const name = asText(blob.name) || "file";
  return { text: name, file: { name, size, mime, sent: 0, blob } };
}

/** The file of an entry of the wire; undefined where it has none. */
export function fileOf({ type, payload }) {
  if (!FILES.includes(type)) return undefined;
  const { file: id, ...file } = payload;
  return { id, ...file };
}

/** Type and payload of the frame of a message, whose file the server has. */
export const frameOf = ({ text, file, choices, choice }) =>
  file
    ? [FILES[file.width ? 0 : 1], { file: file.id }]
    : [choices ? "message_choice" : "message_text", { message: text, choices, choice }];

/** Whether *message*, which has failed, may be sent again: its file as well, as long as this page has it. */
export const mayRetry = ({ file, error }) =>
  file ? Boolean(file.blob) && !FINAL.includes(error?.code) : error?.code !== "too_large";

export class FilePart {
  #client;
  #load;
  #url;
  #coming = null; // a promise of `Files`
  #files = null; // once it is there

  /** Of *client*, a `BaseClient`, whose WebSocket is at *door*; `load()` resolves with the class `Files`. */
  constructor(client, door, load) {
    this.#client = client;
    this.#url = door.replace(/^ws(.*?)(\/ws\/.*)?$/, "http$1/files");
    this.#load = load;
  }

  #bring() {
    this.#coming ??= this.#load().then(
      (Files) => (this.#files ??= this.#make(Files)),
      (error) => {
        this.#coming = null;
        throw error;
      },
    );
    return this.#coming;
  }

  #make(Files) {
    const { _env: env, _connection: connection, _outbox: outbox, _events: events } = this.#client;
    const door = { env, url: this.#url, token: (refused) => connection.bearer(refused) };
    return new Files(door, () => this.#client.files, {
      uploaded: (message, file) => outbox.uploaded(message, file),
      notTaken: (message, error) => outbox.notTaken(message, error),
      changed: () => events.changed(),
    });
  }

  /** Send the file of *message*, which waits for that; once, however often it is called. */
  async upload(message) {
    try {
      const files = await this.#bring();
      if (message.state === "uploading") files.upload(message);
    } catch {
      const { chats, _outbox: outbox, _alarms: alarms } = this.#client;
      alarms.set("files", AGAIN, () => chats.forEach((chat) => outbox.speak(chat)));
    }
  }

  /** The file of *message* is not wanted any more, if it is still being sent. */
  cancel(message) {
    if (message.state === "uploading") this.#files?.cancel(message);
  }

  async links(ids) {
    return (await this.#bring()).links(ids);
  }

  wake() {
    this.#files?.wake();
  }

  halt() {
    this.#files?.halt();
  }
}
