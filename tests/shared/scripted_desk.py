"""A desk of several workers without a Redis: as `desk/redis.py`, for one waiter or two.

Nobody ever departs; every user who asks is served by the waiter that came first, until it is
handed over.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.desk.port import (
    ANYWHERE,
    Absence,
    Arrival,
    Event,
    Figures,
    Known,
    Matched,
    Member,
    Moved,
    OpenConversation,
    Parted,
    Place,
    Queued,
    Reason,
    Role,
    Route,
)

if TYPE_CHECKING:
    from .simulation import Worker


@dataclass(eq=False)
class DeskParticipant:
    """A participant as Redis knows it."""

    uuid: str
    role: Role
    subject: str
    #: the workers that have connections of it, and the last one that had any
    at: list[str] = field(default_factory=list)
    home: str = ""
    conversation: int = 0
    waiter: str = ""
    #: of a user: the number of the decision by which it is served
    matched: int = 0

    @property
    def known(self) -> Known:
        """As the desk describes it to workers."""
        return Known(self.uuid, self.role, self.subject, self.subject, tuple(self.at))


class SharedState:
    """What is in Redis."""

    def __init__(self, chance: random.Random) -> None:
        self.people: dict[str, DeskParticipant] = {}
        self.desks: dict[str, ScriptedDesk] = {}
        self.decided = self.came = 0
        self.chance = chance
        #: users who were handed to whoever is free next
        self.queue: list[DeskParticipant] = []

    def standing(self, role: Role, subject: str) -> DeskParticipant | None:
        """By its subject."""
        people = self.people.values()
        return next((one for one in people if (one.role, one.subject) == (role, subject)), None)

    def others(self, one: DeskParticipant) -> list[DeskParticipant]:
        """Those with whom it has conversations."""
        if one.role is Role.USER:
            return [self.people[one.waiter]] if one.waiter else []
        return [user for user in self.people.values() if user.waiter == one.uuid]

    def recipients(self, one: DeskParticipant) -> list[str]:
        """The workers that get the events which concern it."""
        return one.at or [name for name in (one.home,) if name in self.desks]

    def write(self, make: Any, workers: list[str], me: str) -> list[Event]:
        """Post an event to *workers*; returns that of the caller, *me*."""
        self.decided += 1
        own = []
        for number, worker in enumerate(dict.fromkeys(workers)):
            event = make(number=self.decided, is_recorder=number == 0)
            if worker == me:
                own.append(event)
            elif worker in self.desks:
                self.desks[worker].mailbox.append(("#", event))
        return own

    def match(self, user: DeskParticipant, waiter: DeskParticipant, me: str) -> list[Event]:
        """*waiter* serves *user* from now on; returns the caller's event."""
        user.waiter = waiter.uuid
        people = user.known, waiter.known

        def make(**how: Any) -> Event:
            return Matched(
                user.uuid, waiter.uuid, conversation=user.conversation, people=people, **how
            )

        recipients = [*self.recipients(user), *self.recipients(waiter)]
        own = self.write(make, recipients or [me], me)
        user.matched = self.decided
        return own

    def match_next(self) -> None:
        """Any waiter takes the first of the queue, as a script of some other worker decides."""
        waiters = [one for one in self.people.values() if one.role is Role.WAITER and one.at]
        if waiters:
            self.match(self.queue.pop(0), self.chance.choice(waiters), "")

    def write_move(
        self, one: DeskParticipant, caused: str, me: str, former_home: str = ""
    ) -> list[Event]:
        """Where its connections are now; not to the worker that has *caused* it."""
        workers = [former_home or caused, *one.at]
        workers += [name for other in self.others(one) for name in self.recipients(other)]
        some = [name for name in workers if name and name != caused]
        known = one.known
        return self.write(lambda **how: Moved(one.uuid, people=(known,), **how), some, me)

    def retire(self, worker: str) -> None:
        """*worker* is given up."""
        del self.desks[worker]
        for one in self.people.values():
            if worker in one.at:
                self._lose(one, worker)
                self.write_move(one, worker, "")

    def _lose(self, one: DeskParticipant, worker: str) -> None:
        one.at.remove(worker)
        if not one.at:
            one.home = worker

    def lose_here(self, one: DeskParticipant, me: str) -> list[Event]:
        """The caller has no connection of it any more."""
        if me not in one.at:
            return []
        self._lose(one, me)
        return self.write_move(one, "" if one.at else me, me, me)


