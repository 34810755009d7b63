"""The desk of many workers: its state is in Redis, every change is one Lua script.

Rules:

1. The script that changes the desk also posts the letters (`lua/prelude/letters.lua`):
   so no change is without its letters. The caller's own events come back as the
   script's answer, together with every letter that it has not read yet, so that
   events keep the order of the decisions on every worker (`received.py`).
2. One call at a time and one connection for all of them; after a failure every
   call is refused at once, until `tick` has reached Redis again (`calls.py`).
3. This worker remembers its own participants, and joins again with them after a
   failure (`membership.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from . import letters, port
from .calls import Arguments, Calls
from .membership import Membership
from .own_people import Own, OwnPeople
from .port import (
    ANYWHERE,
    MOST_EXPLAINED,
    Absence,
    AddressFull,
    Arrival,
    Colleague,
    DeskNotReady,
    DeskUnavailable,
    Event,
    Explanation,
    Face,
    Figures,
    Member,
    Queue,
    QueueFull,
    Reason,
    Role,
    Route,
    Rules,
    Standing,
    WaiterFull,
)
from .questions import Question
from .received import Received
from .redis_client import TIMEOUT
from .vocabulary import Answer, Field, Key, prefix, queue_of

#: what `connect.lua` answers where it changes nothing
_REFUSALS = (Answer.FULL, Answer.ADDRESS_FULL)

LEASE = 10.0  # s without a tick until a worker is given up
BEAT = 0.5  # s between two ticks


class RedisDesk:
    """`port.Desk` for all workers that name the same *desk* on the same Redis.

    *worker* is the name of this process and never used again by another. *now*
    (seconds) is for tests; None: Redis's own clock, which all workers share. The
    users of one address hold at most *places* in the queue and in conversations; 0: no bound.
    *grace* is the usual grace period in s, *away* that of served users who may sleep.
    """

    def __init__(  # noqa: PLR0913  # all but the first are named
        self,
        url: str,
        *,
        worker: str,
        capacity: int,
        max_queue: int,
        grace: float,
        away: float = 0.0,
        answer_within: float = 0.0,
        desk: str = "main",
        lease: float = LEASE,
        timeout: float = TIMEOUT,
        now: Callable[[], float] | None = None,
        places: int = 0,
    ) -> None:
        self.worker = worker
        self.url = url
        #: before each key
        self.prefix = prefix(desk)
        self._capacity = capacity
        self._places = places
        self._lease = round(lease * 1000)
        self._away = round(away * 1000)
        always: Arguments = {
            "worker": worker,
            "grace": round(grace * 1000),
            "usual_capacity": capacity,
            "max_queue": max_queue,
            "answer_within": round(answer_within * 1e6),
        }
        self._received = Received(worker)
        self._calls = Calls(url, self.prefix, self._received, always, timeout=timeout, now=now)
        self._membership = Membership(url, self._calls, self._received, self._lease, self._away)

    @property
    def _own(self) -> OwnPeople:
        return self._received.own

    @property
    def available(self) -> bool:
        """The last call has reached Redis."""
        return not self._calls.is_away

    @property
    def joins(self) -> int:
        """How often this worker has joined; more than once: letters may have been lost."""
        return self._membership.joins

    def remember_by(self, remembered: Callable[[], list[Standing]]) -> None:
        """*remembered* returns whom a desk that knows nobody is to `restore`.

        It may wait, and raise `CSAppError`.
        """
        self._membership.remembered = remembered

    def _call(
        self,
        script: str,
        /,
        *,
        settle: Callable[[Any], None] | None = None,
        **arguments: str | bytes | int,
    ) -> Any:
        """Run a script; its answer. *settle* is called with that before its events count."""
        return self._calls.call(script, arguments, settle)

    # ---- letters -------------------------------------------------------

    @property
    def mailbox_read(self) -> str:
        """How far the mailbox has been read; its reader moves it on."""
        return self._received.mailbox_read

    @mailbox_read.setter
    def mailbox_read(self, place: str) -> None:
        self._received.mailbox_read = place

    def receive(self, found: Iterable[tuple[int, bytes]]) -> None:
        """Read letters of the desk that were in the mailbox, with their numbers."""
        for number, letter in found:
            if number > self._received.number + 1:
                with self._calls.turn:  # what comes before may be the answer of a call under way
                    pass
            with self._received.lock:
                self._received.take(number, letter)

    def take_events(self) -> list[Event]:
        return self._received.take_events()

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
        arrivals: list[Arrival] = []

        def settle(answer: bytes) -> None:
            arrival = replace(letters.arrival(answer), earlier=len(self._received.events))
            arrivals.append(arrival)
            own = self._own.setdefault(arrival.uuid, Own(role, subject, name, self._capacity))
            own.present, own.name, own.elsewhere = True, name, arrival.elsewhere
            own.sleep = 0
            own.address, own.avatar, own.departments = address, avatar, departments
            self._membership.leaving.discard(arrival.uuid)
            if arrival.place is not None:
                own.take(arrival.place)

        self._call(
            "arrive", settle=settle, role=role, subject=subject, uuid=uuid, name=name,
            address=address, avatar=avatar,
            departments=letters.members(departments) if role is Role.WAITER else b"",
        )  # fmt: skip
        return arrivals[0]

    def drop(
        self, participant: str, absence: Absence = Absence.FULL, *, may_sleep: bool = False
    ) -> None:
        sleep = self._away if may_sleep else 0
        with self._received.lock:
            if own := self._own.get(participant):
                own.present, own.sleep = False, sleep
        with contextlib.suppress(
            DeskUnavailable
        ):  # the desk learns of it when this worker joins again
            self._call(
                "drop", participant=participant, absence=absence, sleep=letters.number(sleep)
            )

    def leave(self, participant: str) -> None:
        with self._received.lock:
            if own := self._own.get(participant):
                own.present = False
                self._membership.leaving.add(participant)
        try:
            self._call("leave", participant=participant)
        except DeskUnavailable:
            return  # the desk learns of it when this worker joins again
        self._membership.leaving.discard(participant)

    def restore(self, standings: list[Standing]) -> None:
        with self._calls.turn:
            self._calls.attempt(lambda: self._membership.take_up(standings))

    # ---- asking and parting --------------------------------------------

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
        def settle(answer: bytes) -> None:
            if answer.decode() not in _REFUSALS and (own := self._own.get(user)):
                own.conversation = own.conversation or int(answer or 0) or conversation
                if not own.conversations:
                    own.ask(route)
                    own.question = own.question if question is None else question
                    waits = own.ticket is not None
                    own.page = page or (own.page if waits else "")
                    own.fields = fields or (own.fields if waits else "")

        answer: bytes = self._call(
            "connect",
            settle=settle,
            user=user,
            ticket="" if ticket is None else ticket,
            conversation=letters.number(conversation),
            places=self._places,
            question="" if question is None else f"={question}",
            page=page,
            fields=fields,
            route=letters.route(route),
        )
        if answer.decode() in _REFUSALS:
            raise AddressFull if answer.decode() == Answer.ADDRESS_FULL else QueueFull
        return int(answer or 0)

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        def settle(answer: int) -> None:
            if own := self._own.get(waiter):
                own.ready, own.capacity = True, answer

        self._call("ready", settle=settle, waiter=waiter, capacity=capacity or "")

    def unready(self, waiter: str, capacity: int | None = None) -> None:
        def settle(answer: int) -> None:
            if own := self._own.get(waiter):
                own.ready, own.capacity = False, answer

        self._call("unready", settle=settle, waiter=waiter, capacity=capacity or "")

    def answered(self, user: str) -> None:
        self._call("answered", user=user, settle=lambda _: self._own.answered.add(user))

    def part(self, user: str, waiter: str, gone: str, reason: Reason | None = None) -> bool:
        why = "" if reason is None else reason.value
        return bool(self._call("part", user=user, waiter=waiter, gone=gone, reason=why))

    def freeze(self, waiter: str, frozen: bool) -> None:
        self._call("freeze", waiter=waiter, frozen="1" if frozen else "")

    def explain(self, user: str) -> Explanation:
        answer = self._call("explain", user=user, most=MOST_EXPLAINED)
        if not answer:
            raise KeyError(user)
        return letters.explanation(answer)

    def take(self, user: str, waiter: str) -> bool:
        return _is_done(self._call("take", user=user, waiter=waiter))

    def transfer(
        self, user: str, waiter: str, to_waiter: str | None = None, department: str | None = None
    ) -> bool:
        answer = self._call(
            "transfer", user=user, waiter=waiter, to_waiter=to_waiter or "",
            department="" if department is None else f"={department}",
        )  # fmt: skip
        return _is_done(answer)

    def withdraw(self, user: str) -> bool:
        return bool(self._call("withdraw", user=user))

    # ---- what others see -----------------------------------------------

    def ticket(self, user: str) -> int:
        own = self._own.get(user)
        if own is not None and own.ticket is not None:
            return own.ticket
        return self._position(user)[0]

    def is_void(self, user: str, ticket: int) -> bool:
        own = self._own.get(user)
        if own is None:
            raise KeyError(user)
        mark = self._calls.read("ZSCORE", Key.VOID, hashlib.sha1(own.subject.encode()).hexdigest())  # noqa: S324
        return mark is not None and abs(ticket) <= float(mark)

    def department(self, user: str) -> str:
        own = self._own.get(user)
        if own is not None and own.ticket is not None:
            return own.department
        return self._position(user)[1]

    def _position(self, user: str) -> tuple[int, str]:
        """The ticket of a queued user whom this worker does not know, and where it waits."""
        route = self._calls.read("HGET", Key.PARTICIPANT + user, Field.ROUTE)
        department, priority = letters.where(route or b"")
        score = self._calls.read("ZSCORE", queue_of(department, priority), user)
        if score is None:
            raise KeyError(user)
        return int(float(score)), department

    def location(self, user: str) -> int:
        own = self._own.get(user)
        if own is not None:
            return own.location
        return int(self._calls.read("HGET", Key.TOLD, user) or 0)

    def capacity(self, waiter: str) -> int:
        own = self._own.get(waiter)
        if own is not None:
            return own.capacity
        found = self._calls.read("HGET", Key.PARTICIPANT + waiter, Field.CAPACITY)
        if found is None:
            raise KeyError(waiter)
        return int(found)

    def count(self, asked: Sequence[Question]) -> list[int]:
        """Hold and spend in `lua/bounds.lua`: for each question 1, or 0 for a refusal."""
        answers: list[int] = self._call("bounds", asked=letters.pack(asked))
        return answers

    def figures(self) -> Figures:
        return letters.figures(self._call("figures"))

    def waiting(self, most: int, departments: Sequence[str] = ("",)) -> Queue:
        some = sorted({*departments})
        packed = b"" if some == [""] else letters.pack(some)
        return letters.waiting(self._call("waiting", most=most, departments=packed))

    def workers(self, participant: str) -> tuple[str, ...]:
        found = self._calls.read("HGET", Key.PARTICIPANT + participant, Field.AT)
        return tuple((found or b"").decode().split())

    def colleagues(self, most: int) -> list[Colleague]:
        return letters.colleagues(self._call("colleagues", most=most))

    def team(self, most: int, department: str | None = None) -> list[Face]:
        of = "" if department is None else f"={department}"
        return letters.team(self._call("team", most=most, department=of))

    # ---- departments ---------------------------------------------------

    def configure(self, rules: Rules) -> bool:
        with self._calls.turn:
            membership = self._membership
            if membership.rules is None or membership.rules.number < rules.number:
                membership.rules, membership.is_configured = rules, False
            if not self._calls.is_away:  # otherwise the desk gets them when this worker joins again
                with contextlib.suppress(DeskUnavailable):
                    self._calls.attempt(membership.configure)
            return membership.is_configured

    def assign(self, waiter: str, departments: tuple[Member, ...]) -> None:
        packed = letters.members(departments)
        with self._received.lock:
            if own := self._own.get(waiter):
                own.departments = departments
                self._membership.assigning[waiter] = packed
        try:
            self._call("assign", waiter=waiter, departments=packed)
        except DeskUnavailable:
            return  # the desk learns of it when this worker joins again
        self._membership.assigning.pop(waiter, None)

    # ---- time ----------------------------------------------------------

    def tick(self) -> None:
        """Let time pass, renew the lease; while the desk is out of reach, try to reach it."""
        with self._calls.turn, contextlib.suppress(DeskUnavailable):
            self._calls.attempt(self._tick)

    def _tick(self) -> None:
        self._calls.run("tick", {"lease": self._lease})
        self._membership.configure()  # where a worker that could not read departments is gone now

    def beat(self, on_events: Callable[[], None]) -> bool:
        """Tick, call *on_events* when there are events to take; False once the desk is closed."""
        if self._calls.is_closed:
            return False
        self.tick()
        if self._received.events:
            on_events()
        return True

    def close(self) -> None:
        """Give the lease back: participants with connections only here are away from now on."""
        self._calls.close()


def _is_done(answer: int | bytes) -> bool:
    """What a script answers that lets a waiter serve a user.

    Raises `WaiterFull` and `DeskNotReady`.
    """
    if answer == Answer.FULL.encode():
        raise WaiterFull
    if answer == Answer.SETTLING.encode():
        raise DeskNotReady("the desk has lost everything and takes up again who is there")
    if answer == Answer.EARLIER.encode():
        raise DeskNotReady("a worker of an earlier release shares the desk")
    return bool(answer)


_: type[port.Desk] = RedisDesk
