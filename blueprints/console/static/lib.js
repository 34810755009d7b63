/** What the components are made of: preact, with htm instead of a build step. */

import htm from "./vendor/htm.js";
import { Component, createRef, h, render } from "./vendor/preact.js";

export const html = htm.bind(h);
export { Component, createRef, render };
