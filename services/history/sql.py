"""`port.Store` on SQLAlchemy Core: what `sqlite.py` and `postgres.py` have in common.

Rules of these files:

1. One connection writes, in one thread at a time; reads use a small pool.
2. A commit is a handful of statements, however many rows it has: the database
   works with the interpreter's lock released, and a statement for each row
   would queue for that lock as often.
3. Whatever fails before COMMIT has done nothing, and may be tried again where
   the connection to the database was stale. What fails at COMMIT on a connection
   to a server may have been done: `OutcomeUnknown`.
4. Errors are told without the values of the statement: those are people's words.

The statements are in `queries.py` and `upserts.py`; `opening.py` opens a store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from ..conversation.rows import MOST_SEQ, ConversationRow, EntryRow, StaffRow
from . import owner as owners
from . import queries, revoked, tables
from .holder import LastHolder
from .owner import Owner
from .port import Batch, Conflict, Duty, Gone, OutcomeUnknown, StoreError, Unfit
from .upserts import Upsert, upserts

#: s that a statement waits for somebody else's lock before it fails
LOCK_WAIT = 5.0

#: s that a server may take for one answer; then it counts as gone
ANSWER_WAIT = 10.0

#: s that a migration waits for another process's
MIGRATION_WAIT = 600.0

#: revocations removed at once, which holds up who writes for some milliseconds
PRUNED = 500

#: client ids or keys in one query: SQLite takes 32,766 values, PostgreSQL 65,535
FOUND_AT_ONCE = 1000


T = TypeVar("T")


class SQLStore:
    """See `port.Store`."""

    name = ""

    def __init__(self, engine: sa.Engine, owner: Owner | None, title: str) -> None:
        self.engine = engine
        #: the application that the store has to belong to; None: any application
        self.owner = owner
        #: how the store is called in messages: without a password
        self.title = title
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing: sa.Connection | None = None

    # ---- what differs --------------------------------------------------

    def _migrating(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """A connection in a transaction that no other migration is in; commits in the end."""
        raise NotImplementedError

    def _begin(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def _commit(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def _roll_back(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def _put(
        self, connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]], changes: str
    ) -> None:
        """Insert *rows* of all columns but a counted one; *changes* follows: ON CONFLICT …"""
        raise NotImplementedError

    def _is_repeat(self, cause: Any) -> bool:
        """Whether the driver's error *cause* says that a key is there already."""
        raise NotImplementedError

    def _may_succeed_again(self, error: DBAPIError) -> bool:
        """Whether what failed before COMMIT with *error* may succeed on a new connection."""
        return False

    def _may_be_committed(self, error: Exception) -> bool:
        """Whether a COMMIT that failed with *error* may have been done."""
        raise NotImplementedError

    def _is_usable(self, connection: sa.Connection) -> bool:
        """Whether the connection that writes still leads to the database."""
        return True

    def _words_of(self, cause: Any) -> str:
        """The driver's error *cause* in words, none of which are people's."""
        raise NotImplementedError

    def _lock_numbers(self, connection: sa.Connection) -> None:
        """From here to the end of the transaction, nobody else is given numbers."""

    # ---- whose it is ---------------------------------------------------

    def refuse_foreign(self) -> None:
        """Raise `Foreign` where the store is another application's. Makes and changes nothing."""
        self._read(lambda connection: owners.refuse_foreign(connection, self.owner, self.title))

    def hold(self, *, shared: bool) -> None:
        """Be the one process that serves the store, or one of those that share a desk.

        Never waits. Raises `InUse`, `StoreError`.
        """

    def is_served(self) -> bool:
        """Whether a server uses the store now, as far as can be seen. Raises `StoreError`."""
        raise NotImplementedError

    @property
    def holder_leaves(self) -> bool:
        """Whether the process that `hold` met last said that it is about to end."""
        return False

    def last_holder(self) -> LastHolder:
        """What who holds the store says of itself, or said who held it last."""
        return LastHolder()

    def announce_leaving(self) -> None:
        """Tell those who want to hold the store that it will be free in a moment."""

    def let_go(self) -> None:
        """Hold the store no more. From now on this process writes nothing into it."""

    # ---- schema --------------------------------------------------------

    def prepare(self) -> None:
        """Make the store ready for use. Blocks. Raises `StoreError`.

        The embedded SQLite gets its tables by itself, PostgreSQL by `chat migrate`.
        """
        self.refuse_foreign()
        self.check()
        self._claim()

    def migrate(self) -> None:
        from . import schema  # Alembic is not loaded where there is no database

        with self._failing(), self._migrating() as connection:
            schema.upgrade(connection)
            owners.claim(connection, self.owner, self.title)

    def move(self) -> bool:
        """Move tables of version 0.1 to where new ones are made, while no server is running.

        Returns whether there was anything to move. Raises `StoreError`.
        """
        raise StoreError("only PostgreSQL has schemas")

    def _claim(self) -> None:
        if self.owner is not None and self._read(owners.owner_of) != self.owner:
            with self._failing(), self._migrating() as connection:
                owners.claim(connection, self.owner, self.title)

    def check(self) -> None:
        self._read(self._check)

    def _check(self, connection: sa.Connection) -> None:
        from . import schema

        schema.check(connection)
        self._begin(connection)
        try:
            connection.exec_driver_sql("INSERT INTO duty SELECT * FROM duty WHERE 1 = 0")
        finally:
            self._roll_back(connection)

    # ---- writing -------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        rows = upserts(batch)
        try:
            try:
                connection = self._write(rows, batch.needed)
            except DBAPIError as error:
                self._undo(error)
                if not self._may_succeed_again(error):
                    raise
                connection = self._write(rows, batch.needed)
        except Gone as error:
            self._undo(error)
            raise
        except SQLAlchemyError as error:
            self._undo(error)
            raise self.failure(error) from None
        except Exception as error:  # a value that the driver does not take
            self._undo()
            raise Unfit(f"cannot be written: {type(error).__name__}") from None
        except BaseException:
            self._undo()
            raise
        try:
            self._commit(connection)
        except BaseException as error:
            self._undo()
            if not isinstance(error, Exception):
                raise
            raise self._error_at_commit(error) from None

    def _write(self, rows: list[Upsert], needed: Collection[int]) -> sa.Connection:
        """Do everything but COMMIT; return the connection that has done it. Raises `Gone`."""
        if self._writing is not None and not self._is_usable(self._writing):
            self._undo()
        if self._writing is None:
            self._writing = self.engine.connect()
        self._begin(self._writing)
        for table, some, changes in rows:
            self._put(self._writing, table, some, changes)
        if needed:
            self._check_needed(self._writing, sorted(needed))
        return self._writing

    @staticmethod
    def _check_needed(connection: sa.Connection, keys: Sequence[int]) -> None:
        """Let nobody erase these conversations before COMMIT. Raises `Gone`.

        They are looked up after what the batch itself writes of them.
        """
        gone = set(keys)
        for start in range(0, len(keys), FOUND_AT_ONCE):
            some = keys[start : start + FOUND_AT_ONCE]
            gone.difference_update(connection.scalars(queries.that_stay(some)))
        if gone:
            raise Gone(gone)

    def _undo(self, error: Exception | None = None) -> None:
        """Roll back what was begun, and drop the connection, but not after `Conflict`, `Gone`."""
        connection, self._writing = self._writing, None
        if connection is None:
            return
        try:
            self._roll_back(connection)
            if isinstance(error, IntegrityError | Gone):
                self._writing = connection
                return
        except Exception:  # noqa: S110  # the connection is gone: the database has undone it
            pass
        for let_go in (connection.invalidate, connection.close):
            with contextlib.suppress(Exception):
                let_go()

    def _transact(self, *statements: sa.Executable) -> None:
        """Commit *statements* beside the batches, on a connection of their own."""

        def execute(connection: sa.Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        self.transact(execute)

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """What *work* returns, which writes beside the batches: all of it or nothing.

        It may be called twice. Raises `StoreError`, or `OutcomeUnknown`.
        """

        def run(connection: sa.Connection) -> T:
            self._begin(connection)
            try:
                self._lock_numbers(connection)
                result = work(connection)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._roll_back(connection)
                raise
            try:
                self._commit(connection)
            except Exception as error:
                with contextlib.suppress(Exception):
                    self._roll_back(connection)
                raise self._error_at_commit(error) from None
            return result

        return self._read(run, self.engine)

    # ---- errors --------------------------------------------------------

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self.failure(error) from None

    def failure(self, error: SQLAlchemyError) -> StoreError:
        """What *error* means to callers, in words that show no value of a row."""
        cause = getattr(error, "orig", None)
        if isinstance(error, IntegrityError) and self._is_repeat(cause):
            return Conflict(self._in_one_line(error))
        if isinstance(error, sa.exc.DataError):
            return Unfit(self._in_one_line(error))
        return StoreError(self._in_one_line(error))

    def _error_at_commit(self, error: Exception) -> StoreError | OutcomeUnknown:
        kind = OutcomeUnknown if self._may_be_committed(error) else StoreError
        return kind(self._in_one_line(error))

    def _in_one_line(self, error: Exception) -> str:
        """*error* in one line that shows no value of a row: it goes into the log."""
        cause = getattr(error, "orig", None)
        if cause is not None:
            words = self._words_of(cause)
        else:
            words = str(error) if isinstance(error, sa.exc.TimeoutError) else type(error).__name__
        return " ".join(words.split())[:300]

    # ---- reading -------------------------------------------------------

    def _read(self, work: Callable[[sa.Connection], T], engine: sa.Engine | None = None) -> T:
        """What *work* makes of a connection; once more where the connection was stale."""
        engine = engine or self._reader
        with self._failing():
            try:
                with engine.connect() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not self._may_succeed_again(error):
                    raise
            with engine.connect() as connection:
                return work(connection)

    def _select(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> Sequence[Any]:
        return self._read(lambda connection: connection.execute(query).fetchall())

    def find(
        self, conversation: int, side: int, author: str, client_ids: Sequence[str]
    ) -> list[EntryRow]:
        query = queries.entries_of_sender(conversation, side, author)
        column = tables.message.c.client_id
        found: list[EntryRow] = []
        for start in range(0, len(client_ids), FOUND_AT_ONCE):
            some = column.in_(client_ids[start : start + FOUND_AT_ONCE])
            found += [EntryRow(*row) for row in self._select(query.where(some))]
        return sorted(found, key=attrgetter("seq"))

    def entries(
        self,
        conversation: int,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
        newest: bool = True,
    ) -> list[EntryRow]:
        query = queries.entries_between(conversation, after, before, limit, newest)
        found = [EntryRow(*row) for row in self._select(query)]
        return found[::-1] if newest else found

    def last_events(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        found: dict[int, EntryRow] = {}
        for start in range(0, len(keys), FOUND_AT_ONCE):
            some = keys[start : start + FOUND_AT_ONCE]
            found.update(
                (row[0], EntryRow(*row)) for row in self._select(queries.last_of_server(some))
            )
        return found

    def conversation(self, key: int) -> ConversationRow | None:
        found = self._conversations(queries.conversations().where(tables.chat.c.key == key))
        return found[0] if found else None

    def ends(self, keys: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = dict.fromkeys(keys, 0)
        for start in range(0, len(keys), FOUND_AT_ONCE):
            some = tables.message.c.chat.in_(keys[start : start + FOUND_AT_ONCE])
            found.update((row[0], row[1]) for row in self._select(queries.last_seqs().where(some)))
        return found

    def last_key(self) -> int:
        return int(self._select(sa.select(sa.func.max(tables.chat.c.key)))[0][0] or 0)

    def open_conversations(self) -> list[ConversationRow]:
        return self._conversations(queries.open_conversations())

    def served_since(self, key: int) -> dict[str, int]:
        return {row[0]: row[1] for row in self._select(queries.latest_of_users(key))}

    def reply_times(self, after: int, limit: int) -> list[int]:
        found = []
        for opened, waited, asked, answered in self._select(queries.first_answers(after, limit)):
            served = opened + waited
            begun = asked if asked is not None and served < asked <= answered else served
            found.append(waited + max(0, answered - begun))
        return found

    def conversations_of(
        self, side: int, subject: str, *, before: int | None = None, limit: int = 50
    ) -> list[ConversationRow]:
        return self._conversations(queries.conversations_of(side, subject, before, limit))

    def _conversations(self, query: sa.Select[Any]) -> list[ConversationRow]:
        return [ConversationRow(*row) for row in self._select(query)]

    def knows(self, waiter: str, user: str) -> bool:
        return bool(self._select(queries.served_by(waiter, user).limit(1)))

    def duties(self) -> list[Duty]:
        table = tables.duty
        return [Duty(*row) for row in self._select(sa.select(table).order_by(table.c.subject))]

    # ---- staff entries and revocations -----------------------------------------

    def write_for_staff(self, entry: StaffRow) -> tuple[StaffRow, bool] | None:
        from . import staff  # it writes through this store

        return staff.write(self, entry)

    def staff_entries(
        self, conversation: int, *, first: int = 0, last: int = MOST_SEQ, limit: int = MOST_SEQ
    ) -> list[StaffRow]:
        from . import staff

        found = self._select(staff.latest(conversation, first, last, limit))
        return [StaffRow(*row) for row in reversed(found)]

    def revoke(self, *, sid: str = "", subject: str = "", now: int) -> None:
        self._transact(*revoked.adding(sid, subject, now))

    def revoked(
        self, after: int, since: int = 0, limit: int = 1 << 31
    ) -> list[tuple[int, str, str, int]]:
        rows = self._select(revoked.slice_of(after, since, limit))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def is_revoked(self, sid: str, subject: str, signed: int) -> bool:
        return bool(self._select(revoked.naming(sid, subject, signed)))

    def prune_revoked(self, *, sids: int, subjects: int, limit: int = PRUNED) -> bool:
        more = False
        for column, before in (("sid", sids), ("subject", subjects)):
            if self._select(revoked.old(column, before)):  # a DELETE of nothing would wait, too
                self._transact(revoked.pruning(column, before, limit))
                more = more or bool(self._select(revoked.old(column, before)))
        return more

    def close(self) -> None:
        self._undo()
        self.engine.dispose()

    def shut(self) -> None:
        """Close, because this process ends. Nothing is being written any more. Raises nothing."""
        with contextlib.suppress(SQLAlchemyError, StoreError):
            self.close()
