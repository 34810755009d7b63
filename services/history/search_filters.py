"""What a search is narrowed down to: to filters, and to what its reader may see.

A filter is a condition on the conversation `c` of an entry; dates are those of the entry `m`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..conversation.kinds import RATING, Side

SERVED_BY = (
    "(c.waiter_subject = :subject OR EXISTS (SELECT 1 FROM message w "
    f"WHERE w.chat = c.key AND w.author = :subject AND w.side = {int(Side.WAITER)}))"
)
READABLE_BY = (
    "EXISTS (SELECT 1 FROM chat o JOIN service s ON s.chat = o.key "
    "WHERE o.user_subject = c.user_subject AND s.waiter = :subject)"
)

#: by database: the stars of the last rating of `c`
_STARS = {
    "sqlite": "json_extract(r.data, '$.rate')",
    "postgresql": "CAST(CAST(r.data AS json) ->> 'rate' AS integer)",
}
_RATED = (
    "(SELECT {stars} FROM message r "
    f"WHERE r.chat = c.key AND r.kind = {RATING.number} ORDER BY r.seq DESC LIMIT 1)"
)


#: ms by which the dates of entries may disagree with their order: a clock that was set wrong
SLACK = 86_400_000


@dataclass(frozen=True, slots=True)
class Filters:
    """Which conversations and entries a search looks at; all of them by default."""

    #: the subject of a waiter who serves or served in the conversation
    waiter: str | None = None
    #: its department; `""` is that of visitors who ask for none
    department: str | None = None
    #: ms since 1970: entries from *since* on, until before *until*
    since: int | None = None
    until: int | None = None
    #: stars of its last rating
    ratings: frozenset[int] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return self != _ALL

    def conversations(self, dialect: str) -> Iterator[str]:
        """Conditions on the conversation `c`."""
        if self.waiter is not None:
            yield "EXISTS (SELECT 1 FROM service t WHERE t.chat = c.key AND t.waiter = :waiter)"
        if self.department is not None:
            yield "c.department = :department"
        if self.ratings:
            # The partial index on ratings is far smaller than that on entries.
            yield f"{rated(dialect)} IN ({', '.join(map(str, sorted(self.ratings)))})"

    def dates(self, column: str) -> Iterator[str]:
        """Conditions on *column*, a date."""
        if self.since is not None:
            yield f"{column} >= :since"
        if self.until is not None:
            yield f"{column} < :until"

    def values(self) -> dict[str, Any]:
        """What the conditions refer to."""
        named = ("waiter", "department", "since", "until")
        found = {name: getattr(self, name) for name in named}
        return {name: value for name, value in found.items() if value is not None}


_ALL = Filters()


def rated(dialect: str) -> str:
    """The stars of the conversation `c`, by the last rating; NULL without one."""
    return _RATED.format(stars=_STARS[dialect])


def first_number(connection: sa.Connection, date: int) -> int:
    """A number below which no entry was written at *date* (ms) or later.

    Entries are numbered in the order of their commits, which is that of their dates but for
    clocks that are wrong: allow for `SLACK`. So dates need no index.
    """
    at = sa.text("SELECT n, date FROM message WHERE n >= :n ORDER BY n LIMIT 1")
    first = 0
    end = connection.exec_driver_sql("SELECT coalesce(max(n), 0) + 1 FROM message").scalar_one()
    while first < end:
        middle = (first + end) // 2
        row = connection.execute(at, {"n": middle}).one_or_none()
        if row is None or row[1] >= date:
            end = middle
        else:
            first = int(row[0]) + 1
    return first
