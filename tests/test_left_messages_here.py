"""Messages that are left, as one worker knows them: what it counts, and what it reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services import left_messages
from services.conversation.rows import MESSAGE, ConversationRow
from services.desk.port import Member, Role
from services.handlers.left_messages import _CODES
from services.history import inbox
from services.history import left_messages as stored
from services.history.left_messages import Leaving, LeftMessageTable
from services.history.opening import open_store
from services.history.sql import SQLStore
from services.left_messages import LeftMessages


class Here:
    """A runtime that waits where it is called."""

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)


class Told:
    """A connection of version 2, and how many open messages it was told of."""

    dialect = SimpleNamespace(version=2)

    def __init__(self) -> None:
        self.counts: list[int] = []

    def put(self, frame: bytes) -> None:
        self.counts.append(json.loads(frame[frame.index(b"{") :])["payload"]["waiting"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLStore]:
    with closing(open_store(f"sqlite:///{tmp_path / 'csapp.db'}")) as store:
        store.migrate()
        yield store


def leaves(table: LeftMessageTable, key: int) -> None:
    row = ConversationRow(key, "uuid", f"user-{key}", opened=key, ended=key, reason=MESSAGE)
    table.leave(Leaving(row, "", "Do you ship?", None))


def worker(table: LeftMessageTable, waiters: int = 3) -> tuple[LeftMessages, list[Any]]:
    """A worker to which so many waiters are connected."""
    here: list[Any] = [
        SimpleNamespace(
            uuid=f"uuid-{n}", role=Role.WAITER, connections=[Told()], departments=(),
        )
        for n in range(waiters)
    ]  # fmt: skip
    runtime: Any = Here()
    return LeftMessages(table, runtime, None, {one.uuid: one for one in here}), here


def counts(waiter: Any) -> list[int]:
    return list(waiter.connections[0].counts)


def test_without_news_no_waiters_messages_are_counted(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
):
    table = LeftMessageTable(store)
    left, here = worker(table)
    seen: list[Any] = []
    sight = LeftMessages.sight
    monkeypatch.setattr(LeftMessages, "sight", lambda *a: seen.append(a[1]) or sight(*a))
    leaves(table, 1)
    left.look()
    left.look()
    assert [counts(one) for one in here] == [[1]] * 3
    seen.clear()
    left.look()
    assert seen == []
    here[1].departments = (Member("sales", 0),)
    left.look()
    assert seen == [here[1]]
    assert counts(here[1]) == [1, 0]
    left.look()
    assert len(seen) == 1


def test_one_look_has_an_end_and_the_next_one_goes_on(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbox, "MOST_NEWS", 1)
    monkeypatch.setattr(left_messages, "ROUNDS", 2)
    table = LeftMessageTable(store)
    for key in range(1, 6):
        leaves(table, key)
    left, (waiter,) = worker(table, 1)
    read = []
    news = table.news
    monkeypatch.setattr(table, "news", lambda *a: read.append(a) or news(*a))
    for rounds in (2, 4, 6):
        left.look()
        assert len(read) == rounds
    left.look()
    assert len(read) == 6
    assert counts(waiter) == [5] * 5


def test_each_error_of_the_table_has_a_code():
    assert set(stored.LeftMessageError.__subclasses__()) == {stored.Unknown, *_CODES}
