/** Elements, without markup in strings: what people write goes in as text only. */

const SVG = "http://www.w3.org/2000/svg";

/** Shapes on 24 × 24. */
const ICONS = {
  clip: "M16.5 6.2v10.9a4.4 4.4 0 0 1-8.8 0V5.6a2.9 2.9 0 0 1 5.8 0v10.2a1.4 1.4 0 0 1-2.8 0V6.7H9.2v9.1a2.9 2.9 0 0 0 5.8 0V5.6a4.4 4.4 0 0 0-8.8 0v11.5a5.9 5.9 0 0 0 11.8 0V6.2z",
  down: "M5 8.5 6.4 7.1 12 12.7l5.6-5.6L19 8.5l-7 7z",
  emoji: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 1.8a7.2 7.2 0 1 1 0 14.4 7.2 7.2 0 0 1 0-14.4zM8.2 9v2h2V9zM13.8 9v2h2V9zM7.8 13.5a4.6 4.6 0 0 0 8.4 0z",
  send: "M3 20.5v-7L12 12l-9-1.5v-7L22 12z",
  sound: "M4 9v6h4l5 5V4L8 9zM15.5 8v8a4.5 4.5 0 0 0 0-8zM15 4.2v2.1a6 6 0 0 1 0 11.4v2.1a8 8 0 0 0 0-15.6z",
  muted: "M4 9v6h4l5 5V4L8 9zM21.5 9.9l-1.4-1.4-2.1 2.1-2.1-2.1-1.4 1.4 2.1 2.1-2.1 2.1 1.4 1.4 2.1-2.1 2.1 2.1 1.4-1.4-2.1-2.1z",
};

/** An element with a class, a text, and attributes. */
export function element(tag, className = "", text = "", attributes = {}) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A button that calls *press*. */
export function button(className, text, press) {
  const made = element("button", className, text, { type: "button" });
  made.addEventListener("click", press);
  return made;
}

/** A picture of one *path* on *size* × *size*, filled or, with *stroke*, drawn as a line. */
export function drawing(size, path = "", stroke = false) {
  const svg = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", path);
  shape.setAttribute("fill", stroke ? "none" : "currentColor");
  if (stroke) shape.setAttribute("stroke", "currentColor");
  svg.append(shape);
  return svg;
}

/** A button that shows one of `ICONS`; `look(name, shape)` changes it. */
export function iconButton(className, press) {
  const made = button(`icon ${className}`, "", press);
  const svg = drawing(24);
  made.append(svg);
  made.look = (name, shape) => {
    made.setAttribute("aria-label", name);
    made.title = name;
    svg.firstChild.setAttribute("d", ICONS[shape]);
  };
  return made;
}

/** Have the style *text* where *element* is. */
export function wear(element, text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  element.getRootNode().adoptedStyleSheets.push(sheet);
}
