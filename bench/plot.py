"""The benchmark's picture, as SVG without a library: bars beside bars."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

BAR, GAP, LEFT, WIDTH = 22, 10, 170, 720
COLOURS = {"flask-sock": "#9aa3b2", "csapp": "#2f5bd7"}
FIGURES = [
    ("closed", "relays_per_s", "relays/s, closed loop"),
    ("pipelined", "relays_per_s", "relays/s, 16 in flight"),
    ("idle", "opens_per_s", "connections opened/s"),
    ("idle", "kib_each", "KiB an idle connection"),
]


def svg(found: dict[str, Any]) -> str:
    """A picture of the medians."""
    parts: list[str] = []
    y = 40
    for scenario, key, title in FIGURES:
        peers = found["medians"].get(scenario)
        if not peers:
            continue
        most = max(figures[key] for figures in peers.values()) or 1
        parts.append(f'<text x="10" y="{y + BAR}" class="title">{escape(title)}</text>')
        for peer, figures in peers.items():
            width = max(2, (WIDTH - LEFT - 170) * figures[key] / most)
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 4}" rx="3" '
                f'fill="{COLOURS[peer]}"/>'
                f'<text x="{LEFT + width + 8:.0f}" y="{y + 14}">'
                f"{escape(peer)} {figures[key]:,.0f}</text>"
            )
            y += BAR
        y += GAP
    head = f"{found['machine']['cpu']}, Python {found['machine']['python']}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" role="img" '
        'aria-label="csapp beside plain flask-sock">'
        "<style>text{font:13px system-ui,sans-serif;fill:#39424e}.title{font-weight:600}"
        "@media(prefers-color-scheme:dark){text{fill:#d5dae1}}</style>"
        f'<text x="10" y="22">{escape(head)}</text>{"".join(parts)}</svg>\n'
    )
