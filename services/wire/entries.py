"""The frames of an entry's kind, made from its name: see `services/conversation/kinds.py`."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import msgspec

from . import frames


def request(name: str, payload: type[frames.ClientStruct]) -> type[frames.ClientFrame]:
    """The frame *name*, with which a client writes an entry."""
    made: type[frames.ClientFrame] = _made(name, payload, frames.ClientFrame, kw_only=True)
    return made


def routed(payload: type[frames.ClientStruct]) -> type[frames.ClientStruct]:
    """*payload*, and the conversation that it is for."""
    made: Any = msgspec.defstruct(
        f"Routed{payload.__name__}",
        [("conversation", frames.Conversation | msgspec.UnsetType, msgspec.UNSET)],
        bases=(payload,), kw_only=True, gc=False, module=__name__,
    )  # fmt: skip
    return cast("type[frames.ClientStruct]", made)


@cache
def pushed(
    name: str, base: type[frames.ServerFrame2] = frames.ServerFrame2
) -> type[frames.ServerFrame2]:
    """The frame *name*, with which the server shows an entry."""
    made: type[frames.ServerFrame2] = _made(name, dict[str, Any], base)
    return made


def receipt(name: str, payload: type[msgspec.Struct]) -> type[frames.ServerFrame2]:
    """The frame *name*, which says that an entry is stored."""
    made: type[frames.ServerFrame2] = _made(name, payload, frames.ServerFrame2)
    return made


def _made(name: str, payload: Any, base: type[msgspec.Struct], *, kw_only: bool = False) -> Any:
    title = name.title().replace("_", "")
    return msgspec.defstruct(
        title, [("payload", payload)], bases=(base,), tag=name, kw_only=kw_only, gc=False,
        module=__name__,
    )  # fmt: skip
