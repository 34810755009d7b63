"""The receipts of what was written lately, so that a repeat costs no query of the database.

A client that has lost its connection sends again what has no receipt yet, and
an attacker sends the same over many connections. Of either the writer need
only know which receipt the first one got. What is forgotten here is found in the
database, at the price of a second commit for everybody whose entries are in the
same batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..conversation.entries import Entries, First, Sender

#: receipts in either half of the memory, 200 bytes each: what 500 clients have in flight at once
MOST = 8192

#: client id → the fields of `First`
Known = dict[str, tuple[int, int, int]]

NOTHING: Known = {}


def fingerprint(kind: int, words: str, data: str | None) -> int:
    """Tells entries apart that say different things under one client id."""
    return hash(words) if data is None else hash((kind, words, data))


class Repeats:
    """Two halves: when the younger one is full it becomes the older one, which is forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young: dict[Sender, Known] = {}
        self._old: dict[Sender, Known] = {}
        self._count = 0  # in the younger half

    def remember(self, entries: Entries) -> None:
        """Remember the receipts of *entries*, which are stored, and of what they repeat."""
        ids = entries.client_ids
        if ids is None:
            return
        known = self._young.get(sender := entries.sender)
        if known is None:
            known = self._young[sender] = {}
        date, kind, data = entries.date, entries.kind.number, entries.data
        for one, seq, text in zip(ids, entries.seqs, entries.texts, strict=True):
            if one is not None:
                said = hash(text) if data is None else fingerprint(kind, text, data)  # mostly texts
                known[one] = seq, date, said
        for one, first in entries.repeats:
            if first is not None:
                known[one] = first
        self._count += len(ids) + len(entries.repeats)
        if self._count >= self._most:
            self._young, self._old, self._count = {}, self._young, 0

    def find(self, sender: Sender, ids: Sequence[str | None]) -> Known:
        """Those of *ids* that *sender* is known to have used."""
        young, old = self._young.get(sender, NOTHING), self._old.get(sender, NOTHING)
        found = NOTHING
        if young or old:
            for one in ids:
                if one in young or one in old:
                    if found is NOTHING:
                        found = {}
                    found[one] = young[one] if one in young else old[one]
        return found


def set_apart(entries: Entries, found: Known) -> None:
    """Move what is *found* from the texts of *entries* to their repeats."""
    texts: list[str] = []
    ids: list[str | None] = []
    kind, data = entries.kind.number, entries.data
    for one, text in zip(entries.client_ids or (), entries.texts, strict=True):
        if one is None or one not in found:
            texts.append(text)
            ids.append(one)
        else:
            first = First(*found[one])
            is_same = first.fingerprint == fingerprint(kind, text, data)
            entries.repeats.append((one, first if is_same else None))
    entries.texts, entries.client_ids = texts, ids


def put_back(groups: Iterable[Entries]) -> None:
    """Undo `set_apart` for *groups* that will not be stored: their repeats are refused as well."""
    for entries in groups:
        if entries.repeats:
            ids = [one for one, _ in entries.repeats]
            entries.client_ids = [*ids, *(entries.client_ids or ())]
            entries.texts = [""] * len(ids) + entries.texts
            entries.repeats = []
