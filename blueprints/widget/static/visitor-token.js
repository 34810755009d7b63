/** The token of the visitor at this browser: the page's own, or an anonymous one that the server makes. */

export class VisitorToken {
  /** There were too many requests: no token for the moment. */
  crowded = false;

  #widget;
  #visit;
  #forgotten = 0; // how often `forget` was called

  /** *visit* has `isIdle`, and `excuse(key)`: the text that says why there is no token; false: there is one. */
  constructor(widget, visit) {
    this.#widget = widget;
    this.#visit = visit;
  }

  /** Do not use a token that is being fetched now. */
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
    // in a conversation an anonymous visitor stays anonymous, even if the page knows its name by now
    const answer = await fetch(`${base}v1/visitor/token${this.#visit.isIdle ? "" : "?stay"}`, {
      method: "POST",
      headers: state.token ? { Authorization: `Bearer ${state.token}` } : {},
      credentials: around.credentials,
    }).catch((error) => {
      this.#visit.excuse(origin === "null" && "framed"); // without an origin the browser does not say why a request failed
      throw error;
    });
    this.#visit.excuse(answer.status === 403 && "not_here");
    this.crowded = answer.status === 429;
    // something in front of csapp may answer with a page
    const { token, expires_in: life, message } = await answer.json().catch(() => ({}));
    // signed out, and the host lets only those who are signed in reach csapp
    if (asked.refresh && answer.status === 401) this.#widget.reset();
    if (!answer.ok || !token) throw new Error(message ?? `the server answered ${answer.status}`);
    if (forgotten !== this.#forgotten) throw new Error("the visitor has gone"); // so nobody needs the token
    store.set({ token, visitor, renew: Date.now() + life * 500 }); // at half its life
    return token;
  }
}
