/** Emoji to choose from, loaded when somebody wants one. Screen readers have names for them. */

import { button, element, wear } from "./dom.js";

const EMOJI =
  "😀 😄 😁 😂 😊 🙂 😉 😍 😘 😅 🤗 🤔 😐 😕 🙁 😢 😭 😡 😱 😴 🙈 👍 👎 👌 👏 🙏 💪 👋 🤝 ✌️ " +
  "❤️ 💙 💚 💛 💔 ⭐ ✨ 🎉 🎁 🔥 💯 ✅ ❌ ❓ ❗ ☕ 🍕 🎂 🌸 ☀️ 🌧️ ⏰ 📦 🚚";

const COLUMNS = 9;

const STYLE = `
  .emojis {
    display: grid;
    flex: none;
    grid-template-columns: repeat(${COLUMNS}, 1fr);
    max-height: 176px;
    margin: 0 16px 8px;
    padding: 4px;
    overflow-y: auto;
    border: 1px solid var(--line);
    border-radius: 12px;
  }

  :where(.emojis) button {
    min-height: 36px;
    padding: 0;
    border: 0;
    font-size: 20px;
  }
`;

export class Emoji {
  element = element("div", "emojis", "", { role: "group", part: "emojis" });
  #button;

  /** *opener* is the button that opens it and names it; *choose(emoji)* is called with one. */
  constructor(opener, choose) {
    this.#button = opener;
    wear(opener, STYLE);
    this.element.hidden = true;
    this.element.setAttribute("aria-label", opener.getAttribute("aria-label"));
    for (const one of EMOJI.split(" ")) this.element.append(button("", one, () => choose(one)));
    this.element.addEventListener("keydown", (event) => this.#press(event));
    this.#reach(this.element.firstChild);
  }

  /** Open it, or close it and go back to its button. */
  toggle(open = this.element.hidden) {
    if (open !== this.element.hidden) return;
    this.element.hidden = !open;
    this.#button.setAttribute("aria-expanded", open);
    if (open) this.element.querySelector("[tabindex='0']").focus();
    else if (!open) this.#button.focus();
  }

  #press(event) {
    const all = [...this.element.children];
    const at = all.indexOf(event.target);
    const forward = getComputedStyle(this.element).direction === "rtl" ? -1 : 1;
    const steps = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };
    const to = { Home: 0, End: all.length - 1 }[event.key] ?? (event.key in steps ? at + steps[event.key] : -1);
    if (event.key === "Escape") this.toggle(false);
    else if (!all[to]) return;
    else this.#reach(all[to]).focus();
    event.preventDefault();
    event.stopPropagation(); // Escape closes this, and not the panel
  }

  /** The Tab key reaches one of them at a time. */
  #reach(one) {
    for (const other of this.element.children) other.tabIndex = other === one ? 0 : -1;
    return one;
  }
}
