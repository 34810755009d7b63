"""Several processes on one PostgreSQL without Redis are several desks: somebody says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from services.history import serving
from services.history.opening import open_store
from services.other_servers import OtherServers
from services.server import ChatServer
from services.settings import Settings
from services.threads import ThreadRuntime
from testkit.postgres import Postgres
from testkit.server import SECRET

from .probe import until

WARNING = "serves the same database, and not all have CSAPP_REDIS_URL"

Join = Callable[..., OtherServers]


@pytest.fixture(autouse=True)
def _however_slow_the_tests_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GONE", 3600.0)


@pytest.fixture
def url(postgres: Postgres) -> str:
    url = postgres.database()
    with closing(open_store(url)) as store:
        store.migrate()
    return url


@pytest.fixture
def join(url: str) -> Iterator[Join]:
    """`join(shared=False)`: one more process that serves the database."""
    with ExitStack() as stack:

        def joined(*, shared: bool = False) -> OtherServers:
            store = stack.enter_context(closing(open_store(url)))
            return OtherServers(store, ThreadRuntime(), shared=shared)

        yield joined


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum(WARNING in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(("one", "other", "warned"), [
    (False, False, 1), (False, True, 1), (True, False, 1), (True, True, 0)
])  # fmt: skip
def test_one_that_shows_itself_again_is_named_once(join, caplog, one, other, warned):
    first, second = join(shared=one), join(shared=other)
    first.turn()
    for _ in range(3):
        second.turn()
    assert warnings(caplog) == 0, "it may have been killed"
    for _ in range(3):
        first.turn()
        second.turn()
    assert warnings(caplog) == 2 * warned, "each of them once"
    if warned:
        assert f"process {os.getpid()} on " in caplog.text


def test_one_whose_sign_of_life_is_late_is_not_named_again(join, caplog):
    first, second = join(), join()
    for one in (first, second, first, second, first):
        one.turn()
    first.turn()  # the other one is a little slower this time
    for one in (second, first):
        one.turn()
    assert warnings(caplog) == 2, "second and first"


def test_one_that_leaves_for_the_next_is_no_other_desk(join, caplog):
    """A reload: the old worker is there for a while when the new one starts."""
    old, new = join(), join()
    old.turn()
    new.turn()
    old.leave()
    old.turn()
    new.turn()
    new.turn()
    assert warnings(caplog) == 0


def test_one_that_leaves_while_it_gives_a_sign_leaves_none(join, url, monkeypatch):
    one, beat = join(), serving.beat

    def interrupted(*about: Any) -> Any:
        one.leave_now()
        return beat(*about)

    monkeypatch.setattr(serving, "beat", interrupted)
    one.turn()
    with closing(open_store(url)) as store:
        assert serving.servers(store) == []


def test_when_it_has_gone_and_another_comes_it_is_said_again(join, caplog):
    first, second, third = join(), join(), join()
    for one in (first, second, first, second, first):
        one.turn()
    second.leave()
    first.turn()
    for one in (third, first, third, first):
        one.turn()
    assert warnings(caplog) == 4, "second and first; third and first once more"


def test_who_gives_no_sign_any_more_is_forgotten(join, url, monkeypatch):
    join().turn()
    with closing(open_store(url)) as store:
        assert len(serving.servers(store)) == 1
        monkeypatch.setattr(serving, "GONE", -3600.0)  # any sign is too old
        assert serving.servers(store) == []
        join().turn()  # it removes the rows of all others, and its own
        monkeypatch.setattr(serving, "GONE", 3600.0)
        assert serving.servers(store) == []


def test_a_database_that_is_away_is_no_trouble_of_this_look(join, url, monkeypatch):
    watch = join()
    monkeypatch.setattr(watch, "_store", open_store("postgresql://nobody@127.0.0.1:1/none"))
    watch.turn()
    watch.leave()


def test_each_server_looks_and_leaves(url, caplog):
    settings = Settings(secret_key=(SECRET,), database_url=url)
    one, other = ChatServer(settings), ChatServer(settings)
    looks = []
    for server in (one, other):
        assert server.house
        assert server.loops is not None
        looks += [loop for loop in server.loops.all if loop.name == "the look at other servers"]
    for look in (*looks, *looks):
        look.once()
    assert warnings(caplog) == 2
    with closing(open_store(url)) as store:
        one.drain()
        until(lambda: len(serving.servers(store)) == 1)
        other.close()
        assert serving.servers(store) == []
        one.close()
