/** What somebody was about to say, chat by chat: it outlives reloads and restarts. */

import { shared } from "./storage.js";

const KEPT = 7 * 86_400_000; // ms after which nobody comes back to a draft

export class Drafts {
  constructor(now = Date.now()) {
    for (const key of shared.keys("draft:")) {
      if (now - (shared.get(key)?.at ?? 0) > KEPT) shared.remove(key);
    }
  }

  get(conversation) {
    return shared.get(`draft:${conversation}`)?.text ?? "";
  }

  set(conversation, text) {
    if (text) shared.set(`draft:${conversation}`, { text, at: Date.now() });
    else shared.remove(`draft:${conversation}`);
  }

  /** Forget them all. */
  clear() {
    for (const key of shared.keys("draft:")) shared.remove(key);
  }
}
