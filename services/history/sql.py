"""`port.Store` on SQLAlchemy Core: what `sqlite.py` and `postgres.py` have in common.

Rules of these files:

1. One connection writes, in one thread at a time; reads use a small pool.
2. A commit is a handful of statements, however many rows it has: the database
   works with the interpreter's lock released, and a statement for each row
   would queue for that lock as often.
3. Whatever fails before COMMIT has done nothing, and may be tried again where
   the line was stale. What fails at COMMIT on a line to a server may have been
   done: `OutcomeUnknown`.
4. Rows go in sorted by their keys, so that two workers never wait for each
   other in a circle.
5. Errors are told without the values of the statement: those are people's words.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any, TypeVar
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from ..conversation.kinds import Side
from ..conversation.rows import ConversationRow, EntryRow
from . import owner as owners
from . import port, revoked, tables
from .holder import LastHolder
from .owner import Owner
from .port import Batch, Conflict, Duty, Note, OutcomeUnknown, StoreError, Unfit

#: s that a statement waits for somebody else's lock before it fails
LOCK_WAIT = 5.0

#: s that a server may take for one answer; then it counts as gone
ANSWER_WAIT = 10.0

#: s that a migration waits for another process's
MIGRATION_WAIT = 600.0

#: revocations removed at once, which holds up who writes for some milliseconds
PRUNED = 500

#: client ids in one query: SQLite takes 32,766 values, PostgreSQL 65,535
FOUND_AT_ONCE = 1000

_MESSAGE = "chat", *EntryRow._fields[1:]
_NOTE = "chat", *Note._fields[1:]
_NOTE = "chat", *Note._fields[1:]
_CHAT = tuple(field.name for field in dataclasses.fields(ConversationRow))[
    :-2
]  # `last_…` is counted
#: of a chat, what some of several workers may not know
_KNOWN = (
    "user_name", "waiter_name", "department", "page", "reason", "user_avatar", "waiter_avatar"
)  # fmt: skip
_DUTY = tuple(column.name for column in tables.duty.columns)

_chat_row = attrgetter(*_CHAT)
_duty_row = attrgetter(*_DUTY)

T = TypeVar("T")


def _file_of(url: str) -> str:
    """The file that a SQLite URL names; SQLAlchemy decodes it from version 2.1 on only."""
    return unquote(url.partition("?")[0].partition(":///")[2])


def open_store(
    url: str,
    owner: Owner | None = None,
    *,
    former: str | None = None,
    schema: str | None = None,
    lock_wait: float = LOCK_WAIT,
    answer_wait: float = ANSWER_WAIT,
) -> SQLStore:
    """The store at *url* (SQLAlchemy's form). Nothing is opened yet. Raises `StoreError`.

    *owner* is the application that it has to belong to, if that matters;
    *former* where a SQLite file was kept by version 0.1; *schema* that of our
    tables in PostgreSQL, if it is not the usual one.
    """
    try:
        parsed = sa.make_url(url)
        kind = parsed.get_backend_name()
        if kind == "sqlite":
            from .sqlite import SQLiteStore

            old = _file_of(former) if former else None
            here = parsed.set(database=_file_of(url))
            return SQLiteStore(here, owner, former=old, lock_wait=lock_wait)
        if kind == "postgresql":
            from .postgres import SCHEMA, PostgresStore

            return PostgresStore(
                parsed, owner, schema=schema or SCHEMA, lock_wait=lock_wait, answer_wait=answer_wait
            )
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise StoreError(f"not a database URL: {type(error).__name__}") from None
    raise StoreError(f"{kind}: only sqlite and postgresql can keep the history")


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

    def _again(self, error: DBAPIError) -> bool:
        """Whether what failed before COMMIT with *error* may go well on a new line."""
        return False

    def _unknown(self, error: Exception) -> bool:
        """Whether a COMMIT that failed with *error* may have been done."""
        raise NotImplementedError

    def _usable(self, connection: sa.Connection) -> bool:
        """Whether the connection that writes still leads to the database."""
        return True

    def _words(self, cause: Any) -> str:
        """The driver's error *cause* in words, none of which are people's."""
        raise NotImplementedError

    def _numbered(self, connection: sa.Connection) -> None:
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
        from . import schema  # Alembic is not loaded where no history is kept

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
        rows = _sorted(batch)
        try:
            try:
                connection = self._write(rows)
            except DBAPIError as error:
                self._undo(error)
                if not self._again(error):
                    raise
                connection = self._write(rows)
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

    def _write(self, rows: list[tuple[sa.Table, list[tuple[Any, ...]], str]]) -> sa.Connection:
        """Everything but COMMIT; the connection that has done it."""
        if self._writing is not None and not self._usable(self._writing):
            self._undo()
        if self._writing is None:
            self._writing = self.engine.connect()
        self._begin(self._writing)
        for table, some, changes in rows:
            self._put(self._writing, table, some, changes)
        return self._writing

    def _undo(self, error: SQLAlchemyError | None = None) -> None:
        """Nothing of what was begun stays; after a mere `Conflict` the connection does."""
        connection, self._writing = self._writing, None
        if connection is None:
            return
        try:
            self._roll_back(connection)
            if isinstance(error, IntegrityError):
                self._writing = connection
                return
        except Exception:  # noqa: S110  # the line is gone: the database has undone it
            pass
        for let_go in (connection.invalidate, connection.close):
            with contextlib.suppress(Exception):
                let_go()

    def _transact(self, *statements: sa.Executable) -> None:
        """Beside the batches, on a connection of its own."""

        def run(connection: sa.Connection) -> None:
            self._begin(connection)
            try:
                self._numbered(connection)
                for statement in statements:
                    connection.execute(statement)
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

        self._read(run, self.engine)

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
            return Conflict(self._say(error))
        if isinstance(error, sa.exc.DataError):
            return Unfit(self._say(error))
        return StoreError(self._say(error))

    def _error_at_commit(self, error: Exception) -> StoreError | OutcomeUnknown:
        kind = OutcomeUnknown if self._unknown(error) else StoreError
        return kind(self._say(error))

    def _say(self, error: Exception) -> str:
        """*error* in one line that shows no value of a row: it goes into the log."""
        cause = getattr(error, "orig", None)
        if cause is not None:
            words = self._words(cause)
        else:
            words = str(error) if isinstance(error, sa.exc.TimeoutError) else type(error).__name__
        return " ".join(words.split())[:300]

    # ---- reading -------------------------------------------------------

    def _read(self, work: Callable[[sa.Connection], T], engine: sa.Engine | None = None) -> T:
        """What *work* makes of a connection; once more where its line was stale."""
        engine = engine or self._reader
        with self._failing():
            try:
                with engine.connect() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not self._again(error):
                    raise
            with engine.connect() as connection:
                return work(connection)

    def _select(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> Sequence[Any]:
        return self._read(lambda connection: connection.execute(query).fetchall())

    def find(self, chat: int, side: int, author: str, client_ids: Sequence[str]) -> list[EntryRow]:
        table = tables.message.c
        sent = table.chat == chat, table.side == side, table.author == author
        query = _messages().where(*sent)
        found: list[EntryRow] = []
        for start in range(0, len(client_ids), FOUND_AT_ONCE):
            some = table.client_id.in_(client_ids[start : start + FOUND_AT_ONCE])
            found += [EntryRow(*row) for row in self._select(query.where(some))]
        return sorted(found, key=attrgetter("seq"))

    def entries(
        self,
        chat: int,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
        newest: bool = True,
    ) -> list[EntryRow]:
        query = latest_messages(chat, after, before, limit, newest)
        found = [EntryRow(*row) for row in self._select(query)]
        return found[::-1] if newest else found

    def conversation(self, key: int) -> ConversationRow | None:
        found = self._chats(_chats().where(tables.chat.c.key == key))
        return found[0] if found else None

    def ends(self, keys: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = dict.fromkeys(keys, 0)
        table = tables.message.c
        for start in range(0, len(keys), FOUND_AT_ONCE):
            some = table.chat.in_(keys[start : start + FOUND_AT_ONCE])
            query = sa.select(table.chat, sa.func.max(table.seq)).where(some).group_by(table.chat)
            found.update((row[0], row[1]) for row in self._select(query))
        return found

    def last_key(self) -> int:
        return int(self._select(sa.select(sa.func.max(tables.chat.c.key)))[0][0] or 0)

    def open_conversations(self) -> list[ConversationRow]:
        return self._chats(open_conversations())

    def served_since(self, key: int) -> dict[str, int]:
        chats = tables.chat.c
        query = sa.select(chats.user_subject, sa.func.max(chats.key)).where(chats.key > key)
        return {row[0]: row[1] for row in self._select(query.group_by(chats.user_subject))}

    def reply_times(self, after: int, limit: int) -> list[int]:
        found = []
        for opened, waited, asked, answered in self._select(answers(after, limit)):
            served = opened + waited
            begun = asked if asked is not None and served < asked <= answered else served
            found.append(waited + max(0, answered - begun))
        return found

    def conversations_of(
        self, side: int, subject: str, *, before: int | None = None, limit: int = 50
    ) -> list[ConversationRow]:
        return self._chats(latest_chats(side, subject, before, limit))

    def _chats(self, query: sa.Select[Any]) -> list[ConversationRow]:
        return [ConversationRow(*row) for row in self._select(query)]

    def knows(self, waiter: str, user: str) -> bool:
        served, chats = tables.service.c, tables.chat.c
        query = sa.select(chats.key).where(chats.user_subject == user).where(
            sa.exists().where(served.chat == chats.key, served.waiter == waiter)
        )  # fmt: skip
        return bool(self._select(query.limit(1)))

    def duties(self) -> list[Duty]:
        table = tables.duty
        return [Duty(*row) for row in self._select(sa.select(table).order_by(table.c.subject))]

    # ---- notes and revocations -----------------------------------------

    def add_note(self, note: Note) -> None:
        self._transact(sa.insert(tables.note).values(dict(zip(_NOTE, note, strict=True))))

    def notes(self, chat: int) -> list[Note]:
        table = tables.note.c
        query = sa.select(table.chat, table.author, table.text, table.date)
        return [
            Note(*row) for row in self._select(query.where(table.chat == chat).order_by(table.n))
        ]

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


# ---- queries -----------------------------------------------------------


#: no message has a higher number; PostgreSQL compares with none
_MOST_SEQ = (1 << 31) - 1


def latest_messages(
    chat: int, after: int = 0, before: int | None = None, limit: int = 50, newest: bool = True
) -> sa.Select[Any]:
    """See `port.Store.entries`; the newest come first where they are asked for."""
    table = tables.message.c
    query = _messages().where(table.chat == chat, table.seq > min(after, _MOST_SEQ)).limit(limit)
    if before is not None:
        query = query.where(table.seq < min(before, _MOST_SEQ))
    return query.order_by(table.seq.desc() if newest else table.seq)


def latest_chats(
    side: int, subject: str, before: int | None = None, limit: int = 50
) -> sa.Select[Any]:
    """See `port.Store.chats_of`."""
    query, key = _chats(), tables.chat.c.key
    if side == Side.USER:
        query = query.where(tables.chat.c.user_subject == subject)
    else:
        key = tables.service.c.chat
        served = tables.chat.c.key == key
        query = query.join_from(tables.chat, tables.service, served)
        query = query.where(tables.service.c.waiter == subject)
    if before is not None:
        query = query.where(key < before)
    return query.order_by(key.desc()).limit(limit)


def answers(after: int, limit: int) -> sa.Select[Any]:
    """Of the latest chats: opened, waited, and the dates of the first words of either side.

    See `port.Store.reply_times`.
    """
    latest = _latest_keys(after, limit)
    table, chats = tables.message.c, tables.chat.c

    def first(side: Side) -> sa.ScalarSelect[Any]:
        said = sa.select(table.date).where(table.chat == chats.key, table.side == side)
        return said.order_by(table.seq).limit(1).scalar_subquery()

    answered = first(Side.WAITER).label("answered")
    query = sa.select(chats.opened, chats.waited, first(Side.USER).label("asked"), answered)
    found = query.where(chats.key.in_(latest)).subquery()
    return sa.select(found).where(found.c.answered.is_not(None))


def _latest_keys(after: int, limit: int) -> sa.Select[Any]:
    key = tables.chat.c.key
    return sa.select(key).where(key > after).order_by(key.desc()).limit(limit)


def open_conversations() -> sa.Select[Any]:
    """See `port.Store.open_chats`."""
    return _chats().where(tables.chat.c.ended.is_(None)).order_by(tables.chat.c.key)


def _chats() -> sa.Select[Any]:
    table = tables.message.c
    of_chat = table.chat == tables.chat.c.key
    last = (
        sa.func.coalesce(
            sa.select(column).where(of_chat).order_by(table.seq.desc()).limit(1).scalar_subquery(),
            0,
        )
        for column in (table.seq, table.date)
    )
    return sa.select(*(tables.chat.c[name] for name in _CHAT), *last)


def _messages() -> sa.Select[Any]:
    return sa.select(*(tables.message.c[name] for name in _MESSAGE))


# ---- rows --------------------------------------------------------------


def _sorted(batch: Batch) -> list[tuple[sa.Table, list[tuple[Any, ...]], str]]:
    """Table by table, the rows of *batch* in the order of their keys; of two states the later."""
    chats = {one.key: _chat_row(one) for one in batch.conversations}
    duties = {one.subject: _duty_row(one) for one in batch.duties}
    amended = sorted(batch.amendments, key=lambda one: one.row.key)
    served = {
        (one.waiter_subject, one.key)
        for one in [*batch.conversations, *(amendment.row for amendment in amended)]
        if one.waiter_subject
    }
    rows: list[tuple[sa.Table, list[tuple[Any, ...]], str]] = [
        (tables.service, sorted(served), " ON CONFLICT DO NOTHING"),
        (tables.chat, [chats[key] for key in sorted(chats)], _update(_CHAT)),
        # one after the other where they differ: in the order of their keys no two workers
        # wait for each other
        *(
            (tables.chat, [_chat_row(one.row) for one in some], _MERGE + (_SERVE if news else ""))
            for news, some in itertools.groupby(amended, attrgetter("served"))
        ),
        (tables.duty, [duties[key] for key in sorted(duties)], _update(_DUTY)),
    ]
    messages = sorted(batch.entries, key=itemgetter(0, 1))
    if batch.has_data:
        rows += [(tables.message, [*some], "") for _, some in itertools.groupby(messages, len)]
    else:
        rows.append((tables.message, messages, ""))
    return [one for one in rows if one[1]]


#: of what two workers know of a chat, what counts
_MERGE = (
    ' ON CONFLICT ("key") DO UPDATE SET "ended" = coalesce("chat"."ended", excluded."ended")'
    + "".join(
        f', "{name}" = CASE WHEN {news} THEN excluded."{name}" ELSE "chat"."{name}" END'
        for name, news in (
            ("user_read", 'excluded."user_read" > "chat"."user_read"'),
            ("waiter_read", 'excluded."waiter_read" > "chat"."waiter_read"'),
            ("waited", 'excluded."waited" > "chat"."waited"'),
            *((name, f"excluded.\"{name}\" <> ''") for name in _KNOWN),
        )
    )
)
_SERVE = ', "waiter" = excluded."waiter", "waiter_subject" = excluded."waiter_subject"'


def _update(names: tuple[str, ...]) -> str:
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names[1:])
    return f' ON CONFLICT ("{names[0]}") DO UPDATE SET {changes}'


def written(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of *table* that a row brings: all that the database does not count itself."""
    return [column for column in table.columns if column.autoincrement is not True]


def into(table: sa.Table, width: int) -> str:
    """The beginning of an INSERT of such rows; the first *width* columns of them."""
    names = ", ".join(f'"{column.name}"' for column in written(table)[:width])
    return f'INSERT INTO "{table.name}" ({names}) '


_: Callable[[str], port.Store] = open_store
