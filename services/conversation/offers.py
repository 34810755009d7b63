"""Choices that a waiter offers (`message_choice`), and which of them a visitor has chosen.

An offer is answered once, by the first text of the visitor that has the id of one of its choices.
Where several offers have that id, the latest of them counts. Clients show it by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from .kinds import CHOICE, TEXT, Side
from .rows import EntryRow

#: offers and answers of a conversation that count, from its end
MOST = 200


@dataclass(slots=True)
class Offer:
    """One entry that offers choices."""

    #: the ids of its choices
    choices: frozenset[str]
    is_answered: bool = False
    #: the client id of the answer; None: it has none
    answer: str | None = None

    def take(self, client_id: str | None) -> None:
        """The visitor has answered it by the text with this *client_id*; the first one counts."""
        if not self.is_answered:
            self.is_answered, self.answer = True, client_id


def offer_of(data: str) -> Offer:
    """What a `message_choice` that is stored with *data* offers."""
    choices = msgspec.json.decode(data)["choices"]
    return Offer(frozenset(one["id"] for one in choices))


def find(offers: list[Offer], choice: str) -> Offer | None:
    """The latest of *offers* that has *choice*."""
    return next((one for one in reversed(offers) if choice in one.choices), None)


def replay(entries: Iterable[EntryRow]) -> list[Offer]:
    """The offers among *entries*, which are in order, and whether each of them is answered."""
    offers: list[Offer] = []
    for entry in entries:
        if entry.kind == CHOICE.number:
            offers.append(offer_of(entry.data or ""))
        elif entry.kind == TEXT.number and entry.side == Side.USER:
            fields: dict[str, Any] = msgspec.json.decode(entry.data or "{}")
            offer = find(offers, fields.get("choice", ""))
            if offer is not None:
                offer.take(entry.client_id)
    return offers
