/** How the form looks with which a message is left; colours and controls are those of `panel.css`, its fields those of `prechat-style.js`. */

export const FORM_STYLE = `
  .foot.whole {
    flex: 9999; /* all that is there: the middle of the panel is empty */
    align-items: stretch;
    min-height: 0;
    padding: 0;
    border: 0;
    overflow-y: auto;
  }

  .leave {
    display: grid;
    flex: 1;
    align-content: start;
    gap: 16px;
    min-width: 0;
    padding: 0 24px 24px;
  }

  .leave h2 {
    font-size: 20px;
    line-height: 24px;
  }

  .foot .leave p {
    text-align: start;
  }

  .leave > p:not(.state) {
    color: var(--muted);
    font-size: 15px;
    line-height: 24px;
  }

  .leave .wrong,
  .leave > .wrong:not(.state) {
    color: var(--bad);
    font-size: 14px;
    line-height: 20px;
  }

  .buttons {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px 16px;
  }
`;
