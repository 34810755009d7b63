"""How a store connects, commits, reads and fails: what `sqlite.py` and `postgres.py` share of it.

Rules of these files:

1. One connection writes, in one thread at a time; reads use a small pool.
2. A commit is a handful of statements, however many rows it has: the database
   works with the interpreter's lock released, and a statement for each row
   would queue for that lock as often.
3. Whatever fails before COMMIT has done nothing, and may be tried again where
   the connection to the database was stale. What fails at COMMIT on a connection
   to a server may have been done: `OutcomeUnknown`.
4. Errors are told without the values of the statement: those are people's words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from . import erased, queries, visits
from .port import Batch, Conflict, Gone, OutcomeUnknown, StoreError, Unfit
from .queries import FOUND_AT_ONCE
from .upserts import upserts

#: s that a statement waits for somebody else's lock before it fails
LOCK_WAIT = 5.0

#: s that a server may take for one answer; then it counts as gone
ANSWER_WAIT = 10.0

#: s that a migration waits for another process's
MIGRATION_WAIT = 600.0

T = TypeVar("T")


class Transactions:
    """Commits batches on one connection, and reads on others. `SQLStore` says what is read."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing: sa.Connection | None = None

    # ---- what differs --------------------------------------------------

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

    # ---- writing -------------------------------------------------------

    def commit(self, batch: Batch) -> None:
        try:
            try:
                connection = self._write(batch)
            except DBAPIError as error:
                self._undo(error)
                if not self._may_succeed_again(error):
                    raise
                connection = self._write(batch)
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

    def _write(self, batch: Batch) -> sa.Connection:
        """Do everything but COMMIT; return the connection that has done it. Raises `Gone`."""
        if self._writing is not None and not self._is_usable(self._writing):
            self._undo()
        if self._writing is None:
            self._writing = self.engine.connect()
        self._begin(self._writing)
        if batch.conversations or batch.amendments:
            batch = self._without_erased(self._writing, batch)
        for table, some, changes in upserts(batch):
            self._put(self._writing, table, some, changes)
        if ended := visits.completed_by(batch.visits):
            visits.complete(self._writing, ended)
        if batch.needed:
            self._check_needed(self._writing, sorted(batch.needed))
        return self._writing

    @staticmethod
    def _without_erased(connection: sa.Connection, batch: Batch) -> Batch:
        """*batch* without the rows of erased conversations. Raises `Gone` for their entries."""
        rows = {one.key for one in batch.conversations}
        rows.update(one.row.key for one in batch.amendments)
        gone = erased.among(connection, rows)
        if not gone:
            return batch
        if not gone.isdisjoint(entry[0] for entry in batch.entries):
            raise Gone("a conversation was erased after its end", gone, for_good=True)
        erased.forget_entries(connection, gone)
        return replace(
            batch,
            conversations=[one for one in batch.conversations if one.key not in gone],
            amendments=[one for one in batch.amendments if one.row.key not in gone],
        )

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
            raise Gone("a conversation was erased meanwhile", gone)

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

    # ---- the end -------------------------------------------------------

    def close(self) -> None:
        self._undo()
        self.engine.dispose()

    def shut(self) -> None:
        """Close, because this process ends. Nothing is being written any more. Raises nothing."""
        with contextlib.suppress(SQLAlchemyError, StoreError):
            self.close()
