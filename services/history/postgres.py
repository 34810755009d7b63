"""The history on a server: PostgreSQL through psycopg 3."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import waiting
from sqlalchemy.exc import DBAPIError

from . import tables
from .owner import Owner
from .pool import NativePool
from .port import StoreError
from .sql import SQLStore
from .upserts import into, written

#: where our tables are, unless the settings name another schema; not `csapp`, because a role
#: that is called like a schema finds that one before `public`, with all of its own statements
SCHEMA = "csapp_chat"

#: tables that every revision has, and Alembic's own: a schema that has them all is ours
_FIRST_TABLES = ("account", "alembic_version", "chat", "duty", "message", "note", "revoked")

#: the schema that our tables are in: ours, or one of the session's where version 0.1 made them
_FIND = """
SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relname = ANY(%(tables)s)
AND (n.nspname = %(own)s OR n.nspname = ANY(current_schemas(false)))
GROUP BY n.nspname HAVING count(*) = %(count)s
ORDER BY n.nspname <> %(own)s, array_position(current_schemas(false), n.nspname) LIMIT 1
"""
_USE = f"SELECT set_config('search_path', quote_ident(coalesce(({_FIND}), %(own)s)), false)"

#: whether that schema is there: `current_schema()` may not have noticed what others have made
_IS_THERE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace
WHERE nspname = btrim(current_setting('search_path'), '"'))
"""

#: advisory locks: any numbers that are always the same
MIGRATION_LOCK, NUMBER_LOCK = 0x63736170_70000001, 0x63736170_70000002

#: connections that stay open, and more of them at busy times
POOL, OVERFLOW = 4, 5

#: SQLSTATEs, or beginnings of them, whose first line says nothing of the values: 42601 quotes
#: what somebody looked for
_SAFE = (
    "08", "0A", "23", "25", "26", "28", "3D", "3F", "40", "42501", "42P01", "42703", "42704",
    "42883", "53", "55", "57", "58", "XX",
)  # fmt: skip

#: in C, with poll(2) itself: what gevent puts in its place would run a loop in each thread
_wait = getattr(waiting, "wait_c", waiting.wait)


class NoAnswer(psycopg.OperationalError):
    """The server has not answered in time. It may still do what it was asked."""


