"""Entries that are under way: written, and not yet known to be stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

from .conversation import Conversation
from .kinds import TEXT, Kind
from .rows import Row

#: who writes: the key of the conversation, the side and the author
Sender = tuple[int, int, str]


class First(NamedTuple):
    """What is stored of an entry that was sent again."""

    seq: int
    date: int
    #: `repeats.fingerprint` of its words and data, which may be long
    fingerprint: int


class Entries:
    """Entries that one side of a conversation wrote at once; *client_ids* in version 2.

    Their words are *texts*. Only texts come several at once; an entry with *data* (see
    `kinds.Body`) comes alone.
    """

    __slots__ = (
        "author",
        "client_ids",
        "conversation",
        "data",
        "date",
        "is_unfit",
        "kind",
        "on_committed",
        "refused",
        "repeats",
        "seqs",
        "side",
        "stored",
        "texts",
    )  # fmt: skip

    def __init__(
        self,
        conversation: Conversation,
        side: int,
        author: str,
        texts: list[str],
        client_ids: Sequence[str | None] | None,
        on_committed: Callable[[Entries], None],
        kind: Kind = TEXT,
        data: str | None = None,
    ) -> None:
        self.conversation = conversation
        self.side = side
        self.author = author
        #: once they are stored, only the new ones; `repeats` names the others
        self.texts = texts
        self.kind = kind
        self.data = data
        self.client_ids = client_ids
        #: called on the loop when the entries are stored, or will not be
        self.on_committed = on_committed
        self.date = 0
        self.seqs: Sequence[int] = ()
        self.stored = False
        #: the database accepts no such entry, now or later
        self.is_unfit = False
        #: these are not stored, though others of their batch are
        self.refused = False
        #: client ids that were stored before, with what was stored; None: it says something else
        self.repeats: list[tuple[str, First | None]] = []

    @property
    def sender(self) -> Sender:
        """Who has written them. With a client id it names one entry."""
        return self.conversation.row.key, self.side, self.author

    def rows(self) -> Iterator[Row]:
        """What is to be stored."""
        columns = (
            repeat(self.conversation.row.key),
            self.seqs,
            repeat(self.side),
            repeat(self.author),
            repeat(None) if self.client_ids is None else self.client_ids,
            repeat(self.kind.number),
            self.texts,
            repeat(self.date),
        )
        if self.data is None:
            return zip(*columns, strict=False)
        return zip(*columns, repeat(self.data), strict=False)
