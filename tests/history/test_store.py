"""Every promise of `port.Store`, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from services.conversation.kinds import CHOICE, EVENT, TEXT, Side
from services.conversation.rows import EntryRow, Row
from services.history import queries, revoked, sql
from services.history.opening import open_store
from services.history.port import Amendment, Batch, Conflict, Duty, StoreError, Unfit
from testkit.entries import note

from .conftest import chat, text, texts

GREATEST = 2**63 - 1


def everything(store):
    """All that a batch can leave behind."""
    return store.open_conversations(), store.duties(), store.entries(1, limit=9999)


def test_entries_of_some_kinds_are_those_that_are_more_than_words(store):
    def said(seq, kind, data):
        return text(1, seq)._replace(kind=kind, data=data)

    rows = [
        said(1, TEXT.number, None), said(2, CHOICE.number, "{}"), said(3, TEXT.number, '{"a":1}'),
        said(4, EVENT.number, "{}"), said(5, CHOICE.number, '{"b":2}'),
    ]  # fmt: skip
    store.commit(Batch([chat(1), chat(2)], entries=rows, has_data=True))
    both = (TEXT.number, CHOICE.number)
    assert store.entries_of(1, both, limit=9) == [rows[1], rows[2], rows[4]]
    assert store.entries_of(1, both, limit=2) == [rows[2], rows[4]], "the last ones, in order"
    assert store.entries_of(1, both, limit=2, newest=False) == [rows[1], rows[2]]
    assert store.entries_of(1, (EVENT.number,), limit=9) == [rows[3]]
    assert store.entries_of(2, both, limit=9) == []


# ---- a batch -----------------------------------------------------------


def test_how_long_conversations_have_lasted(store):
    """From the first match on; the latest ones that have ended."""
    chats = [
        replace(chat(1), opened=1000, waited=0, ended=9000),  # too long ago
        replace(chat(2), opened=1000, waited=2000, ended=9500, department="sales"),
        replace(chat(3), opened=1000, waited=0),  # it goes on
        replace(chat(4), opened=1000, waited=5000, ended=4000),  # never served
        replace(chat(5), opened=1000, waited=0, ended=61_000),
    ]
    store.commit(Batch(chats))
    assert sorted(store.lasted(1, 100)) == [("", 60.0), ("sales", 6.5)]
    assert store.lasted(1, 1) == [("", 60.0)]


def test_who_has_served_a_user_last(store):
    assert store.last_waiters(["ann"]) == {}
    for key, waiter in ((1, "bob"), (3, "zoe"), (2, "wim")):
        served = replace(chat(key), waiter_subject=waiter, waiter=f"uuid of {waiter}")
        store.commit(Batch([served]))
        store.commit(Batch([replace(served, waiter=None, waiter_subject=None, ended=9)]))
    assert store.last_waiters(["nobody", "ann"]) == {"ann": "zoe"}


def test_what_is_committed_is_there_in_another_store(store, opened):
    batch = Batch([chat(1)], [Duty("bob", "u-1", True, 3)], [text(1, 1), text(1, 2)])
    store.commit(batch)
    batch.conversations[0].last_seq = 2
    batch.conversations[0].last_date = batch.entries[-1].date
    assert everything(opened()) == (batch.conversations, batch.duties, batch.entries)


def test_every_field_comes_back_as_it_was(store):
    full = chat(
        GREATEST, waiter_name="Bob", user_name="Ann", waiter="w-1", ended=GREATEST, page="/a?b",
        department="sales", user_read=2**31 - 1, waiter_read=7,
    )  # fmt: skip
    last = GREATEST, 2**31 - 1, Side.WAITER, "bob", "id", TEXT.number, "ok", GREATEST
    message = EntryRow(*last, '{"choice": "a"}')
    store.commit(Batch([full], entries=[message]))
    full.last_seq, full.last_date = 2**31 - 1, 2**63 - 1
    assert store.conversation(GREATEST) == full
    assert store.entries(GREATEST) == [message]
    assert [type(value) for value in store.entries(GREATEST)[0]] == [
        int, int, int, str, str, int, str, int, str,
    ]  # fmt: skip


def test_texts_and_other_entries_in_one_batch(store):
    """Texts are handed over without `data`, of which they have none."""
    full = [
        EntryRow(chat, seq, 1, "ann", None, 2, "", 9, '{"a": 1}') for chat, seq in ((1, 2), (2, 1))
    ]
    texts = [(chat, seq, 1, "ann", None, 1, "text", 9) for chat, seq in ((1, 1), (1, 3), (2, 2))]
    store.commit(Batch(entries=[*texts, *full], has_data=True))
    found = [*store.entries(1), *store.entries(2)]
    assert found == sorted([*full, *(EntryRow(*one) for one in texts)])


def test_an_empty_batch_is_nothing(store):
    store.commit(Batch())
    assert everything(store) == ([], [], [])


def test_conversations_and_duties_may_be_written_again_and_changed(store):
    one, duty = chat(1), Duty("bob", "u-1", True, 3)
    store.commit(Batch([one], [duty]))
    store.commit(Batch([one], [duty]))
    one.waiter_subject, one.user_read, duty.ready = None, 5, False
    store.commit(Batch([one], [duty]))
    assert everything(store) == ([one], [duty], [])


def test_of_two_states_in_one_batch_the_later_counts(store):
    store.commit(Batch([chat(1, page="old"), chat(1, page="new")]))
    assert store.conversation(1).page == "new"


@pytest.mark.parametrize(
    "taken", [text(1, 2, client_id="new"), text(1, 4, client_id="id-1")], ids=["seq", "client id"]
)
def test_what_is_taken_is_a_conflict_and_nothing_is_written(store, taken):
    store.commit(texts(1, 1, 2))
    before = everything(store)
    with pytest.raises(Conflict):
        store.commit(Batch([chat(1)], [Duty("bob", "u", True, 1)], [text(1, 3), taken]))
    assert everything(store) == before
    store.commit(texts(1, 3, 3))


def test_a_conflict_inside_of_a_batch(store):
    with pytest.raises(Conflict):
        store.commit(Batch(entries=[text(1, 1), text(1, 1)]))
    assert store.entries(1) == []


def test_client_ids_of_other_conversations_and_sides_and_none_do_not_collide(store):
    first = text(1, 1, client_id="a")
    other_side = first._replace(seq=2, side=Side.WAITER)
    store.commit(Batch(entries=[first, other_side, text(1, 3), text(1, 4)]))
    store.commit(Batch(entries=[first._replace(conversation=2)]))
    assert len(store.entries(1)) == 4


def test_a_missing_value_is_no_conflict_and_not_told(store):
    with pytest.raises(StoreError) as error:
        store.commit(Batch(entries=[text(1, 1, "our secret")._replace(author=None)]))
    assert not isinstance(error.value, Conflict)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "message",
    [
        text(1, 2**80, "our secret"),
        text(2**80, 1, "our secret"),
        text(1, 1, "our secret \ud800"),
        text(1, "1x", "our secret"),
    ],
    ids=["seq", "key", "surrogate", "no number"],
)
def test_what_no_database_takes_is_an_error_without_its_words(store, message):
    """… and stops nobody who comes later."""
    if store.name == "sqlite" and message.seq == "1x":
        pytest.skip("SQLite keeps it")
    with pytest.raises(StoreError) as error:
        store.commit(Batch(entries=[message]))
    assert "secret" not in str(error.value)
    store.commit(texts(3, 1, 1))


@pytest.mark.parametrize(
    "body",
    ["", " ", "'\";--\\", "\\N", "{}", "%s ? :a", "\x01\x7f", "é e\u0301", "€", "𝄞😀",
     "\uffff\U0010ffff", "שלום \u202e", "line\r\nline\u2028", "x" * 300_000],
)  # fmt: skip
def test_texts_come_back_as_they_were(store, body):
    said = text(1, 1, body, client_id=body[:64] or None)
    store.commit(Batch([chat(1, user_name=body)], entries=[said]))
    assert store.entries(1) == [said]
    assert store.find(1, Side.USER, "ann", [body[:64]]) == ([said] if body else [])
    assert store.conversation(1).user_name == body


@pytest.mark.parametrize("count", [1, 255, 256, 257, 2000])
def test_batches_of_every_size(store, count):
    batch = texts(1, 1, count)
    batch.conversations = [chat(key) for key in range(1, count + 1)]
    batch.duties = [Duty(f"w-{key:04}", "u", key % 2 == 0, key) for key in range(count)]
    store.commit(batch)
    assert store.entries(1, limit=9999) == batch.entries
    assert len(store.open_conversations()) == count
    assert store.duties() == batch.duties


# ---- reading -----------------------------------------------------------


def test_find_by_client_id(store):
    batch = texts(1, 1, 3)
    store.commit(batch)
    store.commit(Batch(entries=[text(2, 1, client_id="id-1")]))
    assert store.find(1, Side.USER, "ann", ["id-3", "none", "id-1"]) == batch.entries[::2]
    assert store.find(1, Side.WAITER, "ann", ["id-1"]) == []
    assert store.find(1, Side.USER, "bob", ["id-1"]) == []
    assert store.find(1, Side.USER, "ann", []) == []
    many = [f"id-{number}" for number in range(70_000)]
    assert store.find(1, Side.USER, "ann", many) == batch.entries


@pytest.mark.parametrize(
    ("asked", "seqs"),
    [
        ({}, range(51, 101)),
        ({"limit": 3}, [98, 99, 100]),
        ({"limit": 3, "newest": False}, [1, 2, 3]),
        ({"before": 10, "limit": 3}, [7, 8, 9]),
        ({"after": 10, "limit": 3}, [98, 99, 100]),
        ({"after": 10, "limit": 3, "newest": False}, [11, 12, 13]),
        ({"after": 10, "before": 13}, [11, 12]),
        ({"after": 10, "before": 11}, []),
        ({"after": 100}, []),
        ({"before": 1}, []),
        ({"limit": 0}, []),
    ],
)
def test_messages_are_in_order_and_the_ones_asked_for(store, asked, seqs):
    store.commit(texts(1, 1, 100))
    store.commit(texts(2, 1, 3))
    assert [message.seq for message in store.entries(1, **asked)] == list(seqs)


def test_a_conversation_that_is_not_there(store):
    assert store.conversation(1) is None
    assert store.entries(1) == []
    assert store.conversations_of(Side.USER, "nobody") == []


def test_open_conversations_are_the_oldest_first_with_their_last_seq(store):
    store.commit(Batch([chat(3), chat(1), chat(2, ended=5)], entries=texts(1, 1, 7).entries))
    assert [(one.key, one.last_seq) for one in store.open_conversations()] == [(1, 7), (3, 0)]


def test_the_latest_conversation_of_each_user_since_then(store):
    store.commit(Batch([chat(1), chat(5), chat(7), chat(6, "cid"), chat(4, "dee")]))
    assert store.served_since(4) == {"ann": 7, "cid": 6}
    assert store.served_since(7) == {}


def test_conversations_of_a_side_are_the_newest_first(store):
    chats = [chat(key, user=f"u-{key % 2}", waiter=f"w-{key % 3}") for key in range(1, 13)]
    chats[11].ended = 5
    store.commit(Batch(chats, entries=texts(10, 1, 2).entries))

    def keys(*asked, **more):
        return [one.key for one in store.conversations_of(*asked, **more)]

    assert keys(Side.USER, "u-0") == [12, 10, 8, 6, 4, 2]
    assert keys(Side.USER, "u-0", before=8, limit=2) == [6, 4]
    assert keys(Side.WAITER, "w-0") == [12, 9, 6, 3]
    assert keys(Side.USER, "w-0") == []
    assert store.conversations_of(Side.WAITER, "w-1")[0].last_seq == 2


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (queries.entries_between(7), "message_seq"),
        (queries.entries_between(7, after=3, newest=False), "message_seq"),
        (queries.conversations_of(Side.USER, "u-7"), "chat_user"),
        (queries.conversations_of(Side.WAITER, "w-7", before=9), "service"),
        (queries.open_conversations(), "chat_open"),
        (queries.last_entries([7], by_server=True), "message_seq"),
        (queries.last_entries([7], by_server=False), "message_seq"),
        (queries.answered([7]), "message_seq"),
    ],
)
def test_queries_use_their_index_and_sort_nothing(store, query, index):
    store.commit(Batch([chat(key, f"u-{key}", f"w-{key % 40}", ended=1) for key in range(4000)]))
    for key in range(4):
        store.commit(texts(key, 1, 2000))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        plan = explain(connection, query)
    assert index in plan
    assert "message_seq" in plan  # for `last_seq`, too
    assert "Seq Scan" not in plan
    assert "SCAN message" not in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def explain(connection, query):
    how = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    return "\n".join(str(row[-1]) for row in connection.execute(sa.text(f"{how} {compiled}")))


# ---- notes and revocations ---------------------------------------------


def test_notes_are_kept_in_order(store):
    store.commit(Batch([chat(1), chat(2)]))
    notes = [note(1, "bob", "first 😀", 5), note(1, "eve", "second", 4)]
    stored = [store.write_for_staff(one) for one in [*notes, note(2, "bob", "elsewhere", 6)]]
    assert [(one.n, is_new) for one, is_new in stored] == [(1, True), (2, True), (1, True)]
    assert store.staff_entries(1) == [one._replace(n=n) for n, one in enumerate(notes, 1)]


def test_the_last_event_of_a_conversation_is_found_behind_what_people_write(store, monkeypatch):
    assert store.last_events([1]) == {}
    events = [
        EntryRow(1, seq, Side.SERVER, "bob", None, EVENT.number, "", 1, f'{{"what": "{what}"}}')
        for seq, what in ((1, "joined"), (3, "left"))
    ]
    last = text(1, 4)
    store.commit(Batch(entries=[events[0], text(1, 2), events[1], last], has_data=True))
    assert store.last_events([1, 2]) == {1: events[1]}
    assert store.last_words([1, 2]) == {1: last}
    others = [events[0]._replace(conversation=key) for key in range(2, 9)]
    store.commit(Batch(entries=others, has_data=True))
    monkeypatch.setattr(sql, "FOUND_AT_ONCE", 3)  # as of many conversations
    assert store.last_events([*range(1, 8), 99]) == {
        1: events[1], **{one.conversation: one for one in others[:-1]}
    }  # fmt: skip


def test_who_has_an_answer_is_found_behind_the_last_event(store, monkeypatch):
    def event(key: int, seq: int) -> EntryRow:
        return EntryRow(key, seq, Side.SERVER, "bob", None, EVENT.number, "", 1, "{}")

    def word(key: int, seq: int, side: Side) -> EntryRow:
        return EntryRow(key, seq, side, "bob", None, TEXT.number, "Hello", 1)

    entries = [
        event(1, 1), word(1, 2, Side.WAITER), word(1, 3, Side.USER),
        event(2, 1), word(2, 2, Side.WAITER), event(2, 3), word(2, 4, Side.USER),
        event(3, 1),
        event(4, 1), word(4, 2, Side.WAITER),
    ]  # fmt: skip
    store.commit(Batch(entries=entries, has_data=True))
    monkeypatch.setattr(sql, "FOUND_AT_ONCE", 2)  # as of many conversations
    assert store.answered([1, 2, 3, 99]) == {1}
    assert store.answered([]) == set()


def test_a_conversation_that_is_not_stored_gets_no_staff_entry(store):
    assert store.write_for_staff(note(1, "bob", "about nobody")) is None
    assert store.staff_entries(1) == []


def test_a_staff_entry_stands_behind_what_was_stored_before_it(store):
    store.commit(Batch([chat(1)]))
    store.write_for_staff(note(1, "bob", "nothing yet"))
    store.commit(texts(1, 1, 3))
    store.write_for_staff(note(1, "bob", "three"))
    store.commit(texts(1, 4, 4))
    assert [one.after for one in store.staff_entries(1)] == [0, 3]
    assert [one.body for one in store.staff_entries(1, first=1)] == ["three"]
    assert [one.body for one in store.staff_entries(1, last=2)] == ["nothing yet"]
    assert [one.body for one in store.staff_entries(1, limit=1)] == ["three"], "the newest"


def test_a_repeat_of_a_staff_entry_finds_the_first(store):
    store.commit(Batch([chat(1)]))
    first, _ = store.write_for_staff(note(1, "bob", "once")._replace(client_id="a"))
    store.write_for_staff(note(1, "eve", "hers")._replace(client_id="a"))
    again = store.write_for_staff(note(1, "bob", "other words", 9)._replace(client_id="a"))
    assert again == (first, False)
    assert [one.body for one in store.staff_entries(1)] == ["once", "hers"]


def test_revocations_are_numbered(store):
    store.revoke(sid="s-1", now=5)
    store.revoke(subject="ann", now=6)
    (first, *one), (second, *two) = store.revoked(0)
    assert (one, two) == (["s-1", "", 5], ["", "ann", 6])
    assert list(store.revoked(first)) == [(second, "", "ann", 6)]
    assert list(store.revoked(second)) == []


def test_there_is_one_revocation_of_a_login_and_one_of_a_subject(store):
    for now in (5, 7, 6):
        store.revoke(sid="s-1", now=now)
        store.revoke(subject="ann", now=now)
    store.revoke(sid="s-2", now=1)
    kept = [row[1:] for row in store.revoked(0)]
    assert kept == [("s-1", "", 7), ("", "ann", 7), ("s-1", "", 6), ("", "ann", 6), ("s-2", "", 1)]
    store.revoke(subject="ann", now=8)
    assert [row[1:] for row in store.revoked(0) if row[2]] == [("", "ann", 8)]
    assert store.revoked(0)[-1][0] > 6, "a new number: others read on behind the last"


def test_revocations_of_a_while_ago_are_left_out_and_the_rest_comes_in_slices(store):
    for n in range(1, 6):
        store.revoke(sid=f"s-{n}", now=n)
    first = store.revoked(0, since=2, limit=2)
    assert [row[1] for row in first] == ["s-2", "s-3"]
    assert [row[1] for row in store.revoked(first[-1][0], since=2, limit=2)] == ["s-4", "s-5"]


def test_one_token_can_be_looked_up(store):
    store.revoke(sid="s-1", now=5)
    store.revoke(subject="ann", now=6)
    assert store.is_revoked("s-1", "bob", 100)
    assert store.is_revoked("s-2", "ann", 6)
    assert not store.is_revoked("s-2", "ann", 7)
    assert not store.is_revoked("s-2", "bob", 0)
    assert not store.is_revoked("", "", 0), "no login and no subject mean nobody"


def test_looking_up_a_token_uses_the_indexes(store):
    with store.engine.begin() as connection:
        if store.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        seen = explain(connection, revoked.naming("s-1", "ann", 5))
        assert "revoked_sid" in seen
        assert "revoked_subject" in seen
        if store.name == "sqlite":  # PostgreSQL decides by what is in it
            assert "revoked_at" in explain(connection, revoked.old("sid", 5))


def test_revocations_are_removed_some_at_a_time(store):
    for n in range(1, 6):
        store.revoke(sid=f"s-{n}", now=n)
        store.revoke(subject=f"user-{n}", now=n)
    assert store.prune_revoked(sids=5, subjects=3, limit=2)
    assert len(store.revoked(0)) == 6
    assert not store.prune_revoked(sids=5, subjects=3, limit=2)
    left = {row[1] or row[2] for row in store.revoked(0)}
    assert left == {"s-5", "user-3", "user-4", "user-5"}
    assert not store.prune_revoked(sids=5, subjects=3)


def test_a_revocation_never_becomes_visible_after_a_later_one(store, opened):
    """Who reads on from the greatest number misses none."""
    writers = [opened(lock_wait=5) for _ in range(4)]
    seen, last, done = [], 0, threading.Event()

    def write(writer):
        for number in range(25):
            writer.revoke(sid=f"{id(writer)}-{number}", now=1)

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(write, writer) for writer in writers]
        while not done.is_set():
            if all(job.done() for job in jobs):
                done.set()
            for number, sid, *_ in store.revoked(last):
                last = number
                seen.append(sid)
    for job in jobs:
        job.result()
    assert len(set(seen)) == len(seen) == 100


# ---- writers beside each other -----------------------------------------


def test_the_referee_lets_two_writers_share_conversations(store, opened):
    """Each guesses, loses, reads and tries again; nobody waits in a circle; no gap, no repeat."""
    chats = [1, 2, 3]
    names = ["left", "right"]

    def write(name, writer):
        for round_ in range(30):
            while True:
                heads = {key: len(writer.entries(key, limit=9999)) for key in chats}
                messages = [text(key, heads[key] + 1, f"{name}-{round_}") for key in chats]
                turn = messages if name == "left" else messages[::-1]
                try:
                    writer.commit(Batch([chat(m.conversation) for m in turn], entries=turn))
                except Conflict:
                    continue
                break

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(write, name, opened(lock_wait=10, answer_wait=10)) for name in names]
    for job in jobs:
        job.result()
    for key in chats:
        said = store.entries(key, limit=9999)
        assert [message.seq for message in said] == list(range(1, 61))
        expected = {f"{name}-{number}" for name in names for number in range(30)}
        assert {message.body for message in said} == expected


def test_rows_are_written_in_the_order_of_their_keys(store, monkeypatch):
    """So that two workers never wait for each other in a circle."""
    rows = {}
    monkeypatch.setattr(store, "_put", lambda _c, table, some, _u: rows.update({table.name: some}))
    duties = [Duty(subject, "u", True, 1) for subject in "cab"]
    messages = [text(2, 2), text(2, 1), text(1, 9)]
    store.commit(Batch([chat(3), chat(1), chat(2)], duties, messages))
    assert [row[0] for row in rows["chat"]] == [1, 2, 3]
    assert [row[0] for row in rows["duty"]] == ["a", "b", "c"]
    assert [row[:2] for row in rows["message"]] == [(1, 9), (2, 1), (2, 2)]


def test_many_read_while_one_writes(store):
    store.commit(texts(1, 1, 50))
    stop = threading.Event()

    def read():
        while not stop.is_set():
            seqs = [message.seq for message in store.entries(1)]
            assert seqs == list(range(seqs[0], seqs[0] + 50))
        return True

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(read) for _ in range(4)]
        for seq in range(51, 151):
            store.commit(Batch(entries=[text(1, seq)]))
        stop.set()
    assert all(job.result() for job in jobs)
    assert store.entries(1)[-1].seq == 150


def test_a_value_that_no_column_takes_is_unfit_and_leaves_nothing(store):
    with pytest.raises(Unfit):
        store.commit(Batch([chat(1), chat(2, user_read=2**70)]))
    assert store.conversation(1) is None
    store.commit(Batch([chat(1)]))


# ---- opening -----------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "x", "mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true",
     "postgresql://u:secret@h:port/d"],
)  # fmt: skip
def test_what_cannot_keep_a_history_is_refused_without_its_password(url):
    with pytest.raises(StoreError) as error:
        open_store(url)
    assert "secret" not in str(error.value)


def test_a_closed_store_opens_again(store):
    store.commit(texts(1, 1, 1))
    store.close()
    store.commit(texts(1, 2, 2))
    assert len(store.entries(1)) == 2
    store.close()
    store.close()


def test_what_several_workers_know_of_a_conversation_is_merged(store):
    store.commit(Batch([chat(3)]))  # written otherwise: as it is
    known = chat(1, page="/shop", department="sales", user_read=3, fields='{"name":"Ann"}')
    there = Amendment(known, served=True)
    store.commit(Batch(amendments=[there]))
    late = chat(1, waiter="zoe", waiter_name="Zoe", user_read=1, waiter_read=2, ended=70)
    late.reason = "lost"
    store.commit(Batch(amendments=[Amendment(late)]))
    store.commit(Batch(amendments=[Amendment(chat(1, ended=80))]))
    found = store.conversation(1)
    assert (found.user_read, found.waiter_read) == (3, 2), "marks only grow"
    assert (found.page, found.department) == ("/shop", "sales")
    assert found.fields == '{"name":"Ann"}'
    assert found.ended == 70, "what has ended stays so"
    assert found.reason == "lost", "who does not know why says nothing of it"
    assert found.waiter_subject == "bob", "who serves it was no news"
    store.commit(Batch(amendments=[Amendment(late, served=True), Amendment(chat(2))]))
    assert store.conversation(1).waiter_subject == "zoe"
    assert store.conversation(2) is not None, "put in where it was missing"
    assert store.knows("zoe", "ann")


def test_how_long_users_have_waited_for_an_answer(store):
    """In the queue, and from their first word on."""

    def said(key: int, *when: tuple[int, int]) -> list[Row]:
        rows = enumerate(when, 1)
        return [(key, seq, side, "x", None, 1, "…", date, None) for seq, (side, date) in rows]

    user, waiter = Side.USER, Side.WAITER
    lives = {
        1: (1000, [(user, 9000), (waiter, 9500)]),  # too long ago
        2: (5000, [(user, 16_000), (user, 17_000), (waiter, 18_000)]),  # 5 s in line, then 2 s
        3: (0, [(waiter, 12_000), (user, 13_000)]),  # the waiter spoke first
        4: (0, [(user, 70_000), (waiter, 71_000)]),  # thought for a minute: nobody let it wait
        5: (0, [(user, 12_000)]),  # never answered
        6: (0, []),
        7: (60_000, [(user, 70_001), (waiter, 70_001)]),
    }
    chats = [replace(chat(key), opened=10_000, waited=waited) for key, (waited, _) in lives.items()]
    rows = [row for key, (_, words) in lives.items() for row in said(key, *words)]
    store.commit(Batch(chats, entries=rows))
    assert sorted(store.reply_times(1, 100)) == [1000, 2000, 7000, 60_000]
    assert sorted(store.reply_times(0, 2)) == [60_000]
