"""What a store of conversations promises, whichever database it uses.

A conversation begins when a user is first matched and goes on
through reconnects, requeues and restarts until a side leaves for good. In one
conversation `seq` counts 1, 2, 3 … without gaps; the database accepts each
`(conversation, seq)` once, whichever worker writes it, and each `(conversation, side,
author, client id)` once, so that a repeat is noticed. In the database a conversation is
a row of the table `chat`, an entry a row of `message`.

Everything here blocks and is called from native threads only, so that a locked
or slow database never stops the loop. Times are whole milliseconds since 1970,
UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..conversation.rows import MESSAGE, MOST_SEQ, ConversationRow, EntryRow, Row, StaffRow
from ..errors import Unavailable


@dataclass(slots=True)
class Amendment:
    """A conversation as one of several processes knows it: inserted, or merged into the row.

    Read marks only grow, what has ended stays so, and a name, page or department
    that this process does not know changes nothing, whoever writes last.
    """

    row: ConversationRow
    #: who serves it, or that nobody does, is news; otherwise it is left as it is
    served: bool = False


@dataclass(slots=True)
class Duty:
    """How a waiter was last: readiness and capacity outlive reloads and restarts."""

    subject: str
    uuid: str
    ready: bool
    capacity: int


#: the outcome of a visit of which nobody knows how it went on (`visits.Outcome`)
UNKNOWN_END = "unknown"


@dataclass(slots=True)
class Visit:
    """What one worker knows of one time that a visitor has asked for a waiter.

    Merged into what others have written: what is there first stays (`visits.MERGE`).
    """

    key: int
    asked: int
    #: the department that the visitor has asked for
    department: str = ""
    #: when the first waiter was found, and its subject
    matched: int | None = None
    waiter: str = ""
    ended: int | None = None
    #: `visits.Outcome`, or the reason of the conversation's end; empty: it is under way
    outcome: str = ""

    def add(self, later: Visit) -> None:
        """Learn what *later* knows of the same visit, by the rule of `visits.MERGE`."""
        is_news = bool(later.outcome) or later.matched is not None
        is_message = later.outcome == MESSAGE and self.matched is None
        if is_news and (self.outcome in ("", UNKNOWN_END) or is_message):
            self.ended, self.outcome = later.ended, later.outcome
        self.department = self.department or later.department
        self.waiter = self.waiter or later.waiter
        if self.matched is None:
            self.matched = later.matched


@dataclass(slots=True)
class Batch:
    """What one commit brings: all of it or nothing.

    *conversations* and *duties* are written as they are now (insert or update), and the
    *amendments* and *visits* merged; *entries* are new. The store sorts what it writes. It leaves
    out the row of a conversation that was erased after its end, and raises `Gone` for entries
    beside that row.
    """

    conversations: list[ConversationRow] = field(default_factory=list)
    duties: list[Duty] = field(default_factory=list)
    entries: Sequence[Row] = ()
    amendments: list[Amendment] = field(default_factory=list)
    #: of *entries*: conversations that have to be stored, or `Gone` is raised
    needed: Collection[int] = ()
    #: some of *entries* have `data`; the others may come without that column
    has_data: bool = False
    visits: list[Visit] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """There is nothing to write."""
        rows = self.conversations or self.amendments or self.duties or self.visits
        return not (self.entries or rows)


class StoreError(Unavailable):
    """The store could not do it, and has done nothing."""

    public_reason = "the database cannot be used"


class Conflict(StoreError):
    """A `seq` or a client id of the batch is there already. Nothing was written."""


class Gone(StoreError):
    """The conversations *keys*, which the batch needs, were erased. Nothing was written.

    *for_good*: the store knows that they were erased after their end, and stores no entry of them.
    """

    def __init__(self, message: str, keys: Collection[int] = (), *, for_good: bool = False) -> None:
        super().__init__(message)
        self.keys = keys
        self.for_good = for_good


class Unfit(StoreError):
    """A value of the batch cannot be stored, now or later. Nothing was written."""


class Outdated(StoreError):
    """The tables are missing, or older than this csapp."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.public_reason = message


class Foreign(StoreError):
    """The store belongs to another application. Nothing was read or written."""

    public_reason = "the database belongs to another application; the log says to which"


class InUse(StoreError):
    """Another process serves the store, and two cannot. Nothing was read or written."""

    public_reason = (
        "another process serves the database; without CSAPP_REDIS_URL one at a time does"
    )


class OutcomeUnknown(Unavailable):
    """The connection broke during a commit: the batch is there as a whole, or not at all."""

    public_reason = "the database did not say whether this was done"


