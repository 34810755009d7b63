"""A copy of the embedded SQLite, taken while servers use it.

`VACUUM INTO` reads one state of the whole database, what is still in the
write-ahead log included; writers go on beside it. What was deleted is not in
the copy. PostgreSQL has tools of its own for this (`dump_command`).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from . import tables
from .port import StoreError
from .slices import reading
from .sql import SQLStore
from .sqlite import SQLiteStore

#: instructions of SQLite's machine between two looks at how far it is: some 50 ms
LOOK = 2_000_000


class Copied(NamedTuple):
    """What a backup holds."""

    size: int  # bytes
    chats: int
    messages: int


def back_up(
    store: SQLiteStore, path: Path, progress: Callable[[float], None] = lambda part: None
) -> Copied:
    """Write the database into *path*, an empty file, and look whether it is whole.

    *progress* is called now and then with the part that is written, 0 to 1.
    Raises `StoreError`.
    """
    target = os.path.abspath(path)
    with reading(store) as connection:
        driver: Any = connection.connection.driver_connection
        expected = max(1, _size(connection))

        def look() -> int:
            progress(min(1.0, os.stat(target).st_size / expected))
            return 0

        driver.set_progress_handler(look, LOOK)
        try:
            connection.exec_driver_sql("VACUUM INTO ?", (target,))
        finally:
            driver.set_progress_handler(None, LOOK)
    return _looked_at(target)


def _size(connection: sa.Connection) -> int:
    """Bytes of the database but for what is free in it."""
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _looked_at(path: str) -> Copied:
    """What is in the copy. Not by a store, which would begin a journal beside it."""
    url = sa.URL.create("sqlite", database=path)
    engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
    try:
        with engine.connect() as copy:
            if copy.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
                raise StoreError("the copy is damaged: the disk or the database is not sound")
            count = sa.select(sa.func.count())
            chats, messages = (
                copy.execute(count.select_from(table)).scalar_one()
                for table in (tables.chat, tables.message)
            )
    except SQLAlchemyError:
        raise StoreError("the copy cannot be read: the disk is not sound") from None
    return Copied(os.stat(path).st_size, chats, messages)


def files_in(path: Path) -> Iterator[str]:
    """The ids of the files that messages of the copy in *path* name. Raises `StoreError`."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=os.path.abspath(path)),
        poolclass=sa.NullPool,
        hide_parameters=True,
    )
    one = tables.file.c
    query = sa.select(one.id).where(one.kept, one.named.is_not(None), ~one.removed)
    try:
        with engine.connect() as copy:
            yield from copy.execute(query).scalars()
    except SQLAlchemyError:
        raise StoreError("the copy cannot be read: the disk is not sound") from None


def files_of(store: SQLiteStore) -> tuple[Path, ...]:
    """The files that the database is made of while it is used."""
    return tuple(Path(store.path + ending) for ending in ("", "-wal", "-shm", "-journal", ".lock"))


def dump_command(store: SQLStore, path: Path) -> str:
    """How PostgreSQL's own tool copies the database; without the password."""
    url = store.engine.url.set(drivername="postgresql", password=None, query={})
    return shlex.join(["pg_dump", "--format=custom", f"--file={path}", str(url)])
