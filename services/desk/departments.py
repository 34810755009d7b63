"""What a desk is told of departments: their rules, and where users and waiters belong.

A department is a queue of its own, and a pool of the waiters who are its members. The
department `""` is always there: a site without departments has only this one, and a
waiter who is a member of none belongs to it.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

#: priorities of members, and of visitors: 0 to this
MOST_PRIORITY = 9

#: moves of a user at once, through departments that pass it on as soon as it comes
MOST_MOVES = 10


class Member(NamedTuple):
    """That a waiter belongs to a department."""

    department: str
    #: a free waiter takes users from its department of the highest priority first
    priority: int = 0


#: where a waiter belongs who is a member of no department
NOWHERE = (Member(""),)


class Department(Struct, frozen=True, omit_defaults=True):
    """The rules of one department."""

    key: str
    #: users in its queue; 0: only the bound of all queues counts
    max_queue: int = 0
    #: the department to which a user moves that has waited too long; None: to none
    overflow_to: str | None = None
    #: s until then; 0: a user moves as soon as it asks
    overflow_after: int = 0
    #: users may come to it from other departments
    is_open: bool = True
    #: s in which a waiter has to write something to a user that it has got; 0: never; None: as
    #: the desk asks of all
    answer_within: int | None = None


class Rules(Struct, frozen=True, omit_defaults=True):
    """The departments of a site."""

    #: grows with each change
    number: int = 0
    #: by their keys; `""` may have rules as well
    departments: dict[str, Department] = field(default_factory=dict)


class Route(NamedTuple):
    """Where a user wants to be served, and by whom best."""

    #: where it stands in the queue
    department: str = ""
    #: the department that it has asked for; it may have moved since. None: the same
    asked: str | None = None
    #: users of a higher priority are served first
    priority: int = 0
    #: the subject of the waiter who served it last, as far as the history knows
    last_waiter: str = ""
    #: it has named no department: if it waits already, it stays where it is
    stays: bool = False
    #: a language tag: in which the site speaks to it by itself; empty: nobody knows
    language: str = ""

    @property
    def wanted(self) -> str:
        """The department that the user asks for."""
        return self.department if self.asked is None else self.asked


#: of a user who asks for no department
ANYWHERE = Route()


class Load(NamedTuple):
    """How busy one department is."""

    #: waiters who are here and ready
    ready: int
    queue_length: int
    #: s that the first in the queue has waited; of the first ones of each priority the longest
    longest_wait: float