class Store(Protocol):
    """Where conversations are stored. Every method blocks; raises `StoreError`."""

    #: how it is named in the log and in `/v1/status`: `sqlite` or `postgresql`
    name: str

    def migrate(self) -> None:
        """Bring the schema up to date (Alembic), all of it or nothing; make the file of SQLite.

        Processes that do it at the same time wait for each other.
        """

    def check(self) -> None:
        """Raise `StoreError` unless it can be written to and its schema is the newest."""

    def commit(self, batch: Batch) -> None:
        """Write *batch* durably. Raises `Conflict`, `Gone`, `StoreError` or `OutcomeUnknown`.

        Called by one thread at a time. Writing the same conversations and
        duties again is harmless; entries that are there already are a `Conflict`. Nobody can
        erase a conversation that the batch needs until it is written: so no entry stays behind.
        """

    def find(
        self, conversation: int, side: int, author: str, client_ids: Sequence[str]
    ) -> list[EntryRow]:
        """The entries of *author* in a conversation that have one of *client_ids*, in order."""

    def entries(
        self,
        conversation: int,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
        newest: bool = True,
    ) -> list[EntryRow]:
        """Entries with `after < seq < before`, in order; at most *limit* of them.

        The last ones where there are more, or the first ones unless *newest*.
        """

    def entries_of(
        self, conversation: int, kinds: Collection[int], *, limit: int, newest: bool = True
    ) -> list[EntryRow]:
        """Entries of these *kinds* that have `data`, in order; at most *limit* of them.

        The last ones where there are more, or the first ones unless *newest*.
        """

    def last_events(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        """By conversation, of these: the last entry that the server has written, if any."""

    def last_words(self, keys: Sequence[int]) -> dict[int, EntryRow]:
        """By conversation, of these: the last entry that a person has written, if any."""

    def answered(self, keys: Sequence[int]) -> set[int]:
        """Of these conversations, those in which a waiter has written since it serves the user.

        That is behind the last event, which says who does.
        """

    def conversation(self, key: int) -> ConversationRow | None:
        """The conversation with this key; None: there is none."""

    def ends(self, keys: Sequence[int]) -> dict[int, int]:
        """The highest `seq` of each of these conversations; 0 for one without an entry."""

    def last_key(self) -> int:
        """The highest key of a conversation; 0 without one."""

    def open_conversations(self) -> list[ConversationRow]:
        """Every conversation that has not ended, oldest first."""

    def served_since(self, key: int) -> dict[str, int]:
        """By the subjects of users: the latest of their conversations with keys above *key*."""

    def reply_times(self, after: int, limit: int) -> list[int]:
        """How long users have waited for the first answer of a waiter, in ms.

        In the queue, and from their first entry on; of the latest *limit* conversations with
        keys above *after*, those that were answered.
        """

    def lasted(self, after: int, limit: int) -> list[tuple[str, float]]:
        """Department, and s from the first match to the end, of conversations that have ended.

        Of the latest *limit* conversations with keys above *after*.
        """

    def conversations_of(
        self, side: int, subject: str, *, before: int | None = None, limit: int = 50
    ) -> list[ConversationRow]:
        """The conversations that *subject* was a side of, newest first, with keys below *before*.

        For a waiter also those that others have taken over since.
        """

    def knows(self, waiter: str, user: str) -> bool:
        """Whether *waiter* has served *user* in any conversation, both by their subjects."""

    def last_waiters(self, users: Sequence[str]) -> dict[str, str]:
        """Who has served each of *users* last, all by their subjects; nobody: it is left out.

        Of several in its latest conversation, one of them.
        """

    def duties(self) -> list[Duty]:
        """Every waiter's last readiness."""

    def write_for_staff(self, entry: StaffRow) -> tuple[StaffRow, bool] | None:
        """Store *entry* with the next `n` and the `after` of this moment, and return it so.

        True: it is new. False: this one is stored already under the same author and client id.
        None: the conversation is not stored, or was erased.
        Raises `StoreError`, or `OutcomeUnknown`: then it may be stored.
        """

    def take_back_for_staff(self, entry: StaffRow) -> None:
        """Remove *entry*, as `write_for_staff` has returned it; nobody was shown it.

        Nothing happens where it is not there. Raises `StoreError` or `OutcomeUnknown`.
        """

    def staff_entries(
        self, conversation: int, *, first: int = 0, last: int = MOST_SEQ, limit: int = MOST_SEQ
    ) -> list[StaffRow]:
        """Staff entries with `first <= after <= last`, in order; of more than *limit* the last."""

    def revoke(self, *, sid: str = "", subject: str = "", now: int) -> None:
        """Let nobody in with a token of login *sid*, or one of *subject* signed until *now*.

        Raises `StoreError` or `OutcomeUnknown`; doing it again is harmless, and an
        earlier *now* takes nothing back.
        """

    def revoked(
        self, after: int, since: int = 0, limit: int = 1 << 31
    ) -> list[tuple[int, str, str, int]]:
        """The first *limit* revocations numbered above *after*: number, sid, subject, when.

        Those of before *since* are left out. None becomes visible after one with a
        greater number, so who goes on from the last misses none.
        """

    def is_revoked(self, sid: str, subject: str, signed: int) -> bool:
        """Whether a token of login *sid* of *subject*, signed then, was revoked."""

    def prune_revoked(self, *, sids: int, subjects: int) -> bool:
        """Remove some revocations of logins of before *sids*, of subjects of before *subjects*.

        True: there are more, for the next call.
        """

    def close(self) -> None:
        """Let go of every connection to the database."""
