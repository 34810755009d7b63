/** How the gallery looks: in the colours of the system, so that it suits every page, by day and by night. */

export const STYLE = `
  .gallery {
    position: fixed;
    inset: 0;
    box-sizing: border-box;
    width: 100%;
    max-width: none;
    height: 100%;
    max-height: none;
    margin: 0;
    padding: env(safe-area-inset-top) env(safe-area-inset-right) env(safe-area-inset-bottom)
      env(safe-area-inset-left);
    overflow: hidden;
    border: 0;
    outline: none;
    background: Canvas;
    color: CanvasText;
    font: 16px/24px system-ui, sans-serif;
  }

  .gallery[open] {
    display: grid;
    grid-template: auto minmax(0, 1fr) / auto minmax(0, 1fr) auto;
    animation: gallery 160ms ease-out;
  }

  @keyframes gallery {
    from {
      opacity: 0;
    }
  }

  .gallery-head {
    grid-column: 1 / -1;
    display: flex;
    align-items: center;
    gap: 8px;
    min-width: 0;
    padding: 8px;
    padding-inline-start: 24px;
  }

  .gallery-head p {
    flex: 1;
    min-width: 0;
    margin: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .gallery-act {
    box-sizing: border-box;
    display: grid;
    flex: none;
    place-items: center;
    align-self: center;
    width: 48px;
    height: 48px;
    margin: 0;
    padding: 12px;
    border: 0;
    border-radius: 8px;
    background: none;
    color: inherit;
    cursor: pointer;
  }

  .gallery-act:hover {
    background: rgb(128 128 128 / 20%);
  }

  .gallery-act:focus-visible {
    outline: 2px solid CanvasText;
    outline-offset: -2px;
  }

  .gallery-act[hidden] {
    display: grid !important;
    visibility: hidden;
  }

  .gallery-act svg {
    width: 24px;
    height: 24px;
  }

  [dir="rtl"] .gallery-side svg {
    transform: scaleX(-1);
  }

  .gallery-middle {
    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr);
    place-items: center;
    min-width: 0;
    min-height: 0;
    padding: 0 8px 24px;
    touch-action: pan-y pinch-zoom;
  }

  .gallery-middle > * {
    grid-area: 1 / 1;
    min-width: 0;
    max-width: 100%;
    max-height: 100%;
    margin: 0;
  }

  .gallery-middle img {
    object-fit: contain;
    user-select: none;
  }

  .gallery-unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  @media (max-width: 480px) {
    .gallery[open] {
      grid-template: auto minmax(0, 1fr) auto / 1fr 1fr;
    }

    .gallery-middle {
      grid-area: 2 / 1 / 3 / 3;
      padding: 0;
    }

    .gallery-side {
      grid-row: 3;
      justify-self: start;
      margin: 8px;
    }

    .gallery-side ~ .gallery-side {
      justify-self: end;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .gallery[open] {
      animation: none;
    }
  }
`;
