"""Stores on SQLite and on a real PostgreSQL, which one test session starts once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history.opening import open_store
from services.history.port import Batch
from services.history.sql import SQLStore
from testkit.postgres import Postgres

#: s that the stores of these tests wait for a lock
LOCK_WAIT = 0.2
#: and for an answer, however busy the machine is; those that are to get none wait for `BRIEF`
ANSWER_WAIT, BRIEF = 60.0, 1.0

#: `opened()`: one more store on the database of the test
Opened = Callable[..., SQLStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    """Opens stores on the database of the test, or on another, and closes them."""
    with ExitStack() as stack:

        def open_(other: str = url, **options: Any) -> SQLStore:
            waits = {"lock_wait": LOCK_WAIT, "answer_wait": ANSWER_WAIT, **options}
            store = open_store(other, **waits)
            stack.callback(store.close)
            return store

        yield open_


@pytest.fixture
def store(opened: Opened) -> SQLStore:
    """A store with its schema."""
    store = opened()
    store.migrate()
    return store


_dates = itertools.count(1_700_000_000_000)


def chat(
    key: int, user: str = "ann", waiter: str | None = "bob", **fields: object
) -> ConversationRow:
    """A chat of *user* with *waiter*."""
    return ConversationRow(
        key, f"uuid-{user}", user, waiter_subject=waiter, opened=next(_dates), **fields
    )


def text(chat: int, seq: int, body: str = "hello", client_id: str | None = None) -> EntryRow:
    """What the user of a chat says."""
    return EntryRow(chat, seq, Side.USER, "ann", client_id, 1, body, next(_dates))


def texts(chat: int, first: int, last: int) -> Batch:
    """A batch of texts numbered *first* … *last*."""
    return Batch(entries=[text(chat, seq, client_id=f"id-{seq}") for seq in range(first, last + 1)])
