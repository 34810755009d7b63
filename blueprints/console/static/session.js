/**
 * `Session`: who is signed in here. A token lets this page in. It comes from a link,
 * by hand, for a name and a password, or from the host application. All tabs of one
 * login use the same token, because the server takes another token for a newer login
 * and ends the older one.
 *
 * 1. If a host application says who is signed in, each load of the page asks it, and
 *    what is stored counts only if the host agrees.
 * 2. A link replaces another waiter's login only if the person here agrees, because
 *    anybody can make a link.
 *
 * @typedef {{token: string, who: string, account?: boolean, hand?: boolean}} Login  *who* names
 *   what this browser stores for this waiter; *account*: it has a password; *hand*: the token was entered by
 *   hand or came by a link, and is not renewed
 */

import { uuid } from "../kit/uuid.js";
import { ask } from "./api.js";
import { common, shared, tab } from "./storage.js";
import { t } from "./words.js";

const JUST = 10_000; // ms: a token refused right after it was given is refused for good
const AGAIN = 2000; // ms until a host that cannot answer is asked again …
const TRIES = 5; // … so often

export class Session {
  /** `asking` the host, `choosing` between two waiters, `out` (the door is shown) or `in`. */
  state = "asking";
  /** Why the door is shown, in a sentence; or "". */
  why = "";
  /** What was wrong with the link that was opened, in a sentence; or "". */
  notice = "";
  /** `{present, offered}`: the names of two waiters; null unless `choosing`. */
  offer = null;
  /** @type {Login | null} */
  #login = null;
  #given = -Infinity;
  #changed;
  #hosted;
  #decide;

  /** *changed()* is called after each change of `state` or `why`; *hosted*: a host says who is who. */
  constructor(changed, { hosted }) {
    this.#changed = changed;
    this.#hosted = hosted;
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

  /** Sign in: as the waiter whom the host names, as the one who was signed in before, or by the token of the address. */
  async start() {
    const offered = fromAddress();
    let login = null;
    try {
      login = this.#hosted ? await inTurn(() => this.#askHost()) : stored();
    } catch (error) {
      this.why = error.message;
    }
    if (offered && offered !== login?.token) login = await this.#consider(offered, login);
    // Remove it from the address and the history only now: a reload meanwhile would lose it.
    if (offered) history.replaceState(null, "", location.pathname + location.search);
    if (login) this.#enter(login);
    else this.#show("out", this.why);
  }

  /** A token by hand. */
  enterWith(token) {
    this.#given = performance.now();
    this.#enter(byHand(token));
  }

  /** A name and a password. Throws `ApiError`. */
  async enterAs(name, password) {
    const { token, sub } = await ask("POST", "v1/waiter/login", { body: { name, password } });
    this.#given = performance.now();
    this.#enter({ token, who: sub, account: true });
  }

  /** The answer to `offer`: *change* to the waiter of the link, or stay. */
  choose(change) {
    this.#decide(change);
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
   * The token for the client; where *refresh* says that it was refused, or *renew* that it
   * runs out soon, another one if there is any. The second refusal says why, and is final; whom
   * the host does not know any more is signed out.
   * Throws `ApiError` where the server cannot say who this is now.
   */
  async fresh({ refresh, renew } = {}) {
    if (refresh || renew) await inTurn(() => this.#renew(refresh));
    return this.token;
  }

  /** Sign out: the server revokes the token of this tab, wherever else it is used. */
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

  async #renew(isRefused) {
    if (!this.#login) return; // signed out while it waited
    const { token, who } = this;
    const others = shared.get("login");
    if (others && others.token !== token && others.who === who) {
      this.#enter(others);
      return;
    }
    if (this.#login.hand && !this.#hosted) return; // nobody can
    if (isRefused && performance.now() - this.#given < JUST) return;
    try {
      this.#take(await ask("POST", "v1/waiter/login", { token }));
    } catch (error) {
      if (error.status !== 401) throw error; // it may be known in a moment
      // the host may not let us through to the refusal that would say more
      if (this.#isHosts) this.expel(t("signed_out"));
    }
  }

  /** What the server has answered in this login's place. */
  #take({ token, sub }) {
    this.#given = performance.now();
    const { who, account } = this.#login;
    if (sub === who) {
      this.#enter({ token, who, account });
      return;
    }
    remember({ token, who: sub }); // the host knows somebody else by now: that one's desk is another
    location.reload();
  }

  /** Whether the host has said who this is. */
  get #isHosts() {
    return this.#hosted && !this.#login.hand && !this.#login.account;
  }

  /** Whom the host application sees, or null. Throws `ApiError` where it does not answer. */
  async #askHost() {
    const known = stored();
    for (let tries = 1; ; tries += 1) {
      try {
        const { token, sub } = await ask("POST", "v1/waiter/login", { token: known?.token });
        this.#given = performance.now();
        return { token, who: sub, account: known?.who === sub && known.account };
      } catch (error) {
        if (error.status === 401) {
          if (known?.hand || known?.account) return known;
          forget(); // it was the host's word, which counts no more
          return null;
        }
        if (tries === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  }

  /** Look at the token of a link beside the *present* login; who is to be signed in, or null. */
  async #consider(token, present) {
    let guest, here;
    try {
      guest = await whoIs(token);
      here = present && (await whoIs(present.token).catch(gone));
    } catch (error) {
      this.notice = this.why = `${t("link_trouble")} ${error.message}`;
      return present;
    }
    if (here && here.sub !== guest.sub && !(await this.#ask(here, guest))) return present;
    return byHand(token, here?.sub === guest.sub ? present.who : undefined);
  }

  /** Whether the person here wants to be *guest* instead. */
  #ask(here, guest) {
    this.offer = { present: here.name || here.sub, offered: guest.name || guest.sub };
    this.#show("choosing", "");
    return new Promise((resolve) => {
      this.#decide = resolve;
    });
  }

  #enter(login) {
    this.#login = login;
    remember(login);
    this.#show("in", "");
  }

  #show(state, why) {
    this.state = state;
    this.why = why;
    this.#changed();
  }
}

/** @returns {Login | null} */
const stored = () => tab.get("login") ?? shared.get("login");

function remember(login) {
  tab.set("login", login);
  shared.set("login", login);
}

function forget() {
  tab.remove("login");
  shared.remove("login");
}

const byHand = (token, who = uuid()) => ({ token, who, hand: true });

/** Whom *token* lets in: `{sub, name}`. Throws `ApiError`. */
const whoIs = (token) => ask("GET", "v1/waiter/me", { token });

/** A login that the server does not know any more. */
const gone = (error) => {
  if (error.status !== 401) throw error;
  return null;
};

/** The token in the address of the page. */
const fromAddress = () => new URLSearchParams(location.hash.slice(1)).get("token");

/** One tab after the other: the second tab finds the token that the first one got. */
function inTurn(work) {
  return navigator.locks ? navigator.locks.request(common("renew"), work) : work();
}
