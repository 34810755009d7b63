"""No entry outlives its conversation: it is erased or swept while an entry waits to be stored."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from services.conversation.conversation import Conversation
from services.conversation.entries import Entries
from services.conversation.kinds import EVENT, RATING, TEXT, Kind, Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history import care, erased, slices, tables
from services.history.committer import Committer
from services.history.port import Amendment, Batch, Gone, OutcomeUnknown
from services.history.sql import SQLStore
from testkit.entries import note

from .. import probe
from .conftest import Opened, chat, text, texts
from .people import no_pause

#: s that a store waits for a lock which this test holds
PATIENT = 30.0


def erase(store: SQLStore) -> None:
    care.erase(store, "ann", pause=no_pause)


def sweep(store: SQLStore) -> None:
    care.sweep(store, 0, 1 << 60, pause=no_pause)


both_ways = pytest.mark.parametrize("forget", [erase, sweep])
every_kind = pytest.mark.parametrize(
    ("kind", "data"),
    [(RATING, '{"rate": 5}'), (EVENT, '{"what": "ended"}'), (TEXT, None)],
    ids=["rating", "event", "text"],
)


@pytest.fixture
def store(opened: Opened) -> SQLStore:
    """With a conversation that has ended, and one text in it."""
    store = opened(lock_wait=PATIENT)
    store.migrate()
    store.commit(Batch([ended()]))
    store.commit(texts(1, 1, 1))
    return store


def ended() -> ConversationRow:
    return chat(1, ended=1)


def entry(kind: Kind, data: str | None, row: ConversationRow, client_id: str = "new") -> Entries:
    """What the user of this conversation writes after its end."""
    entries = Entries(
        Conversation(row), Side.USER, "ann", ["words"], [client_id], lambda _: None, kind, data
    )
    entries.seqs, entries.date = range(2, 3), 2
    return entries


def left(store: SQLStore) -> list[Any]:
    """What the tables hold of conversations and their entries."""
    with slices.reading(store) as connection:
        return [
            row
            for table in (tables.chat, tables.service, tables.message, tables.note)
            for row in connection.execute(sa.select(table))
        ]


def started(work: Callable[[], object]) -> Callable[[], None]:
    """Do *work* in a thread; returns what waits for it, and raises what it has raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join() -> None:
        thread.join(PATIENT)
        assert not thread.is_alive()
        for error in raised:
            raise error

    return join


def is_waiting(store: SQLStore) -> bool:
    """Whether somebody waits for a lock in this PostgreSQL database: other tests have others."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with slices.reading(store) as connection:
        return bool(connection.scalar(sa.text(waiting)))


def until_it_waits(store: SQLStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Returns what waits until somebody waits for a lock, which another one holds."""
    if store.name == "postgresql":
        return lambda: probe.until(lambda: is_waiting(store))
    begins, insist = threading.Event(), slices.insist

    def announce(*args: Any) -> None:
        begins.set()
        insist(*args)

    monkeypatch.setattr(slices, "insist", announce)
    return lambda: probe.until(begins.is_set)


def test_a_lock_that_others_wait_for_in_another_database_is_not_taken_for_ours(
    store: SQLStore, request: pytest.FixtureRequest, opened: Opened
):
    if store.name != "postgresql":
        pytest.skip("each file of SQLite has its own lock")
    other = opened(request.getfixturevalue("postgres").database(), lock_wait=PATIENT)
    other.migrate()
    lock = sa.text("LOCK TABLE chat")

    def wait() -> None:
        with slices.writing(other) as connection:
            connection.execute(lock)

    with slices.writing(other) as holder:
        holder.execute(lock)
        waited = started(wait)
        probe.until(lambda: is_waiting(other))
        assert not is_waiting(store)
    waited()


@both_ways
@every_kind
def test_an_entry_that_comes_too_late_is_not_stored(store: SQLStore, kind, data, forget):
    late = entry(kind, data, ended())
    forget(store)
    Committer(store).commit([late], Batch(), ())
    assert late.refused
    assert late.is_unfit, "and is not tried again"
    assert left(store) == []


@both_ways
@every_kind
def test_what_is_being_stored_is_waited_for_and_goes_as_well(
    store: SQLStore, opened: Opened, monkeypatch, kind, data, forget
):
    written, go, commit = threading.Event(), threading.Event(), store._commit

    def commit_later(connection: sa.Connection) -> None:
        written.set()
        assert go.wait(PATIENT)
        commit(connection)

    other = opened(lock_wait=PATIENT)
    until = until_it_waits(opened(), monkeypatch)
    monkeypatch.setattr(store, "_commit", commit_later)
    late = entry(kind, data, ended())
    stored = started(lambda: Committer(store).commit([late], Batch(), ()))
    assert written.wait(PATIENT)
    forgotten = started(lambda: forget(other))
    until()
    go.set()
    stored()
    forgotten()
    assert not late.refused, "it was there"
    assert left(store) == []


