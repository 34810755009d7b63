"""The desk of one process: a waiter pool and a user queue behind one lock.

Nothing here waits, sends or logs. Every public method takes the lock, decides,
and leaves events behind; `take_events` hands them over in the order in which
they were decided.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

from . import port
from .absent import Absent
from .places import Places
from .port import (
    PLACES_A_ROUND,
    TELL_PLACES,
    AddressFull,
    Arrival,
    Claim,
    Departed,
    Event,
    Face,
    Figures,
    Matched,
    Parted,
    Queue,
    Queued,
    QueueFull,
    Reason,
    Role,
    Standing,
    WaiterFull,
    Waiting,
)
from .user_queue import UserQueue
from .void_tickets import VoidTickets
from .waiter_pool import Waiter, WaiterPool


@dataclass(slots=True, eq=False)
class User:
    """A user as the desk knows it."""

    uuid: str
    subject: str
    waiter: str | None = None
    #: the number of its conversation, from asking until it has parted
    talk: int = 0
    present: bool = True
    #: the place in line that it was last told, while it waits
    told: int = 0
    #: when it joined the line, on the desk's clock
    since: float = 0.0
    #: where it comes from
    address: str = ""
    #: the user has said something in its conversation
    spoken: bool = False
    #: what others know it by
    name: str = ""
    avatar: str = ""
    #: what waiters are told of it while it waits, and where it asks from
    question: str = ""
    page: str = ""


class MemoryDesk:
    """`port.Desk` in memory. *now* counts seconds, monotonic; *wall* since 1970, for tickets.

    The users of one address hold at most *places* in the queue and in chats; 0: no bound.
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
        self._places_changed = False
        self._told_at = 0.0
        self._void = VoidTickets()
        self._turn = 0  # the ticket at which the next round of places goes on behind the foremost
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
            person = user or self._waiters[standing]
            person.name, person.avatar = name, avatar
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
            person = self._users.get(participant) or self._waiters.get(participant)
            if person is None or not person.present:
                return
            person.present = False
            if isinstance(person, Waiter):
                self._absent.add(participant, self._now(), Claim.FULL)
                self._pool.refresh(person)
                return
            person.spoken |= claim is Claim.SPOKEN
            claim = Claim.SPOKEN if person.spoken else claim
            served = person.waiter is not None
            self._absent.add(participant, self._now(), claim, served=served)
            self._queue.away(participant)
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
        """The users of a waiter who is no more are told, and queued again where it was lost."""
        users = [self._users[uuid] for uuid in waiter.users]
        if requeue:
            self._lose_waiter(users, waiter)
            self._match()
            self._tell_front(users)
            return
        for user in users:
            self._unseat(user, waiter, requeue=False)
            self._places.give_back(user.uuid)

    def _lose_waiter(self, users: list[User], waiter: Waiter) -> None:
        """Put the users of *waiter*, who serves them no more, in front of the queue."""
        for user in users:
            self._unseat(user, waiter, requeue=True)
        self._queue.join_front((user.uuid for user in users), self._micros())
        self._places_changed |= bool(users)
        for user in users:
            user.since = self._now()
            user.told = -1
            if not user.present:
                self._queue.away(user.uuid)

    def _unseat(self, user: User, waiter: Waiter, *, requeue: bool) -> None:
        user.waiter = None
        user.spoken &= requeue
        self._served -= 1
        self._absent.unseat(user.uuid)
        reason = Reason.LOST if requeue else Reason.ENDED
        talk = self._talk(user, requeue)
        self._events.append(Parted(user.uuid, waiter.uuid, waiter.uuid, reason, requeue, talk))

    def _tell_front(self, users: list[User]) -> None:
        """Tell those of *users*, who stand in front, that are not served yet."""
        for place, user in enumerate(u for u in users if u.waiter is None):
            user.told = place
            self._events.append(Queued(user.uuid, place, self._queue.ticket(user.uuid)))

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
                user = User(one.uuid, one.subject, None, one.talk, False, since=self._now())
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
        talk: int = 0,
        *,
        question: str | None = None,
        page: str = "",
    ) -> None:
        with self._lock:
            person = self._users[user]
            if person.waiter is not None:
                return
            if user in self._queue:
                person.question = person.question if question is None else question
                person.page = page or person.page
                return
            self._make_room_at(person.address)
            if not len(self._pool) and len(self._queue) >= self._max_queue:
                self._make_room_in_queue()
            at = self._micros()
            if ticket is None or self._void.holds(person.subject, ticket):
                person.told = self._queue.join(user, at)
            else:
                person.told = self._queue.rejoin(user, min(ticket, at))
                self._places_changed = True
            person.since = self._now()
            person.question, person.page = question or "", page
            person.talk = person.talk or talk
            self._places.take(user, person.address)
            self._match()
            if person.waiter is None:
                self._events.append(Queued(user, person.told, self._queue.ticket(user)))

    def _micros(self) -> int:
        """µs since 1970."""
        return int(self._wall() * 1e6)

    def void(self, served: Mapping[str, int]) -> None:
        """Tickets that these subjects were told until then (µs since 1970) bring nothing back."""
        with self._lock:
            for subject, at in sorted(served.items(), key=lambda one: one[1]):
                self._void.add(subject, at)

    def _spend(self, user: User) -> None:
        """*user* has used its place, or has given it up: no ticket of it brings that back."""
        self._void.add(user.subject, self._queue.mark(self._micros()))

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        with self._lock:
            person = self._waiters[waiter]
            person.ready = True
            person.capacity = capacity or person.capacity
            self._pool.refresh(person)
            self._match()

    def unready(self, waiter: str, capacity: int | None = None) -> None:
        with self._lock:
            person = self._waiters[waiter]
            person.ready = False
            person.capacity = capacity or person.capacity
            self._pool.refresh(person)

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
        """*waiter* serves *user*, who is in the queue no more."""
        self._places_changed = True
        user.waiter, user.question = waiter.uuid, ""
        waiter.users[user.uuid] = None
        self._served += 1
        self._spend(user)
        self._pool.refresh(waiter)
        waited = self._now() - user.since
        self._events.append(Matched(user.uuid, waiter.uuid, waited, user.talk))

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
        """One more user of *address* may have a place. Raises `AddressFull`."""
        if held := self._places.at_bound(address):
            yielding = self._absent.yielding(held)
            if yielding is None:
                raise AddressFull
            self._depart(yielding, requeue=True)

    def _make_room_in_queue(self) -> None:
        """One more user may stand in the queue. Raises `QueueFull`."""
        yielding = self._absent.yielding_where(self._queue.__contains__)
        if yielding is None:
            raise QueueFull
        self._depart(yielding, requeue=True)

    def _make_room_with_a_waiter(self) -> Waiter | None:
        """A waiter who has become free because somebody else needs the seat of an absent user.

        That one is told on its return that its waiter is gone, and stands in front.
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
            self._tell_front([user])
            return waiter
        return None

    # ---- parting -------------------------------------------------------

    def part(self, user: str, waiter: str, gone: str) -> bool:
        with self._lock:
            person = self._users.get(user)
            if person is None or person.waiter != waiter:
                return False
            self._part(person, self._waiters[waiter], gone)
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
        talk = self._talk(user, False)
        self._events.append(Parted(user.uuid, waiter.uuid, gone, reason, talk=talk))

    def _talk(self, user: User, goes_on: bool) -> int:
        """The conversation that *user* parts from, or that goes on while it waits again."""
        talk = user.talk
        if not goes_on:
            user.talk = 0
        return talk

    def withdraw(self, user: str) -> bool:
        with self._lock:
            if user in self._queue:
                self._spend(self._users[user])
                self._places.give_back(user)
            return self._strike(user)

    def _strike(self, user: str) -> bool:
        left = self._queue.leave(user)
        self._places_changed |= left
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
            if self._places_changed and now - self._told_at >= TELL_PLACES:
                self._told_at = now
                self._tell_places()

    def _tell_places(self) -> None:
        """Tell those whose place has changed: the foremost always, the others in turns."""
        length = len(self._queue)
        foremost = min(PLACES_A_ROUND // 2, length)
        turn = min(max(foremost, self._queue.place_of(self._turn)), length)
        told = 0
        for first, last in ((0, foremost), (turn, length), (foremost, turn)):
            for place, uuid in enumerate(islice(self._queue.places(first), last - first), first):
                user = self._users[uuid]
                if user.told == place:
                    continue
                if told == PLACES_A_ROUND:
                    self._turn = self._queue.ticket(uuid)
                    return  # the rest changes next time
                told += 1
                user.told = place
                self._events.append(Queued(uuid, place, self._queue.ticket(uuid)))
        self._places_changed = False

    # ---- what others see -----------------------------------------------

    def take_events(self) -> list[Event]:
        with self._lock:
            events, self._events = self._events, []
            return events

    def location(self, user: str) -> int:
        """The place in line that *user* was last told."""
        return self._users[user].told

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

    def waiting(self, most: int) -> Queue:
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

    def team(self, most: int) -> list[Face]:
        with self._lock:
            here = (one for one in self._waiters.values() if one.ready and one.present)
            return [Face(one.name, one.avatar) for one in islice(filter(_named, here), most)]


def _named(waiter: Waiter) -> bool:
    return waiter.name != ""


_: type[port.Desk] = MemoryDesk
