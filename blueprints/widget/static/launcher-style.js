/** How the launcher looks; the panel's own style takes its colours from here. */

export const STYLE = `
  :host {
    all: initial !important;
    position: fixed !important;
    inset: auto 0 0 auto !important;
    display: block !important;
    width: 0 !important;
    height: 0 !important;
    z-index: var(--csapp-z-index, 2147483000) !important;
  }
  @media print { :host { display: none !important; } }
  * { box-sizing: border-box; }
  :host([hidden]), [hidden] { display: none !important; }
  .csapp {
    --day: initial; /* see panel.css */
    --night: ;
    --accent: var(--csapp-accent, var(--day, #2f5bd7) var(--night, #8cabff));
    --on-accent: var(--csapp-on-accent, var(--day, #fff) var(--night, #0c1633));
    --surface: var(--csapp-surface, var(--day, #fff) var(--night, #1a1d22));
    --text: var(--csapp-text, var(--day, #1b1f26) var(--night, #e7e9ed));
    --line: var(--csapp-line, var(--day, #e1e4e9) var(--night, #2d323a));
    --gap: var(--csapp-gap, 24px);
    --size: var(--csapp-size, 56px);
    color: var(--text);
    font: 16px/1.5 var(--csapp-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
    text-align: start;
    overflow-wrap: anywhere;
  }
  @media (prefers-color-scheme: dark) {
    .csapp[data-theme="auto"] { --day: ; --night: initial; }
  }
  .csapp[data-theme="dark"] { --day: ; --night: initial; }
  .launcher, .note {
    position: fixed;
    inset-block-end: calc(var(--gap) + env(safe-area-inset-bottom, 0px));
    inset-inline-end: var(--gap);
  }
  [data-position="start"] > * { inset-inline: var(--gap) auto; }
  .launcher {
    display: grid;
    place-items: center;
    width: var(--size);
    height: var(--size);
    padding: 0;
    border: 1px solid transparent;
    border-radius: 50%;
    background: var(--accent);
    color: var(--on-accent);
    box-shadow: 0 1px 3px rgb(16 24 40 / 16%), 0 8px 24px rgb(16 24 40 / 20%);
    cursor: pointer;
    transition: transform 160ms, opacity 160ms;
  }
  .launcher:hover { transform: scale(1.05); }
  .launcher:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  .launcher[aria-busy="true"] { opacity: 0.6; }
  .launcher svg { width: 50%; height: 50%; fill: currentcolor; fill-rule: evenodd; }
  .note {
    max-width: min(320px, calc(100vw - 3 * var(--gap) - var(--size)));
    margin: 0 calc(var(--size) + 16px);
    padding: 8px 16px;
    border: 1px solid var(--line);
    border-radius: 12px;
    background: var(--surface);
    box-shadow: 0 8px 24px rgb(16 24 40 / 16%);
  }
  @media (prefers-reduced-motion: reduce) {
    *, ::before, ::after { animation: none !important; transition: none !important; }
  }
`;
