/** `FileDoor`: requests about files, which go over HTTP beside the connection. */

const FIRST_PAUSE = 1000; // ms before a request is repeated, doubled by each failure …
const LONGEST_PAUSE = 15_000; // … up to this
const SILENCE = 30_000; // ms without a byte in either direction, after which a request has failed

export class FileDoor {
  #env;
  #url;
  #token;
  #waiting = new Set(); // functions that end a pause

  /** At *url*; `token(refused)` gives the token, or a promise of it; *refused*: the server did not take the last one. */
  constructor({ env, url, token }) {
    this.#env = env;
    this.#url = url;
    this.#token = token;
  }

  now() {
    return this.#env.now();
  }

  /** The whole address of *link*, which the server has named. */
  at(link) {
    return link && new URL(link, this.#url).href;
  }

  /**
   * What the server answers to *method* at *path*, with its `status` and, in s, `after`: when to ask again. Never
   * rejects: where there is no answer, `status` is 0. `sent(bytes)` is called while *body* is sent.
   */
  async ask(method, path, about = {}) {
    const answer = await this.#ask(method, path, about, false);
    return answer.status === 401 ? this.#ask(method, path, about, true) : answer;
  }

  async #ask(method, path, about, refused) {
    try {
      const headers = { Authorization: `Bearer ${await this.#token(refused)}` };
      const send = this.#env.XMLHttpRequest ? this.#send : this.#fetch;
      if (!about.signal?.aborted) return await send.call(this, method, this.#url + path, headers, about);
    } catch {
      // no token, or no way to the server
    }
    return { status: 0, after: 0 };
  }

  /** `fetch` cannot say how much was sent. */
  #send(method, url, headers, { body, signal, sent }) {
    return new Promise((resolve) => {
      const { XMLHttpRequest, setTimeout, clearTimeout } = this.#env;
      const request = new XMLHttpRequest();
      const end = () => request.abort();
      let timer;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(end, SILENCE);
      };
      request.open(method, url);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.responseType = "json";
      request.onprogress = request.upload.onload = wait;
      request.upload.onprogress = ({ loaded }) => {
        wait();
        sent?.(loaded);
      };
      request.onloadend = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve(read(request.status, (name) => request.getResponseHeader(name), request.response));
      };
      signal?.addEventListener("abort", end);
      wait();
      request.send(body);
    });
  }

  /** Where there is no page. */
  async #fetch(method, url, headers, { body, signal }) {
    const response = await fetch(url, { method, headers, body, signal });
    return read(response.status, (name) => response.headers.get(name), await response.json().catch(() => null));
  }

  /** Wait before a request is repeated which has failed *tries* times, *after* s at least; shorter when there is hope. */
  pause(tries, after, signal) {
    const longest = Math.min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE);
    const wait = after * 1000 + longest * (0.3 + 0.7 * this.#env.random());
    return new Promise((resolve) => {
      const done = () => {
        this.#env.clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.#env.setTimeout(done, wait);
      if (!after) this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** The connection is there again: repeat at once what waits, unless the server has asked to wait. */
  wake() {
    for (const done of this.#waiting) done();
  }
}

/** Browsers complain of a header that a server of another origin does not show: it is read where it may be there. */
const read = (status, header, answer) => ({
  ...answer,
  status,
  after: [429, 503].includes(status) ? Number(header("Retry-After")) || 0 : 0,
});
