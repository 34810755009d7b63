"""The desk of one process: a waiter pool and a user queue for each department, behind one lock.

Nothing here waits, sends or logs. Every public method takes the lock, decides,
and leaves events behind; `take_events` hands them over in the order in which
they were decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import port
from .memory_departments import MemoryDepartment
from .memory_matching import MemoryMatching
from .port import (
    ANYWHERE,
    Absence,
    AddressFull,
    Arrival,
    Departed,
    Member,
    QueueFull,
    Reason,
    Role,
    Route,
    Rules,
    Standing,
    WaiterFull,
    Withdrawn,
)
from .user_queue import User
from .waiter_pool import Waiter


class MemoryDesk(MemoryMatching):
    """`port.Desk` in memory. *now* counts seconds, monotonic; *wall* since 1970, for tickets.

    The users of one address hold at most *places* in the queue and in conversations; 0: no bound.
    """

    # ---- coming and going ----------------------------------------------

    def arrive(
        self,
        role: Role,
        subject: str,
        uuid: str,
        name: str = "",
        address: str = "",
        avatar: str = "",
        departments: tuple[Member, ...] = (),
    ) -> Arrival:
        with self._lock:
            standing = self._standing.setdefault((role, subject), uuid)
            is_new = standing not in (self._users if role is Role.USER else self._waiters)
            if is_new and role is Role.USER:
                self._users[uuid] = User(uuid, subject)
            elif is_new:
                self._waiters[uuid] = Waiter(uuid, subject, self._capacity)
            if user := self._users.get(standing):
                user.address = address
            one = user or self._waiters[standing]
            one.name, one.avatar = name, avatar
            waiter = self._waiters.get(standing)
            if waiter is not None and (is_new or waiter.given != departments):
                self._assign(waiter, departments)
                self._match()
            self._return(standing)
            return Arrival(standing, not is_new)

    def _return(self, uuid: str) -> None:
        if not self._absent.discard(uuid):
            return
        if uuid in self._users:
            user = self._users[uuid]
            user.present = True
            self._unanswered.resume(uuid, self._now())
            if self._departments.get(user.department).queue.back(uuid):
                self._departments.touch(user)
        else:
            waiter = self._waiters[uuid]
            waiter.present = True
            self._refresh(waiter)
        self._match()

    def drop(
        self, participant: str, absence: Absence = Absence.FULL, *, may_sleep: bool = False
    ) -> None:
        with self._lock:
            if waiter := self._waiters.get(participant):
                self._drop_waiter(waiter)
            elif user := self._users.get(participant):
                self._drop_user(user, absence, may_sleep=may_sleep)

    def _drop_waiter(self, waiter: Waiter) -> None:
        if waiter.present:
            waiter.present = waiter.frozen = False
            self._absent.add(waiter.uuid, self._now(), Absence.FULL)
            self._refresh(waiter)

    def _drop_user(self, user: User, absence: Absence, *, may_sleep: bool) -> None:
        if not user.present:
            return
        user.present = False
        user.spoken |= absence is Absence.SPOKEN
        absence = Absence.SPOKEN if user.spoken else absence
        self._unanswered.pause(user.uuid, self._now())
        served = user.waiter is not None
        self._absent.add(user.uuid, self._now(), absence, served=served, may_sleep=may_sleep)
        self._departments.get(user.department).queue.away(user.uuid)
        self._match()

    def leave(self, participant: str) -> None:
        with self._lock:
            if (user := self._users.get(participant)) and self._waits(user):
                self._spend(user)
            self._depart(participant, requeue=False)

    def _depart(self, participant: str, *, requeue: bool) -> None:
        self._absent.discard(participant)
        asked = 0
        if user := self._users.pop(participant, None):
            del self._standing[Role.USER, user.subject]
            self._departments.forget(user)
            self._places.give_back(participant)
            if user.waiter is not None:
                reason = Reason.LOST if requeue else Reason.LEFT
                self._part(user, self._waiters[user.waiter], participant, reason)
            asked = user.conversation
        elif waiter := self._waiters.pop(participant, None):
            del self._standing[Role.WAITER, waiter.subject]
            self._departments.remove(waiter)
            self._lose(waiter, requeue=requeue)
        else:
            return
        reason = Reason.LOST if requeue else Reason.LEFT
        self._events.append(Departed(participant, reason, asked=asked))
        self._match()

    def _lose(self, waiter: Waiter, *, requeue: bool) -> None:
        """Part the users of a waiter that has left; *requeue* them where it was lost."""
        users = [self._users[uuid] for uuid in waiter.users]
        if requeue:
            self._lose_waiter(users, waiter)
            self._match()
            self._send_positions(users)
            return
        for user in users:
            self._unseat(user, waiter, requeue=False)
            self._places.give_back(user.uuid)

    # ---- asking ---------------------------------------------------------

    def restore(self, standings: list[Standing]) -> None:
        with self._lock:
            queued = []
            for one in standings:
                self._standing[one.role, one.subject] = one.uuid
                served = one.role is Role.USER and one.waiter in self._waiters
                self._absent.add(
                    one.uuid, self._now(), Absence.FULL, served=served, may_sleep=one.may_sleep
                )
                if one.role is Role.WAITER:
                    capacity = one.capacity or self._capacity
                    waiter = Waiter(one.uuid, one.subject, capacity, present=False)
                    waiter.ready = one.ready
                    self._waiters[one.uuid] = waiter
                    continue
                user = User(one.uuid, one.subject, None, one.conversation, False, since=self._now())
                user.department = user.asked = one.department
                self._users[one.uuid] = user
                server = self._waiters.get(one.waiter or "")
                if server is None:
                    queued.append(user)
                else:
                    user.waiter = server.uuid
                    server.users[one.uuid] = None
                    if not one.answered:
                        self._await_answer(user)
                    self._served += 1
            for user in reversed(queued):
                self._stand_in_front(user)

    def connect(
        self,
        user: str,
        ticket: int | None = None,
        conversation: int = 0,
        *,
        question: str | None = None,
        page: str = "",
        fields: str = "",
        route: Route = ANYWHERE,
    ) -> int:
        with self._lock:
            one = self._users[user]
            if one.waiter is not None:
                return 0
            if self._waits(one):
                one.question = one.question if question is None else question
                one.page, one.fields = page or one.page, fields or one.fields
                one.language = route.language or one.language
                self._ask_elsewhere(one, route)
                return 0
            self._make_room_at(one.address)
            department = self._departments.entrance(route.department)
            self._make_room_in(department)
            if not len(department.pool) and self._departments.queue_length >= self._max_queue:
                self._make_room_in_queue(self._waits)
            one.question, one.page, one.fields = question or "", page, fields
            number = one.conversation = one.conversation or conversation
            one.last_waiter = one.last_waiter or route.last_waiter
            one.language = route.language or one.language
            self._places.take(user, one.address)
            self._join(one, department, route, ticket)
            return number

    def _ask_elsewhere(self, user: User, route: Route) -> None:
        """*user*, who waits, goes to the back of another department, if it asks for that now."""
        if route.stays or route.wanted == user.asked:
            return
        department = self._departments.entrance(route.department)
        if department.key == user.department:
            user.asked = route.wanted
            return
        self._make_room_in(department)
        self._departments.forget(user)
        self._spend(user)  # its tickets were for the other department
        self._join(user, department, route)

    def _join(
        self, user: User, department: MemoryDepartment, route: Route, ticket: int | None = None
    ) -> None:
        """*user* joins the queue of *department*: where *ticket* says, or at the back."""
        at, priority = self._micros(), route.priority
        changed = department.positions.have_changed
        if ticket is None or self._void.holds(user.subject, ticket):
            user.last_sent = department.queue.join(user.uuid, at, priority)
        else:
            user.last_sent = department.queue.rejoin(user.uuid, min(ticket, at), priority)
        user.since = self._now()
        user.asked, user.priority = route.wanted, priority
        self._enter(user, department)
        is_last = user.last_sent == len(department.queue) - 1
        department.positions.have_changed = changed or not is_last
        self._match()
        if user.waiter is None:
            self._send_position(user, user.last_sent)

    def _make_room_at(self, address: str) -> None:
        """Let one more user of *address* have a place. Raises `AddressFull`."""
        if held := self._places.at_bound(address):
            yielding = self._absent.yielding(held)
            if yielding is None:
                raise AddressFull
            self._depart(yielding, requeue=True)

    def _make_room_in(self, department: MemoryDepartment) -> None:
        """Let one more user wait in *department*. Raises `QueueFull`."""
        if department.is_full and not len(department.pool):
            self._make_room_in_queue(lambda user: user.uuid in department.queue)

    def _make_room_in_queue(self, waits: Callable[[User], bool]) -> None:
        """Let one more user wait where others wait for whom *waits* is true. Raises `QueueFull`."""
        yielding = self._absent.yielding_where(lambda uuid: waits(self._users[uuid]))
        if yielding is None:
            raise QueueFull
        self._depart(yielding, requeue=True)

    def is_void(self, user: str, ticket: int) -> bool:
        with self._lock:
            return self._void.holds(self._users[user].subject, ticket)

    def void(self, served: Mapping[str, int]) -> None:
        """By subject: tickets given until then (µs since 1970) are void."""
        with self._lock:
            for subject, at in sorted(served.items(), key=lambda one: one[1]):
                self._void.add(subject, at)

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        with self._lock:
            self._set_ready(self._waiters[waiter], True, capacity)
            self._match()

    def unready(self, waiter: str, capacity: int | None = None) -> None:
        with self._lock:
            self._set_ready(self._waiters[waiter], False, capacity)

    def _set_ready(self, waiter: Waiter, is_ready: bool, capacity: int | None) -> None:
        waiter.ready = is_ready
        waiter.capacity = capacity or waiter.capacity
        self._refresh(waiter)

    def take(self, user: str, waiter: str) -> bool:
        with self._lock:
            server, one = self._waiters[waiter], self._users.get(user)
            departments = [department for department, _ in server.departments]
            if one is None or not self._is_here(one) or one.department not in departments:
                return False
            if len(server.users) >= server.capacity:
                raise WaiterFull
            self._departments.forget(one)
            self._seat(one, server)
            return True

    def transfer(
        self, user: str, waiter: str, to_waiter: str | None = None, department: str | None = None
    ) -> bool:
        with self._lock:
            one, to = self._users.get(user), self._waiters.get(to_waiter or "")
            if one is None or one.waiter != waiter:
                return False
            giver = self._waiters[waiter]
            if department is not None and department in self._departments:
                self._hand_to_department(one, giver, department)
                return True
            if to is None or to is giver or not to.present:
                return False
            if len(to.users) >= to.capacity:
                raise WaiterFull
            self._hand_to_waiter(one, giver, to)
            return True

    def answered(self, user: str) -> None:
        with self._lock:
            self._unanswered.end(user)

    def part(self, user: str, waiter: str, gone: str, reason: Reason | None = None) -> bool:
        with self._lock:
            served = self._users.get(user)
            if served is None or served.waiter != waiter:
                return False
            self._part(served, self._waiters[waiter], gone, reason)
            self._match()
            return True

    def freeze(self, waiter: str, frozen: bool) -> None:
        with self._lock:
            one = self._waiters.get(waiter)
            if one is not None and one.present and one.frozen != frozen:
                one.frozen = frozen
                self._refresh(one)
                self._match()

    def withdraw(self, user: str) -> bool:
        with self._lock:
            one = self._users.get(user)
            if one is None or not self._departments.forget(one):
                return False
            self._spend(one)
            one.question = ""
            self._places.give_back(user)
            one.spoken = False
            conversation = self._end_conversation(one, goes_on=False)
            self._events.append(Withdrawn(user, conversation))
            return True

    # ---- departments ----------------------------------------------------

    def configure(self, rules: Rules) -> bool:
        with self._lock:
            if not self._departments.is_later(rules):
                return True
            gone, come = self._departments.configure(rules)
            for waiter in sorted(self._waiters.values(), key=_duty):
                self._departments.place(waiter)
            nowhere, moved = self._departments.get(""), {}
            for department in gone:
                for user in self._in_order(department):
                    moved[user.uuid] = user
                    self._move(user, department, nowhere)
            for user in self._in_order(nowhere):
                if user.asked in come:
                    moved[user.uuid] = user
                    self._move(user, nowhere, self._departments.get(user.asked))
            self._departments.watch_anew(self._users)
            self._match()
            self._send_positions([*moved.values()])
            return True

    def assign(self, waiter: str, departments: tuple[Member, ...]) -> None:
        with self._lock:
            if one := self._waiters.get(waiter):
                self._assign(one, departments)
                self._match()

    def _assign(self, waiter: Waiter, departments: tuple[Member, ...]) -> None:
        waiter.given = departments
        self._departments.place(waiter)

    # ---- time -----------------------------------------------------------

    def tick(self) -> None:
        with self._lock:
            now = self._now()
            while (gone := self._absent.ended(now)) is not None:
                self._depart(gone, requeue=True)
            self._move_unanswered(now)
            self._move_late(now)
            self._void.forget(self._micros())
            for uuid, position in self._departments.next_round(now):
                self._send_position(self._users[uuid], position)


def _duty(waiter: Waiter) -> tuple[float, str]:
    return waiter.on_duty_since or 0.0, waiter.uuid


_: type[port.Desk] = MemoryDesk