@both_ways
@every_kind
def test_what_waits_for_an_erasure_is_not_stored_behind_it(
    store: SQLStore, opened: Opened, monkeypatch, kind, data, forget
):
    deleted, go, delete = threading.Event(), threading.Event(), care._delete

    def delete_slowly(connection: Any, table: Any, which: Any) -> int:
        count = delete(connection, table, which)
        if table is tables.chat:
            deleted.set()
            assert go.wait(PATIENT)
        return count

    monkeypatch.setattr(care, "_delete", delete_slowly)
    begins, begin = threading.Event(), store._begin

    def announce(connection: sa.Connection) -> None:
        begins.set()
        begin(connection)

    monkeypatch.setattr(store, "_begin", announce)
    other = opened(lock_wait=PATIENT)
    forgotten = started(lambda: forget(other))
    assert deleted.wait(PATIENT)
    late = entry(kind, data, ended())
    stored = started(lambda: Committer(store).commit([late], Batch(), ()))
    assert begins.wait(PATIENT)
    if store.name == "postgresql":
        until_it_waits(opened(), monkeypatch)()
    go.set()
    forgotten()
    stored()
    assert late.refused
    assert left(store) == []


def test_an_entry_that_is_gone_costs_no_other_of_its_batch(store: SQLStore):
    store.commit(Batch([chat(2, "bob")]))
    late = entry(RATING, '{"rate": 5}', ended())
    other = entry(RATING, '{"rate": 4}', chat(2, "bob"))
    other.seqs = range(1, 2)
    begun = entry(EVENT, '{"what": "joined"}', chat(3, "eve"))
    begun.seqs = range(1, 2)
    erase(store)
    groups = [late, other, begun]
    Committer(store).commit(groups, Batch([chat(3, "eve")]), ())
    assert [one.refused for one in groups] == [True, False, False]
    assert [len(store.entries(key)) for key in (1, 2, 3)] == [0, 1, 1]


def test_nor_does_it_cost_texts_of_the_same_conversation_while_that_is_open(store: SQLStore):
    def written(kind: Kind, data: str | None, seqs: range, *ids: str) -> Entries:
        one = entry(kind, data, chat(1))
        one.texts, one.client_ids, one.seqs = list(ids), list(ids), seqs
        return one

    erase(store)
    before = written(TEXT, None, range(2, 4), "a", "b")
    late = written(RATING, '{"rate": 5}', range(4, 5), "c")
    behind = written(TEXT, None, range(5, 7), "d", "e")
    groups = [before, late, behind]
    Committer(store).commit(groups, Batch(), ())
    assert [one.refused for one in groups] == [False, True, False]
    assert [one.is_unfit for one in groups] == [False, True, False]
    assert [(one.seq, one.body) for one in store.entries(1)] == [
        (2, "a"), (3, "b"), (4, "d"), (5, "e")
    ], "no number is missing"  # fmt: skip
    assert [*behind.seqs] == [4, 5]


def test_what_is_refused_once_stays_so_where_the_outcome_of_its_commit_is_not_known(
    store: SQLStore, monkeypatch
):
    def lose(connection: sa.Connection) -> None:
        store._roll_back(connection)
        raise OSError("the connection is lost")

    store.commit(Batch([chat(1)]))  # it is open
    erase(store)
    late = entry(RATING, '{"rate": 5}', chat(1), "late")
    text = entry(TEXT, None, chat(1), "text")
    text.seqs = range(3, 4)
    groups, batch = [late, text], Batch()
    committer = Committer(store)
    with monkeypatch.context() as patched:
        patched.setattr(store, "_commit", lose)
        patched.setattr(store, "_may_be_committed", lambda _: True)
        with pytest.raises(OutcomeUnknown):
            committer.commit(groups, batch, ())
    store.commit(Batch([chat(1)]))  # the server writes the row again
    committer.settle(groups, batch, ())
    assert [one.refused for one in groups] == [True, False]
    assert [(one.seq, one.client_id) for one in store.entries(1)] == [(2, "text")]


def test_nor_where_another_worker_was_faster(store: SQLStore):
    store.commit(Batch([chat(2, "bob")]))
    store.commit(texts(2, 1, 3))
    late = entry(RATING, '{"rate": 5}', ended())
    other = entry(RATING, '{"rate": 4}', chat(2, "bob"))
    erase(store)
    Committer(store).commit([late, other], Batch(), ())
    assert (late.refused, other.refused, [*other.seqs]) == (True, False, [4])


def test_the_store_says_which_are_gone_and_stays_usable(store: SQLStore):
    batch = texts(1, 2, 2)
    batch.needed = {1, 5, 6}
    with pytest.raises(Gone) as raised:
        store.commit(batch)
    assert raised.value.keys == {5, 6}
    batch.needed = {1}
    store.commit(batch)
    assert len(store.entries(1)) == 2


def test_texts_of_an_open_conversation_whose_server_died_go_with_the_next_erasure(store: SQLStore):
    store.commit(Batch([chat(2, "bob")]))
    store.commit(texts(2, 1, 1))
    erase(store)
    store.commit(texts(1, 2, 3))  # of a server that knows nothing of it
    gone = care.erase(store, "ann", pause=no_pause)
    assert (gone.chats, gone.messages, gone.anything) == (0, 2, True)
    assert [len(store.entries(key)) for key in (1, 2)] == [0, 1]


