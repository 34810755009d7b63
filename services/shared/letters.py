"""What the workers of one desk write to each other."""

from __future__ import annotations

from typing import Protocol

import msgspec

from ..conversation.kinds import TEXT
from ..conversation.rows import StaffRow
from ..participants import ParkedFrames


class Said(msgspec.Struct, tag="s", array_like=True):
    """Entries that are stored: their talk, who wrote them, when, and the number of the first.

    *ids*: the client ids, in version 2. *kind* and *data*: see `Saying`. *kept* is always
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


def decision_id(number: int) -> str:
    """The client id of the entry that tells of the desk's decision of this *number*."""
    return f"{DECISION}{number}"


def decision_of(client_id: str | None) -> int:
    """The number of that decision; 0: it is none's."""
    number = (client_id or "").removeprefix(DECISION)
    return int(number) if number.isdecimal() else 0


class Passed(msgspec.Struct, tag="p", array_like=True):
    """What one side lets the other know. The worker that gets the letter never stores it.

    It types or has stopped (`on`), it has read up to `seq`, or it sends a `signal`. Or a waiter,
    not always the one who serves, has written a `staff` entry: the one who serves is shown it.
    """

    conversation: int
    side: int
    on: bool | None = None
    seq: int | None = None
    signal: str = ""
    staff: StaffRow | None = None


class Reached(msgspec.Struct, tag="r", array_like=True):
    """So much is stored: for a worker where a side of the talk has just come.

    *uuid*: whose side. *away*: the last number delivered before that side was away on all
    workers, as the sender knows it; None: it was not away.
    """

    conversation: int
    seq: int
    uuid: str = ""
    away: int | None = None


class NewLogin(msgspec.Struct, tag="l", array_like=True):
    """A waiter has signed in elsewhere: logins that came before are replaced."""

    uuid: str
    sid: str
    came: int


LEFT, MOVED = -1, 0  # `Parked.about`; decisions have positive numbers, questions negative ones


class Parked(msgspec.Struct, tag="k", array_like=True):
    """What a participant has missed, for a worker that has sockets of it.

    *about* says whether it is the word of a worker, and why. LEFT: it is no word; something is
    passed on. MOVED: the addressee has got its first socket of the participant. Positive: the
    number of the desk's decision by which the sender has lost its last one. Negative: the
    number of a question, which is such a letter that *asks*.
    *told*: by talks, up to which number the participant was told, or has the texts in *kept*.
    *live*: what the sender's last socket has missed after the addressee had sockets as well.
    """

    uuid: str
    kept: list[ParkedFrames]
    about: int = LEFT
    told: dict[int, int] = {}
    live: list[ParkedFrames] = []
    asks: bool = False


Letter = Said | Passed | Reached | NewLogin | Parked

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Letter]).decode


class Post(Protocol):
    """The way to the other workers."""

    def post(self, worker: str, letter: bytes) -> None:
        """Let *worker* have *letter*. Never waits."""
