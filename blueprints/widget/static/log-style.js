/** How what was said looks, and what stands below it at the end; its colours and controls are those of `panel.css`. */

export const STYLE = `
  .log {
    position: relative;
    display: flex;
    flex: 1;
    flex-direction: column;
    min-height: 0;
    padding: 16px;
    overflow-y: auto;
    overflow-anchor: none; /* the log itself keeps its place */
    overscroll-behavior: contain;
  }

  .panel .log:focus-visible {
    outline-offset: -2px;
  }

  .log > :first-child {
    margin-block-start: auto; /* a few messages stand by the composer */
  }

  .day {
    align-self: center;
    padding: 16px 0 8px;
    color: var(--muted);
    font-size: 13px;
  }

  .day::first-letter {
    text-transform: uppercase;
  }

  .site {
    align-self: center;
    max-width: 85%;
    padding: 8px 0;
    color: var(--muted);
    font-size: 14px;
    text-align: center;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }

  .unread {
    display: flex;
    align-items: center;
    align-self: stretch;
    gap: 8px;
    color: var(--bad);
    font-weight: 600;
  }

  .unread::before,
  .unread::after {
    flex: 1;
    border-block-start: 1px solid;
    content: "";
  }

  /* below the log, not on it: it would cover what was said */
  .newer {
    flex: none;
    align-self: center;
    margin-block: 8px;
    border-color: var(--line);
    border-radius: 20px;
    background: var(--surface);
    box-shadow: 0 4px 16px rgb(16 24 40 / 20%);
    color: var(--accent);
    font-size: 14px;
  }

  .newer::after {
    content: " ↓";
    content: " ↓" / "";
  }

  .older {
    display: grid;
    flex: none;
    gap: 8px;
    padding-block-end: 8px;
  }

  .older .skeleton {
    height: 40px;
    border-radius: 16px;
  }

  .older .mine {
    justify-self: end;
  }

  .line {
    display: grid;
    flex: none;
    justify-items: start;
    margin-block-end: 4px;
  }

  .theirs {
    grid-template-columns: 28px 1fr;
    column-gap: 8px;
  }

  .theirs > .meta {
    grid-column: 2;
  }

  .theirs > .face {
    align-self: end;
    width: 28px;
    height: 28px;
    font-size: 11px;
  }

  .theirs:not(.last) > .face {
    visibility: hidden;
  }

  .line.last {
    margin-block-end: 12px;
  }

  .mine {
    justify-items: end;
  }

  .bubble {
    position: relative;
    max-width: 85%;
    padding: 7px 11px;
    border: 1px solid transparent; /* seen where colours are the system's */
    border-radius: 16px;
    background: var(--theirs);
    font-size: 15px;
    line-height: 22px;
    white-space: pre-wrap;
  }

  .bubble a {
    color: inherit;
  }

  .mine .bubble {
    background: var(--mine);
    color: var(--on-mine);
  }

  .last.theirs .bubble {
    border-end-start-radius: 4px;
  }

  .last.mine .bubble {
    border-end-end-radius: 4px;
  }

  .mine[data-state="failed"] .bubble {
    background: none;
    color: var(--text);
    border: 1px dashed var(--bad);
  }

  .meta {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0 8px;
    min-height: 24px;
    padding: 0 4px;
    color: var(--muted);
    font-size: 13px;
    line-height: 20px;
  }

  .mine > .meta {
    justify-content: flex-end;
  }

  .mine[data-state="failed"] .meta {
    color: var(--bad);
  }

  .meta .link {
    color: inherit;
    font-weight: 600;
    font-size: inherit;
  }

  .meta svg {
    width: 14px;
    height: 14px;
    margin-inline-end: -4px;
    stroke-width: 1.6;
    stroke-linecap: round;
    stroke-linejoin: round;
  }

  .foot {
    display: flex;
    flex: none;
    flex-wrap: wrap;
    align-items: center;
    justify-content: center;
    gap: 8px 16px;
    padding: 16px;
    border-block-start: 1px solid var(--line);
  }

  .foot:focus-visible {
    outline: none;
  }

  .foot p {
    flex-basis: 100%;
    text-align: center;
  }

  .copies {
    flex-basis: 100%;
    text-align: center;
  }

  .head .face:not([hidden]) {
    margin-inline: -8px 8px;
  }

  .who .state {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .who .state::before {
    display: inline-block;
    margin-inline-end: 8px;
    vertical-align: baseline;
  }

  .typing i {
    display: inline-block;
    width: 4px;
    height: 4px;
    margin-inline-end: 4px;
    border-radius: 50%;
    background: currentcolor;
    vertical-align: middle;
    animation: breathe 1.2s ease-in-out infinite;
  }

  .typing i:last-of-type {
    margin-inline-end: 8px;
  }

  .idle {
    flex: none;
    padding: 8px 24px;
    border-block-start: 1px solid var(--line);
    background: var(--soft);
    font-size: 14px;
    line-height: 20px;
    text-align: center;
    text-wrap: balance;
    font-variant-numeric: tabular-nums;
  }

  .queue {
    display: flex;
    flex: none;
    flex-direction: column;
    align-items: center;
    gap: 8px;
    padding: 16px 24px;
    border-block-start: 1px solid var(--line);
    background: var(--soft);
    text-align: center;
  }

  .place {
    font-weight: 600;
    font-size: 17px;
    line-height: 24px;
  }

  .queue p:not(.place) {
    color: var(--muted);
    font-size: 14px;
    line-height: 20px;
    text-wrap: balance;
  }

  @media (forced-colors: active) {
    .mine .bubble {
      border: 3px double;
    }
  }
`;