def test_and_with_a_sweep_once_they_are_old(store: SQLStore):
    store.commit(Batch([chat(2, "bob")]))
    store.commit(texts(2, 1, 1))
    erase(store)
    store.commit(texts(1, 2, 3))
    (date, *_) = dates = [one.date for one in store.entries(1)]
    assert care.sweep(store, 0, date, pause=no_pause).messages == 0
    assert care.sweep(store, 0, dates[-1] + 1, pause=no_pause).messages == 2
    assert [len(store.entries(key)) for key in (1, 2)] == [0, 1]


def test_an_entry_dated_ahead_ends_no_sweep(store: SQLStore, monkeypatch):
    monkeypatch.setattr(slices, "WINDOW", 3)
    now = 1_000_000
    dates = [now + 5, 1, 2, 3, now + 5, 4, now, now + 1, now + 2, 5, 6]
    rows = [text(key, 1, "words")._replace(date=date) for key, date in enumerate(dates, 2)]
    store.commit(Batch(entries=rows))
    assert care.sweep(store, 0, now, pause=no_pause).messages == 5
    assert [row.date for key in range(2, 13) for row in store.entries(key)] == [
        now + 5, now + 5, now, now + 1, now + 2, 5, 6
    ], "nothing is looked for behind a window of new entries"  # fmt: skip


def test_what_the_server_wrote_of_the_visitor_goes_with_an_erasure(store: SQLStore):
    """And the words of a waiter only where that is known of."""
    store.commit(Batch([chat(2, "bob", "ann"), chat(3, "bob", "ann")]))
    store.commit(Batch(entries=[written(2, Side.WAITER), written(3, Side.WAITER)]))
    store.commit(Batch(entries=[written(4, Side.SERVER), written(5, Side.WAITER)]))
    gone = care.erase(store, "ann", pause=no_pause)
    assert (gone.chats, gone.messages) == (1, 2)
    assert [len(store.entries(key)) for key in (2, 3, 4, 5)] == [1, 1, 0, 1]


def written(key: int, side: Side) -> EntryRow:
    """Of Ann."""
    return text(key, 1, "words")._replace(side=side)


merged, saved = (lambda row: Batch(amendments=[Amendment(row)])), (lambda row: Batch([row]))
by_either = pytest.mark.parametrize("written_by", [merged, saved], ids=["one of several", "alone"])


@by_either
@pytest.mark.parametrize("row", [ended(), chat(1)], ids=["ended", "open"])
def test_a_row_that_a_late_worker_writes_does_not_come_back(store: SQLStore, written_by, row):
    """That worker stood still, or did not reach the database; it may still think it open."""
    erase(store)
    batch = written_by(row)
    batch.amendments.append(Amendment(chat(2, "bob", "wim")))
    store.commit(batch)
    assert [one.key for one in store.open_conversations()] == [2], "others' rows are stored"
    assert store.conversation(1) is None
    assert len(left(store)) == 2, "the row of the other, and who served it"


@by_either
def test_nor_do_the_texts_that_it_stores_with_the_row(store: SQLStore, written_by):
    erase(store)
    other = entry(TEXT, None, chat(2, "bob"))
    late = entry(TEXT, None, chat(1))
    Committer(store).commit([late, other], written_by(chat(1)), ())
    assert (late.refused, late.is_unfit, other.refused) == (True, True, False)
    assert [len(store.entries(key)) for key in (1, 2)] == [0, 1]


@by_either
def test_texts_that_it_stored_before_go_with_the_row(store: SQLStore, written_by):
    erase(store)
    store.commit(texts(1, 2, 3))
    store.commit(written_by(ended()))
    assert left(store) == []


@by_either
def test_who_goes_on_with_a_conversation_during_the_erasure_keeps_it(store: SQLStore, written_by):
    store.commit(Batch([chat(1)]))  # it is open
    erase(store)
    store.commit(texts(1, 1, 2))
    store.commit(written_by(ended()))
    assert len(store.entries(1)) == 2
    assert store.conversation(1) is not None


def test_what_is_swept_leaves_no_key(store: SQLStore):
    sweep(store)
    with slices.reading(store) as connection:
        assert erased.among(connection, [1]) == set()


def test_the_key_of_an_erased_conversation_stays_for_a_week(store: SQLStore, monkeypatch):
    erase(store)
    begun = erased._now()

    def found_after(ms: int) -> set[int]:
        monkeypatch.setattr(erased, "_now", lambda: begun + ms)
        care.daily(store, 0, 0, pause=no_pause)
        with slices.reading(store) as connection:
            return erased.among(connection, [1, 2])

    assert found_after(erased.KEPT - 60_000) == {1}
    assert found_after(erased.KEPT + 60_000) == set()


def test_a_note_is_not_stored_behind_an_erasure(store: SQLStore):
    erase(store)
    assert store.write_for_staff(note(1, "bob", "late")) is None
    assert left(store) == []
