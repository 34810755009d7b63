/**
 * Where the launcher is: in the page's own `<csapp-widget>`, or in one of ours beside the body.
 *
 * Routers replace the body, and scripts remove elements that they do not know. Beside the body none of that
 * happens, and no `filter` or `transform` of the body moves elements that are `fixed`. If the page moves or
 * removes the launcher all the same, it returns to where people see it, in the state that it is in.
 */

const NAME = "csapp-widget";
const NEAR = 32; // px: a scroll bar, or the bars of a phone

export class Home {
  /** The element in which the launcher is. */
  element = null;
  /** Returns the element that had the focus in it last; `guard.js` sets this. */
  focused = () => null;

  #own = new Set(); // `<csapp-widget>` elements of the page
  #ours;
  #frame;
  #sheets;
  #moved;
  #timer;

  /** For *frame*, which begins with *sheets*. *moved(element)* is called when the launcher is in another element. */
  constructor(frame, sheets, moved) {
    this.#frame = frame;
    this.#sheets = sheets;
    this.#moved = moved;
    this.#define();
    this.#ours = document.createElement(NAME);
  }

  #define() {
    const note = (element, how) => {
      if (element !== this.#ours) this.#own[how](element);
      clearTimeout(this.#timer); // not at once: a script that removes it each time would never end
      this.#timer = setTimeout(() => this.settle());
    };
    class Widget extends HTMLElement {
      connectedCallback() {
        note(this, "add");
      }
      disconnectedCallback() {
        note(this, "delete");
      }
    }
    try {
      customElements.define(NAME, Widget);
    } catch {
      // the name is taken: then nobody learns that an element comes or goes
    }
  }

  /** Be on the page, once. */
  settle() {
    const [own] = this.#own;
    const next = own ?? this.#ours;
    if (own) this.#ours.remove();
    else if (!next.isConnected) document.documentElement.append(next);
    if (next !== this.element) this.#enter(next);
    this.rise();
  }

  #enter(next) {
    const focused = this.focused();
    const root = next.shadowRoot ?? next.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [...(this.element?.shadowRoot.adoptedStyleSheets ?? this.#sheets)];
    this.element = next;
    root.append(this.#frame);
    this.#moved(next);
    const { activeElement: other, body } = document;
    if (!other || other === body) focused?.focus({ preventScroll: true });
  }

  /** Not in the corner of the window, but for the width of a scroll bar. */
  #away() {
    const { right, bottom } = this.element.getBoundingClientRect();
    return Math.hypot(right - innerWidth, bottom - innerHeight) > NEAR;
  }

  /** Into the browser's top layer, where an element around us moves elements that are `fixed`. */
  rise() {
    const { hidden } = this.element;
    if (!this.#away()) return;
    try {
      this.element.popover = "manual";
      this.element.showPopover();
      // WebKit does not move what it has drawn; this makes it draw again
      this.element.hidden = hidden || this.#away();
      this.#away(); // now
      this.element.hidden = hidden;
    } catch {
      // it is there already, or the browser has no top layer
    }
  }
}
