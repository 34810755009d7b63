"""The search index is filled in the background, at a pace that slows no text."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.history import search, slices, word_index
from services.history.indexer import REST_FACTOR, STAND_BACK, Indexer
from services.history.opening import open_store
from services.history.sql import SQLStore
from testkit import LiveServer

from ..probe import until
from .people import keep


class Rounds:
    """A runtime in which nothing waits; *each* is called when somebody rests."""

    def __init__(self) -> None:
        self.rests: list[float] = []
        self.each: Callable[[], Any] = lambda: None

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.each()


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


@pytest.fixture
def sqlite(tmp_path: Path) -> SQLStore:
    store = open_store(f"sqlite:///{tmp_path / 'csapp.db'}")
    store.migrate()
    return store


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_index.index_slice, "__defaults__", (None, 5, 200_000))


def done(store: SQLStore) -> int:
    with slices.reading(store) as connection:
        return connection.exec_driver_sql("SELECT n FROM message_words_done").scalar_one()


def test_all_is_indexed_in_slices_with_long_rests(sqlite: SQLStore, rounds: Rounds):
    keep(sqlite, 1, ["word"] * 23)
    ticks = iter(range(1000))
    Indexer(sqlite, rounds, lambda: True, now=lambda: float(next(ticks))).turn()
    assert done(sqlite) == 23
    assert rounds.rests == [REST_FACTOR] * 5, "each slice has taken a second"


def test_it_stops_while_something_is_stored(sqlite: SQLStore, rounds: Rounds):
    keep(sqlite, 1, ["word"] * 23)
    one = Indexer(sqlite, rounds, lambda: len(rounds.rests) < 2)
    one.turn()
    assert done(sqlite) == 10
    one.turn()
    assert done(sqlite) == 10
    rounds.rests.clear()
    one.turn()
    assert done(sqlite) == 20


def test_it_leaves_the_database_to_another_process_that_writes(sqlite: SQLStore, rounds: Rounds):
    keep(sqlite, 1, ["word"] * 23)
    one = Indexer(sqlite, rounds, lambda: True)
    with slices.writing(sqlite):
        one.turn()
    assert done(sqlite) == 0
    one.turn()
    assert done(sqlite) == 23


def test_of_several_processes_one_does_it(sqlite: SQLStore, rounds: Rounds):
    keep(sqlite, 1, ["word"] * 50)
    one, other = Indexer(sqlite, rounds, lambda: True), Indexer(sqlite, Rounds(), lambda: True)
    after: list[int] = []

    def look() -> None:
        before = done(sqlite)
        if len(after) > 0:  # at first neither knows of the other
            other.turn()
        after.append(done(sqlite) - before)

    keep(sqlite, 2, ["word"])
    other._done = 0  # it has looked before the one began
    rounds.each = look
    one.turn()
    assert done(sqlite) == 51
    assert set(after) == {0}, "the other one has stood back"
    rounds.each = lambda: None
    keep(sqlite, 3, ["word"] * 3)
    for _ in range(2 * STAND_BACK + 2):  # the one is gone
        other.turn()
    assert done(sqlite) == 54


def test_a_database_that_is_away_costs_nothing_but_time(sqlite: SQLStore, rounds: Rounds):
    keep(sqlite, 1, ["word"] * 5)
    one = Indexer(sqlite, rounds, lambda: True)
    moved = Path(sqlite.path).rename(f"{sqlite.path}.away")  # type: ignore[attr-defined]
    one.turn()
    moved.rename(sqlite.path)  # type: ignore[attr-defined]
    one.turn()
    assert done(sqlite) == 5


def test_postgresql_is_asked_to_empty_its_list(store: SQLStore, rounds: Rounds):
    if store.name != "postgresql":
        pytest.skip("SQLite has no such list")
    keep(store, 1, ["word"] * 50)
    pending = "SELECT pending_tuples FROM pgstatginindex('message_words')"
    with slices.reading(store) as connection, contextlib.suppress(Exception):
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pgstattuple")
        connection.commit()
    try:
        with slices.reading(store) as connection:
            assert connection.exec_driver_sql(pending).scalar_one() > 0
    except slices.StoreError:
        pending = ""  # without the extension it can only be seen that nothing fails
    Indexer(store, rounds, lambda: False).turn()
    Indexer(store, rounds, lambda: True).turn()
    if pending:
        with slices.reading(store) as connection:
            assert connection.exec_driver_sql(pending).scalar_one() == 0
    assert len(search.search(store, "word").hits) == 50


def test_a_server_indexes_what_was_said_and_finds_it_meanwhile(tmp_path: Path):
    """A hundred thousand texts that no search has seen, and a server that has just started."""
    path = tmp_path / "csapp.db"
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    keep(store, 1, ["an old one"])
    _say_much(path, 100_000)
    keep(store, 3, ["marzipan"])
    first = search.search(store, "marzipan")
    assert [hit.chat for hit in first.hits] == [3]
    last = done(store)
    with LiveServer.gunicorn(env={"CSAPP_DATABASE_URL": f"sqlite:///{path}"}) as server:
        server.post("/v1/visitor/token")
        server.get("/v1/status")
        until(lambda: done(store) > last, lambda: "nothing is indexed in the background")
    store.close()


def _say_much(path: Path, count: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO message (chat, seq, side, author, kind, body, date) "
            "VALUES (2, ?, 1, 'ada', 1, 'where is my parcel now', 1767323045000)",
            ((number,) for number in range(1, count + 1)),
        )
