/** The choices below a message: a group of radio buttons, of which the visitor takes one. Loaded with the log. */

import { element } from "./dom.js";

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

export const CHOICES_STYLE = `
  .choices {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
    max-width: 100%;
    padding-block: 8px 4px;
  }

  .theirs > .choices {
    grid-column: 2;
  }

  .mine > .choices {
    justify-content: flex-end;
  }

  .panel .choices button {
    min-height: 40px;
    max-width: 100%;
    padding: 8px 16px;
    border-color: var(--accent);
    border-radius: 20px;
    line-height: 22px;
    text-align: start;
    overflow-wrap: anywhere;
  }

  .panel .choices [aria-disabled="true"] {
    border: 1px dashed var(--edge);
    background: none;
    color: var(--muted);
    font-weight: 400;
    cursor: default;
  }

  .panel .choices [aria-checked="true"] {
    border: 1px solid var(--accent);
    background: var(--soft);
    color: var(--text);
    font-weight: 600;
  }

  .choices [aria-checked="true"]::before {
    content: "✓ ";
    content: "✓ " / "";
  }
`;

export class Choices {
  element;

  #buttons;
  #isOpen = false;

  /** Of *message*; *take(choice)* is called with the one that the visitor takes. */
  constructor({ text, choices }, take) {
    this.element = element("div", "choices", "", { role: "radiogroup", "aria-label": text, part: "choices" });
    this.#buttons = choices.map((choice) => {
      const one = element("button", "", choice.text, { type: "button", role: "radio", dir: "auto" });
      one.addEventListener("click", () => this.#isOpen && take(choice));
      return one;
    });
    this.element.append(...this.#buttons);
    this.element.addEventListener("keydown", (event) => this.#move(event));
  }

  /** *offer*, as `kit/choices.js` has it; *isOpen*: something can be taken at all. */
  show({ choices }, { answer, ...offer }, isOpen) {
    this.#isOpen = isOpen && offer.isOpen;
    const chosen = choices.findIndex(({ id }) => id === answer?.choice);
    this.#buttons.forEach((one, at) => {
      one.setAttribute("aria-checked", at === chosen);
      one.setAttribute("aria-disabled", !this.#isOpen);
      one.tabIndex = this.#isOpen && at === 0 ? 0 : -1;
    });
  }

  /** Arrows go from one to the next, and take none: that sends it. */
  #move(event) {
    const step = STEPS[event.key];
    const at = this.#buttons.indexOf(event.target);
    if (!step || at < 0 || !this.#isOpen) return;
    event.preventDefault();
    const isBackwards = event.key.match("Left|Right") && getComputedStyle(this.element).direction === "rtl";
    const count = this.#buttons.length;
    const next = this.#buttons[(at + (isBackwards ? -step : step) + count) % count];
    for (const one of this.#buttons) one.tabIndex = one === next ? 0 : -1;
    next.focus();
  }
}
