/**
 * `Uploads` sends files to the server, one after the other and each in pieces. After a lost connection it asks what
 * has arrived, and goes on from there.
 */

import { uuid } from "./uuid.js";

const PIECE = 512 * 1024; // bytes; what is sent again after a cut, at most
const MOST_TRIES = 8; // that one piece takes while the server answers
const LONGEST = 60; // s that a refused piece waits to be sent again
const LATER = [408, 425, 429]; // refusals that may be none the next time

/** Why a file cannot be sent. */
const TOO_LARGE = { code: "too_large", message: "The file is too large." };
const UNSUPPORTED = { code: "unsupported_type", message: "Files of this type are not taken." };
const UNREADABLE = { code: "invalid_file", message: "The file cannot be read." };
const UNANSWERED = { code: "unavailable", message: "The server does not take the file." };

export class Uploads {
  #door;
  #limits;
  #client;
  #waiting = []; // messages
  #current = null; // {message, stop}: the one that is being sent

  /**
   * Through *door*, a `FileDoor`. `limits()` is what the server takes, `{max, types}`. *client* has
   * `uploaded(message, description)`, `notTaken(message, error)`, `changed()`.
   */
  constructor(door, limits, client) {
    this.#door = door;
    this.#limits = limits;
    this.#client = client;
  }

  /** Send the file of *message*, when those before it are sent; what the server surely does not take is refused at once. */
  add(message) {
    if (message === this.#current?.message || this.#waiting.includes(message)) return;
    const unfit = this.#unfit(message.file);
    if (unfit) {
      this.#client.notTaken(message, unfit);
      return;
    }
    this.#waiting.push(message);
    this.#next();
  }

  /** The file of *message* is not wanted any more. */
  cancel(message) {
    this.#waiting = this.#waiting.filter((one) => one !== message);
    if (message === this.#current?.message) this.#current.stop.abort();
    const { upload } = message.file;
    message.file.upload = undefined;
    if (upload) this.#door.ask("DELETE", `/uploads/${upload}`); // or the server forgets it after an hour
  }

  /** Send nothing more; `add` goes on from where this stops. */
  halt() {
    this.#waiting = [];
    this.#current?.stop.abort();
  }

  async #next() {
    if (this.#current || !this.#waiting.length) return;
    const message = this.#waiting.shift();
    const stop = new AbortController();
    this.#current = { message, stop };
    let [description, error] = [];
    try {
      description = await this.#send(message, stop.signal);
    } catch (thrown) {
      error = thrown;
    }
    this.#current = null;
    if (description) this.#client.uploaded(message, description);
    else if (error) this.#client.notTaken(message, error);
    this.#next();
  }

  /** Send the file of *message*; what the server says of it when it is whole. Undefined where it was stopped. */
  async #send({ conversation, file }, signal) {
    let isSure = !file.upload; // how much of it the server has
    let arrived = 0;
    let tries = 0; // for this piece
    let failures = 0; // since the last answer
    file.upload ??= uuid();
    while (!signal.aborted) {
      const answer = isSure ? await this.#piece(conversation, file, arrived, signal) : await this.#look(file, signal);
      if (signal.aborted) return undefined;
      if (answer.file) return described(answer);
      if (answer.offset > arrived) tries = 0;
      else if (isSure || answer.status >= 400) tries += 1;
      if (isFinal(answer)) {
        file.upload = undefined; // the server has forgotten it
        throw answer;
      }
      if (tries > MOST_TRIES) throw answer.code ? answer : UNANSWERED;
      isSure = answer.offset !== undefined;
      failures = isSure ? 0 : failures + 1;
      if (isSure) arrived = answer.offset;
      this.#show(file, arrived);
      if (!isSure) await this.#door.pause(Math.max(failures, tries), answer.after, signal);
    }
    return undefined;
  }

  #unfit({ size, mime }) {
    const { max = Infinity, types } = this.#limits() ?? {};
    if (size > max) return TOO_LARGE;
    return types && mime && !types.some((type) => suits(type, mime)) ? UNSUPPORTED : null;
  }

  /** Send what comes after the first *arrived* bytes. */
  async #piece(conversation, file, arrived, signal) {
    const { blob, upload, size, name } = file;
    const part = blob.slice(arrived, arrived + PIECE);
    const form = new FormData();
    const fields = { conversation, upload, size, offset: arrived };
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    try {
      form.append("file", new Blob([await part.arrayBuffer()]), name);
    } catch {
      throw UNREADABLE; // a folder, or it was removed meanwhile
    }
    const sent = (bytes) => this.#show(file, arrived + Math.min(bytes, part.size));
    return this.#door.ask("POST", "", { body: form, signal, sent });
  }

  /** How much of *file* the server has. */
  async #look({ upload }, signal) {
    const answer = await this.#door.ask("GET", `/uploads/${upload}`, { signal });
    return answer.status === 404 ? { ...answer, status: 200, offset: 0 } : answer;
  }

  #show(file, sent) {
    const before = percent(file);
    file.sent = sent;
    if (percent(file) !== before) this.#client.changed();
  }
}

const described = ({ file: id, name, size, mime, width, height }) => ({ id, name, size, mime, width, height });

const percent = ({ sent, size }) => (size ? Math.floor((100 * sent) / size) : 0);

/** Whether a file of the type *mime* may be of *type*; a text may call itself what it likes. */
const suits = (type, mime) =>
  type.endsWith("/*") || type === "text/plain" ? mime.startsWith(type.replace(/[^/]*$/, "")) : type === mime;

/** Whether *answer* refuses the file for good; 409 says from where to go on. */
const isFinal = ({ status, offset, after }) =>
  status >= 400 && status < 500 && offset === undefined && (after > LONGEST || !LATER.includes(status));
