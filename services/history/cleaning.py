"""Leaves nothing of what was deleted in the database's files, beside running servers.

Rules of this file:

1. Nothing holds a lock that texts need for longer than a second or two, unless
   the operator asks for it (`vacuum=True`).
2. What it cannot reach it says, with what to do about it: a sentence each.

**SQLite.** All connections overwrite what they delete with zeros, the index of
words is merged, and the write-ahead log emptied. Writing the file anew (VACUUM)
also removes what a csapp or an SQLite without that habit has left in free room.

**PostgreSQL.** VACUUM makes room of deleted rows, but their bytes stay there
until others take the room, and the index of words never lets go of a word. So
small tables are written anew, and of big ones the indexes. Statistics quote
values, too: they are made and written anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from . import slices, tables, word_index
from .slices import Pause, reading
from .sql import SQLStore
from .sqlite import SQLiteStore
from .transactions import LOCK_WAIT

if TYPE_CHECKING:  # its driver may be missing
    from .postgres import PostgresStore

#: the tables of which something is deleted
TABLES = (
    "message", "chat", "service", "note", "duty", "account", "canned", "canned_past", "revoked",
    "familiar", "attempt", "membership", "left_message", "visit", "file",
)  # fmt: skip

#: bytes of SQLite's file that are written anew unasked: two seconds of the write lock
SMALL_FILE = 200_000_000

#: bytes of one of PostgreSQL's tables with its indexes that are: as long
SMALL_TABLE = 16_000_000

#: times that readers are asked to let go of the write-ahead log, and s between two of them
TRIES, BETWEEN = 20, 0.5

#: ms that writers may have to wait for one of these times
HELD_UP = 200

#: times that a table is asked for, while others use it
ATTEMPTS = 3

#: ms that we wait for others where nobody waits behind us
PATIENCE = 20_000

#: times that transactions which began before are waited for, and s between two of them
SEEN_TRIES, SEEN_PAUSE = 100, 0.1


def clean(
    store: SQLStore, *, vacuum: bool | None = None, pause: Pause = slices.sleep
) -> tuple[str, ...]:
    """Leave nothing of what was deleted in the files of *store*; what is left, and what to do.

    *vacuum*: write everything anew, which keeps servers waiting for a second for
    each 100 MB; None: where that takes two seconds at most; False: nothing.
    Raises `StoreError`.
    """
    if isinstance(store, SQLiteStore):
        word_index.merge(store, pause=pause)
        return tuple(_clean_file(store, vacuum, pause))
    # there is no other
    return tuple(_clean_tables(cast("PostgresStore", store), vacuum, pause))


# ---- SQLite ----------------------------------------------------------------


def _clean_file(store: SQLiteStore, vacuum: bool | None, pause: Pause) -> Iterator[str]:
    with reading(store) as connection:
        if vacuum or (vacuum is None and _size(connection) <= SMALL_FILE):
            slices.insist(connection, "VACUUM")
        else:
            yield (
                "The database's file was not written anew. What was deleted is overwritten with "
                "zeros, but an older csapp may have left traces in free room: run "
                "'chat sweep --vacuum' in a quiet hour."
            )
        if not _empty_log(connection, pause):
            yield (
                "Readers keep SQLite's write-ahead log (-wal) busy: traces stay in it until the "
                "server empties it. Run 'chat sweep --vacuum', or restart the server."
            )


def _size(connection: sa.Connection) -> int:
    count, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "page_size")
    )
    return int(count * size)


def _empty_log(connection: sa.Connection, pause: Pause) -> bool:
    for attempt in range(TRIES):
        if attempt:
            pause(BETWEEN)
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {HELD_UP}")
        try:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {LOCK_WAIT * 1000:.0f}")
        if not busy:
            return True
    return False


# ---- PostgreSQL ------------------------------------------------------------


def _clean_tables(store: PostgresStore, vacuum: bool | None, pause: Pause) -> Iterator[str]:
    with store.maintaining() as connection:
        yield from _Tables(store, connection, pause).clean(vacuum)


class _Tables:
    """The tables and indexes of a PostgreSQL, on a connection outside of transactions."""

    def __init__(self, store: PostgresStore, connection: sa.Connection, pause: Pause) -> None:
        self._store = store
        self._connection = connection
        self._pause = pause

    def clean(self, vacuum: bool | None) -> Iterator[str]:
        is_unseen = self._wait_until_unseen()
        kept = [table for table in TABLES if not self._write_anew(table, vacuum)]
        is_counted_anew = self._renew_statistics()
        if not is_unseen:
            yield (
                "A long transaction in PostgreSQL still sees what was deleted, which stays in the "
                "files for it: end it, and run 'chat sweep --vacuum'."
            )
        if kept:
            yield (
                f"PostgreSQL keeps traces in free room of {', '.join(kept)} until others take it: "
                "run 'chat sweep --vacuum' in a quiet hour."
            )
        if not is_counted_anew:
            yield (
                "PostgreSQL's statistics may quote what was deleted until others take its room: "
                "let the owner of the database run 'VACUUM FULL pg_statistic'."
            )
        yield (
            "PostgreSQL's write-ahead log (pg_wal) keeps traces until it is recycled, some "
            "checkpoints later; archives of it, replicas and its own log files are yours to look "
            "after."
        )

    def _wait_until_unseen(self) -> bool:
        """Wait for transactions that began before: nothing that they see can be removed."""
        now = self._value("SELECT pg_current_xact_id()::text::bigint & 4294967295")
        for _ in range(SEEN_TRIES):
            if not self._value(_IS_SEEN.format(now=now)):
                return True
            self._pause(SEEN_PAUSE)
        return False

    def _write_anew(self, table: str, vacuum: bool | None) -> bool:
        """Whether nothing is left in the files of *table*."""
        size = self._value(f"SELECT pg_total_relation_size('{table}'::regclass)")
        if vacuum or (vacuum is None and size <= SMALL_TABLE):
            for _ in range(ATTEMPTS):
                if self._try(f"VACUUM FULL {table}", HELD_UP):
                    return True
                self._pause(BETWEEN)
        if self._try(f"VACUUM {table}", PATIENCE) and vacuum is not False:
            self._renew_indexes(table)
        return False

    def _renew_indexes(self, table: str) -> None:
        """Without a lock that anybody else needs; but transactions under way are waited for."""
        if not self._try(f"REINDEX TABLE CONCURRENTLY {table}", PATIENCE):
            for name in self._connection.exec_driver_sql(_UNFINISHED, (table,)).scalars().all():
                self._try(f"DROP INDEX CONCURRENTLY {name}", PATIENCE)

    def _renew_statistics(self) -> bool:
        """The planner's samples quote values, and former samples stay in free room."""
        may = self._value(_MAY_CLEAN_STATISTICS)
        for table in TABLES:
            if not self._value(f"SELECT EXISTS (SELECT 1 FROM {table})"):
                self._forget_statistics(table)
        self._try(f"ANALYZE {', '.join(TABLES)}", PATIENCE)
        self._wait_until_unseen()
        return bool(may) and self._try("VACUUM FULL pg_statistic", PATIENCE)

    def _forget_statistics(self, table: str) -> None:
        """Of an empty table: ANALYZE would keep the old ones, a column of a new type has none."""
        columns = tables.metadata.tables[table].columns
        texts = [column.name for column in columns if isinstance(column.type, sa.Text)]
        changes = ", ".join(f'ALTER COLUMN "{name}" TYPE text' for name in texts)
        self._try(f"ALTER TABLE {table} {changes}", HELD_UP)

    def _value(self, query: str) -> Any:
        return self._connection.exec_driver_sql(query).scalar_one()

    def _try(self, statement: str, patience: int) -> bool:
        """Run it unless others hold what it needs for longer than *patience* ms."""
        try:
            self._connection.exec_driver_sql(f"SET lock_timeout = {patience}")
            self._connection.exec_driver_sql(statement)
        except SQLAlchemyError as error:
            if getattr(getattr(error, "orig", None), "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise self._store.failure(error) from None
            return False
        return True


LOCK_NOT_AVAILABLE = "55P03"

#: somebody in this database has a snapshot that is older than the transaction *now*
_IS_SEEN = (
    "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL "
    "AND age(backend_xmin) >= age('{now}'::xid))"
)
#: what an interrupted REINDEX has left of a table
_UNFINISHED = (
    "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass "
    "AND NOT indisvalid AND indexrelid::regclass::text ~ '_ccnew[0-9]*\"?$'"
)
_MAY_CLEAN_STATISTICS = (
    "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR "
    "(SELECT pg_get_userbyid(datdba) = current_user FROM pg_database "
    "WHERE datname = current_database())"
)
