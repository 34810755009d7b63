/** How files in messages look; colours are those of `panel.css`. */

export const FILE_STYLE = `
  .bubble.picture {
    padding: 0;
    border: 0;
    overflow: hidden;
    background: var(--theirs);
  }

  .view {
    display: block;
    width: 100%;
    min-height: 0;
    padding: 0;
    border: 0;
    border-radius: inherit;
    background: none;
    line-height: 0;
    cursor: zoom-in;
  }

  .view:disabled {
    cursor: default;
  }

  .view :is(img, canvas) {
    width: 100%;
    height: 100%;
    object-fit: cover;
  }

  .panel .view:focus-visible {
    outline-offset: -4px;
  }

  .bubble.document {
    min-width: 200px;
  }

  .file {
    display: grid;
    grid-template-columns: 32px 1fr;
    align-items: center;
    column-gap: 8px;
    min-height: 40px;
    text-decoration: none;
  }

  .file svg {
    width: 32px;
    height: 32px;
  }

  .file b {
    display: block;
    font-weight: 600;
    text-decoration: underline;
    text-decoration-thickness: 1px;
    text-underline-offset: 2px;
  }

  .file:not([href]) b {
    text-decoration: none;
  }

  .file span {
    display: block;
    font-size: 13px;
    line-height: 20px;
  }

  .coming {
    height: 4px;
    margin-block-start: 8px;
    overflow: hidden;
    border-radius: 2px;
    background: rgb(128 128 128 / 40%);
  }

  .picture .coming {
    position: absolute;
    inset: auto 12px 12px;
    height: 6px;
    border: 1px solid #fff;
    border-radius: 3px;
    background: rgb(16 24 40 / 60%);
  }

  .coming i {
    display: block;
    height: 100%;
    background: currentcolor;
    transition: width 160ms;
  }

  .picture .coming i {
    background: #fff;
  }

  .mine[data-state="uploading"] .view {
    opacity: 0.7;
  }

  .mine[data-state="failed"] .picture {
    border: 1px dashed var(--bad);
  }

  @media (forced-colors: active) {
    .coming {
      border: 1px solid;
    }

    .coming i {
      background: Highlight;
    }
  }
`;
