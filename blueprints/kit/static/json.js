/** JSON of *value*. Prototype.js gives arrays a `toJSON` of its own, which would write them as texts. */
export function toJson(value) {
  const theirs = Array.prototype.toJSON;
  if (!theirs) return JSON.stringify(value);
  delete Array.prototype.toJSON;
  try {
    return JSON.stringify(value);
  } finally {
    Array.prototype.toJSON = theirs;
  }
}
