/** The server's clock, also when the one here is set while the page is open. */

const LOOK = 1000; // ms between two looks, and what a clock may be off before it counts as set

/** By how much the clock here is before what has passed since the page began; changes when it is set. */
const lead = () => Date.now() - performance.now();

export class Clock {
  #client;
  #lead = lead();
  #more = 0; // ms that the client does not know of
  #timer;

  /** *client* knows the server's time from when it has signed in. */
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
    this.#lead = lead(); // set, or the computer has slept
    const said = await fetch("v1/status", { cache: "no-store" }).then(({ headers }) => headers.get("Date"), () => null);
    if (said) this.#more = Date.parse(said) - this.#client.now();
  }
}
