"""The users who wait in one department, by priority, then in the order of their tickets.

Tickets are whole numbers: the moment of joining, growing at the back; the
front counts down from 0 for users whose waiter was lost. A user that comes back with an
old number (after a restart, say) gets that position again. A user without a
connection keeps its position and does not hold up those behind it: it is in the
queue, but not among those who can be taken. Joining, leaving, being taken
and coming back with an old ticket look at a few others only, however many wait
(`ranked.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .explaining import Obstacle
from .ranked import Entry, Ranked

#: A user stands by its order: its ticket, less this for each step of its priority.
STEP = 1 << 62  # more than twice the distance of any ticket from 0


@dataclass(slots=True, eq=False)
class User:
    """A user as the desk knows it."""

    uuid: str
    subject: str
    waiter: str | None = None
    #: the number of its conversation, from asking until it has parted
    conversation: int = 0
    present: bool = True
    #: the position that it was last sent, while it waits
    last_sent: int = 0
    #: when it joined the queue, and when it came to the department, on the desk's clock
    since: float = 0.0
    entered: float = 0.0
    #: where it waits, or has waited last; and the department that it has asked for
    department: str = ""
    asked: str = ""
    priority: int = 0
    #: the subject of the waiter who served it last
    last_waiter: str = ""
    #: while it waits: the waiter who has handed it over, and is not to get it back; a UUID
    giver: str = ""
    #: where it comes from
    address: str = ""
    #: the user has written something in its conversation
    spoken: bool = False
    #: its name and picture, as others see them
    name: str = ""
    avatar: str = ""
    #: what it asks, for waiters who look at the queue, and the page that it asks from
    question: str = ""
    page: str = ""
    fields: str = ""
    #: a language tag
    language: str = ""

    def obstacle_to(self, waiter: str) -> Obstacle | None:
        """Why a free *waiter* of its department does not get it; None: it may."""
        return Obstacle.HANDED_OVER if waiter == self.giver else None


class Tickets:
    """The numbers of a desk's tickets, which no two of its queues give twice."""

    __slots__ = ("_back", "_front")

    def __init__(self) -> None:
        self._back = 0
        self._front = 0

    def highest(self, at: int) -> int:
        """At least *at*, above every number given so far, and below any to come.

        Of the numbers at the front their distance from 0 counts.
        """
        return max(self._back, -self._front, at)

    def at_back(self, at: int) -> int:
        """A new number at the back, of at least *at*."""
        self._back = max(self._back + 1, 1 - self._front, at)
        return self._back

    def in_front(self, at: int) -> int:
        """A new number before all others, of up to *-at*."""
        self._front = -max(self._back + 1, 1 - self._front, at)
        return self._front

    def again(self, ticket: int) -> int:
        """*ticket*, which was given before, or a new number if it is above all of them."""
        if ticket > self._back:
            return self.at_back(ticket)
        self._front = min(self._front, ticket)
        return ticket


class UserQueue:
    """A queue of user UUIDs. Not locked: the desk's lock is held around every call."""

    def __init__(self, tickets: Tickets | None = None) -> None:
        self._numbers = tickets or Tickets()
        self._orders: dict[str, int] = {}
        self._all = Ranked()
        self._present = Ranked()  # users who can be taken
        self._absent: set[str] = set()  # users who cannot

    def __len__(self) -> int:
        return len(self._orders)

    def __contains__(self, user: str) -> bool:
        return user in self._orders

    def is_here(self, user: str) -> bool:
        """Whether *user* waits and can be taken."""
        return user in self._orders and user not in self._absent

    @property
    def is_wanted(self) -> bool:
        """Whether a user who is present waits."""
        return len(self._present) > 0

    def _stand(self, user: str, ticket: int, priority: int) -> int:
        order = self._orders[user] = ticket - priority * STEP
        entry = order, user
        self._all.add(entry)
        self._present.add(entry)
        return order

    def join(self, user: str, at: int = 0, priority: int = 0) -> int:
        """Put *user* at the back, with a number of at least *at*; returns how many are ahead."""
        order = self._stand(user, self._numbers.at_back(at), priority)
        return self._all.rank(order) if priority else len(self._orders) - 1

    def rejoin(self, user: str, ticket: int, priority: int = 0) -> int:
        """Put *user* where *ticket* says; returns how many are ahead."""
        return self._all.rank(self._stand(user, self._numbers.again(ticket), priority))

    def join_front(self, users: Iterable[str], at: int = 0, priority: int = 0) -> None:
        """Put *users*, the first foremost, before all of their *priority*; numbered up to *-at*."""
        for user in reversed(list(users)):
            self._stand(user, self._numbers.in_front(at), priority)

    def leave(self, user: str) -> bool:
        """Remove *user*; False when it did not wait."""
        if user not in self._orders:
            return False
        self.away(user)
        self._all.remove((self._orders.pop(user), user))
        self._absent.discard(user)
        return True

    def away(self, user: str) -> None:
        """*user* cannot be taken for now, and stays in its position."""
        if user in self._orders and user not in self._absent:
            self._absent.add(user)
            self._present.remove((self._orders[user], user))

    def back(self, user: str) -> bool:
        """*user* can be taken again, in its old position; False when it could be already."""
        if user not in self._absent:
            return False
        self._absent.discard(user)
        self._present.add((self._orders[user], user))
        return True

    def next(self) -> Entry | None:
        """The foremost user who is not away, and its order; it stays in the queue."""
        return self._present.first()

    def here(self) -> Iterator[Entry]:
        """Those who wait and can be taken, in order, each with its order."""
        return self._present.since(0)

    def firsts(self) -> Iterator[str]:
        """The foremost user of each priority, the absent ones included."""
        rank = 0
        while (entry := next(self._all.since(rank), None)) is not None:
            yield entry[1]
            priority = -round(entry[0] / STEP)
            rank = self._all.rank(STEP // 2 - priority * STEP)

    def ticket(self, user: str) -> int:
        """The number that *user*, who waits, stands in the queue by."""
        return (self._orders[user] + STEP // 2) % STEP - STEP // 2

    def order(self, user: str) -> int:
        """By what *user*, who waits, stands before or behind others."""
        return self._orders[user]

    def position_of(self, order: int) -> int:
        """How many stand before *order*."""
        return self._all.rank(order)

    def everybody(self, since: int = 0) -> Iterator[str]:
        """All users who wait, in order, but for the first *since*; the absent ones included."""
        return (user for _, user in self._all.since(since))
