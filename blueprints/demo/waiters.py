"""Who may sign in at the demo, with passwords that everybody knows, as this is."""

from __future__ import annotations

from typing import NamedTuple

#: environment variable: names of the waiters whose public passwords are still theirs
SHOWN = "DEMO_WAITERS"


class Waiter(NamedTuple):
    """A ready-made account."""

    name: str
    display_name: str
    password: str


WAITERS = (
    Waiter("demo-ada", "Ada", "ada-at-the-desk"),
    Waiter("demo-lin", "Lin", "lin-at-the-desk"),
)
