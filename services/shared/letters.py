"""What the workers of one desk write to each other."""

from __future__ import annotations

from typing import Protocol

import msgspec

from ..participants import Kept


class Said(msgspec.Struct, tag="s", array_like=True):
    """Texts that are stored: their talk, who said them, when, and the number of the first.

    *kept*: the side that they are for is away, and who sends this keeps them for it.
    *ids*: the client ids, in version 2.
    """

    talk: int
    side: int
    author: str
    date: int
    first: int
    texts: list[str]
    kept: bool = False
    ids: list[str | None] | None = None


class Passed(msgspec.Struct, tag="p", array_like=True):
    """One side types or has stopped (`on`), or has read up to `seq`: never stored by the reader."""

    talk: int
    side: int
    on: bool | None = None
    seq: int | None = None


class Reached(msgspec.Struct, tag="r", array_like=True):
    """So much is stored: for a worker where a side of the talk has just come."""

    talk: int
    seq: int


class NewLogin(msgspec.Struct, tag="l", array_like=True):
    """A waiter has signed in elsewhere: logins that came before are replaced."""

    uuid: str
    sid: str
    came: int


class Parked(msgspec.Struct, tag="k", array_like=True):
    """What was kept for somebody who is there now."""

    uuid: str
    kept: list[Kept]


Letter = Said | Passed | Reached | NewLogin | Parked

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Letter]).decode


class Post(Protocol):
    """The way to the other workers."""

    def post(self, worker: str, letter: bytes) -> None:
        """Let *worker* have *letter*. Never waits."""
