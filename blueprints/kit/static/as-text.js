/** Values from a page's own code, which may be anything. */

/** *value* as a text; "" for nothing, and for an object that cannot be one. Never throws. */
export function asText(value) {
  try {
    return String(value ?? "");
  } catch {
    return "";
  }
}
