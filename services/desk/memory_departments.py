"""The departments of a desk in memory: the queue and the free waiters of each.

Not locked: the desk's lock is held around every call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from .departments import MOST_MOVES, NOWHERE, Department, Member, Rules
from .explaining import Obstacle
from .port import POSITIONS_A_ROUND, POSITIONS_EVERY
from .positions import Positions
from .ranked import Entry
from .user_queue import Tickets, User, UserQueue
from .waiter_pool import Waiter, WaiterPool


class MemoryDepartment:
    """One department: who waits, who of its waiters is free, and its *rules*."""

    __slots__ = ("due", "pool", "positions", "queue", "rules")

    def __init__(
        self, rules: Department, tickets: Tickets, last_sent: Callable[[str], int]
    ) -> None:
        self.rules = rules
        self.queue = UserQueue(tickets)
        self.pool = WaiterPool()
        self.positions = Positions(self.queue, last_sent)
        #: user → when it moves to another department, soonest first; empty without an overflow
        self.due: OrderedDict[str, float] = OrderedDict()

    @property
    def key(self) -> str:
        """Its key; `""` for that of users who have asked for none."""
        return self.rules.key

    def leave(self, user: str) -> bool:
        """*user* leaves the queue; False when it did not wait."""
        self.due.pop(user, None)
        left = self.queue.leave(user)
        self.positions.have_changed |= left
        return left

    @property
    def is_full(self) -> bool:
        """Its queue has reached its own bound."""
        return 0 < self.rules.max_queue <= len(self.queue)


class MemoryDepartments:
    """All departments of a desk. *last_sent* returns the position that a user was last sent."""

    def __init__(self, last_sent: Callable[[str], int]) -> None:
        self._last_sent = last_sent
        self.tickets = Tickets()
        self._rules = Rules()
        self._all = {"": self._new(Department(""))}
        #: departments in which a user or a waiter has become free for a match
        self._touched: set[str] = set()
        self._round_at = 0.0  # when positions were last sent
        #: the department at which the last round of positions has run out; None: it has not
        self._behind: str | None = None

    def _new(self, rules: Department) -> MemoryDepartment:
        return MemoryDepartment(rules, self.tickets, self._last_sent)

    def __iter__(self) -> Iterator[MemoryDepartment]:
        return iter(self._all.values())

    def get(self, key: str) -> MemoryDepartment:
        """The department of *key*; `""` where there is no such one."""
        return self._all.get(key) or self._all[""]

    def __contains__(self, key: str) -> bool:
        return key in self._all

    @property
    def queue_length(self) -> int:
        """How many wait in all of them."""
        return sum(len(one.queue) for one in self)

    # ---- rules ---------------------------------------------------------

    def is_later(self, rules: Rules) -> bool:
        """Whether *rules* are later than those that hold."""
        return rules.number > self._rules.number

    def configure(self, rules: Rules) -> tuple[list[MemoryDepartment], set[str]]:
        """*rules* hold from now on. Returns the departments that are gone, and the new keys."""
        before, now = self._all.keys() - {""}, rules.departments.keys() - {""}
        gone = [self._all.pop(key) for key in sorted(before - now)]
        self._touched &= self._all.keys()
        self._rules = rules
        for key in ("", *now):
            one = rules.departments.get(key) or Department("")
            if key in self._all:
                self._all[key].rules = one
            else:
                self._all[key] = self._new(one)
        return gone, now - before

    def overflow_of(self, one: MemoryDepartment) -> MemoryDepartment | None:
        """Where users of *one* move that have waited too long."""
        target = self._overflow_if_open(one)
        return target if target is not None and target.rules.is_open else None

    def _overflow_if_open(self, one: MemoryDepartment) -> MemoryDepartment | None:
        to = one.rules.overflow_to
        target = self._all.get(to) if to is not None else None
        return target if target is not one else None

    def entrance(self, key: str) -> MemoryDepartment:
        """Where a user stands that comes to the department of *key*, which may pass it on."""
        one = self.get(key)
        for _ in range(MOST_MOVES):
            target = self.overflow_of(one)
            if target is None or one.rules.overflow_after:
                break
            one = target
        return one

    def moves_to(self, one: MemoryDepartment) -> MemoryDepartment | None:
        """The same, but None where users stay: departments that pass them on at once lead round."""
        return None if self._leads_round(one) else self.overflow_of(one)

    def _leads_round(self, one: MemoryDepartment) -> bool:
        seen = set[str]()
        while (to := self.overflow_of(one)) is not None and not one.rules.overflow_after:
            if one.key in seen:
                return True
            seen.add(one.key)
            one = to
        return False

    def way(self, key: str) -> dict[str, Obstacle | None]:
        """Where a user waits that stands in *key*, and where it may come to from there.

        By department, in that order, with what keeps free waiters of each from a user there.
        """
        one, way = self.get(key), dict[str, Obstacle | None]({key: None})
        while (to := self.moves_to(one)) is not None:
            following = self.entrance(to.key)
            if following.key in way:
                break
            one = following
            way[one.key] = Obstacle.OTHER_DEPARTMENT
        closed = self._overflow_if_open(one)
        if closed is not None and not closed.rules.is_open:
            way.setdefault(closed.key, Obstacle.CLOSED)
        return way

    # ---- users ---------------------------------------------------------

    def watch(self, user: User) -> None:
        """*user* has entered its department: it may have to move on."""
        one = self.get(user.department)
        if self.moves_to(one) is not None:
            one.due[user.uuid] = user.entered + one.rules.overflow_after

    def watch_anew(self, users: dict[str, User]) -> None:
        """The same for all who wait, of *users*: the rules have changed."""
        for one in self:
            one.due.clear()
            if self.moves_to(one) is not None:
                for user in sorted((users[uuid] for uuid in one.queue.everybody()), key=_entered):
                    self.watch(user)

    def forget(self, user: User) -> bool:
        """*user* leaves the queue; False when it did not wait."""
        user.giver = ""
        return self.get(user.department).leave(user.uuid)

    def late(self, now: float) -> list[str]:
        """Who has waited too long in its department, in the order in which it became so."""
        late = [
            (at, key, self._all[key].queue.order(uuid), uuid)
            for key in self._all
            for uuid, at in _until(self._all[key].due, now)
        ]
        return [uuid for *_, uuid in sorted(late)]

    def here(self, keys: Iterable[str]) -> Iterator[Entry]:
        """Who waits in the departments of *keys* and can be taken, in order."""
        return merge(*(self._all[key].queue.here() for key in set(keys) & self._all.keys()))

    def length_of(self, keys: Iterable[str]) -> int:
        """How many wait in the departments of *keys*."""
        return sum(len(self._all[key].queue) for key in set(keys) & self._all.keys())

    def shares(self, waiter: Waiter) -> dict[str, float]:
        """By department of *waiter*: its share of the users who wait for this waiter.

        All of them in each department, where nobody waits.
        """
        lengths = {key: len(self._all[key].queue) for key, _ in waiter.departments}
        total = sum(lengths.values())
        return {key: length / total if total else 1.0 for key, length in lengths.items()}

    # ---- waiters -------------------------------------------------------

    def place(self, waiter: Waiter) -> bool:
        """Let *waiter* stand in the departments that it was given; False if that is nothing new."""
        known = dict(sorted(one for one in waiter.given if one.department in self._all))
        departments = tuple(Member(*one) for one in known.items()) or NOWHERE
        if departments == waiter.departments:
            return False
        self.remove(waiter)
        waiter.departments = departments
        self.refresh(waiter)
        return True

    def refresh(self, waiter: Waiter) -> None:
        """Put *waiter* where it belongs now; behind its equals if its load has changed."""
        for key, _ in waiter.departments:
            self._all[key].pool.refresh(waiter)
        if waiter.obstacle is None:
            self._touched.update(key for key, _ in waiter.departments)

    def remove(self, waiter: Waiter) -> None:
        """Take *waiter* out of all pools."""
        for key, _ in waiter.departments:
            if one := self._all.get(key):
                one.pool.remove(waiter)

    # ---- matching ------------------------------------------------------

    def touch(self, user: User) -> None:
        """*user* can be taken from now on."""
        self._touched.add(user.department)

    def touch_wanted(self) -> None:
        """Any department in which users wait may get a waiter now."""
        self._touched.update(key for key, one in self._all.items() if one.queue.is_wanted)

    def next_match(self, find: Callable[[MemoryDepartment], Waiter | None]) -> Waiter | None:
        """Who gets the next user: the waiter of the first department, by key, that has both.

        *find* returns the waiter for a department in which somebody waits; None: there is none,
        in that department or in any.
        """
        while self._touched:
            one = self._all[min(self._touched)]
            if one.queue.is_wanted and (waiter := find(one)) is not None:
                return waiter
            self._touched.discard(one.key)
        return None

    def choose(
        self, waiter: Waiter, first_for: Callable[[MemoryDepartment, Waiter], Entry | None]
    ) -> str:
        """Which user *waiter* takes from its departments; *first_for* returns the one of each.

        One has somebody for it.
        """
        waiting = (
            (-priority, entry)
            for key, priority in waiter.departments
            if (entry := first_for(self._all[key], waiter)) is not None
        )
        return min(waiting)[1][1]

    # ---- positions -----------------------------------------------------

    def next_round(self, now: float) -> list[tuple[str, int]]:
        """Whom to send a position at *now*, and which.

        At most once in `POSITIONS_EVERY`, and at most `POSITIONS_A_ROUND` of them: the
        departments take turns where that is too few.
        """
        changed = sorted(key for key, one in self._all.items() if one.positions.have_changed)
        if not changed or now - self._round_at < POSITIONS_EVERY:
            return []
        self._round_at = now
        found: list[tuple[str, int]] = []
        for key in sorted(
            changed, key=lambda key: (self._behind is not None and key <= self._behind, key)
        ):
            if len(found) == POSITIONS_A_ROUND:
                return found
            positions = self._all[key].positions
            found += positions.next_round(POSITIONS_A_ROUND - len(found))
            self._behind = key
        self._behind = None
        return found


def _entered(user: User) -> float:
    return user.entered


def _until(due: OrderedDict[str, float], now: float) -> Iterator[tuple[str, float]]:
    """The first ones of *due* until *now*."""
    for uuid, at in due.items():
        if at > now:
            return
        yield uuid, at
