"""The desk of one process: a waiter pool and a user queue behind one lock.

Nothing here waits, sends or logs. Every public method takes the lock, decides,
and leaves events behind; `take_events` hands them over in the order in which
they were decided.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from . import port
from .absent import Absent
from .places import Places
from .port import (
    ANYWHERE,
    AddressFull,
    Arrival,
    Claim,
    Departed,
    Event,
    Face,
    Figures,
    Matched,
    Member,
    Parted,
    Queue,
    Queued,
    QueueFull,
    Reason,
    Role,
    Route,
    Rules,
    Standing,
    WaiterFull,
    Waiting,
    Withdrawn,
)
from .positions import Positions
from .user_queue import User, UserQueue
from .void_tickets import VoidTickets
from .waiter_pool import Waiter, WaiterPool


class MemoryDesk:
    """`port.Desk` in memory. *now* counts seconds, monotonic; *wall* since 1970, for tickets.

    The users of one address hold at most *places* in the queue and in conversations; 0: no bound.
    """

    def __init__(
        self,
        *,
        capacity: int,
        max_queue: int,
        grace: float,
        now: Callable[[], float],
        wall: Callable[[], float] = time.time,
        places: int = 0,
    ) -> None:
        self._capacity = capacity
        self._max_queue = max_queue
        self._now = now
        self._wall = wall
        self._lock = threading.Lock()
        self._pool = WaiterPool()
        self._queue = UserQueue()
        self._users: dict[str, User] = {}
        self._waiters: dict[str, Waiter] = {}
        self._standing: dict[tuple[Role, str], str] = {}
        self._absent = Absent(grace)
        self._places = Places(places)
        self._served = 0
        self._positions = Positions(self._queue, lambda uuid: self._users[uuid].last_sent)
        self._void = VoidTickets()
        self._events: list[Event] = []

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
            self._return(standing)
            return Arrival(standing, not is_new)

    def _return(self, uuid: str) -> None:
        if not self._absent.discard(uuid):
            return
        if uuid in self._users:
            self._users[uuid].present = True
            self._queue.back(uuid)
        else:
            waiter = self._waiters[uuid]
            waiter.present = True
            self._pool.refresh(waiter)
        self._match()

    def drop(self, participant: str, claim: Claim = Claim.FULL) -> None:
        with self._lock:
            if waiter := self._waiters.get(participant):
                self._drop_waiter(waiter)
            elif user := self._users.get(participant):
                self._drop_user(user, claim)

    def _drop_waiter(self, waiter: Waiter) -> None:
        if waiter.present:
            waiter.present = False
            self._absent.add(waiter.uuid, self._now(), Claim.FULL)
            self._pool.refresh(waiter)

    def _drop_user(self, user: User, claim: Claim) -> None:
        if not user.present:
            return
        user.present = False
        user.spoken |= claim is Claim.SPOKEN
        claim = Claim.SPOKEN if user.spoken else claim
        self._absent.add(user.uuid, self._now(), claim, served=user.waiter is not None)
        self._queue.away(user.uuid)
        self._match()

    def leave(self, participant: str) -> None:
        with self._lock:
            if participant in self._queue:
                self._spend(self._users[participant])
            self._depart(participant, requeue=False)

    def _depart(self, participant: str, *, requeue: bool) -> None:
        self._absent.discard(participant)
        if user := self._users.pop(participant, None):
            del self._standing[Role.USER, user.subject]
            self._strike(participant)
            self._places.give_back(participant)
            if user.waiter is not None:
                reason = Reason.LOST if requeue else Reason.LEFT
                self._part(user, self._waiters[user.waiter], participant, reason)
        elif waiter := self._waiters.pop(participant, None):
            del self._standing[Role.WAITER, waiter.subject]
            self._pool.remove(waiter)
            self._lose(waiter, requeue=requeue)
        else:
            return
        self._events.append(Departed(participant, Reason.LOST if requeue else Reason.LEFT))
        self._match()

    def _lose(self, waiter: Waiter, *, requeue: bool) -> None:
        """Part the users of a waiter that has left; *requeue* them where it was lost."""
        users = [self._users[uuid] for uuid in waiter.users]
        if requeue:
            self._lose_waiter(users, waiter)
            self._match()
            self._send_front(users)
            return
        for user in users:
            self._unseat(user, waiter, requeue=False)
            self._places.give_back(user.uuid)

    def _lose_waiter(self, users: list[User], waiter: Waiter) -> None:
        """Put *users*, whom *waiter* no longer serves, in front of the queue."""
        for user in users:
            self._unseat(user, waiter, requeue=True)
        self._queue.join_front((user.uuid for user in users), self._micros())
        self._positions.have_changed |= bool(users)
        for user in users:
            user.since = self._now()
            user.last_sent = -1
            if not user.present:
                self._queue.away(user.uuid)

    def _unseat(self, user: User, waiter: Waiter, *, requeue: bool) -> None:
        user.waiter = None
        user.spoken &= requeue
        self._served -= 1
        self._absent.unseat(user.uuid)
        reason = Reason.LOST if requeue else Reason.ENDED
        conversation = self._end_conversation(user, goes_on=requeue)
        self._events.append(
            Parted(user.uuid, waiter.uuid, waiter.uuid, reason, requeue, conversation)
        )

    def _send_front(self, users: list[User]) -> None:
        """Tell *users*, who stand in front, their positions, unless they are served already."""
        for position, user in enumerate(u for u in users if u.waiter is None):
            self._send_position(user, position)

    def _send_position(self, user: User, position: int) -> None:
        user.last_sent = position
        self._events.append(Queued(user.uuid, position, self._queue.ticket(user.uuid)))

    # ---- matching ------------------------------------------------------

    def restore(self, standings: list[Standing]) -> None:
        with self._lock:
            queued = []
            for one in standings:
                self._standing[one.role, one.subject] = one.uuid
                self._absent.add(one.uuid, self._now(), Claim.FULL)
                if one.role is Role.WAITER:
                    capacity = one.capacity or self._capacity
                    waiter = Waiter(one.uuid, one.subject, capacity, present=False)
                    waiter.ready = one.ready
                    self._waiters[one.uuid] = waiter
                    continue
                user = User(one.uuid, one.subject, None, one.conversation, False, since=self._now())
                self._users[one.uuid] = user
                server = self._waiters.get(one.waiter or "")
                if server is None:
                    queued.append(one.uuid)
                else:
                    user.waiter = server.uuid
                    server.users[one.uuid] = None
                    self._served += 1
            self._queue.join_front(queued, self._micros())
            for uuid in queued:
                self._queue.away(uuid)

    def connect(
        self,
        user: str,
        ticket: int | None = None,
        conversation: int = 0,
        *,
        question: str | None = None,
        page: str = "",
        route: Route = ANYWHERE,
    ) -> None:
        with self._lock:
            self._connect(self._users[user], ticket, conversation, question, page)

    def _connect(
        self, user: User, ticket: int | None, conversation: int, question: str | None, page: str
    ) -> None:
        if user.waiter is not None:
            return
        if user.uuid in self._queue:
            user.question = user.question if question is None else question
            user.page = page or user.page
            return
        self._make_room_at(user.address)
        if not len(self._pool) and len(self._queue) >= self._max_queue:
            self._make_room_in_queue()
        at = self._micros()
        if ticket is None or self._void.holds(user.subject, ticket):
            user.last_sent = self._queue.join(user.uuid, at)
        else:
            user.last_sent = self._queue.rejoin(user.uuid, min(ticket, at))
            self._positions.have_changed = True
        user.since = self._now()
        user.question, user.page = question or "", page
        user.conversation = user.conversation or conversation
        self._places.take(user.uuid, user.address)
        self._match()
        if user.waiter is None:
            self._send_position(user, user.last_sent)

    def _micros(self) -> int:
        """µs since 1970."""
        return int(self._wall() * 1e6)

    def void(self, served: Mapping[str, int]) -> None:
        """By subject: tickets given until then (µs since 1970) are void."""
        with self._lock:
            for subject, at in sorted(served.items(), key=lambda one: one[1]):
                self._void.add(subject, at)

    def _spend(self, user: User) -> None:
        """*user* is served, or has left the queue: all tickets that it has are void."""
        self._void.add(user.subject, self._queue.highest(self._micros()))

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
        self._pool.refresh(waiter)

    def capacity(self, waiter: str) -> int:
        return self._waiters[waiter].capacity

    def _match(self) -> None:
        """Bring free waiters and waiting users together until one of them runs out."""
        while (waiter := self._pool.next() or self._make_room_with_a_waiter()) is not None:
            uuid = self._queue.take()
            if uuid is None:
                return
            self._seat(self._users[uuid], waiter)

    def _seat(self, user: User, waiter: Waiter) -> None:
        """Let *waiter* serve *user*, who has just left the queue."""
        self._positions.have_changed = True
        user.waiter, user.question = waiter.uuid, ""
        waiter.users[user.uuid] = None
        self._served += 1
        self._spend(user)
        self._pool.refresh(waiter)
        waited = self._now() - user.since
        self._events.append(Matched(user.uuid, waiter.uuid, waited, user.conversation))

    def take(self, user: str, waiter: str) -> bool:
        with self._lock:
            server = self._waiters[waiter]
            if not self._queue.is_here(user):
                return False
            if len(server.users) >= server.capacity:
                raise WaiterFull
            self._queue.leave(user)
            self._seat(self._users[user], server)
            return True

    # ---- making room ---------------------------------------------------

    def _make_room_at(self, address: str) -> None:
        """Let one more user of *address* have a place. Raises `AddressFull`."""
        if held := self._places.at_bound(address):
            yielding = self._absent.yielding(held)
            if yielding is None:
                raise AddressFull
            self._depart(yielding, requeue=True)

    def _make_room_in_queue(self) -> None:
        """Let one more user wait in the queue. Raises `QueueFull`."""
        yielding = self._absent.yielding_where(self._queue.__contains__)
        if yielding is None:
            raise QueueFull
        self._depart(yielding, requeue=True)

    def _make_room_with_a_waiter(self) -> Waiter | None:
        """A waiter who has become free because another user needs the seat of an absent one.

        On its return that user is sent that its waiter is gone, and stands in front.
        """
        if not self._queue.is_wanted:
            return None
        for uuid in self._absent.seats_to_give(self._served):
            user = self._users[uuid]
            waiter = self._waiters[user.waiter or ""]
            if not waiter.ready or not waiter.present or len(waiter.users) > waiter.capacity:
                continue
            del waiter.users[uuid]
            self._pool.refresh(waiter)
            self._lose_waiter([user], waiter)
            self._send_front([user])
            return waiter
        return None

    # ---- parting -------------------------------------------------------

    def part(self, user: str, waiter: str, gone: str) -> bool:
        with self._lock:
            served = self._users.get(user)
            if served is None or served.waiter != waiter:
                return False
            self._part(served, self._waiters[waiter], gone)
            self._match()
            return True

    def _part(self, user: User, waiter: Waiter, gone: str, reason: Reason | None = None) -> None:
        user.waiter = None
        user.spoken = False
        del waiter.users[user.uuid]
        self._served -= 1
        self._absent.unseat(user.uuid)
        self._places.give_back(user.uuid)
        self._pool.refresh(waiter)
        conversation = self._end_conversation(user, goes_on=False)
        self._events.append(Parted(user.uuid, waiter.uuid, gone, reason, conversation=conversation))

    def _end_conversation(self, user: User, *, goes_on: bool) -> int:
        """Which conversation *user* parts from; it *goes_on* while the user waits again."""
        conversation = user.conversation
        if not goes_on:
            user.conversation = 0
        return conversation

    def withdraw(self, user: str) -> bool:
        with self._lock:
            if user not in self._queue:
                return False
            one = self._users[user]
            self._spend(one)
            self._strike(user)
            self._places.give_back(user)
            one.spoken = False
            conversation = self._end_conversation(one, goes_on=False)
            self._events.append(Withdrawn(user, conversation))
            return True

    def _strike(self, user: str) -> bool:
        left = self._queue.leave(user)
        self._positions.have_changed |= left
        if left and user in self._users:
            self._users[user].question = ""
        return left

    # ---- time ----------------------------------------------------------

    def tick(self) -> None:
        with self._lock:
            now = self._now()
            while (gone := self._absent.ended(now)) is not None:
                self._depart(gone, requeue=True)
            self._void.forget(self._micros())
            for uuid, position in self._positions.next_round(now):
                self._send_position(self._users[uuid], position)

    # ---- views -----------------------------------------------

    def take_events(self) -> list[Event]:
        with self._lock:
            events, self._events = self._events, []
            return events

    def location(self, user: str) -> int:
        """The position that *user* was last sent."""
        return self._users[user].last_sent

    def ticket(self, user: str) -> int:
        with self._lock:
            return self._queue.ticket(user)

    def figures(self) -> Figures:
        with self._lock:
            first = self._queue.first()
            return Figures(
                waiters=len(self._waiters),
                waiters_ready=sum(one.ready and one.present for one in self._waiters.values()),
                users_served=self._served,
                queue_length=len(self._queue),
                longest_wait=0.0 if first is None else self._now() - self._users[first].since,
            )

    def department(self, user: str) -> str:
        raise NotImplementedError

    def assign(self, waiter: str, departments: tuple[Member, ...]) -> None:
        raise NotImplementedError

    def configure(self, rules: Rules) -> bool:
        raise NotImplementedError

    def waiting(self, most: int, departments: Sequence[str] = ("",)) -> Queue:
        with self._lock:
            began = self._wall() - self._now()  # on the desk's clock
            some = [self._users[uuid] for uuid in islice(self._queue.here(), most)]
            return Queue(
                len(self._queue),
                [
                    Waiting(
                        one.uuid, one.name, one.avatar, one.question, one.page,
                        int((began + one.since) * 1000), one.subject,
                    )
                    for one in some
                ],
            )  # fmt: skip

    def workers(self, participant: str) -> tuple[str, ...]:
        return ()

    def team(self, most: int, department: str | None = None) -> list[Face]:
        with self._lock:
            here = (one for one in self._waiters.values() if one.ready and one.present)
            return [Face(one.name, one.avatar) for one in islice(filter(_named, here), most)]


def _named(waiter: Waiter) -> bool:
    return waiter.name != ""


_: type[port.Desk] = MemoryDesk
