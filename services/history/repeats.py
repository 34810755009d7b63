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

from ..conversation.kinds import Kind

#: receipts in either half of the memory, 200 bytes each: what 500 clients have in flight at once
MOST = 8192

#: who says something: chat, side and author
Sender = tuple[int, int, str]


class First(NamedTuple):
    """What is stored of the message that is repeated."""

    seq: int
    date: int
    #: `mark` of what it says: that itself may be long
    said: int


def mark(kind: int, words: str, data: str | None) -> int:
    """Tells entries apart that say different things under one client id."""
    return hash(words) if data is None else hash((kind, words, data))


class Said(Protocol):
    """Of a `Saying`, what is needed here."""

    kind: Kind
    texts: list[str]
    data: str | None
    client_ids: Sequence[str | None] | None
    seqs: Sequence[int]
    date: int
    repeats: list[tuple[str, First | None]]

    @property
    def sender(self) -> Sender:
        """With a client id it names one message."""


#: client id → the fields of `First`
Known = dict[str, tuple[int, int, int]]

NOTHING: Known = {}


class Repeats:
    """Two halves: when the younger one is full it becomes the older one, which is forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young: dict[Sender, Known] = {}
        self._old: dict[Sender, Known] = {}
        self._count = 0  # in the younger half

    def remember(self, entries: Said) -> None:
        """Remember the receipts of *saying*, which is stored, and of what it repeats."""
        ids = entries.client_ids
        if ids is None:
            return
        known = self._young.get(sender := entries.sender)
        if known is None:
            known = self._young[sender] = {}
        date, kind, data = entries.date, entries.kind.number, entries.data
        for one, seq, text in zip(ids, entries.seqs, entries.texts, strict=True):
            if one is not None:
                said = hash(text) if data is None else mark(kind, text, data)  # mostly a text
                known[one] = seq, date, said
        for one, first in entries.repeats:
            if first is not None:
                known[one] = first
        self._count += len(ids) + len(entries.repeats)
        if self._count >= self._most:
            self._young, self._old, self._count = {}, self._young, 0

    def find(self, sender: Sender, ids: Sequence[str | None]) -> Known:
        """Those of *ids* that *sender* is known to have said."""
        young, old = self._young.get(sender, NOTHING), self._old.get(sender, NOTHING)
        found = NOTHING
        if young or old:
            for one in ids:
                if one in young or one in old:
                    if found is NOTHING:
                        found = {}
                    found[one] = young[one] if one in young else old[one]
        return found


def split(entries: Said, found: Known) -> None:
    """Move from the texts of *saying* to its repeats what is *found*."""
    texts: list[str] = []
    ids: list[str | None] = []
    kind, data = entries.kind.number, entries.data
    for one, text in zip(entries.client_ids or (), entries.texts, strict=True):
        if one is None or one not in found:
            texts.append(text)
            ids.append(one)
        else:
            first = First(*found[one])
            is_same = first.said == mark(kind, text, data)
            entries.repeats.append((one, first if is_same else None))
    entries.texts, entries.client_ids = texts, ids


def join(groups: Iterable[Said]) -> None:
    """Undo `split` for *sayings* that will not be stored: their repeats are refused as well."""
    for entries in groups:
        if entries.repeats:
            ids = [one for one, _ in entries.repeats]
            entries.client_ids = [*ids, *(entries.client_ids or ())]
            entries.texts = [""] * len(ids) + entries.texts
            entries.repeats = []
