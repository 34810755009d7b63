"""The participants that one of several workers speaks for, as it was told of them.

It has sockets of them, or was the last to have any. What it remembers is what
a shared desk is told when it has lost everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from . import letters
from .letters import Remembered, RememberedChat
from .port import (
    Chatting,
    Departed,
    Event,
    Known,
    Matched,
    Moved,
    OnDuty,
    Parted,
    Place,
    Queued,
    Role,
    Withdrawn,
)


@dataclass(slots=True)
class Own:
    """One of them."""

    role: Role
    subject: str
    name: str
    capacity: int
    #: of a user: where it comes from
    address: str = ""
    avatar: str = ""
    #: of a user in the queue: what waiters are told of it; and where it asks from
    question: str = ""
    page: str = ""
    #: has sockets here
    present: bool = True
    ready: bool = False
    talk: int = 0
    #: of a user in the queue
    ticket: int | None = None
    location: int = 0
    #: the other workers that hold sockets of it
    elsewhere: tuple[str, ...] = ()
    #: those it talks with, by their UUIDs
    chats: dict[str, Chatting] = field(default_factory=dict)

    @property
    def next_talk(self) -> int:
        """Of a user in the queue: a number for its conversation if the one it has is over.

        It follows the old one, and is as unlikely as any to be another's.
        """
        return self.talk + 1 if self.talk and self.ticket is not None else 0

    def remembered(self, uuid: str) -> Remembered:
        """It, whose UUID is *uuid*, as a desk is told of it that has lost everything."""
        return Remembered(
            uuid,
            self.role,
            self.subject,
            self.name,
            self.avatar,
            present=self.present,
            own=True,
            ready=self.ready,
            capacity=str(self.capacity),
            ticket=letters.number(self.ticket),
            talk=letters.number(self.talk),
            next_talk=letters.number(self.next_talk),
            elsewhere=" ".join(self.elsewhere),
            address=self.address,
            question=self.question,
            page=self.page,
        )

    def take(self, place: Place) -> None:
        """Stand as the desk says."""
        self.ready = place.ready
        self.capacity = place.capacity or self.capacity
        self.talk, self.ticket, self.location = place.talk, place.ticket, place.location
        self.chats = {chat.other.uuid: chat for chat in place.chats}


class OwnPeople(dict[str, Own]):
    """UUID → what is remembered. Not locked. *worker* is whose they are."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def hear(self, event: Event) -> None:
        """*event* has happened."""
        for one in event.people:
            if own := self.get(one.uuid):
                own.elsewhere = tuple(name for name in one.workers if name != self._worker)
        match event:
            case Matched(user, waiter):
                known = {one.uuid: one for one in event.people}
                self._match(user, known.get(waiter), event.talk)
                self._match(waiter, known.get(user), event.talk)
            case Parted(user, waiter):
                self._part(user, waiter, event.requeued)
                self._part(waiter, user, event.requeued)
            case Queued(user, location):
                if own := self.get(user):
                    own.ticket, own.location = event.ticket, location
            case Withdrawn(user):
                if own := self.get(user):
                    own.ticket, own.question = None, ""
            case OnDuty(waiter, ready, capacity):
                if own := self.get(waiter):
                    own.ready, own.capacity = ready, capacity
            case Moved(participant):
                self._move(participant, event.people[0].workers)
            case Departed(participant):
                self.pop(participant, None)

    def _match(self, uuid: str, other: Known | None, talk: int) -> None:
        if (own := self.get(uuid)) and other:
            own.ticket, own.question = None, ""
            own.chats[other.uuid] = Chatting(other, talk)
            if own.role is Role.USER:
                own.talk = talk

    def _part(self, uuid: str, other: str, requeued: bool) -> None:
        if own := self.get(uuid):
            own.chats.pop(other, None)
            if not requeued:
                own.talk = 0

    def _move(self, uuid: str, workers: tuple[str, ...]) -> None:
        own = self.get(uuid)
        if own and not own.present and workers and self._worker not in workers:
            del self[uuid]

    def present(self) -> list[str]:
        """Of whom this worker has sockets."""
        return [uuid for uuid, own in self.items() if own.present]

    def in_company(self) -> list[str]:
        """All of them, a waiter's users next to it: less has to be told twice."""
        found: dict[str, None] = {}
        for uuid, own in self.items():
            if own.role is Role.WAITER:
                found[uuid] = None
                found.update((other, None) for other in own.chats if other in self)
        return list(found | dict.fromkeys(self))

    def memory(self, uuids: Iterable[str]) -> bytes:
        """What is remembered of those of *uuids* that are still there, as `recall.lua` reads it.

        Whom they talk with is part of it.
        """
        people: dict[str, Remembered] = {}
        chats: dict[tuple[str, str], RememberedChat] = {}
        others: dict[str, Remembered] = {}
        for uuid in uuids:
            own = self.get(uuid)
            if own is None:
                continue
            people[uuid] = own.remembered(uuid)
            for chat in own.chats.values():
                one, talk = chat.other, letters.number(chat.talk)
                user, waiter = (uuid, one.uuid) if own.role is Role.USER else (one.uuid, uuid)
                chats[user, waiter] = RememberedChat(user, waiter, talk)
                others[one.uuid] = Remembered(
                    one.uuid, one.role, one.subject, one.name, one.avatar,
                    talk=talk if one.role is Role.USER else "",
                )  # fmt: skip
        return letters.memory((others | people).values(), chats.values())
