"""How a database is set up, for those who run it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa

from . import serving, tables
from .departments import Departments, DepartmentTables
from .holder import Holder
from .opening import open_store
from .port import Outdated, StoreError
from .serving import Server
from .slices import reading
from .sql import SQLStore
from .sqlite import SQLiteStore
from .word_index import count_missing

_OPTIONS = (
    "fsync", "full_page_writes", "log_min_duration_statement", "log_parameter_max_length",
    "log_statement", "max_connections", "server_version_num", "superuser_reserved_connections",
    "synchronous_commit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What could be found out; the rest is empty."""

    #: `sqlite`, `postgresql`
    kind: str
    #: why it cannot be used, in one line without values; empty: it can
    problem: str = ""
    #: SQLite's file
    path: Path | None = None
    #: PostgreSQL's, such as 15
    version: int = 0
    #: PostgreSQL's settings, as one of our sessions has them
    options: Mapping[str, str] = field(default_factory=dict)
    #: how many an ordinary user may have open, and how many one worker opens at most
    connections: int = 0
    connections_per_worker: int = 0
    #: PostgreSQL's schema that the tables are in, where it is not that of the settings
    stray_schema: str = ""
    #: s by which its clock is before ours
    clock_ahead: float = 0.0
    #: who serves SQLite's file; None: nobody, or that cannot be seen
    holder: Holder | None = None
    #: who serves PostgreSQL
    servers: tuple[Server, ...] = ()
    #: a file of version 0.1 beside the one in use, which no other application has claimed
    left_over: Path | None = None
    #: texts that are not in SQLite's search index yet
    not_indexed: int = 0
    #: s since 1970 of the newest text; 0: there is none
    newest: float = 0.0
    #: None: they could not be read
    departments: Departments | None = None
    #: accounts that may sign in and are members of no department
    free_accounts: int = 0


def look(
    url: str,
    *,
    find: Callable[[str], SQLStore] = open_store,
    now: Callable[[], float] = time.time,
) -> StoreFacts:
    """Look at the database that *find* finds at *url*; no table is made or changed.

    Blocks, for seconds at most. That tables of SQLite are missing is no
    problem: they make themselves.
    """
    try:
        store = find(url)
    except StoreError as error:
        return StoreFacts("", str(error))
    try:
        if isinstance(store, SQLiteStore):
            return _of_file(store)
        return _of_server(store, now)
    finally:
        store.close()


def _of_file(store: SQLiteStore) -> StoreFacts:
    path = Path(store.path)
    facts = StoreFacts(store.name, path=path, holder=store.holder())
    try:
        store.refuse_foreign()
        if not path.exists():
            return replace(facts, problem=_problem_of_place(path))
        left_over = store.left_over()
        facts = replace(facts, left_over=Path(left_over) if left_over else None)
        store.check()
        facts = replace(facts, not_indexed=count_missing(store), newest=_newest(store))
        return _with_departments(facts, store)
    except Outdated:  # it brings itself up to date
        return facts
    except StoreError as error:
        return replace(facts, problem=str(error))


def _problem_of_place(path: Path) -> str:
    folder = next(one for one in path.parents if one.exists())
    usable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return "" if usable else f"{path}: it cannot be made in {folder}"


def _newest(store: SQLStore) -> float:
    newest = sa.select(tables.message.c.date).order_by(tables.message.c.n.desc()).limit(1)
    with reading(store) as connection:
        return (connection.scalar(newest) or 0) / 1000


def _with_departments(facts: StoreFacts, store: SQLStore) -> StoreFacts:
    tables = DepartmentTables(store)
    return replace(facts, departments=tables.read(), free_accounts=tables.free_accounts())


def _of_server(store: SQLStore, now: Callable[[], float]) -> StoreFacts:
    facts = StoreFacts(store.name)
    try:
        facts = _asked(store, now)
        store.refuse_foreign()
        store.check()
        facts = replace(facts, newest=_newest(store), servers=tuple(serving.servers(store)))
        return _with_departments(facts, store)
    except StoreError as error:
        return replace(facts, problem=str(error))


def _asked(store: SQLStore, now: Callable[[], float]) -> StoreFacts:
    from .postgres import OVERFLOW, POOL, PostgresStore  # the driver may be missing

    settings = sa.table("pg_settings", sa.column("name"), sa.column("setting"))
    theirs = sa.select(sa.extract("epoch", sa.func.clock_timestamp()))
    with reading(store) as connection:
        query = sa.select(settings).where(settings.c.name.in_(_OPTIONS))
        options = {str(name): str(value) for name, value in connection.execute(query)}
        before = now()
        clock = float(connection.scalar(theirs) or 0)
        ahead = clock - (before + now()) / 2
        stray = store.stray(connection) if isinstance(store, PostgresStore) else ""
    reserved = int(options.pop("superuser_reserved_connections"))
    return StoreFacts(
        store.name,
        version=int(options.pop("server_version_num")) // 10_000,
        connections=int(options.pop("max_connections")) - reserved,
        connections_per_worker=POOL + OVERFLOW,
        options=options,
        clock_ahead=ahead,
        stray_schema=stray,
    )
