"""The users who wait, in the order of their tickets.

Tickets are whole numbers: the moment of joining, growing at the back; the
front counts down from 0 for users whose waiter was lost. Who comes back with an
old number (after a restart, say) stands by it again. A deque holds the line; who leaves is
only struck off and passed over later (lazy removal), so joining, leaving and
taking the next cost O(1). A user whose line is down keeps its place without
standing in the way of those behind: it is set aside and comes back by ticket.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator


class UserQueue:
    """A line of user UUIDs. Not locked: the desk's lock is held around every call."""

    def __init__(self) -> None:
        self._line: deque[tuple[int, str]] = deque()
        self._back = 0
        self._front = 0
        self._returned: list[tuple[int, str]] = []  # heap of those who were away
        self._tickets: dict[str, int] = {}
        self._away: set[str] = set()
        self._passed: set[str] = set()  # away when their turn came: in neither line nor heap

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, user: str) -> bool:
        return user in self._tickets

    def mark(self, at: int) -> int:
        """At least *at*, above every number given so far, and below any to come.

        Of the numbers at the front their distance from 0 counts.
        """
        return max(self._back, -self._front, at)

    def join(self, user: str, at: int = 0) -> int:
        """Stand at the back, with a number of at least *at*; returns how many are ahead."""
        ahead = len(self._tickets)
        self._back = max(self._back + 1, 1 - self._front, at)
        self._tickets[user] = self._back
        self._line.append((self._back, user))
        return ahead

    def rejoin(self, user: str, ticket: int) -> int:
        """Stand where *ticket* says; returns how many are ahead."""
        if ticket > self._back:
            return self.join(user, ticket)
        ahead = sum(one < ticket for one in self._tickets.values())
        self._tickets[user] = ticket
        heapq.heappush(self._returned, (ticket, user))
        return ahead

    def join_front(self, users: Iterable[str], at: int = 0) -> None:
        """Stand before everybody else, the first of *users* foremost; numbered up to *-at*."""
        for user in reversed(list(users)):
            self._front = -max(self._back + 1, 1 - self._front, at)
            self._tickets[user] = self._front
            self._line.appendleft((self._front, user))

    def leave(self, user: str) -> bool:
        """Strike *user* off; False when it did not wait."""
        self._away.discard(user)
        self._passed.discard(user)
        if self._tickets.pop(user, None) is None:
            return False
        if len(self._line) > 64 and len(self._line) > 2 * len(self._tickets):
            self._line = deque(entry for entry in self._line if self._waits(entry))
        return True

    def away(self, user: str) -> None:
        """*user* cannot be taken for now but keeps its place."""
        if user in self._tickets:
            self._away.add(user)

    def back(self, user: str) -> None:
        """*user* can be taken again, in its old place."""
        self._away.discard(user)
        if user in self._passed:
            self._passed.discard(user)
            heapq.heappush(self._returned, (self._tickets[user], user))

    def take(self) -> str | None:
        """The foremost user who is not away; it is in the line no more."""
        while self._line and not self._may_go(self._line[0]):
            self._line.popleft()
        while self._returned and not self._may_go(self._returned[0]):
            heapq.heappop(self._returned)
        if self._returned and (not self._line or self._returned[0] < self._line[0]):
            user = heapq.heappop(self._returned)[1]
        elif self._line:
            user = self._line.popleft()[1]
        else:
            return None
        del self._tickets[user]
        return user

    def first(self) -> str | None:
        """The foremost of all who wait, the absent included."""
        while self._line and not self._waits(self._line[0]):
            self._line.popleft()
        while self._returned and not self._waits(self._returned[0]):
            heapq.heappop(self._returned)
        heads = [*self._returned[:1], *((self._tickets[user], user) for user in self._passed)]
        if self._line:
            heads.append(self._line[0])
        return min(heads)[1] if heads else None

    def _waits(self, entry: tuple[int, str]) -> bool:
        """This entry still holds a place in line."""
        ticket, user = entry
        return self._tickets.get(user) == ticket

    def _may_go(self, entry: tuple[int, str]) -> bool:
        """The user of a foremost entry can be taken; if it is away, it is set aside."""
        if not self._waits(entry):
            return False
        if entry[1] in self._away:
            self._passed.add(entry[1])
            return False
        return True

    def ticket(self, user: str) -> int:
        """The number that *user*, who waits, stands in line by."""
        return self._tickets[user]

    def places(self) -> Iterator[str]:
        """All who wait, in order, the absent included: they keep their places."""
        return iter(sorted(self._tickets, key=self._tickets.__getitem__))
