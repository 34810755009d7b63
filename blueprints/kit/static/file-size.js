/** How large a file is, for people. */

const UNITS = ["kilobyte", "megabyte", "gigabyte"];

/** *bytes* in a unit that suits them, as *locale* writes it: `2.4 MB`. */
export function fileSize(bytes, locale) {
  const thousands = Math.max(bytes / 1000, 0.1);
  const power = Math.min(Math.max(Math.floor(Math.log10(thousands) / 3), 0), UNITS.length - 1);
  const value = thousands / 1000 ** power;
  const maximumFractionDigits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(locale, { style: "unit", unit: UNITS[power], maximumFractionDigits }).format(value);
}
