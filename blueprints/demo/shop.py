"""The demo's shop: six made-up pots, with the chat in the corner of every page."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flask import Blueprint, render_template

from ..pages import secured
from ..refusals import nothing_here
from .waiters import SHOWN, WAITERS, Waiter


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to ask about."""

    slug: str  # also names its drawing
    name: str
    price: str
    line: str
    text: str
    facts: tuple[str, ...]


PIECES = (
    Piece(
        "dawn-mug", "Dawn mug", "€ 24", "For the first coffee, and the second.",
        "Thrown a little wider than usual, so that both hands fit around it. The glaze is dipped "
        "by hand and never ends in the same line twice.",
        ("0.35 l", "Stoneware, clay red and cream", "Dishwasher and microwave"),
    ),
    Piece(
        "harbour-teapot", "Harbour teapot", "€ 68", "Pours to the last drop without a drip.",
        "We cut the spout eleven times until it stopped dripping. The lid has a lip and stays on "
        "while you pour.",
        ("1.1 l, four cups", "Stoneware, harbour blue", "By hand, please: the knob is earthenware"),
    ),
    Piece(
        "pebble-bowl", "Pebble bowl", "€ 32", "Big enough for a salad you mean seriously.",
        "Speckled clay from the quarry behind the house, glazed moss green on the inside only. "
        "The outside stays as rough as a stone from the beach.",
        ("26 cm across", "Speckled stoneware", "Dishwasher; not for the oven"),
    ),
    Piece(
        "reed-vase", "Reed vase", "€ 46", "Holds three stems upright, and that is plenty.",
        "The narrow neck keeps a few stems from falling apart. It is glazed on the inside as well, "
        "so it holds water and not only dried reed.",
        ("22 cm high", "Stoneware, sand and blue", "Watertight"),
    ),
    Piece(
        "tide-plate", "Tide plate", "€ 28", "The sea, with room for supper.",
        "Three glazes run into each other in the kiln. What the tide looks like is not up to us, "
        "so every plate is its own.",
        ("27 cm across", "Porcelain", "Dishwasher and microwave; stacks well"),
    ),
    Piece(
        "ember-lantern", "Ember lantern", "€ 54", "A tea light becomes an evening.",
        "We cut the openings while the clay is still soft. A tea light goes in from behind, and "
        "the wall stays cool enough to touch.",
        ("24 cm high with its handle", "Earthenware", "Indoors, or outdoors without rain"),
    ),
)  # fmt: skip


def blueprint() -> Blueprint:
    """`GET /` and `GET /pieces/NAME`; registered before the chat, whose page `/` it replaces."""
    door = Blueprint(
        "csapp_demo",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/demo-static",
    )
    door.after_request(secured)
    pieces = {piece.slug: piece for piece in PIECES}
    shown = os.environ.get(SHOWN, "").split()
    waiters = [waiter for waiter in WAITERS if waiter.name in shown]

    @door.context_processor
    def behind_the_counter() -> dict[str, list[Waiter]]:
        return {"waiters": waiters}

    @door.get("/")
    def shop() -> str:
        """All pieces."""
        return render_template("csapp/demo/shop.html", pieces=PIECES)

    @door.get("/pieces/<slug>")
    def piece(slug: str) -> str:
        """One piece."""
        if slug not in pieces:
            raise nothing_here()
        others = [one for one in PIECES if one.slug != slug][:3]
        return render_template("csapp/demo/piece.html", piece=pieces[slug], others=others)

    return door
