/** What the client needs of the page around it; tests put their own in its place. */

export function environment(given) {
  const page = globalThis;
  return {
    WebSocket: page.WebSocket,
    XMLHttpRequest: page.XMLHttpRequest,
    setTimeout: (...args) => setTimeout(...args),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
    now: Date.now,
    addEventListener: (...args) => page.addEventListener?.(...args),
    online: () => page.navigator?.onLine !== false,
    visible: () => page.document?.visibilityState !== "hidden",
    locks: page.navigator?.locks,
    ...given,
  };
}
