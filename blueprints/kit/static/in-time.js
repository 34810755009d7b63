/** Limits how long a promise may take. */

/** What *promise* gives; rejects when that takes longer than *most* ms. */
export function inTime(promise, most) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came in ${most} ms`)), most);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
