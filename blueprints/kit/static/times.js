/** How moments and durations are shown, in one language and the browser's time zone. */

const A_DAY = 86_400_000; // ms between two midnights of UTC, which has no summer time

/** A day of the calendar here, as a number that grows by one a day. */
function dayNumber(date) {
  const here = new Date(date);
  return Date.UTC(here.getFullYear(), here.getMonth(), here.getDate()) / A_DAY;
}

/** The day of *date* here, for the name of a file: `2026-11-27`. */
export function dayStamp(date) {
  const here = new Date(date);
  return [here.getFullYear(), here.getMonth() + 1, here.getDate()].map((part) => `${part}`.padStart(2, "0")).join("-");
}

/** Whether two moments are of one day here. */
export const sameDay = (one, other) => dayNumber(one) === dayNumber(other);

export class Times {
  #locale;
  #made = new Map();

  /** *locale*: a language tag that `Intl` takes. */
  constructor(locale) {
    this.#locale = locale;
  }

  /** Made when it is needed: formats are slow to make. */
  #format(kind, options) {
    const key = JSON.stringify(options);
    if (!this.#made.has(key)) this.#made.set(key, new kind(this.#locale, options));
    return this.#made.get(key);
  }

  #dated(date, options) {
    return this.#format(Intl.DateTimeFormat, options).format(new Date(date));
  }

  /** The time of day. */
  time(date) {
    return this.#dated(date, { hour: "numeric", minute: "2-digit" });
  }

  /** Everything there is to say of a moment. */
  moment(date) {
    return this.#dated(date, { dateStyle: "full", timeStyle: "medium" });
  }

  /** "Today", "Yesterday", or which day. */
  day(date, now = Date.now()) {
    const ago = dayNumber(now) - dayNumber(date);
    if (ago === 0 || ago === 1) return this.#near(-ago);
    const thisYear = new Date(date).getFullYear() === new Date(now).getFullYear();
    return this.#dated(date, thisYear ? { weekday: "long", day: "numeric", month: "long" } : { dateStyle: "medium" });
  }

  #near(days) {
    const said = this.#format(Intl.RelativeTimeFormat, { numeric: "auto" }).format(days, "day");
    return said.charAt(0).toLocaleUpperCase(this.#locale) + said.slice(1); // it stands by itself
  }

  /** A day with its time, as short as it can be. */
  when(date, now = Date.now()) {
    return sameDay(date, now) ? this.time(date) : `${this.day(date, now)}, ${this.time(date)}`;
  }

  /** The same in one word: the time of today, or which day. */
  brief(date, now = Date.now()) {
    return sameDay(date, now) ? this.time(date) : this.#dated(date, { day: "numeric", month: "short" });
  }

  /** A wait: "12 sec", "4 min", "1 hr 5 min". */
  duration(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return this.#unit(seconds, "second");
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return this.#unit(minutes, "minute");
    const rest = minutes % 60;
    const hours = this.#unit(Math.floor(minutes / 60), "hour");
    return rest ? `${hours} ${this.#unit(rest, "minute")}` : hours;
  }

  #unit(number, unit) {
    return this.#format(Intl.NumberFormat, { style: "unit", unit, unitDisplay: "short" }).format(number);
  }
}
