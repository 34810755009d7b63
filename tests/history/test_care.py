"""Erasing a person, sweeping, and reading all of a store in slices."""

from __future__ import annotations

import random
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.conversation.kinds import TEXT, Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history import care, cleaning, slices, tables, word_index
from services.history.opening import open_store
from services.history.port import Batch, StoreError
from services.history.sql import SQLStore
from services.history.transactions import ANSWER_WAIT, LOCK_WAIT
from testkit.entries import note

from .conftest import Opened
from .people import BEGAN, duty, index_all, keep, no_pause


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLICE": 4, "BATCH": 3, "WINDOW": 5}.items():
        for module in (care, word_index, slices):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)


def everything(store: SQLStore) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with store.engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.select(table))]
            for name, table in tables.metadata.tables.items()
        }


# ---- reading -----------------------------------------------------------


def test_every_message_and_note_in_order_over_many_batches(store: SQLStore):
    keep(store, 1, [f"text {n}" for n in range(20)], notes=[f"note {n}" for n in range(8)])
    keep(store, 2, ["other"], notes=["other"])
    assert [m.body for m in care.entries_of(store, 1)] == [f"text {n}" for n in range(20)]
    assert [n.body for n in care.staff_entries_of(store, 1)] == [f"note {n}" for n in range(8)]
    assert list(care.entries_of(store, 3)) == []


def test_a_persons_conversations_are_all_it_took_part_in(store: SQLStore):
    for key in range(1, 20):
        keep(store, key, user=f"user-{key}", waiter="zoe")
    keep(store, 20, user="pat", waiter="zoe")
    keep(store, 21, user="bob", waiter="pat")
    keep(store, 22, ["Hi", "I hand you over", "Hi", "Hello"], user="bob", waiter="zoe",
         authors=["bob", "pat", "bob", "zoe"])  # fmt: skip
    keep(store, 23, user="bob", waiter="zoe")
    store.write_for_staff(note(23, "pat", "I know him", BEGAN))
    assert [chat.key for chat in care.conversations_of(store, "pat")] == [20, 21, 22, 23]
    assert [chat.key for chat in care.conversations_of(store, "user-7")] == [7]
    assert list(care.conversations_of(store, "nobody")) == []
    assert [chat.user_subject for chat in care.find_conversation(store, 21)] == ["bob"]
    assert list(care.find_conversation(store, 99)) == []


# ---- erasing -----------------------------------------------------------


def test_a_visitor_goes_with_all_its_conversations_and_nobody_elses(store: SQLStore):
    keep(store, 1, ["mine"] * 9, user="ada", notes=["about ada"])
    keep(store, 2, ["yours"] * 9, user="bob", notes=["about bob"])
    keep(store, 3, ["open"], user="ada", ended=None)
    keep(store, 4, ["hers"], user="adam")
    erased = care.erase(store, "ada", pause=no_pause)
    assert (erased.chats, erased.messages, erased.notes, erased.open_conversations) == (2, 10, 1, 1)
    assert (erased.renamed_chats, erased.renamed_texts, erased.accounts) == (0, 0, 0)
    there = everything(store)
    assert [row[0] for row in there["chat"]] == [2, 4]
    assert {row[1] for row in there["message"]} == {2, 4}
    assert len(there["message"]) == 10
    assert [row[1] for row in there["note"]] == [2]


