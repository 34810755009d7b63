"""The history in one file: SQLite in WAL mode."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from . import owner as owners
from .holder import Holder, LastHolder
from .lock import ServingLock
from .owner import Owner
from .pool import NativePool
from .port import Foreign, Outdated, StoreError
from .sql import SQLStore
from .transactions import MIGRATION_WAIT
from .upserts import into

log = logging.getLogger("csapp")

T = TypeVar("T")

#: rows in one INSERT; the rest goes in a shorter one
ROWS = 256

#: KiB of pages that a connection remembers: one writes, eight read
WRITER_CACHE, READER_CACHE = 32_768, 4096

#: bytes of journal after which readers are waited for: in turn, they can keep it from ending
JOURNAL = 16_777_216

#: s that the writer waits for readers then; past it, it goes on with a journal twice as long
READERS_WAIT = 0.5

#: times that a process which ends asks readers to let go of the journal
LAST_TRIES = 10

#: tables that every revision has
FIRST_TABLES = frozenset({"account", "chat", "duty", "message", "note", "revoked"})

_UNIQUE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
#: errors whose words may hold what people have written or looked for, but for `_MISSING`
_TALKATIVE = ("SQLITE_ERROR", "SQLITE_CONSTRAINT_TRIGGER", "SQLITE_CONSTRAINT_FUNCTION")
_MISSING = "no such table: "
_STALE = ("SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_CORRUPT")


class SQLiteStore(SQLStore):
    """Every commit is on the disk before it is acknowledged (`synchronous=FULL`)."""

    name = "sqlite"

    def __init__(
        self,
        url: sa.URL,
        owner: Owner | None = None,
        *,
        former: str | None = None,
        lock_wait: float,
    ) -> None:
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise StoreError("the history needs a plain path: sqlite:///history.db")
        self.path = re.sub("^//+", "/", os.path.abspath(url.database))  # two would name a host
        #: only `migrate` makes the file: one that vanishes must not be replaced by an empty one
        self._url = url.set(
            drivername="sqlite", database=f"file:{quote(self.path)}"
        ).update_query_dict({"mode": "rw", "uri": "true"})
        self._lock_wait = lock_wait
        self._journal = JOURNAL
        self._former = former
        self._lock = ServingLock(self.path)
        super().__init__(self._engine(lock_wait, poolclass=NativePool), owner, self.path)

    def _engine(self, lock_wait: float, **options: Any) -> sa.Engine:
        engine = sa.create_engine(
            self._url,
            isolation_level="AUTOCOMMIT",  # the module's own transactions begin too late
            hide_parameters=True,
            connect_args={
                "timeout": lock_wait,
                "cached_statements": 3 * ROWS,
                "check_same_thread": False,
            },
            **options,
        )
        sa.event.listen(engine, "connect", self._set_up)
        sa.event.listen(engine, "checkout", self._check_out)
        return engine

    def _set_up(self, connection: Any, record: Any) -> None:
        record.info["file"] = self._file()
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"SQLite cannot write ahead here (journal_mode is {mode})")
        for pragma in (
            "synchronous = FULL",
            f"cache_size = -{READER_CACHE}",
            f"journal_size_limit = {JOURNAL}",
            "secure_delete = ON",  # a row that grows leaves its former self elsewhere
        ):
            connection.execute(f"PRAGMA {pragma}")

    # ---- the file ------------------------------------------------------

    def _file(self) -> tuple[int, int] | None:
        """Which file is there now."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _check_out(self, _connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != self._file():  # SQLite would go on with the one that is gone
            raise sa.exc.InvalidatePoolError("the file is another one")

    def _is_usable(self, connection: sa.Connection) -> bool:
        return not connection.closed and connection.info.get("file") == self._file()

    def _make(self) -> None:
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            Path(self.path).touch(mode=0o600)  # people's words
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}: let the folder be written to, "
                "or name another place in CSAPP_DATABASE_URL"
            ) from None

    @contextlib.contextmanager
    def _migrating(self) -> Iterator[sa.Connection]:
        self._make()
        engine = self._engine(MIGRATION_WAIT, poolclass=sa.NullPool)
        with engine.connect() as connection:
            self._begin(connection)
            try:
                yield connection
                self._commit(connection)
            except BaseException:
                with contextlib.suppress(sa.exc.SQLAlchemyError):
                    self._roll_back(connection)
                raise

    # ---- whose it is ---------------------------------------------------

    def prepare(self) -> None:
        if not os.path.exists(self.path):
            self.refuse_foreign()
        else:
            try:
                super().prepare()
            except Outdated:
                pass
            else:
                return
        self.migrate()  # which waits long for whoever migrates already
        self.check()

    def refuse_foreign(self) -> None:
        if os.path.exists(self.path):
            self._look(self._refuse_tables_of_others)
            self._look(lambda found: owners.refuse_foreign(found, self.owner, self.title))
        elif self.owner is not None and self._former is not None:
            self._refuse_former(self._former, self.owner)

    def left_over(self) -> str:
        """Where version 0.1 kept a file that no other application has claimed; empty: nowhere."""
        if self.owner is None or self._former is None:
            return ""
        is_there, theirs = self._at_former_place(self._former)
        ours = is_there and (theirs is None or theirs.is_same_as(self.owner))
        return self._former if ours else ""

    def _look(self, work: Callable[[sa.Connection], T]) -> T:
        """What *work* finds, without setting up a file that may be somebody else's."""
        engine = sa.create_engine(
            self._url,
            poolclass=sa.NullPool,
            hide_parameters=True,
            connect_args={"timeout": self._lock_wait},
        )
        with self._failing(), engine.connect() as connection:
            return work(connection)

    def _at_former_place(self, former: str) -> tuple[bool, Owner | None]:
        """Whether a database is there, and whose it is."""
        url = sa.URL.create("sqlite", database=former)
        try:
            old = SQLiteStore(url, lock_wait=self._lock_wait)
            if os.stat(former).st_size == 0:
                return False, None
            return True, old._look(owners.owner_of)
        except (OSError, StoreError):
            return False, None  # there is nothing, or something else

    def _refuse_former(self, former: str, us: Owner) -> None:
        """Neither lose the conversations of version 0.1 nor take another application's."""
        is_there, theirs = self._at_former_place(former)
        if not is_there:
            return
        if theirs is not None and not theirs.is_same_as(us):
            log.warning(
                "%s, where csapp 0.1 kept the conversations of %s, belongs to %s: "
                "this application has a database of its own now, %s",
                former, us, theirs, self.path,
            )  # fmt: skip
            return
        raise Foreign(
            f"the conversations until now may be in {former}, where csapp 0.1 kept them. To go on "
            f"with them, stop what uses that file and move it to {self.path} (with its -wal), or "
            f"set CSAPP_DATABASE_URL=sqlite:///{former}. If they are another application's, begin "
            f"with an empty database: touch {self.path}"
        )

    def _refuse_tables_of_others(self, connection: sa.Connection) -> None:
        there = set(sa.inspect(connection).get_table_names())
        if there and not there.issuperset(FIRST_TABLES):
            raise Foreign(
                f"{self.path} holds tables of something else ({sorted(there)[0]}): "
                "give the chat a file of its own in CSAPP_DATABASE_URL"
            )

    def hold(self, *, shared: bool) -> None:
        self._make()
        self._lock.take(shared=shared)

    def is_served(self) -> bool:
        return self._lock.is_held()

    def holder(self) -> Holder | None:
        """Who serves it, as far as can be seen."""
        return self._lock.holder()

    @property
    def holder_leaves(self) -> bool:
        return self._lock.holder_leaves

    def last_holder(self) -> LastHolder:
        return self._lock.last_holder()

    def announce_leaving(self) -> None:
        self._lock.announce_leaving()

    def let_go(self) -> None:
        self._lock.release()

    # ---- transactions --------------------------------------------------

    def _begin(self, connection: sa.Connection) -> None:
        if connection is self._writing and "writes" not in connection.info:
            connection.exec_driver_sql(f"PRAGMA cache_size = -{WRITER_CACHE}")
            connection.info["writes"] = True
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _commit(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        with contextlib.suppress(OSError, sa.exc.DBAPIError):  # what is committed stays so
            self._empty_journal(connection)

    def _empty_journal(self, connection: sa.Connection) -> None:
        """SQLite's own checkpoints wait for nobody: where somebody always reads, none ends."""
        if os.stat(f"{self.path}-wal").st_size < self._journal:
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(READERS_WAIT * 1000)}")
        try:
            found = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(self._lock_wait * 1000)}")
        self._journal = JOURNAL if not found[0] else 2 * self._journal

    def _roll_back(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    def shut(self) -> None:
        """Also bring what is in the journal into the file: an operator may copy that alone.

        SQLite does it when the last connection is closed, but a thread of this process may
        still read.
        """
        with contextlib.suppress(OSError, sa.exc.SQLAlchemyError):
            self._undo()
            for _ in range(LAST_TRIES):
                if not os.path.getsize(f"{self.path}-wal"):
                    break
                with self._reader.connect() as connection:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout = {READERS_WAIT * 1000:.0f}")
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        super().shut()

    def _put(
        self, connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]], changes: str
    ) -> None:
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            values = tuple(chain.from_iterable(some))
            connection.exec_driver_sql(_insert(table, len(some), len(some[0]), changes), values)

    # ---- errors --------------------------------------------------------

    def _is_repeat(self, cause: Any) -> bool:
        return getattr(cause, "sqlite_errorname", "") in _UNIQUE

    def _may_succeed_again(self, error: DBAPIError) -> bool:
        # A connection stays as it was opened: of a file that could only be read, say.
        stale = str(getattr(error.orig, "sqlite_errorname", "")).startswith(_STALE)
        if stale:
            self.engine.dispose()
        return stale

    def _may_be_committed(self, error: Exception) -> bool:
        # The disk did not confirm what was written: it may be found there after a crash.
        name = getattr(getattr(error, "orig", None), "sqlite_errorname", "SQLITE_IOERR")
        return str(name).startswith("SQLITE_IOERR")

    def _words_of(self, cause: Any) -> str:
        name = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
        message = str(cause)
        # SQLite quotes what it cannot parse, and a trigger says what its author wants.
        is_safe = name.startswith("SQLITE_") and name not in _TALKATIVE
        return f"{self.path}: {message if is_safe or message.startswith(_MISSING) else name}"


_inserts: dict[tuple[str, int, int, str], str] = {}


def _insert(table: sa.Table, count: int, width: int, changes: str) -> str:
    """An INSERT of *count* rows of *width* columns; always the same text, which is cached."""
    key = table.name, count, width, changes
    if key not in _inserts:
        marks = f"({', '.join('?' * width)})"
        _inserts[key] = f"{into(table, width)}VALUES {', '.join([marks] * count)}{changes}"
    return _inserts[key]
