/** The drawings on buttons. */

import { html } from "../lib.js";

const DRAWINGS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  replies: "M4 5h16v11H9l-5 4zM8 9h8M8 12h5",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  silent: "M6 16V11a6 6 0 0 1 9-5M18 12v4l2 2H4M10 21h4M4 4l16 16",
  help: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 17.5v.5",
  key: "M15 4a5 5 0 0 0-4.7 6.7L4 17v3h3l1-1v-2h2v-2h2l1.3-1.3A5 5 0 1 0 15 4zM16.5 7.5v.01",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  back: "M14 5l-7 7 7 7",
  transfer: "M4 8h13l-4-4M20 16H7l4 4",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c0-4 4-6 8-6s8 2 8 6",
  attach: "M20 11.5l-8 8a5 5 0 0 1-7-7L13.5 4a3.3 3.3 0 0 1 4.7 4.7L10 17a1.7 1.7 0 0 1-2.4-2.4L15 7.2",
  close: "M6 6l12 12M18 6L6 18",
  star: "M12 3l2.8 5.8 6.2.9-4.5 4.4 1.1 6.2L12 17.4l-5.6 2.9 1.1-6.2L3 9.7l6.2-.9z",
  send: "M4 12l16-8-6 16-3-6z",
};

/** A drawing that says nothing to a screen reader. */
export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${DRAWINGS[name]} /></svg>
`;

/** A button that is only a drawing, and says what it does. */
export const IconButton = ({ icon, label, keys, ...more }) => html`
  <button type="button" class="iconic" aria-label=${label}
          title=${keys ? `${label} (${keys})` : label} ...${more}><${Icon} name=${icon} /></button>
`;