class PostgresStore(SQLStore):
    """One statement for each table: the rows travel as JSON.

    Arrays would be the natural way, but psycopg builds them in Python: 2000 rows
    took 124 ms of the interpreter, as JSON they take 1.3 ms.
    """

    name = "postgresql"

    def __init__(
        self,
        url: sa.URL,
        owner: Owner | None = None,
        *,
        schema: str = SCHEMA,
        lock_wait: float,
        answer_wait: float,
    ) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._lock_wait = lock_wait
        #: None: the URL says itself where statements find their tables
        self._schema = None if "search_path" in _options(url) else schema
        engine = self._engine(
            answer_wait, poolclass=NativePool, pool_size=POOL, max_overflow=OVERFLOW
        )
        super().__init__(
            engine, owner, f"the database {url.database or url.username or ''}".strip()
        )

    def _engine(self, answer_wait: float | None, **options: Any) -> sa.Engine:
        lock, answer = int(self._lock_wait * 1000), int((answer_wait or 0) * 1000)
        session = {
            "lock_timeout": lock,
            "statement_timeout": answer,
            # a worker that stands still lets go of what others wait for
            "idle_in_transaction_session_timeout": answer,
            "synchronous_commit": "on",
            "tcp_keepalives_idle": 10,
            "tcp_keepalives_interval": 5,
            "tcp_keepalives_count": 3,
        }
        ours = " ".join(f"-c {name}={value}" for name, value in session.items())
        defaults = {
            "connect_timeout": min(5, int(answer_wait or 5) + 1),
            "application_name": "csapp",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        }
        arguments: dict[str, Any] = {
            name: value for name, value in defaults.items() if name not in self._url.query
        }
        arguments["options"] = f"{ours} {_options(self._url)}"
        engine = sa.create_engine(
            self._url,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args=arguments,
            **options,
        )

        @sa.event.listens_for(engine, "do_connect")
        def connect(_dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
            connection = _Connection.connect(*args, **kwargs)
            connection.answer_wait = answer_wait
            if self._schema is not None:
                connection.execute(_USE, self._places(self._schema))
                connection.commit()
            return connection

        return engine

    # ---- schema --------------------------------------------------------

    def stray(self, connection: sa.Connection) -> str:
        """The schema that the tables are in, where it is not the one of the settings."""
        found = connection.scalar(sa.select(sa.func.current_schema())) or ""
        return "" if self._schema in (None, found) else str(found)

    @staticmethod
    def _places(schema: str) -> dict[str, Any]:
        return {"own": schema, "tables": list(_FIRST_TABLES), "count": len(_FIRST_TABLES)}

    def _make_schema(self, connection: sa.Connection) -> None:
        """The schema of our own, where tables are to be made and there is none."""
        if self._schema is None or connection.exec_driver_sql(_IS_THERE).scalar_one():
            return
        quoted = connection.dialect.identifier_preparer.quote_identifier(self._schema)
        role = connection.exec_driver_sql("SELECT session_user").scalar_one()
        if role == self._schema:
            raise StoreError(
                f"a schema {quoted} would come before the role's other tables, because the role is "
                "called so, too: name another one in CSAPP_DATABASE_SCHEMA"
            )
        try:
            connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
        except sa.exc.ProgrammingError:
            raise StoreError(
                f"the role {role} may not make the schema {quoted}: let its owner say "
                f'CREATE SCHEMA {quoted} AUTHORIZATION "{role}", or name a schema in '
                "CSAPP_DATABASE_SCHEMA that the role may use"
            ) from None

    def move(self) -> bool:
        if self._schema is None:
            raise StoreError("the URL names a search_path: CSAPP_DATABASE_SCHEMA means nothing")
        with self._failing(), self._migrating() as connection:
            if not (found := self.stray(connection)):
                return False
            quote = connection.dialect.identifier_preparer.quote_identifier
            connection.exec_driver_sql(
                "SELECT set_config('search_path', %s, false)", (quote(self._schema),)
            )
            self._make_schema(connection)
            for name in (*tables.metadata.tables, "alembic_version"):
                old, new = f"{quote(found)}.{quote(name)}", quote(self._schema)
                connection.exec_driver_sql(f"ALTER TABLE IF EXISTS {old} SET SCHEMA {new}")
        self.engine.dispose()  # its connections look where the tables were
        return True

    @contextlib.contextmanager
    def _migrating(self) -> Iterator[sa.Connection]:
        engine = self._engine(None, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(self._lock_wait * 1000)}")
            _check_encoding(connection)
            self._make_schema(connection)
            yield connection

    def is_served(self) -> bool:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'csapp' "
            "AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        return bool(self._read(lambda connection: connection.exec_driver_sql(others).scalar()))

    @contextlib.contextmanager
    def maintaining(self) -> Iterator[sa.Connection]:
        """A connection outside of transactions, for work that may take minutes.

        Raises `StoreError`.
        """
        engine = self._engine(None, poolclass=sa.NullPool)
        with self._failing(), engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def _check(self, connection: sa.Connection) -> None:
        _check_encoding(connection)
        super()._check(connection)

    # ---- transactions --------------------------------------------------

    def _begin(self, connection: sa.Connection) -> None:
        pass  # the first statement begins

    def _commit(self, connection: sa.Connection) -> None:
        connection.commit()

    def _roll_back(self, connection: sa.Connection) -> None:
        connection.rollback()

    def _put(
        self, connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]], changes: str
    ) -> None:
        connection.exec_driver_sql(
            _insert(table, len(rows[0])) + changes, (_encode(rows).decode(),)
        )

    def _lock_numbers(self, connection: sa.Connection) -> None:
        # Otherwise a number could become visible after a greater one, and whoever reads on
        # from the greatest would never see it.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({NUMBER_LOCK})")

    # ---- errors --------------------------------------------------------

    def _is_repeat(self, cause: Any) -> bool:
        return isinstance(cause, psycopg.errors.UniqueViolation)

    def _may_succeed_again(self, error: DBAPIError) -> bool:
        if isinstance(error.orig, NoAnswer):
            return False
        return error.connection_invalidated or _state(error.orig).startswith("40")

    def _may_be_committed(self, error: Exception) -> bool:
        return not isinstance(error, DBAPIError) or error.connection_invalidated

    def _words_of(self, cause: Any) -> str:
        if not (state := _state(cause)):  # of the connection, not of a statement
            broken = (psycopg.OperationalError, psycopg.InterfaceError)
            return str(cause) if isinstance(cause, broken) else type(cause).__name__
        message = cause.diag.message_primary if state.startswith(_SAFE) else None
        return f"{message or type(cause).__name__} ({state})"


class _Connection(psycopg.Connection[Any]):
    """It does not wait for ever.

    A server that stands still, machine and all or just its processes, still
    has a kernel that acknowledges: no keepalive and no timeout of TCP notices.
    """

    answer_wait: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            limit = self.answer_wait if timeout is None else timeout
            return _wait(gen, self.pgconn.socket, interval=interval, timeout=limit)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()  # what it answers later must not be taken for another answer
            raise NoAnswer(f"no answer within {limit:g} s") from None
        except BaseException as error:
            if not isinstance(error, Exception):
                self.pgconn.finish()
            raise


def _options(url: sa.URL) -> str:
    """What the URL asks of each session."""
    theirs = url.query.get("options", "")
    return theirs if isinstance(theirs, str) else " ".join(theirs)


def _state(cause: Any) -> str:
    return getattr(cause, "sqlstate", None) or ""


_encode = msgspec.json.Encoder().encode
_inserts: dict[tuple[str, int], str] = {}


def _insert(table: sa.Table, width: int) -> str:
    """The INSERT of rows of *width* columns in one JSON array."""
    key = table.name, width
    if key not in _inserts:
        dialect = sa.dialects.postgresql.dialect()  # type: ignore[no-untyped-call]
        values = ", ".join(
            f"(one ->> {place})::{column.type.compile(dialect)}"
            for place, column in enumerate(written(table)[:width])
        )
        rows = "FROM json_array_elements(%s::json) AS one"
        _inserts[key] = f"{into(table, width)}SELECT {values} {rows}"
    return _inserts[key]


def _check_encoding(connection: sa.Connection) -> None:
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise StoreError(f"the database's encoding is {encoding}, csapp needs UTF8")