def test_a_waiter_becomes_somebody_in_the_conversations_of_others(store: SQLStore):
    keep(store, 1, ["Hi", "Good day"] * 6, user="bob", waiter="pat", notes=["rude"])
    keep(store, 2, ["Hi", "Moment", "Hi", "Hello"], user="bob", waiter="zoe",
         authors=["bob", "pat", "bob", "zoe"])  # fmt: skip
    keep(store, 3, ["Hi", "Hello"], user="bob", waiter="pat", ended=None)
    duty(store, "pat")
    duty(store, "zoe")
    store.revoke(subject="pat", now=BEGAN)
    account = {"name": "pat", "display_name": "Pat", "password": "x", "created": BEGAN}
    with slices.writing(store) as connection:
        connection.execute(sa.insert(tables.account).values(**account))
    erased = care.erase(store, "pat", pause=no_pause)
    assert (erased.chats, erased.messages, erased.notes) == (0, 0, 0)
    assert (erased.renamed_chats, erased.renamed_texts, erased.accounts) == (2, 9, 2)
    assert erased.revocations == 1
    one, two, three = care.conversations_of(store, "bob")
    pseudonym = one.waiter_subject
    assert pseudonym.startswith("erased-")
    assert one.waiter_name == three.waiter_name == three.waiter_subject == pseudonym
    assert one.waiter != "uuid-of-pat"
    assert (two.waiter_subject, two.waiter_name) == ("zoe", "Zoe")
    authors = [m.author for key in (1, 2, 3) for m in care.entries_of(store, key)]
    assert authors == ["bob", pseudonym] * 6 + ["bob", pseudonym, "bob", "zoe", "bob", pseudonym]
    assert [note.author for note in care.staff_entries_of(store, 1)] == [pseudonym]
    assert [one.subject for one in store.duties()] == ["zoe"]
    assert [row[2] for row in store.revoked(0)] == [pseudonym]


def test_who_was_both_is_forgotten_as_both(store: SQLStore):
    keep(store, 1, user="pat", waiter="zoe")
    keep(store, 2, user="bob", waiter="pat")
    erased = care.erase(store, "pat", pause=no_pause)
    assert (erased.chats, erased.renamed_chats, erased.renamed_texts) == (1, 1, 1)
    assert list(care.conversations_of(store, "pat")) == []


def test_nobody_of_that_name(store: SQLStore):
    keep(store, 1)
    before = everything(store)
    for subject in ("nobody", "ADA", "%", "ad_", "ada\x01"):
        assert not care.erase(store, subject, pause=no_pause).anything
    with pytest.raises(ValueError, match="empty"):
        care.erase(store, "", pause=no_pause)
    assert everything(store) == before
    care.erase(store, "ada", pause=no_pause)
    assert not care.erase(store, "ada", pause=no_pause).anything


