"""Questions to Redis: what addresses and participants hold and spend (`lua/bounds.lua`)."""

from __future__ import annotations

from msgspec import Struct


class Hold(Struct, frozen=True, tag="hold", tag_field="ask"):
    """The worker holds one more of *key*, unless all workers hold *most* of it together."""

    key: str
    most: int


class Release(Struct, frozen=True, tag="release", tag_field="ask"):
    """The worker holds one less of *key*. Never refused."""

    key: str


class HoldAll(Struct, frozen=True, tag="hold_all", tag_field="ask"):
    """All that the worker holds, by key. Never refused."""

    held: dict[str, int]


class Spend(Struct, frozen=True, tag="spend", tag_field="ask"):
    """The worker spends one of *key*, within the rate that all workers have together."""

    key: str
    #: µs between two
    interval: int
    #: how many at once
    at_once: float


Question = Hold | Release | HoldAll | Spend

#: all of them, by the name that each travels under
QUESTIONS: dict[str, type[Question]] = {
    str(kind.__struct_config__.tag): kind for kind in (Hold, Release, HoldAll, Spend)
}
