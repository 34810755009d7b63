"""What the scripts write, read: events, arrivals, and what a worker remembers for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .port import (
    Arrival,
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
    Reason,
    Role,
    Waiting,
    Withdrawn,
)

#: uuid, role, subject, name, present, own, ready, capacity, ticket, talk, elsewhere, next talk,
#: address, avatar, question, page
Remembered = tuple[
    str, Role, str, str, bool, bool, bool, str, str, str, str, str, str, str, str, str
]


def number(talk: int | None) -> str:
    """A whole number as the scripts keep it: Lua's own are not long enough."""
    return str(talk) if talk else ""


def memory(people: Iterable[Remembered], chats: Iterable[tuple[str, str, str]]) -> bytes:
    """As `taking_up.lua` reads it; *chats* are user, waiter, talk."""
    return msgspec.json.encode({"people": list(people), "chats": list(chats)})


def names(uuids: list[str]) -> bytes:
    """As `join.lua` reads them."""
    return msgspec.json.encode(uuids)


def events(letter: bytes) -> list[Event]:
    """The events of a letter, as `prelude.lua` writes them."""
    return [_event(*raw) for raw in msgspec.json.decode(letter)]


def _event(kind: str, count: int, keeps: bool, *rest: Any) -> Event:
    *fields, about = rest
    people = tuple(_known(*one) for one in about)
    head: dict[str, Any] = {"number": count, "is_recorder": keeps, "people": people}
    match kind:
        case "M":
            user, waiter, waited, talk = fields
            return Matched(user, waiter, int(waited) / 1_000_000, int(talk or 0), **head)
        case "Q":
            user, location, ticket = fields
            return Queued(user, location, int(ticket), **head)
        case "P":
            user, waiter, gone, requeued, talk, reason = fields
            return Parted(user, waiter, gone, Reason(reason), requeued, int(talk or 0), **head)
        case "R":
            waiter, ready, capacity = fields
            return OnDuty(waiter, ready, int(capacity or 0), **head)
        case "D":
            participant, talk, reason = fields
            return Departed(participant, Reason(reason), int(talk or 0), **head)
        case _:
            return _OF_ONE[kind](*fields, **head)


_OF_ONE: dict[str, type[Moved | Withdrawn]] = {
    "V": Moved,
    "W": Withdrawn,
}


def _known(uuid: str, role: str, subject: str, name: str, workers: str, avatar: str) -> Known:
    return Known(uuid, Role(role), subject, name, tuple(workers.split()), avatar)


def waiting(
    uuid: bytes,
    name: bytes,
    avatar: bytes,
    question: bytes,
    page: bytes,
    since: bytes,
    subject: bytes,
) -> Waiting:
    """What `waiting.lua` answers of one user."""
    return Waiting(
        uuid.decode(), name.decode(), avatar.decode(), question.decode(), page.decode(), int(since),
        subject.decode(),
    )  # fmt: skip


def arrival(
    uuid: bytes, standing: int, place: bytes, elsewhere: bytes, came: bytes, home: bytes
) -> Arrival:
    """What `arrive.lua` answers."""
    found = _place(**msgspec.json.decode(place)) if place else None
    workers = tuple(elsewhere.decode().split())
    return Arrival(
        uuid.decode(), bool(standing), found, workers, home=home.decode(), came=int(came)
    )


def _place(
    chats: list[list[str]],
    talk: str,
    begun: bool,
    ticket: str,
    location: str,
    ready: bool,
    capacity: str,
) -> Place:
    return Place(
        chats=tuple(Chatting(_known(*known), int(its or 0)) for *known, its in chats),
        talk=int(talk or 0),
        begun=begun,
        ticket=int(float(ticket)) if ticket else None,
        location=int(location),
        ready=ready,
        capacity=int(capacity or 0),
    )
