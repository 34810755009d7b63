/** `Reception` knows of the desk what a visitor may see before it asks: how busy it is, and which waiters are there. */

const LOOK = 30_000; // ms between two looks while somebody may want to ask

export class Reception {
  /** `{ready, length}`: how busy the desk is; null before that is known, false if nobody can say. */
  desk = null;
  /** `{team, reply, questions, messages, mail}` as `/v1/welcome` has them; null without an answer. */
  welcome = null;
  /** `departments` and `fields`, as `/v1/welcome` has last named them. */
  declared = { departments: [], fields: [] };
  /** A promise of the first answer, whatever it says. */
  known;

  #base;
  #where;
  #looked;
  #timer = 0;
  #last; // the look that was begun last

  /**
   * At the address *base*; *where()* returns `{locale, department}`: what is asked for. *looked()* is called when
   * there is something new.
   */
  constructor(base, where, looked) {
    this.#base = base;
    this.#where = where;
    this.#looked = looked;
  }

  /** Look now, and again while *matters()* is true. */
  async look(matters) {
    this.leave();
    this.#timer = setTimeout(() => this.look(matters), LOOK);
    if (!matters()) return;
    const { locale, department } = this.#where();
    const welcomeThere = `v1/welcome?locale=${locale}&department=${encodeURIComponent(department)}`;
    const both = (this.#last = Promise.all([this.#ask("v1/status"), this.#ask(welcomeThere)]));
    this.known ??= both;
    const [status, welcome] = await both;
    if (both !== this.#last) return; // of another department, or in another language
    const { waiters_ready: ready, queue_length: length } = status?.departments?.[department] ?? status;
    this.desk = status && { ready, length };
    this.welcome = welcome || null;
    if (welcome) this.declared = { departments: [], fields: [], ...welcome };
    this.#looked();
  }

  /** Stop looking. */
  leave() {
    clearTimeout(this.#timer);
  }

  /** false: no answer, or one that is not csapp's. */
  async #ask(path) {
    try {
      const answer = await fetch(this.#base + path);
      return answer.ok && (await answer.json());
    } catch {
      return false;
    }
  }
}
