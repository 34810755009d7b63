/** `Choices`: what the next message of each conversation offers, until it is sent. It outlives reloads, as the text does. */

import { Drafts } from "../kit/drafts.js";
import { uuid } from "../kit/uuid.js";

export const FEWEST = 2;

export class Choices {
  #drafts;

  /** They are stored in *stored*, a `Stored`. */
  constructor(stored) {
    this.#drafts = new Drafts(stored);
  }

  /** The texts for *conversation*. */
  of(conversation) {
    const text = this.#drafts.get(conversation);
    return text ? text.split("\n") : [];
  }

  /** Offer *texts*, each of one line; none: no choices. */
  put(conversation, texts) {
    this.#drafts.set(conversation, texts.join("\n"));
  }

  /** Forget them all. */
  clear() {
    this.#drafts.clear();
  }
}

/** *texts* as `send` takes them. Each offer has ids of its own: a later one with the same id would close it. */
export function asOffer(texts) {
  if (!texts.length) return {};
  const id = uuid();
  return { choices: texts.map((text, at) => ({ id: `${id}-${at}`, text })) };
}
