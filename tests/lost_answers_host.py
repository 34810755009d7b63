"""The standalone application at a desk that decides, and whose answers to calls are lost then."""

from __future__ import annotations

import sys

from csapp import create_app
from services.desk.port import DeskUnavailable
from services.switchboard import Switchboard

_carry_out = Switchboard.carry_out


def carry_out_and_fail(self: Switchboard) -> None:
    _carry_out(self)
    if sys._getframe(1).f_globals["__name__"].startswith("services.handlers"):
        raise DeskUnavailable("its answer is lost")


Switchboard.carry_out = carry_out_and_fail  # type: ignore[method-assign]
app = create_app()
