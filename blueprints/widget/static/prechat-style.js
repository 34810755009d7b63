/** How it looks what a visitor is asked before a chat; colours and controls are those of `panel.css`. */

export const STYLE = `
  .prechat {
    display: grid;
    gap: 16px;
  }

  .choice {
    display: grid;
    gap: 8px;
    min-width: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }

  .choice legend,
  .row label {
    padding: 0;
    font-weight: 600;
    font-size: 15px;
    line-height: 24px;
  }

  .choice legend {
    margin-block-end: 8px;
  }

  .choice label {
    display: grid;
    cursor: pointer;
  }

  .choice input,
  .choice span {
    grid-area: 1 / 1;
  }

  .choice input {
    z-index: 1;
    align-self: center;
    width: 16px;
    height: 16px;
    margin: 0;
    margin-inline-start: 16px;
    justify-self: start;
    accent-color: var(--accent);
    cursor: inherit;
  }

  .choice span {
    min-width: 0;
    padding-block: 9px;
    padding-inline: 44px 16px;
    border: 1px solid var(--edge);
    border-radius: 12px;
    font-weight: 500;
    font-size: 15px;
    line-height: 20px;
    overflow-wrap: anywhere;
    text-align: start;
  }

  .choice label:hover span {
    background: var(--soft);
  }

  .choice :checked + span {
    border-color: var(--accent);
    background: var(--soft);
    box-shadow: inset 0 0 0 1px var(--accent);
  }

  .panel .choice :focus-visible {
    outline: 0;
  }

  .choice :focus-visible + span {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }

  .for:not([hidden]) {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: center;
    gap: 0 8px;
    width: 100%;
  }

  .others:not([hidden]) {
    display: grid;
    flex-basis: 100%;
    gap: 8px;
    max-height: 30vh;
    padding: 8px 4px;
    overflow-y: auto;
  }

  .others button {
    padding: 8px 16px;
    border-color: var(--edge);
    border-radius: 12px;
    font-weight: 500;
    line-height: 20px;
  }

  .queue .refusal {
    flex-basis: 100%;
    color: var(--bad);
  }

  .fields {
    display: grid;
    gap: 16px;
  }

  .row {
    display: grid;
    gap: 4px;
  }

  .row.checkbox {
    grid-template-columns: auto 1fr;
    gap: 4px 12px;
  }

  .row input,
  .row select,
  .row textarea {
    width: 100%;
    min-width: 0;
    min-height: 40px;
    max-height: none;
    padding: 7px 12px;
    border: 1px solid var(--edge);
    border-radius: 12px;
    background: var(--surface);
    color: inherit;
    font: inherit;
    font-size: 16px;
    line-height: 24px;
  }

  .row textarea {
    grid-area: auto; /* below its label; in the composer it has a place of its own */
    min-height: 88px;
    resize: vertical;
  }

  .row [type="checkbox"] {
    width: 20px;
    min-height: 20px;
    height: 20px;
    margin: 2px 0;
    accent-color: var(--accent);
  }

  .row.checkbox label {
    font-weight: 400;
  }

  .row [aria-invalid="true"] {
    border-color: var(--bad);
  }

  .start .wrong {
    grid-column: 1 / -1;
    color: var(--bad);
    font-size: 14px;
    line-height: 20px;
  }

  .wrong:empty,
  .refusal:empty {
    display: none;
  }

  @media (max-width: 480px) {
    .choice span {
      padding-block: 13px;
    }

    .row input:not([type="checkbox"]),
    .row select {
      min-height: 48px;
    }
  }
`;
