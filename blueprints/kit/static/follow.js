/** Whether the newest message of a log is in sight, and stays there; widget and console mean the same by it. */

export const NEAR = 64; // px from an end that count as being there

export class Follow {
  #log;
  /** What was last found, without another look; false may be put here when something else is shown. */
  on = true;
  #top = 0; // where it was scrolled to when that was last looked at
  #first; // id of the first message that was shown …
  #last; // … and of the last

  /** *log()* is the element that scrolls, or null while there is none. */
  constructor(log) {
    this.#log = log;
  }

  #isFar({ scrollHeight, scrollTop, clientHeight }) {
    return scrollHeight - scrollTop - clientHeight >= NEAR;
  }

  /** Whether the newest stays in sight. The scroll event comes some time after scrolling, so compare. */
  check() {
    const log = this.#log();
    if (!log) return false;
    if (log.scrollTop < this.#top && this.#isFar(log)) this.on = false;
    return this.on;
  }

  /** To the newest. */
  toEnd() {
    const log = this.#log();
    if (!log) return;
    this.on = true;
    log.scrollTop = log.scrollHeight;
    this.#top = log.scrollTop;
  }

  /** To be called before messages are shown anew: how far (px) the eye is from the end. */
  measure() {
    this.check();
    const { scrollHeight, scrollTop } = this.#log();
    return scrollHeight - scrollTop;
  }

  /**
   * *messages* are shown by now; *fromEnd* is what `measure` said before. The newest stays in sight, and comes
   * in sight where one has said it oneself; where older ones came, the eye stays where it was.
   */
  shown(messages, fromEnd) {
    const log = this.#log();
    const [first, last] = [messages[0]?.id, messages.at(-1)];
    const isSaid = last?.own && last.id !== this.#last;
    const isOlder = first !== this.#first && messages.some(({ id }) => id === this.#first);
    if (this.on || isSaid) this.toEnd();
    else if (isOlder) log.scrollTop = log.scrollHeight - fromEnd;
    [this.#first, this.#last] = [first, last?.id];
  }

  /** To where it was, after the page has moved the log: browsers scroll it to the beginning without an event. */
  back() {
    const log = this.#log();
    if (this.on) this.toEnd();
    else if (log) log.scrollTop = this.#top;
  }

  /** From the end to *mark*, where the unread begins, unless it can be seen from there. */
  toMark(mark) {
    const log = this.#log();
    if (!mark?.isConnected || mark.offsetTop >= log.scrollTop) return;
    this.on = false;
    log.scrollTop = mark.offsetTop - 8;
  }

  /** For the scroll event; whether the newest is in sight. */
  scrolled() {
    const log = this.#log();
    this.on = !this.#isFar(log);
    this.#top = log.scrollTop;
    return this.on;
  }
}
