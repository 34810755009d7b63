/** The server's clock. It stays right when the clock of this computer is set while the page is open. */

const LOOK = 1000; // ms between two looks, and the difference from which on a clock counts as set

/** How far (ms) this computer's clock is ahead of the time since the page began; changes when the clock is set. */
const lead = () => Date.now() - performance.now();

export class Clock {
  #client;
  #lead = lead();
  #more = 0; // ms by which the clock was set since the client knows the server's time
  #timer;

  /** *client* knows the server's time since its `auth`. */
  constructor(client) {
    this.#client = client;
    this.#timer = setInterval(() => this.#look(), LOOK);
    client.on("status", ({ state }) => {
      if (state === "online") this.#more = 0;
    });
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** ms */
  now = () => this.#client.now() + this.#more;

  async #look() {
    if (Math.abs(lead() - this.#lead) < LOOK) return;
    this.#lead = lead(); // the clock was set, or the computer has slept
    const said = await fetch("v1/status", { cache: "no-store" }).then(({ headers }) => headers.get("Date"), () => null);
    if (said) this.#more = Date.parse(said) - this.#client.now();
  }
}
