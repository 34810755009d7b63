"""Whose a store is.

A store belongs to the application that opened it first. Rules:

1. An application is known by its name (`CSAPP_AUDIENCE`, otherwise Flask's
   `app.name`): its folder may move, and several machines may serve it.
2. `shop.app` and `app` are the same application, imported from two places.
3. Another application's store is not opened; the refusal names both.
4. Nobody's store (a new one, or one of version 0.1) is claimed by the first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from . import tables
from .port import Foreign

log = logging.getLogger("csapp")

APPLICATION, INSTANCE = "application", "instance"


@dataclass(frozen=True, slots=True)
class Owner:
    """An application: its name, and its instance folder, which is only shown."""

    application: str
    instance: str = ""

    def __str__(self) -> str:
        return (
            f"{self.application!r} ({self.instance})" if self.instance else f"{self.application!r}"
        )

    def is_same_as(self, other: Owner) -> bool:
        """Whether both are one application."""
        one, two = self.application, other.application
        return one == two or one.endswith(f".{two}") or two.endswith(f".{one}")


def owner_of(connection: sa.Connection) -> Owner | None:
    """Whose the store is; None: nobody's yet."""
    if not sa.inspect(connection).has_table(tables.meta.name):
        return None
    ours = tables.meta.c.name.in_((APPLICATION, INSTANCE))
    query = sa.select(tables.meta.c.name, tables.meta.c.value).where(ours)
    said = {str(name): str(value) for name, value in connection.execute(query)}
    return Owner(said[APPLICATION], said.get(INSTANCE, "")) if APPLICATION in said else None


def refuse_foreign(connection: sa.Connection, us: Owner | None, what: str) -> None:
    """Raise `Foreign` where the store, which is called *what*, is another application's."""
    if us is None:
        return
    theirs = owner_of(connection)
    if theirs is not None and not theirs.is_same_as(us):
        raise Foreign(
            f"{what} belongs to the application {theirs}, and this one is {us}: name another "
            "database in CSAPP_DATABASE_URL; or, if this application is to go on with that one, "
            f"set CSAPP_AUDIENCE={theirs.application}"
        )


def claim(connection: sa.Connection, us: Owner | None, what: str) -> None:
    """Write down that the store is *us*'s where it is nobody's. Raises `Foreign`.

    Of two that claim it at the same moment one is refused. In a transaction of the caller's.
    """
    if us is None:
        return
    for name, value in ((APPLICATION, us.application), (INSTANCE, us.instance)):
        connection.execute(_insert(connection, name, value))
    refuse_foreign(connection, us, what)
    theirs = owner_of(connection)
    if theirs is not None and theirs.instance != us.instance:
        log.warning("%s was used from %s, and is used from %s now", what, theirs, us)
        moved = sa.update(tables.meta).where(tables.meta.c.name == INSTANCE)
        connection.execute(moved.values(value=us.instance))


def _insert(connection: sa.Connection, name: str, value: str) -> sa.Executable:
    row = {"name": name, "value": value}
    if connection.dialect.name == "sqlite":
        return sqlite.insert(tables.meta).values(row).on_conflict_do_nothing()
    return postgresql.insert(tables.meta).values(row).on_conflict_do_nothing()
