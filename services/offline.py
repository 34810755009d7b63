"""When a visitor who asks is not let in: the department is closed, or nobody is there."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from .departments import Departments
from .desk.port import Figures
from .history.visits import Outcome
from .settings import OfflineWhen


class Reason(StrEnum):
    """Why a visitor is not let in, as version 2 says it: the outcome of its visit."""

    CLOSED = Outcome.CLOSED.value
    NOBODY = Outcome.NOBODY.value


class Offline(NamedTuple):
    """A visitor is not let in now."""

    reason: Reason
    #: when it is, in s since 1970; None: nobody can say
    opens: int | None = None


def offline(
    when: OfflineWhen, departments: Departments, key: str, figures: Callable[[], Figures]
) -> Offline | None:
    """Why a visitor who asks for the department of *key* is not let in; None: it is.

    *figures* is called where they are needed.
    """
    one, opening = departments.get(key), departments.opening(key)
    is_disabled = one is not None and not one.is_enabled
    if not opening.is_open and (is_disabled or when is not OfflineWhen.NEVER):
        return Offline(Reason.CLOSED, opening.opens)
    if when is OfflineWhen.NOBODY and not _is_somebody_ready(figures(), departments.way(key)):
        return Offline(Reason.NOBODY)
    return None


def _is_somebody_ready(figures: Figures, way: list[str]) -> bool:
    """Whether a waiter is ready in one of the departments of *way*, along which visitors go on."""
    if not figures.departments:
        return figures.waiters_ready > 0
    return any(load.ready for key, load in figures.departments.items() if key in way)
