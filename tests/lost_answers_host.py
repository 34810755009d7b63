"""The standalone application at a desk that decides, and whose answers to calls are lost then."""

from __future__ import annotations

import sys

from csapp import create_app
from services.desk.memory import MemoryDesk
from services.desk.port import DeskUnavailable, Event
from services.switchboard import Switchboard

_carry_out, _take_events = Switchboard.carry_out, MemoryDesk.take_events
_decided: list[Event] = []


def take_events(self: MemoryDesk) -> list[Event]:
    events = _take_events(self)
    _decided.extend(events)
    return events


def carry_out_and_fail(self: Switchboard) -> None:
    _carry_out(self)
    if _decided and sys._getframe(1).f_globals["__name__"].startswith("services.handlers"):
        _decided.clear()
        raise DeskUnavailable("its answer is lost")


MemoryDesk.take_events = take_events  # type: ignore[method-assign]
Switchboard.carry_out = carry_out_and_fail  # type: ignore[method-assign]
app = create_app()
