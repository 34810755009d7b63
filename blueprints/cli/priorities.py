"""Options such as `--department KEY[:PRIORITY]`."""

from __future__ import annotations

import re
from typing import NamedTuple

import click

from services.desk.departments import MOST_PRIORITY

_ENDING = re.compile(r"(?P<name>.*):(?P<number>\d+)", re.DOTALL)


class Named(NamedTuple):
    """A name, and the priority that was given with it."""

    name: str
    priority: int | None

    @property
    def entry(self) -> str | tuple[str, int]:
        """As `Identity` takes it."""
        return self.name if self.priority is None else (self.name, self.priority)


def shown_key(key: str) -> str:
    """The *key* of a department as a shell takes it."""
    return key or "''"


def with_priorities(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[Named, ...]:
    """Callback of an option: names, each perhaps with a colon and a priority behind it.

    Ids may have colons in them: what ends in a colon and a number has a priority.
    """
    return tuple(map(_named, values))


def _named(value: str) -> Named:
    ending = _ENDING.fullmatch(value)
    if ending is None:
        return Named(value, None)
    number = int(ending["number"])
    if number > MOST_PRIORITY:
        why = f"a priority is 0 to {MOST_PRIORITY}, and stands behind a name: {value}:0"
        raise click.BadParameter(why)
    return Named(ending["name"], number)
