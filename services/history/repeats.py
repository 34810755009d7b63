"""The receipts of what was said lately, so that a repeat costs no question to the database.

A client that has lost its connection sends again what has no receipt yet, and
an attacker sends the same over many connections. Of either the writer need
only know what the first one was given. What is forgotten here is found in the
database, at the price of a second commit for everybody whose texts are in the
same batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

#: receipts in either half of the memory, 200 bytes each: what 500 clients have in flight at once
MOST = 8192

#: chat, side, author, client id
Key = tuple[int, int, str, str]


class First(NamedTuple):
    """What is stored of the message that is repeated."""

    seq: int
    date: int
    #: `hash` of its text: the text itself may be long
    said: int


class Said(Protocol):
    """Of a `Saying`, what is needed here."""

    texts: list[str]
    client_ids: Sequence[str | None] | None
    seqs: Sequence[int]
    date: int
    repeats: list[tuple[str, First | None]]

    @property
    def sender(self) -> tuple[int, int, str]:
        """Chat, side and author."""


def keys(saying: Said) -> list[Key]:
    """Of each text that has a client id."""
    sender = saying.sender
    return [(*sender, one) for one in saying.client_ids or () if one is not None]


class Repeats:
    """Two halves: when the younger one is full it becomes the older one, which is forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young: dict[Key, First] = {}
        self._old: dict[Key, First] = {}

    def remember(self, saying: Said) -> None:
        """*saying* is stored; and so is what it repeats."""
        if saying.client_ids is None:
            return
        sender, date = saying.sender, saying.date
        for one, seq, text in zip(saying.client_ids, saying.seqs, saying.texts, strict=True):
            if one is not None:
                self._young[(*sender, one)] = First(seq, date, hash(text))
        for one, first in saying.repeats:
            if first is not None:
                self._young[(*sender, one)] = first
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young

    def find(self, asked: list[Key]) -> dict[Key, First]:
        """Those of *asked* that are known to be stored."""
        young, old = self._young, self._old
        return {key: young.get(key) or old[key] for key in asked if key in young or key in old}


def split(saying: Said, found: dict[Key, First]) -> None:
    """Move from the texts of *saying* to its repeats what is *found*."""
    sender = saying.sender
    texts: list[str] = []
    ids: list[str | None] = []
    for one, text in zip(saying.client_ids or (), saying.texts, strict=True):
        first = None if one is None else found.get((*sender, one))
        if first is None or one is None:
            texts.append(text)
            ids.append(one)
        else:
            saying.repeats.append((one, first if first.said == hash(text) else None))
    saying.texts, saying.client_ids = texts, ids


def join(sayings: Iterable[Said]) -> None:
    """They will not be stored: what they repeat is refused with them, and will be sent again."""
    for saying in sayings:
        if saying.repeats:
            ids = [one for one, _ in saying.repeats]
            saying.client_ids = [*ids, *(saying.client_ids or ())]
            saying.texts = [""] * len(ids) + saying.texts
            saying.repeats = []
