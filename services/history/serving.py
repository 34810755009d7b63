"""Which processes serve a PostgreSQL: each has a row, which it renews while it lives.

A lock would do on one connection, but not behind a pooler that gives each
transaction another one; a row does everywhere. Times are the database's.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from .slices import reading, writing
from .sql import SQLStore
from .tables import meta

#: s between two signs of life, and after which a process without one is gone
BEAT = 10.0
GONE = 15.0

#: what the names of such rows begin with
_OURS = "serving:"

_ALONE, _SHARED = "alone", "shared"

_now = sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger)
_date = sa.cast(sa.func.split_part(meta.c.value, " ", 1), sa.BigInteger)
_rows = meta.c.name.startswith(_OURS, autoescape=True)


class Server(NamedTuple):
    """A process that serves the database."""

    #: such as `process 4711 on shop-2`
    name: str
    #: its desk is in Redis, where others may share it
    shared: bool
    #: signs of life that it has given
    beats: int = 0


def beat(store: SQLStore, key: str, us: Server) -> dict[str, Server]:
    """Let others see that *us*, who is called *key* there, serves the store; the others.

    Blocks. Raises `StoreError`.
    """
    words = f" {us.beats} {_SHARED if us.shared else _ALONE} {us.name}"
    value = sa.cast(_now, sa.Text).concat(words)
    row = insert(meta).values(name=_OURS + key, value=value)
    with writing(store) as connection:
        connection.execute(
            row.on_conflict_do_update(index_elements=["name"], set_={"value": value})
        )
        connection.execute(sa.delete(meta).where(_rows, _date < _now - int(GONE * 1000)))
        found = _living(connection)
    found.pop(key, None)
    return found


def leave(store: SQLStore, key: str) -> None:
    """The process that is called *key* serves the store no more. Blocks. Raises `StoreError`."""
    with writing(store) as connection:
        connection.execute(sa.delete(meta).where(meta.c.name == _OURS + key))


def servers(store: SQLStore) -> list[Server]:
    """Who has served the store within the last seconds. Blocks. Raises `StoreError`."""
    with reading(store) as connection:
        return list(_living(connection).values())


def _living(connection: sa.Connection) -> dict[str, Server]:
    query = sa.select(meta.c.name, meta.c.value).where(_rows, _date >= _now - int(GONE * 1000))
    found = {}
    for name, value in connection.execute(query.order_by(meta.c.name)):
        _, beats, how, called = value.split(" ", 3)
        found[name.removeprefix(_OURS)] = Server(called, how == _SHARED, int(beats))
    return found
