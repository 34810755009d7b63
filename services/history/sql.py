"""`port.Store` on SQLAlchemy Core: what `sqlite.py` and `postgres.py` have in common.

Here is whose a store is, its schema, and what is read from it; how it commits is in
`transactions.py`. The statements are in `queries.py` and `upserts.py`; `opening.py` opens a
store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from ..conversation.rows import MOST_SEQ, ConversationRow, EntryRow, StaffRow
from . import owner as owners
from . import queries, revoked, tables
from .holder import LastHolder
from .owner import Owner
from .port import Duty, StoreError
from .queries import FOUND_AT_ONCE
from .transactions import Transactions

#: revocations removed at once, which holds up who writes for some milliseconds
PRUNED = 500


class SQLStore(Transactions):
    """See `port.Store`."""

    name = ""

    def __init__(self, engine: sa.Engine, owner: Owner | None, title: str) -> None:
        super().__init__(engine)
        #: the application that the store has to belong to; None: any application
        self.owner = owner
        #: how the store is called in messages: without a password
        self.title = title

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

    def _migrating(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """A connection in a transaction that no other migration is in; commits in the end."""
        raise NotImplementedError

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

    # ---- reading -------------------------------------------------------

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

    def entries_of(
        self, conversation: int, kinds: Collection[int], *, limit: int, newest: bool = True
    ) -> list[EntryRow]:
        query = queries.entries_of(conversation, kinds, limit, newest)
        found = [EntryRow(*row) for row in self._select(query)]
        return found[::-1] if newest else found

    def last_events(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        return self._last_entries(keys, by_server=True)

    def last_words(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        return self._last_entries(keys, by_server=False)

    def _last_entries(self, keys: Sequence[int], *, by_server: bool) -> dict[int, EntryRow]:
        found: dict[int, EntryRow] = {}
        for start in range(0, len(keys), FOUND_AT_ONCE):
            query = queries.last_entries(keys[start : start + FOUND_AT_ONCE], by_server=by_server)
            found.update((row[0], EntryRow(*row)) for row in self._select(query))
        return found

    def answered(self, keys: Sequence[int]) -> set[int]:
        found: set[int] = set()
        for start in range(0, len(keys), FOUND_AT_ONCE):
            some = keys[start : start + FOUND_AT_ONCE]
            found.update(row[0] for row in self._select(queries.answered(some)))
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

    def lasted(self, after: int, limit: int) -> list[tuple[str, float]]:
        found = self._select(queries.ended(after, limit))
        return [
            (department, (ended - opened - waited) / 1000)
            for department, opened, waited, ended in found
            if ended >= opened + waited
        ]

    def conversations_of(
        self, side: int, subject: str, *, before: int | None = None, limit: int = 50
    ) -> list[ConversationRow]:
        return self._conversations(queries.conversations_of(side, subject, before, limit))

    def _conversations(self, query: sa.Select[Any]) -> list[ConversationRow]:
        return [ConversationRow(*row) for row in self._select(query)]

    def knows(self, waiter: str, user: str) -> bool:
        return bool(self._select(queries.served_by(waiter, user).limit(1)))

    def last_waiters(self, users: Sequence[str]) -> dict[str, str]:
        found = {user: self._select(queries.last_waiter(user)) for user in users}
        return {user: rows[0][0] for user, rows in found.items() if rows}

    def duties(self) -> list[Duty]:
        table = tables.duty
        return [Duty(*row) for row in self._select(sa.select(table).order_by(table.c.subject))]

    # ---- staff entries and revocations -----------------------------------------

    def write_for_staff(self, entry: StaffRow) -> tuple[StaffRow, bool] | None:
        from . import staff  # it writes through this store

        return staff.write(self, entry)

    def take_back_for_staff(self, entry: StaffRow) -> None:
        from . import staff

        staff.take_back(self, entry)

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
