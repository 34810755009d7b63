"""Letters as workers of the release before write and read them.

During an update workers of two releases share a desk. Those of the one before
write an event as a JSON array with its fields in a fixed order, and read no
other. So the scripts write such letters to every worker that does not say
`port.READS` 2 or more (`lua/prelude/former.lua`), and `letters.events` reads both.
To be removed with the release after 0.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .events import Event

#: the event → the letter that names it in an array, and its fields in their order; a field
#: that the event has got since is not among them
SHAPES: dict[str, tuple[str, ...]] = {
    "matched": ("M", "user", "waiter", "waited", "talk"),
    "queued": ("Q", "user", "location", "ticket"),
    "parted": ("P", "user", "waiter", "gone", "requeued", "talk", "reason"),
    "departed": ("D", "participant", "talk", "reason"),
    "moved": ("V", "participant"),
    "withdrawn": ("W", "user"),
    "on_duty": ("R", "waiter", "ready", "capacity"),
}

_BY_LETTER = {shape[0]: (event, shape[1:]) for event, shape in SHAPES.items()}


def is_former(letter: bytes) -> bool:
    """Whether *letter* is such a one: a JSON array, which no list in msgpack begins like."""
    return letter.startswith(b"[")


def events(letter: bytes) -> list[Event]:
    """The events of such a letter."""
    return [_event(*raw) for raw in msgspec.json.decode(letter)]


def _event(kind: str, number: int, is_recorder: bool, *rest: Any) -> Event:
    *values, people = rest
    event, names = _BY_LETTER[kind]
    fields = {
        name: _READ[name](value) if name in _READ else value
        for name, value in zip(names, values, strict=True)
    }
    about = [
        {"uuid": uuid, "role": role, "subject": subject, "name": name, "workers": workers.split(),
         "avatar": avatar}
        for uuid, role, subject, name, workers, avatar in people
    ]  # fmt: skip
    head = {"event": event, "number": number, "is_recorder": is_recorder, "people": about}
    found: Event = msgspec.convert(head | fields, Event)
    return found


def _number(value: str | int) -> int:
    return int(value or 0)


def _seconds(micros: str) -> float:
    return int(micros) / 1_000_000


_READ: dict[str, Callable[[Any], Any]] = {
    "waited": _seconds,
    "talk": _number,
    "ticket": _number,
    "capacity": _number,
}
