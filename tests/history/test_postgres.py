"""What is special about a server: it stops, dies, stands still, and the line to it breaks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from services.history.port import Batch, Conflict, OutcomeUnknown, StoreError
from testkit.entries import note
from testkit.proxy import TO_CLIENT, FaultProxy
from testkit.server import PATIENCE, ROOT

from .conftest import BRIEF, chat, text, texts


@pytest.fixture
def url(postgres):
    return postgres.database()


@pytest.fixture
def name(url):
    """The database of the test."""
    return url.rpartition("/")[2]


@pytest.fixture
def hasty(opened, store):
    """A store that does not wait for an answer as long as the others."""
    return opened(answer_wait=BRIEF)


@pytest.fixture
def proxy(postgres):
    """A line to the server that can be cut."""
    around = SimpleNamespace(port=postgres.port, url=postgres.url, ws_url="", tls=None, token=None)
    with FaultProxy(around) as proxy:
        yield proxy


@pytest.fixture
def far(store, opened, proxy, postgres, name):
    """A store at the end of that line."""
    return opened(postgres.url_of(name, proxy.port), answer_wait=BRIEF)


def seqs(store):
    return [message.seq for message in store.entries(1, limit=9999)]


def refused(store):
    """Every call is refused; none of them says something else."""
    for call in (
        lambda: store.commit(texts(1, 2, 2)),
        lambda: store.entries(1),
        lambda: store.write_for_staff(note(1, "bob", "x", 1)),
        store.open_conversations,
        store.check,
    ):
        with pytest.raises(StoreError) as error:
            call()
        assert not isinstance(error.value, Conflict)


def works(store):
    store.check()
    store.commit(texts(1, 2, 2))
    assert seqs(store) == [1, 2]


# ---- the server goes and comes back ------------------------------------


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_server_that_is_gone_is_an_error_and_is_found_again(store, postgres, way):
    store.commit(texts(1, 1, 1))
    getattr(postgres, way)()
    try:
        refused(store)
    finally:
        postgres.start()
    works(store)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_server_that_was_away_between_two_calls_is_not_noticed(store, postgres, way):
    """The lines are stale; what was not yet committed is tried on a new one."""
    store.commit(texts(1, 1, 1))
    assert seqs(store) == [1]
    getattr(postgres, way)()
    postgres.start()
    store.commit(texts(1, 2, 2))
    store.commit(Batch([chat(1)]))
    store.write_for_staff(note(1, "bob", "x", 1))
    assert seqs(store) == [1, 2]
    assert len(store.staff_entries(1)) == 1


def test_what_is_acknowledged_survives_a_kill(store, postgres):
    store.commit(texts(1, 1, 300))
    postgres.kill()
    postgres.start()
    assert len(seqs(store)) == 300


def test_backends_that_are_ended_are_not_noticed(store, postgres, name):
    store.commit(texts(1, 1, 1))
    assert seqs(store) == [1]
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    assert len(postgres.execute(end)) == 2
    works(store)


def test_a_server_that_stands_still_is_given_up_in_time(hasty, postgres):
    hasty.commit(texts(1, 1, 1))
    assert seqs(hasty) == [1]
    with postgres.paused():
        for call in (lambda: hasty.commit(texts(1, 2, 2)), lambda: hasty.entries(1)):
            with pytest.raises(StoreError, match=r"no answer within 1 s|connection timeout"):
                call()
    works(hasty)


def test_a_server_that_only_reads(store, postgres, name):
    store.commit(texts(1, 1, 1))
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.close()
    for write in (
        lambda: store.commit(texts(1, 2, 2)),
        lambda: store.revoke(sid="x", now=1),
        store.check,
    ):
        with pytest.raises(StoreError, match="read-only transaction"):
            write()
    assert seqs(store) == [1]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    store.close()
    works(store)


def test_a_server_that_only_reads_for_a_while_needs_no_restart(store, postgres, name):
    """As when a line leads to a standby that is then promoted."""
    store.commit(texts(1, 1, 1))
    store._writing.exec_driver_sql("SET default_transaction_read_only = on")
    store._writing.commit()
    with pytest.raises(StoreError, match="read-only"):
        store.commit(texts(1, 2, 2))
    works(store)


def test_a_lock_of_somebody_else_is_waited_for_and_then_refused(store):
    store.commit(texts(1, 1, 1))
    with store.engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE message IN SHARE MODE")
        with pytest.raises(StoreError, match="lock timeout"):
            store.commit(texts(1, 2, 2))
        assert seqs(store) == [1]
    works(store)


def test_another_encoding_is_named(postgres, opened):
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    store = opened(postgres.url_of("latin"))
    for look in (store.migrate, store.check):
        with pytest.raises(StoreError, match="LATIN1"):
            look()


def test_no_error_tells_the_password(opened):
    store = opened("postgresql://csapp:hidden@127.0.0.1:1/x")
    with pytest.raises(StoreError) as error:
        store.entries(1)
    assert "hidden" not in str(error.value)


def test_commits_are_on_the_disk_whatever_the_server_thinks(store, postgres, name):
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store.close()
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_options_of_the_operator_come_last(opened, url, store):
    other = opened(url + "?options=-c%20lock_timeout%3D77&application_name=mine")
    with other.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "77ms"
        assert connection.exec_driver_sql("SHOW application_name").scalar_one() == "mine"
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "1min"


def test_two_writers_that_wait_for_each_other_are_told_apart(store, opened):
    """The server ends one of them; it is tried again and finds the other's."""
    other = opened(lock_wait=10, answer_wait=10)
    mine = opened(lock_wait=10, answer_wait=10)
    started = threading.Barrier(2, timeout=20)
    put = type(store)._put

    def in_turn(this):
        def put_one_by_one(connection, table, rows, changes):
            for row in rows:
                put(this, connection, table, [row], changes)
                with contextlib.suppress(threading.BrokenBarrierError):
                    started.wait()
                started.abort()

        this._put = put_one_by_one

    in_turn(other)
    in_turn(mine)
    found = []

    def commit(this, seqs):
        batch = Batch(entries=[text(1, seq) for seq in seqs])
        batch.entries.sort(key=lambda message: message.seq)
        # what sorting cannot help: the client ids are in another order
        ids = ["a", "b"] if seqs[0] == 1 else ["b", "a"]
        batch.entries = [m._replace(client_id=i) for m, i in zip(batch.entries, ids, strict=True)]
        try:
            this.commit(batch)
            found.append("done")
        except Conflict:
            found.append("conflict")

    threads = [
        threading.Thread(target=commit, args=(other, [1, 2])),
        threading.Thread(target=commit, args=(mine, [3, 4])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["conflict", "done"]


# ---- the line breaks ---------------------------------------------------


def cut_at_commit(store, fault):
    """Have *fault* happen when all but COMMIT is done."""
    commit = store._commit

    def cut(connection):
        store._commit = commit
        fault()
        commit(connection)

    store._commit = cut


def test_a_connection_that_is_cut_before_commit_has_done_nothing(far, store, proxy):
    """And the batch goes over a new line without anybody noticing."""
    far.commit(texts(1, 1, 1))
    assert proxy.reset() >= 1
    far.commit(texts(1, 2, 2))
    assert seqs(store) == [1, 2]


def test_a_connection_that_is_cut_at_commit_leaves_the_outcome_open(far, store, proxy):
    far.commit(texts(1, 1, 1))
    cut_at_commit(far, proxy.reset)
    with pytest.raises(OutcomeUnknown):
        far.commit(texts(1, 2, 3))
    assert seqs(store) == [1]
    far.commit(texts(1, 2, 3))
    assert seqs(store) == [1, 2, 3]


def test_a_commit_that_is_done_but_not_confirmed_is_a_conflict_when_it_is_repeated(
    far, store, proxy
):
    far.commit(texts(1, 1, 1))
    cut_at_commit(far, lambda: proxy.black_hole(TO_CLIENT))
    with pytest.raises(OutcomeUnknown, match="no answer"):
        far.commit(Batch([chat(1)], entries=texts(1, 2, 3).entries))
    assert seqs(store) == [1, 2, 3]
    proxy.heal()
    with pytest.raises(Conflict):
        far.commit(texts(1, 2, 3))
    far.commit(texts(1, 4, 4))
    assert seqs(store) == [1, 2, 3, 4]


def test_a_server_that_stands_still_at_commit_leaves_the_outcome_open(hasty, store, postgres):
    """A repeat waits for what the first may still be doing."""
    hasty.commit(texts(1, 1, 1))
    cut_at_commit(hasty, postgres.pause)
    try:
        with pytest.raises(OutcomeUnknown):
            hasty.commit(texts(1, 2, 2))
    finally:
        postgres.resume()
    with contextlib.suppress(Conflict):
        store.commit(texts(1, 2, 2))
    assert seqs(store) == [1, 2]


def test_a_note_whose_commit_breaks_is_not_written_twice(far, store, proxy):
    store.commit(Batch([chat(1)]))
    cut_at_commit(far, proxy.reset)
    with pytest.raises(OutcomeUnknown):
        far.write_for_staff(note(1, "bob", "x", 1))
    assert len(store.staff_entries(1)) <= 1


# ---- beside an event loop ----------------------------------------------


LOOP = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from services.conversation.rows import EntryRow
from services.history.port import Batch
from services.history.opening import open_store
from services import runtime

loop = runtime.current()
store = open_store(sys.argv[1], answer_wait=60.0)

def commit(first, last):
    for seq in range(first, last + 1):
        message = EntryRow(1, seq, 1, "ann", None, 1, "hello", 1)
        loop.blocking(store.commit, Batch(entries=[message]))

def read(times):
    for _ in range(times):
        loop.blocking(store.entries, 1)

def beat():
    for _ in range(20):
        gevent.sleep(0.005)
    print("beats", flush=True)

commit(1, 1)
read(1)
print("ready", flush=True)
for line in sys.stdin:
    jobs = []
    if line == "crowd\\n":
        jobs += [gevent.spawn(read, 40) for _ in range(20)]
        jobs += [gevent.spawn(commit, 10, 60)]
    else:
        jobs += [gevent.spawn(read, 1) for _ in range(3)]
        jobs += [gevent.spawn(commit, int(line), int(line)), gevent.spawn(beat)]
    gevent.joinall(jobs, raise_error=True)
    print("done", flush=True)
"""


@pytest.fixture
def loop(store, url):
    """A patched process that does what a line of its input says: one of a number commits that
    text, reads, and has its loop beat meanwhile. What it does is said on its output."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, url],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0


def test_the_loop_goes_on_while_the_server_stands_still(loop, postgres):
    with postgres.paused():
        loop.stdin.write("2\n")
        assert loop.stdout.readline() == "beats\n", "nothing is answered yet"
    assert loop.stdout.readline() == "done\n"


def test_native_threads_of_a_patched_process_share_the_pool(loop):
    """More readers than connections: gevent's locks are asked from many threads."""
    loop.stdin.write("crowd\n")
    assert loop.stdout.readline() == "done\n"


def test_a_statement_that_lasts_too_long_is_ended(hasty):
    with pytest.raises(StoreError, match=r"timeout|no answer"):
        hasty._select(sa.select(sa.func.pg_sleep(30)))
