/** The token of the visitor at this browser: the page's own, or an anonymous one that the server makes. */

export class VisitorToken {
  /** There were too many requests: none for the moment. */
  crowded = false;

  #widget;
  #visit;
  #forgotten = 0; // how often all was forgotten

  /** *visit* has `isIdle`, and `excuse(key)` for why there is none (a text; false: there is one). */
  constructor(widget, visit) {
    this.#widget = widget;
    this.#visit = visit;
  }

  /** A token that is being fetched now is not to be used. */
  forget() {
    this.#forgotten += 1;
  }

  /** The token, as `ChatClient` asks for it. Rejects where there is none. */
  async fetch(asked) {
    const { around, base, store, given, visitor } = this.#widget;
    const state = store.get();
    const forgotten = this.#forgotten;
    if (state.given) {
      const said = typeof given === "function" ? await given(asked) : given;
      if (typeof said === "string") return said;
      throw new Error("the page has not said who the visitor is: a token is a string");
    }
    const same = visitor === undefined || visitor === state.visitor || !this.#visit.isIdle;
    if (state.token && !asked.refresh && same && Date.now() < state.renew) return state.token;
    // in a chat, an anonymous visitor stays anonymous, also where the page knows the name by now
    const answer = await fetch(`${base}v1/visitor/token${this.#visit.isIdle ? "" : "?stay"}`, {
      method: "POST",
      headers: state.token ? { Authorization: `Bearer ${state.token}` } : {},
      credentials: around.credentials,
    }).catch((error) => {
      this.#visit.excuse(origin === "null" && "framed"); // where nobody says from where it asks, the browser hides why
      throw error;
    });
    this.#visit.excuse(answer.status === 403 && "not_here");
    this.crowded = answer.status === 429;
    // whatever stands before the chat may answer with a page
    const { token, expires_in: life, message } = await answer.json().catch(() => ({}));
    // signed out, and the host lets nobody else through to us
    if (asked.refresh && answer.status === 401) this.#widget.reset();
    if (!answer.ok || !token) throw new Error(message ?? `the server answered ${answer.status}`);
    if (forgotten !== this.#forgotten) throw new Error("the visitor has gone"); // and the token is nobody's
    store.set({ token, visitor, renew: Date.now() + life * 500 }); // at half its life
    return token;
  }
}