def test_what_breaks_in_the_middle_is_finished_by_the_next_try(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
):
    keep(store, 1, ["word"] * 20, user="ada", notes=["note"])
    calls = 0

    def lose_the_line(_: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoreError("the line is lost")

    with pytest.raises(StoreError):
        care.erase(store, "ada", pause=lose_the_line)
    left = len(list(care.entries_of(store, 1)))
    assert 0 < left < 20
    erased = care.erase(store, "ada", pause=no_pause)
    assert (erased.chats, erased.messages, erased.notes) == (1, left, 1)


# ---- no byte is left (SQLite) --------------------------------------------


def test_no_byte_of_an_erased_person_is_left_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Hundreds of chats that change as they do in life; then one after the other is erased."""
    monkeypatch.setattr(care, "SLICE", 50)
    path = tmp_path / "csapp.db"
    store = open_store(f"sqlite:///{path}")
    sa.event.listen(store.engine, "connect", _hurry)
    store.migrate()
    dice = random.Random(38)
    people = [f"subject-{number:03}-{dice.randbytes(6).hex()}" for number in range(60)]
    waiters = ["wim", "zoe", "secretwaiter"]
    traces: dict[str, list[str]] = {one: [one] for one in people}
    seqs: dict[int, int] = {}
    for key in range(1, 401):
        user = dice.choice(people)
        name, uuid, page = (f"{what}{dice.randbytes(8).hex()}" for what in ("nm", "uu", "pg"))
        chat = ConversationRow(key, uuid, user, user_name=name, page=page, opened=BEGAN)
        store.commit(Batch(conversations=[chat]))
        messages = []
        for _ in range(dice.randrange(1, 12)):
            seqs[key] = seqs.get(key, 0) + 1
            word, identity = f"wd{dice.randbytes(5).hex()}", f"id{dice.randbytes(6).hex()}"
            traces[user] += [word, identity]
            body = f"{word} {'x' * dice.choice([0, 30, 3000, 9000])} 订{word}"
            messages.append(
                EntryRow(key, seqs[key], Side.USER, user, identity, TEXT.number, body, BEGAN)
            )
        store.commit(Batch(entries=messages))
        chat.waiter, chat.waiter_subject = "w-uuid", dice.choice(waiters)
        chat.waiter_name, chat.ended = chat.waiter_subject.title(), BEGAN + key
        chat.department = f"cm{dice.randbytes(20).hex()}" * dice.randrange(4)
        noted = f"nt{dice.randbytes(8).hex()}"
        store.commit(Batch(conversations=[chat]))
        store.write_for_staff(note(key, chat.waiter_subject, noted, BEGAN))
        traces[user] += [
            name,
            uuid,
            page,
            noted,
            *([chat.department[:40]] if chat.department else []),
        ]
        if key % 25 == 0:
            word_index.index_slice(store, most=200)
    index_all(store, most=50)

    def left(needles: list[str]) -> list[str]:
        files = b"".join(file.read_bytes().lower() for file in tmp_path.iterdir() if file.is_file())
        return [needle for needle in needles if needle.lower().encode() in files]

    assert left(traces[people[0]]), "the search for bytes finds what is there"
    for one in people[:6]:
        assert care.erase(store, one, pause=no_pause).chats
        assert left(traces[one]) == []
    care.erase(store, "secretwaiter", pause=no_pause)
    assert left(["secretwaiter"]) == []
    assert left(traces[people[50]]), "the others are still there"
    store.close()


def _hurry(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def test_a_reader_that_stays_is_said_to_keep_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = open_store(f"sqlite:///{tmp_path / 'csapp.db'}")
    store.migrate()
    keep(store, 1, user="ada")
    monkeypatch.setattr(cleaning, "TRIES", 2)
    with sqlite3.connect(tmp_path / "csapp.db") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM chat").fetchone()
        left = care.erase(store, "ada", vacuum=False, pause=no_pause).left
        assert any("write-ahead log" in sentence for sentence in left)
    reader.close()
    assert cleaning.clean(store, pause=no_pause) == ()
    store.close()


# ---- sweeping ------------------------------------------------------------


def test_a_sweep_takes_what_ended_before_the_limit(store: SQLStore):
    now = BEGAN + 100 * care.DAY
    for key, ended in enumerate(
        [now - 31 * care.DAY, now - 30 * care.DAY, now - 30 * care.DAY - 1, now, None], 1
    ):
        keep(store, key, ["word"] * 6, ended=ended, notes=["note"])
    removed = care.sweep(store, 30 * care.DAY, now, pause=no_pause)
    assert (removed.chats, removed.messages, removed.notes) == (2, 12, 2)
    there = everything(store)
    assert [row[0] for row in there["chat"]] == [2, 4, 5]
    assert {row[1] for row in there["message"]} == {2, 4, 5}
    assert {row[1] for row in there["note"]} == {2, 4, 5}
    again = care.sweep(store, 30 * care.DAY, now, pause=no_pause)
    assert (again.chats, again.messages, again.notes) == (0, 0, 0)


def test_daily_keeps_for_ever_unless_told_otherwise(store: SQLStore):
    keep(store, 1)
    assert care.daily(store, 0, BEGAN + 10_000 * care.DAY, pause=no_pause).chats == 0
    assert care.daily(store, 7, BEGAN + 6 * care.DAY, pause=no_pause).chats == 0
    assert care.daily(store, 7, BEGAN + 8 * care.DAY, pause=no_pause).chats == 1


def test_the_servers_writer_gets_its_turn_during_a_sweep(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
):
    store = opened(lock_wait=LOCK_WAIT, answer_wait=ANSWER_WAIT)  # a server's own patience
    store.migrate()
    monkeypatch.setattr(care, "SLICE", 500)
    monkeypatch.setattr(slices, "SLICE", 500)
    for key in range(1, 21):
        keep(store, key, ["some words to be swept away"] * 200)
    index_all(store)
    sweeping = threading.Thread(target=care.sweep, args=(store, 0, BEGAN + care.DAY), daemon=True)
    sweeping.start()
    key = 1000
    while sweeping.is_alive():
        key += 1
        keep(store, key, ended=None)
    sweeping.join()
    assert key > 1003
    assert {row[0] for row in everything(store)["chat"]} == set(range(1001, key + 1))


# ---- everywhere ----------------------------------------------------------


def test_no_table_names_an_erased_waiter(store: SQLStore):
    """Whatever column is added later: a subject in it has to be erased as well."""
    with slices.writing(store) as connection:
        for name, table in tables.metadata.tables.items():
            if name not in ("alembic_version", "csapp_meta"):
                connection.execute(sa.insert(table).values(_row(table, "pat")))
    care.erase(store, "pat", pause=no_pause)
    left = {
        (name, column)
        for name, rows in everything(store).items()
        for row in rows
        for column, value in zip(tables.metadata.tables[name].columns.keys(), row, strict=True)
        if isinstance(value, str) and "pat" in value.lower()
    }
    assert left <= WRITTEN


#: what a waiter wrote stays, and what never holds a subject
WRITTEN = {
    ("message", "body"), ("message", "client_id"), ("message", "data"), ("note", "text"),
    ("note", "client_id"), ("note", "data"),
    ("canned", "shortcut"), ("canned", "text"), ("canned_past", "shortcut"),
    ("canned_past", "text"), ("canned", "choices"), ("canned", "department"),
    ("canned_past", "choices"), ("canned_past", "department"), ("revoked", "sid"),
    ("attempt", "key"), ("department", "key"), ("department", "names"),
    ("department", "overflow_to"),
    ("department", "hours"), ("department", "zone"), ("department", "dates"),
    ("membership", "department"), ("visit", "department"), ("visit", "outcome"),
    ("words", "department"), ("words", "what"), ("words", "language"), ("words", "text"),
    ("file", "id"), ("file", "name"), ("file", "mime"),
}  # fmt: skip


def test_each_table_with_words_of_people_is_cleaned():
    """PostgreSQL would keep what was deleted of any other."""
    of_the_site = {"csapp_meta", "alembic_version", "department", "words"}
    texts = {
        name
        for name, table in tables.metadata.tables.items()
        if any(isinstance(column.type, sa.Text) for column in table.columns)
    }
    assert texts - of_the_site == set(cleaning.TABLES)


def _row(table: sa.Table, subject: str) -> dict[str, object]:
    """A row that says *subject* wherever it can; in a visitor's chat, which the waiter served."""
    values: dict[str, object] = {}
    for column in table.columns:
        if isinstance(column.type, sa.Text):
            values[column.name] = subject
        elif isinstance(column.type, sa.Boolean):
            values[column.name] = False
        elif column.autoincrement is not True:
            values[column.name] = 1
    if table is tables.chat:
        values |= dict.fromkeys(
            ("user", "user_subject", "user_name", "user_avatar", "department"), "ann"
        )
        values |= {"page": "", "fields": "", "comment": "", "reason": "", "waiter_subject": None}
    if table is tables.left_message:  # all that it says is the visitor's, but for who claimed it
        values |= dict.fromkeys(("subject", "client_id", "department", "name"), "ann")
        values |= {"email": "", "language": ""}
    if table is tables.canned:
        values["owner"] = ""  # shared
    return values


def test_a_waiters_name_goes_from_conversations_that_nobody_serves_any_more(store: SQLStore):
    for key, ended in ((1, BEGAN), (2, None)):
        chat = keep(store, key, user="bob", waiter="pat", waiter_name="Patricia", ended=ended)
        chat.waiter = chat.waiter_subject = None  # as a server leaves it
        store.commit(Batch(conversations=[chat]))
    care.erase(store, "pat", pause=no_pause)
    found = list(care.conversations_of(store, "bob"))
    assert len(found) == 2
    assert all(chat.waiter_name.startswith("erased-") for chat in found)
    assert all(chat.waiter_subject is None for chat in found)
