"""The participants that one of several workers speaks for, as the desk has described them.

The worker has connections of them, or was the last to have any. When a shared desk has lost
everything, its workers hand over what they remember here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from . import letters
from .letters import Remembered, RememberedConversation
from .port import (
    Departed,
    Event,
    Known,
    Matched,
    Member,
    Moved,
    OnDuty,
    OpenConversation,
    Parted,
    Place,
    Queued,
    Role,
    Route,
    Withdrawn,
)


@dataclass(slots=True)
class Own:
    """A participant that this worker speaks for."""

    role: Role
    subject: str
    name: str
    capacity: int
    #: of a user: where it comes from
    address: str = ""
    avatar: str = ""
    #: of a user in the queue: what waiters are shown of its question; and where it asks from
    question: str = ""
    page: str = ""
    fields: str = ""
    language: str = ""
    #: has connections here
    present: bool = True
    #: of a user who is away: ms that it is waited for if it is served, because it may sleep
    sleep: int = 0
    ready: bool = False
    conversation: int = 0
    #: somebody has served it in that
    has_begun: bool = False
    #: of a user in the queue
    ticket: int | None = None
    location: int = 0
    #: of a user: where it waits or has waited, for which department it has asked, with which
    #: priority, and the subject of the waiter who has served it last
    department: str = ""
    asked: str = ""
    priority: int = 0
    last_waiter: str = ""
    #: of a waiter: where it belongs
    departments: tuple[Member, ...] = ()
    #: the other workers that hold connections of it
    elsewhere: tuple[str, ...] = ()
    #: its conversations, by the UUIDs of the other sides
    conversations: dict[str, OpenConversation] = field(default_factory=dict)

    @property
    def next_conversation(self) -> int:
        """Of a user in the queue: a number for its conversation if the one it has is over.

        It follows the old one, and is as unlikely as any to be another's.
        """
        return self.conversation + 1 if self.conversation and self.ticket is not None else 0

    def ask(self, route: Route) -> None:
        """The user, who is not served, asks for a waiter, as *route* says."""
        if self.ticket is None or not route.stays:
            self.asked = route.wanted
        if self.ticket is None:
            self.priority = route.priority
        self.last_waiter = self.last_waiter or route.last_waiter
        self.language = route.language or self.language

    def remembered(self, uuid: str) -> Remembered:
        """What a desk that has lost everything takes up of it; its UUID is *uuid*."""
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
            conversation=letters.number(self.conversation),
            next_conversation=letters.number(self.next_conversation),
            has_begun=self.has_begun,
            elsewhere=" ".join(self.elsewhere),
            address=self.address,
            question=self.question,
            page=self.page,
            fields=self.fields,
            language=self.language,
            department=self.department,
            asked=self.asked,
            priority=self.priority,
            last_waiter=self.last_waiter,
            departments=letters.belonging(self.departments),
            sleep=letters.number(self.sleep),
        )

    def take(self, place: Place) -> None:
        """Remember the *place* that the desk says."""
        self.ready = place.ready
        self.capacity = place.capacity or self.capacity
        self.conversation, self.ticket, self.location = (
            place.conversation,
            place.ticket,
            place.location,
        )
        self.has_begun = place.begun
        self.department, self.asked = place.department, place.asked
        self.priority, self.last_waiter = place.priority, place.last_waiter
        self.conversations = {one.other.uuid: one for one in place.conversations}


class OwnPeople(dict[str, Own]):
    """UUID → what *worker* remembers of a participant. Not locked."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker
        #: users whose waiters, as far as this worker knows, have written something
        self.answered: set[str] = set()

    def take(self, event: Event) -> None:
        """Remember what *event* changes."""
        for one in event.people:
            if own := self.get(one.uuid):
                own.elsewhere = tuple(name for name in one.workers if name != self._worker)
        match event:
            case Matched(user, waiter):
                known = {one.uuid: one for one in event.people}
                self._match(user, known.get(waiter), event)
                self._match(waiter, known.get(user), event)
            case Parted(user, waiter):
                self.answered.discard(user)
                self._part(user, waiter, event.requeued)
                self._part(waiter, user, event.requeued)
            case Queued(user, location):
                if own := self.get(user):
                    own.ticket, own.location = event.ticket, location
                    own.department = event.department
            case Withdrawn(user):
                if own := self.get(user):
                    own.ticket, own.question = None, ""
                    if event.conversation:
                        own.conversation, own.has_begun = 0, False
            case OnDuty(waiter, ready, capacity):
                if own := self.get(waiter):
                    own.ready, own.capacity = ready, capacity
            case Moved(participant):
                self._move(participant, event.people[0].workers)
            case Departed(participant):
                self.pop(participant, None)

    def _match(self, uuid: str, other: Known | None, event: Matched) -> None:
        if (own := self.get(uuid)) and other:
            own.ticket, own.question = None, ""
            own.conversations[other.uuid] = OpenConversation(other, event.conversation)
            if own.role is Role.USER:
                own.conversation, own.has_begun = event.conversation, True
                own.department, own.last_waiter = event.department, other.subject

    def _part(self, uuid: str, other: str, requeued: bool) -> None:
        if own := self.get(uuid):
            own.conversations.pop(other, None)
            if not requeued:
                own.conversation, own.has_begun = 0, False

    def _move(self, uuid: str, workers: tuple[str, ...]) -> None:
        own = self.get(uuid)
        if own and not own.present and workers and self._worker not in workers:
            self.answered.difference_update(own.conversations)
            del self[uuid]

    def present(self) -> list[str]:
        """The UUIDs of participants of whom this worker has connections."""
        return [uuid for uuid, own in self.items() if own.present]

    def in_company(self) -> list[str]:
        """The UUIDs of all, each waiter's users next to it, so that less is handed over twice."""
        found: dict[str, None] = {}
        for uuid, own in self.items():
            if own.role is Role.WAITER:
                found[uuid] = None
                found.update((other, None) for other in own.conversations if other in self)
        return list(found | dict.fromkeys(self))

    def memory(self, uuids: Iterable[str]) -> bytes:
        """What is remembered of those of *uuids* that are still there, as `recall.lua` reads it.

        Their conversations are part of it.
        """
        people: dict[str, Remembered] = {}
        conversations: dict[tuple[str, str], RememberedConversation] = {}
        others: dict[str, Remembered] = {}
        for uuid in uuids:
            own = self.get(uuid)
            if own is None:
                continue
            people[uuid] = own.remembered(uuid)
            for known in own.conversations.values():
                one, conversation = known.other, letters.number(known.conversation)
                user, waiter = (uuid, one.uuid) if own.role is Role.USER else (one.uuid, uuid)
                conversations[user, waiter] = RememberedConversation(
                    user, waiter, conversation, user in self.answered
                )
                others[one.uuid] = Remembered(
                    one.uuid, one.role, one.subject, one.name, one.avatar,
                    conversation=conversation if one.role is Role.USER else "",
                )  # fmt: skip
        return letters.memory((others | people).values(), conversations.values())
