/** Names that nobody else has. */

/** A random UUID; `crypto.randomUUID` is missing on plain http, except on localhost. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))]; // Array.from may be a page's own
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
