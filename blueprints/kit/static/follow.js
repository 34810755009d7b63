/**
 * `Follow`: whether the newest message of a log is in sight, and how it stays there. Widget and console use
 * the same rules.
 */

export const NEAR = 64; // px from an end of the log that count as being at the end

export class Follow {
  #log;
  /** Whether the newest was in sight at the last look. Set it to false when something else is shown. */
  on = true;
  #top = 0; // `scrollTop` at the last look
  #first; // id of the first message that was shown …
  #last; // … and of the last

  /** *log()* is the element that scrolls, or null while there is none. */
  constructor(log) {
    this.#log = log;
  }

  #isFar({ scrollHeight, scrollTop, clientHeight }) {
    return scrollHeight - scrollTop - clientHeight >= NEAR;
  }

  /** Whether the newest is in sight and shall stay there. The scroll event comes late, so positions are compared. */
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

  /** To be called before messages are shown anew: how far (px) the view is from the end. */
  measure() {
    this.check();
    const { scrollHeight, scrollTop } = this.#log();
    return scrollHeight - scrollTop;
  }

  /**
   * *messages* are shown now; *fromEnd* is what `measure` returned before. The newest message stays in sight, and
   * an own new one comes into sight; when older ones were added, the view does not move.
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

  /** Scroll back after the page has moved the log: browsers then scroll it to the beginning without an event. */
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
