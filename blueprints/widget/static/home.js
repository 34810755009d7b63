/**
 * Where the launcher is: in the page's own `<csapp-widget>`, or in one of ours beside the body.
 *
 * Routers put another body in the place of the old one, and scripts remove what they do not know.
 * Beside the body none of that happens, and no `filter` or `transform` of the body becomes the window
 * of what is fixed in it. Whatever does happen, the launcher goes where it is seen, as it is.
 */

const NAME = "csapp-widget";
const NEAR = 32; // px: a scroll bar, or the bars of a phone

export class Home {
  /** The element in which the launcher is. */
  element = null;
  /** Returns the element that had the focus in it last; `guard.js` sets this. */
  focused = () => null;

  #own = new Set(); // the page's, which are on it
  #ours;
  #frame;
  #sheets;
  #moved;
  #timer;

  /** For *frame* with *sheets* to begin with. *moved(element)*: it is in another one. */
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
      // the name is taken: that an element comes or goes is not heard then
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

  /** Above all else, where something around us is the window of what is fixed in it. */
  rise() {
    const { hidden } = this.element;
    if (!this.#away()) return;
    try {
      this.element.popover = "manual";
      this.element.showPopover();
      // WebKit leaves where it is what it has drawn: it draws this anew
      this.element.hidden = hidden || this.#away();
      this.#away(); // now
      this.element.hidden = hidden;
    } catch {
      // it is there already, or the browser has no such place
    }
  }
}