class ScriptedDesk:
    """`port.Desk` of one *worker*."""

    def __init__(self, state: SharedState, worker: Worker) -> None:
        self._state, self._worker, self._me = state, worker, worker.name
        state.desks[worker.name] = self
        #: its letters are among those of others
        self.mailbox = worker.mailbox
        self.calling = 0
        self._events: deque[Event] = deque()
        from services.switchboard import threading  # the simulation's

        self._turn: Any = threading.Lock()

    def receive(self, event: Event) -> None:
        """A letter of the desk is read."""
        self._events.append(event)

    def take_events(self) -> list[Event]:
        """The events that were received and not taken yet."""
        events = list(self._events)
        self._events.clear()
        return events

    def _call(self, change: Any) -> Any:
        """One at a time; each way takes its time."""
        hub = self._worker.world.hub
        with self._turn:
            hub.wait(self._worker.calls.append)
            answer, own = change()
            unread = [event for sender, event in self.mailbox if sender == "#"]
            others = [one for one in self.mailbox if one[0] != "#"]
            self.mailbox.clear()
            self.mailbox.extend(others)
            self.calling += 1
            hub.wait(self._worker.calls.append)
            self.calling -= 1
            self._events.extend(unread)
            earlier = len(self._events)
            self._events.extend(own)
            return answer, earlier

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
        """As `arrive.lua`."""

        def change() -> tuple[Any, list[Event]]:
            state, me = self._state, self._me
            state.came += 1
            one = state.standing(role, subject)
            if one is None:
                one = state.people[uuid] = DeskParticipant(uuid, role, subject, [me], me)
                return (uuid, False, None, (), "", state.came), []
            elsewhere = tuple(name for name in one.at if name != me)
            place, own, home = None, [], ""
            if me not in one.at:
                former = one.home
                if not one.at and former != me and former in state.desks:
                    home = former
                if one.home != me or one.at:
                    conversations = tuple(
                        OpenConversation(
                            other.known,
                            other.conversation or one.conversation,
                            other.matched or one.matched,
                        )
                        for other in state.others(one)
                    )
                    is_queued = one in state.queue
                    place = Place(
                        conversations, one.conversation, bool(one.waiter) or is_queued,
                        ready=True, capacity=9, ticket=1 if is_queued else None,
                        number=state.decided,
                    )  # fmt: skip
                one.at.append(me)
                one.home = me
                own = state.write_move(one, me, me, former)
            return (one.uuid, True, place, elsewhere, home, state.came), own

        (found, standing, place, elsewhere, home, came), earlier = self._call(change)
        return Arrival(found, standing, place, elsewhere, home, earlier, came)

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
        """As `connect.lua`: there is always a waiter with a seat, once it has come."""

        def change() -> tuple[int, list[Event]]:
            state = self._state
            one = state.people[user]
            waiters = [other for other in state.people.values() if other.role is Role.WAITER]
            if one.waiter or one in state.queue or not waiters:
                return 0, []
            one.conversation = one.conversation or conversation
            return one.conversation, state.match(one, waiters[0], self._me)

        number, _ = self._call(change)
        return int(number)

    def transfer(
        self, user: str, waiter: str, to_waiter: str | None = None, department: str | None = None
    ) -> bool:
        """As `transfer.lua`."""

        def change() -> tuple[Any, list[Event]]:
            state, me = self._state, self._me
            one, giver = state.people[user], state.people[waiter]
            taker = state.people.get(to_waiter or "")
            is_missing = to_waiter is not None and (taker is None or not taker.at)
            if one.waiter != waiter or is_missing:
                return False, []
            one.waiter = ""
            known = one.known, giver.known

            def part(**how: Any) -> Event:
                return Parted(
                    user, waiter, waiter, Reason.TRANSFERRED, requeued=True,
                    conversation=one.conversation, people=known, **how,
                )  # fmt: skip

            own = state.write(part, [*state.recipients(one), *state.recipients(giver)], me)
            if taker is not None:
                return True, own + state.match(one, taker, me)
            state.queue.append(one)

            def queue(**how: Any) -> Event:
                return Queued(user, 0, ticket=1, people=known[:1], **how)

            return True, own + state.write(queue, state.recipients(one), me)

        return bool(self._call(change)[0])

    def drop(
        self, participant: str, absence: Absence = Absence.FULL, *, may_sleep: bool = False
    ) -> None:
        """As `drop.lua`."""

        def change() -> tuple[Any, list[Event]]:
            one = self._state.people.get(participant)
            return None, self._state.lose_here(one, self._me) if one else []

        self._call(change)

    def answered(self, user: str) -> None:
        """Nobody waits for answers."""

    leave = drop  # nobody goes on purpose

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        """It always is."""

    def capacity(self, waiter: str) -> int:
        """Enough."""
        return 9

    def ticket(self, user: str) -> int:
        """Nobody waits for long."""
        return 1

    def department(self, user: str) -> str:
        """There is one only."""
        return ""

    def location(self, user: str) -> int:
        """Nobody waits for long."""
        return 0

    def figures(self) -> Figures:
        """Nobody looks at them."""
        return Figures(0, 0, 0, 0, 0.0)
