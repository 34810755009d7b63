/**
 * Who is signed in here. A token is what lets this page in; it comes from a
 * link, by hand, for a name and a password, or from the host application. All
 * tabs of one login use the same one: the server takes another for a newer
 * login, and shuts the older out.
 */

import { ask } from "./api.js";
import { common, shared, tab } from "./storage.js";

const JUST = 10_000; // ms: a token refused right after it was given is refused for good

export class Session {
  /** `asking` the host, `out` (the door is shown) or `in`. */
  state = "asking";
  /** Why the door is shown, in a sentence; or "". */
  why = "";
  /** `{token, who, account}`; *who* names what this browser keeps for this waiter; *account*: it has a password. */
  #login = null;
  #given = -Infinity;
  #changed;

  /** *changed()* is called after each change of `state` or `why`. */
  constructor(changed) {
    this.#changed = changed;
  }

  get token() {
    return this.#login?.token ?? "";
  }

  get who() {
    return this.#login?.who ?? "";
  }

  /** Whether it was a password that let this waiter in. */
  get hasPassword() {
    return this.#login?.account ?? false;
  }

  /** With the token of the address, of this tab, of another tab; or ask the host application. */
  async start() {
    const token = fromAddress();
    const known = tab.get("login") ?? shared.get("login");
    if (token && token !== known?.token) this.#enter({ token, who: randomName() });
    else if (known) this.#enter(known);
    else await this.#askHost();
  }

  /** A token by hand. */
  enterWith(token) {
    this.#given = performance.now();
    this.#enter({ token, who: randomName() });
  }

  /** A name and a password. Throws `ApiError`. */
  async enterAs(name, password) {
    const { token, sub } = await ask("POST", "v1/waiter/login", { body: { name, password } });
    this.#given = performance.now();
    this.#enter({ token, who: sub, account: true });
  }

  /**
   * Another password for this account. Its other logins end; this one goes on with
   * another token, in all tabs. Throws `ApiError`, whose `field` is `current` or `new`.
   */
  changePassword(current, wanted) {
    // The old token is refused before the answer is here: whoever renews it waits for the new one.
    return inTurn(async () => {
      const { token, sub } = await ask("POST", "v1/waiter/password", { token: this.token, body: { current, new: wanted } });
      this.#given = performance.now();
      this.#enter({ token, who: sub, account: true });
    });
  }

  /**
   * The token for the client; where *refresh* says that it was refused, another
   * one if there is any. The second refusal says why, and is final. Throws
   * `ApiError` where the server cannot say who this is now.
   */
  async fresh({ refresh } = {}) {
    if (refresh) await inTurn(() => this.#renew());
    return this.token;
  }

  /** What this tab was let in with is worth nothing from now on, wherever it got to. */
  leave() {
    const { token } = this;
    if (token) ask("POST", "v1/waiter/logout", { token, keepalive: true }).catch(() => {});
    this.expel("");
  }

  /** Back to the door. */
  expel(why) {
    if (shared.get("login")?.token === this.token) shared.remove("login");
    tab.remove("login");
    this.#login = null;
    this.#show("out", why);
  }

  async #renew() {
    const refused = this.token;
    const others = shared.get("login");
    if (others && others.token !== refused && others.who === this.who) {
      this.#enter(others);
      return;
    }
    if (performance.now() - this.#given < JUST) return;
    try {
      const { token, sub } = await ask("POST", "v1/waiter/login");
      this.#given = performance.now();
      this.#enter({ token, who: sub });
    } catch (error) {
      if (error.status !== 401) throw error; // it may be known in a moment
    }
  }

  async #askHost() {
    try {
      const { token, sub } = await ask("POST", "v1/waiter/login");
      this.#given = performance.now();
      this.#enter({ token, who: sub });
    } catch (error) {
      this.#show("out", error.status === 401 ? "" : error.message);
    }
  }

  #enter(login) {
    this.#login = login;
    tab.set("login", login);
    shared.set("login", login);
    this.#show("in", "");
  }

  #show(state, why) {
    this.state = state;
    this.why = why;
    this.#changed();
  }
}

/** The token of the address, which leaves the address bar and the history. */
function fromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** One tab after the other: the second finds what the first was given. */
function inTurn(work) {
  return navigator.locks ? navigator.locks.request(common("renew"), work) : work();
}

function randomName() {
  // not randomUUID: it is missing on plain http, except on localhost
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (one) => one.toString(36)).join("");
}
