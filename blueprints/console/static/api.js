/** Requests to the server over HTTP. */

import { problem } from "./problems.js";

/**
 * An error, with a sentence that can be shown; `status` is that of HTTP, 0 without an answer,
 * and `field` names the field that it is about, or "".
 */
export class ApiError extends Error {
  constructor(message, status = 0, field = "") {
    super(message);
    this.status = status;
    this.field = field;
  }
}

/** Send a request to *path*; returns the answer's JSON, or null if there is none. Throws `ApiError`. */
export async function ask(method, path, { body, token, signal, keepalive } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, {
      method, headers, signal, keepalive, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(problem({ code: "unreachable" }));
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) {
    const { code, message = "" } = answer ?? {};
    throw new ApiError(problem({ code, message }), response.status, /^([a-z]+): /.exec(message)?.[1]);
  }
  return answer;
}

/** The canned replies and the search of the waiter whom *token()* names. */
export class Desktop {
  #token;

  constructor(token) {
    this.#token = token;
  }

  #ask(method, path, options) {
    return ask(method, path, { ...options, token: this.#token() });
  }

  /** `{replies, departments}` */
  replies() {
    return this.#ask("GET", "v1/canned");
  }

  /** Count a use of the reply *id*. */
  useReply(id) {
    return this.#ask("POST", `v1/canned/${id}/used`);
  }

  /** Make a reply, or change the one with this `id`. */
  saveReply({ id, ...reply }) {
    return id ? this.#ask("PUT", `v1/canned/${id}`, { body: reply }) : this.#ask("POST", "v1/canned", { body: reply });
  }

  removeReply(id) {
    return this.#ask("DELETE", `v1/canned/${id}`);
  }

  /** Former versions of the shared reply *id*; without an id, shared replies that were deleted. */
  versions(id) {
    return this.#ask("GET", id ? `v1/canned/${id}/versions` : "v1/canned/removed").then(({ versions }) => versions);
  }

  /** Make a shared reply again what it was in a former version. */
  restoreReply(version) {
    return this.#ask("POST", "v1/canned/restored", { body: { version } });
  }

  /** `{hits, next, beginnings}`; *filters*: `waiter`, `department`, `from`, `to`, `rating`, as the server names them. */
  search(words, { filters = {}, before, signal } = {}) {
    const query = new URLSearchParams({ q: words, ...filters });
    if (before) query.set("before", before);
    return this.#ask("GET", `v1/search?${query}`, { signal });
  }

  /** Everybody who has been on duty: `[{sub, name}]`. */
  waiters() {
    return this.#ask("GET", "v1/search/waiters").then(({ waiters }) => waiters);
  }
}
