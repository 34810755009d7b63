"""`port.Store` on SQLAlchemy Core: SQLite in WAL mode, or PostgreSQL through psycopg 3.

Rules of this file:

1. One connection writes, in one thread at a time; reads use a small pool.
2. A commit is a handful of statements, however many rows it has: the database
   works with the interpreter's lock released, and a statement for each row
   would queue for that lock as often.
3. Whatever fails before COMMIT has done nothing. What fails at COMMIT on a
   line to a server may have been done: `OutcomeUnknown`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from . import port, tables
from .port import Batch, Chat, Conflict, Duty, Message, Note, OutcomeUnknown, StoreError

log = logging.getLogger("csapp.history")

#: s that a statement waits for somebody else's lock before it fails
LOCK_WAIT = 5.0

#: rows in one INSERT of SQLite; the rest goes in a shorter one
ROWS = 256

_MESSAGE = tuple(Message._fields)
_CHAT = tuple(column.name for column in tables.chat.columns)
_DUTY = tuple(column.name for column in tables.duty.columns)


def open_store(url: str) -> SQLStore:
    """The store at *url* (SQLAlchemy's form). Nothing is opened yet. Raises `StoreError`."""
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError as error:
        raise StoreError(f"not a database URL: {error}") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return SQLiteStore(parsed)
    if kind == "postgresql":
        return PostgresStore(parsed.set(drivername="postgresql+psycopg"))
    raise StoreError(f"{kind}: only sqlite and postgresql can keep the history")


class SQLStore:
    """What both databases have in common; see `port.Store`."""

    name = ""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._writing: sa.Connection | None = None

    # ---- schema --------------------------------------------------------

    def migrate(self) -> None:
        with self._reading(), self.engine.begin() as connection:
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        with self._reading(), self.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        newest = ScriptDirectory.from_config(_alembic()).get_current_head()
        if found != newest:
            raise StoreError(
                f"the database's schema is {found or 'empty'}, this csapp needs {newest}: "
                "run 'flask --app csapp chat migrate'"
            )

    # ---- writing -------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        try:
            connection = self._writing or self._open()
            self._begin(connection)
            if batch.chats:
                self._upsert(
                    connection, tables.chat, _CHAT, [_row(one, _CHAT) for one in batch.chats]
                )
            if batch.duties:
                self._upsert(
                    connection, tables.duty, _DUTY, [_row(one, _DUTY) for one in batch.duties]
                )
            if batch.messages:
                self._insert(connection, batch.messages)
        except IntegrityError as error:
            self._undo()
            raise Conflict(str(error.orig)) from None
        except SQLAlchemyError as error:
            self._undo()
            raise StoreError(_say(error)) from None
        try:
            self._commit(connection)
        except SQLAlchemyError as error:
            self._fail_at_commit(error)

    def _open(self) -> sa.Connection:
        self._writing = self.engine.connect()
        return self._writing

    def _begin(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def _commit(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def _insert(self, connection: sa.Connection, messages: list[Message]) -> None:
        raise NotImplementedError

    def _fail_at_commit(self, error: SQLAlchemyError) -> None:
        raise NotImplementedError

    def _upsert(
        self, connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: list[Any]
    ) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join([self._mark] * len(names))
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names[1:])
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks}) '
            f'ON CONFLICT ("{names[0]}") DO UPDATE SET {changes}',
            rows,
        )

    _mark = ""

    def _undo(self) -> None:
        """Give the writing connection up: nothing of what it has begun stays."""
        connection, self._writing = self._writing, None
        if connection is not None:
            with contextlib.suppress(Exception):
                self._roll_back(connection)
            with contextlib.suppress(Exception):
                connection.invalidate()
            with contextlib.suppress(Exception):
                connection.close()

    def _roll_back(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    # ---- reading -------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(_say(error)) from None

    def _select(self, query: sa.Select[Any]) -> list[Any]:
        with self._reading(), self.engine.connect() as connection:
            return list(connection.execute(query))

    def find(self, chat: int, side: int, client_ids: Sequence[str]) -> list[Message]:
        table = tables.message.c
        query = _messages().where(
            table.chat == chat, table.side == side, table.client_id.in_(client_ids)
        )
        return [Message(*row) for row in self._select(query)]

    def messages(
        self,
        chat: int,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
        newest: bool = True,
    ) -> list[Message]:
        table = tables.message.c
        query = _messages().where(table.chat == chat, table.seq > after).limit(limit)
        if before is not None:
            query = query.where(table.seq < before)
        query = query.order_by(table.seq.desc() if newest else table.seq)
        found = [Message(*row) for row in self._select(query)]
        return found[::-1] if newest else found

    def chat(self, key: int) -> Chat | None:
        found = self._chats(sa.select(tables.chat).where(tables.chat.c.key == key))
        return found[0] if found else None

    def open_chats(self) -> list[Chat]:
        table = tables.chat.c
        return self._chats(sa.select(tables.chat).where(table.ended.is_(None)).order_by(table.key))

    def chats_of(
        self, side: int, subject: str, *, before: int | None = None, limit: int = 50
    ) -> list[Chat]:
        table = tables.chat.c
        mine = table.user_subject if side == port.Side.USER else table.waiter_subject
        query = sa.select(tables.chat).where(mine == subject)
        if before is not None:
            query = query.where(table.key < before)
        return self._chats(query.order_by(table.key.desc()).limit(limit))

    def _chats(self, query: sa.Select[Any]) -> list[Chat]:
        last = (
            sa.select(sa.func.max(tables.message.c.seq))
            .where(tables.message.c.chat == tables.chat.c.key)
            .scalar_subquery()
        )
        rows = self._select(query.add_columns(sa.func.coalesce(last, 0)))
        return [Chat(**dict(zip(_CHAT, row[:-1], strict=True)), last_seq=row[-1]) for row in rows]

    def duties(self) -> list[Duty]:
        return [Duty(*row) for row in self._select(sa.select(tables.duty))]

    # ---- notes and revocations -----------------------------------------

    def _execute(self, *statements: sa.Executable) -> None:
        """Beside the batches, on a connection of its own."""
        with self._reading(), self.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    def add_note(self, note: Note) -> None:
        self._execute(sa.insert(tables.note).values(**note._asdict()))

    def notes(self, chat: int) -> list[Note]:
        table = tables.note.c
        query = sa.select(table.chat, table.author, table.text, table.date)
        return [
            Note(*row) for row in self._select(query.where(table.chat == chat).order_by(table.n))
        ]

    def revoke(self, *, sid: str = "", subject: str = "", now: int) -> None:
        self._execute(sa.insert(tables.revoked).values(sid=sid, subject=subject, at=now))

    def revoked(self, after: int) -> Iterator[tuple[int, str, str, int]]:
        table = tables.revoked.c
        query = sa.select(table.n, table.sid, table.subject, table.at)
        for row in self._select(query.where(table.n > after).order_by(table.n)):
            yield row[0], row[1], row[2], row[3]

    def close(self) -> None:
        connection, self._writing = self._writing, None
        if connection is not None:
            connection.close()
        self.engine.dispose()


class SQLiteStore(SQLStore):
    """WAL, and every commit on the disk before it is acknowledged (`synchronous=FULL`)."""

    name = "sqlite"
    _mark = "?"

    def __init__(self, url: sa.URL) -> None:
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",  # the module's own transactions begin too late
            connect_args={"timeout": LOCK_WAIT, "cached_statements": ROWS + 64,
                          "check_same_thread": False},
            pool_size=8,
            max_overflow=8,
        )  # fmt: skip
        sa.event.listen(engine, "connect", _set_up_sqlite)
        super().__init__(engine)

    def _begin(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _commit(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("COMMIT")

    def _roll_back(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    def _insert(self, connection: sa.Connection, messages: list[Message]) -> None:
        for start in range(0, len(messages), ROWS):
            some = messages[start : start + ROWS]
            values = tuple(value for message in some for value in message)
            connection.exec_driver_sql(_insert_rows(len(some)), values)

    def _fail_at_commit(self, error: SQLAlchemyError) -> None:
        self._undo()  # SQLite knows what it did: rolled back, it has done nothing
        raise StoreError(_say(error)) from None

    def _execute(self, *statements: sa.Executable) -> None:
        with self._reading(), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                for statement in statements:
                    connection.execute(statement)
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                with contextlib.suppress(SQLAlchemyError):
                    connection.exec_driver_sql("ROLLBACK")
                raise

    def check(self) -> None:
        super().check()
        with self._reading(), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("ROLLBACK")


def _set_up_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -32768"):
        connection.execute(f"PRAGMA {pragma}")


_rows: dict[int, str] = {}


def _insert_rows(count: int) -> str:
    """The INSERT of SQLite for so many messages, always the same text for the statement cache."""
    if count not in _rows:
        marks = f"({', '.join('?' * len(_MESSAGE))})"
        names = ", ".join(_MESSAGE)
        _rows[count] = f"INSERT INTO message ({names}) VALUES {', '.join([marks] * count)}"
    return _rows[count]


class PostgresStore(SQLStore):
    """One statement for each table: the rows travel as arrays."""

    name = "postgresql"
    _mark = "%s"

    def __init__(self, url: sa.URL) -> None:
        engine = sa.create_engine(
            url,
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5, "options": "-c lock_timeout=5000",
                          "keepalives_idle": 10, "keepalives_interval": 5,
                          "keepalives_count": 3, "tcp_user_timeout": 15_000},
        )  # fmt: skip
        super().__init__(engine)

    def _begin(self, connection: sa.Connection) -> None:
        if not connection.in_transaction():
            connection.begin()

    def _commit(self, connection: sa.Connection) -> None:
        connection.commit()

    def _roll_back(self, connection: sa.Connection) -> None:
        connection.rollback()

    def _insert(self, connection: sa.Connection, messages: list[Message]) -> None:
        columns = [list(column) for column in zip(*messages, strict=True)]
        connection.exec_driver_sql(_INSERT_ARRAYS, tuple(columns))

    def _fail_at_commit(self, error: SQLAlchemyError) -> None:
        self._undo()
        raise OutcomeUnknown(_say(error)) from None


_TYPES = ("bigint", "integer", "smallint", "text", "text", "smallint", "text", "bigint")
_INSERT_ARRAYS = (
    f"INSERT INTO message ({', '.join(_MESSAGE)}) SELECT * FROM unnest("
    + ", ".join(f"%s::{kind}[]" for kind in _TYPES)
    + ")"
)


def _messages() -> sa.Select[Any]:
    return sa.select(*(tables.message.c[name] for name in _MESSAGE))


def _row(one: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in names)


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _say(error: SQLAlchemyError) -> str:
    """One line without the statement and its values, which are people's words."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]


_: Callable[[str], port.Store] = open_store
