"""What the workers of one desk write to each other: letters, which may be lost."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ..channels import ParkedFrames
from ..conversation.kinds import TEXT


class Said(msgspec.Struct, tag="s", array_like=True):
    """Entries that are stored: their conversation, who wrote them, when, the `seq` of the first.

    *ids*: the client ids, in version 2. *kind* and *data*: see `Entries`. *kept* is always
    false; workers of the version before read it.
    """

    conversation: int
    side: int
    author: str
    date: int
    first: int
    texts: list[str]
    kept: bool = False
    ids: list[str | None] | None = None
    kind: int = TEXT.number
    data: str | None = None


DECISION = "decision:"


def decision_id(number: int, words: str = "") -> str:
    """The client id of the entry that the desk's decision of this *number* gets.

    *words*: it is no event, but what the site says by itself then.
    """
    return f"{DECISION}{number}:{words}" if words else f"{DECISION}{number}"


def decision_of(client_id: str | None) -> int:
    """The number of the decision whose entry has this client id; 0: none has."""
    number = (client_id or "").removeprefix(DECISION)
    return int(number) if number.isdecimal() else 0


class Passed(msgspec.Struct, tag="p", array_like=True):
    """What one side lets the other side know. The worker that gets the letter stores nothing.

    The side types or has stopped (`on`), has read up to `seq`, or sends a `signal`. Or a waiter
    has written a `staff` entry (the fields of a `StaffRow`), which the
    waiter with the UUID *to* is shown.
    """

    conversation: int
    side: int
    on: bool | None = None
    seq: int | None = None
    signal: str = ""
    staff: tuple[Any, ...] | None = None
    to: str = ""


class Reached(msgspec.Struct, tag="r", array_like=True):
    """The conversation is stored up to *seq*: for a worker where one of its sides has just come.

    *uuid*: the participant that has come. *away*: the last `seq` that was delivered before it
    was away on all workers, as the sender knows it; None: it was not away.
    """

    conversation: int
    seq: int
    uuid: str = ""
    away: int | None = None


class NewLogin(msgspec.Struct, tag="l", array_like=True):
    """A waiter has signed in on the sender's worker: older logins are replaced."""

    uuid: str
    sid: str
    came: int


LEFT, MOVED = -1, 0  # `Parked.about`; decisions have positive numbers, questions negative ones


class Parked(msgspec.Struct, tag="k", array_like=True):
    """What a participant has missed, for a worker that has connections of it.

    *about* says why the letter is sent. `LEFT`: it is no report; frames are passed on. `MOVED`:
    a report, because the addressee has got its first connection of the participant. Positive:
    a report; the number of the desk's decision by which the sender has lost its last one.
    Below `LEFT`: the number of a question, or of the report that answers it; the question
    *asks*.

    *sent*: by conversation, up to which `seq` the participant was sent, *frames* included.
    *frames*: what has not arrived. *live*: what the sender's last connection has missed
    since the addressee has had connections as well.
    """

    uuid: str
    frames: list[ParkedFrames]
    about: int = LEFT
    sent: dict[int, int] = {}
    live: list[ParkedFrames] = []
    asks: bool = False


Letter = Said | Passed | Reached | NewLogin | Parked

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Letter]).decode


class Post(Protocol):
    """The way to the other workers."""

    def post(self, worker: str, letter: bytes) -> None:
        """Let *worker* have *letter*. Never waits."""
