/** What the components use: preact, with htm instead of a build step. */

import htm from "./vendor/htm.js";
import { Component, createRef, h, render } from "./vendor/preact.js";

const TEXT_ONLY = ["option", "textarea"]; // they hold no elements

/**
 * Every text is an element of its own, and another text another element. A browser's translator puts
 * elements of its own in the place of texts. Preact would then change its own texts, which are not on the
 * page any more, and the old translation would stay. An element is removed with all that is in it.
 */
function element(type, props, ...children) {
  const isOurs = typeof type !== "string" || TEXT_ONLY.includes(type);
  return h(type, props, ...(isOurs ? children : children.map(named)));
}

function named(child, at) {
  if (Array.isArray(child)) return child.map(named);
  if (!["string", "number"].includes(typeof child)) return child;
  return child === "" ? null : h("x-text", { key: `${at} ${child}` }, child);
}

export const html = htm.bind(element);
export { Component, createRef, render };
