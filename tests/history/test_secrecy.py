"""What the database says of a failure is told without the values of rows: they are people's."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from itertools import count

import pytest
import sqlalchemy as sa

from services.conversation.kinds import TEXT, Side
from services.conversation.rows import MESSAGE, ConversationRow, EntryRow
from services.errors import named
from services.history import care, search, slices, tables
from services.history.accounts import Accounts, Hashing
from services.history.canned import CannedReplies
from services.history.departments import DepartmentTables
from services.history.inbox import Sight
from services.history.left_messages import Deed, Leaving, LeftMessageTable
from services.history.mail import Wanted
from services.history.port import Batch, Duty, StoreError
from services.history.sql import SQLStore
from services.history.writer import Writer
from testkit import Client, LiveServer
from testkit.entries import note

from .people import BEGAN, keep, no_pause
from .test_writer import Loop, Store

MARK = "marzipan4711"

TABLES = [table.name for table in tables.metadata.sorted_tables]

_PLAIN = Hashing(make=lambda password: f"hash of {password}", check=lambda *_: False)


def _accounts(store: SQLStore) -> Accounts:
    return Accounts(store, _PLAIN)


_KEYS = count(1000)
_ALL = Sight({""}, ())


def _left(store: SQLStore) -> LeftMessageTable:
    return LeftMessageTable(store, Wanted(left=True, answers=True))


def _ada(store: SQLStore) -> Deed:
    """Somebody of that name, and the first message that was left."""
    key = _left(store).page(_ALL).messages[0].key
    return Deed(key, MARK, MARK, MARK, "", BEGAN, MARK, MARK)


#: everything that writes
WRITES: dict[str, Callable[[SQLStore], object]] = {
    "text": lambda store: store.commit(
        Batch(entries=[EntryRow(2, 1, Side.USER, MARK, MARK, TEXT.number, MARK, BEGAN)])
    ),
    "chat": lambda store: store.commit(Batch(conversations=[ConversationRow(2, MARK, MARK, MARK)])),
    "duty": lambda store: store.commit(Batch(duties=[Duty(MARK, MARK, True, 1)])),
    "note": lambda store: store.write_for_staff(note(1, MARK, MARK, BEGAN)),
    "revocation": lambda store: store.revoke(subject=MARK, now=BEGAN),
    "account": lambda store: _accounts(store).add(MARK, "a long password", MARK),
    "password": lambda store: _accounts(store).set_password(MARK, "a long password"),
    "membership": lambda store: DepartmentTables(store).assign(MARK, {"": 1}),
    "canned": lambda store: CannedReplies(store, 100).add(MARK, "hello", MARK),
    "left message": lambda store: _left(store).leave(
        Leaving(
            ConversationRow(next(_KEYS), MARK, MARK, opened=BEGAN, ended=BEGAN, reason=MESSAGE),
            MARK,
            MARK,
            MARK + str(next(_KEYS)),
            MARK,
            MARK,
        )
    ),
    "claim": lambda store: _left(store).claim(_ALL, _ada(store)),
    "answer": lambda store: _left(store).answer(_ALL, _ada(store)),
    "erase": lambda store: care.erase(store, MARK, pause=no_pause),
    "sweep": lambda store: care.sweep(store, 0, BEGAN * 2, pause=no_pause),
}


def _refuse_writes(store: SQLStore) -> None:
    """From now on the database refuses every change, in words that hold the mark."""
    with store.engine.begin() as connection:
        run = connection.exec_driver_sql
        if store.name == "sqlite":
            for table in TABLES:
                for change in ("INSERT", "UPDATE", "DELETE"):
                    run(
                        f'CREATE TRIGGER "no_{change}_{table}" BEFORE {change} ON "{table}" '
                        f"BEGIN SELECT RAISE(ABORT, 'refused: {MARK}'); END"
                    )
            return
        run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'refused: %%', coalesce(NEW::text, OLD::text); END $$"
        )
        for table in TABLES:
            run(
                f'CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON "{table}" '
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            )


@pytest.fixture
def kept(store: SQLStore) -> SQLStore:
    """A store that has the mark in every table."""
    keep(store, 1, [MARK], user=MARK, waiter=MARK)
    for name in ("duty", "note", "revocation", "account", "membership", "canned", "left message"):
        WRITES[name](store)
    return store


def _told(error: BaseException) -> str:
    """All that a log could show of *error*."""
    return "".join(traceback.format_exception(error)) + str(error) + named(error)


@pytest.mark.parametrize("name", WRITES)
def test_a_refused_change_is_told_without_its_values(kept: SQLStore, name: str):
    _refuse_writes(kept)
    with pytest.raises(StoreError) as refused:
        WRITES[name](kept)
    assert MARK not in _told(refused.value)


def test_a_key_that_is_there_already_is_told_without_its_values(kept: SQLStore):
    """PostgreSQL's details quote the row."""
    values = {"subject": MARK, "uuid": MARK, "ready": True, "capacity": 1}
    again = sa.insert(tables.duty).values(values)
    with pytest.raises(StoreError) as refused, slices.writing(kept) as connection:
        connection.execute(again)
    assert MARK not in _told(refused.value)


def test_a_reading_that_fails_is_told_without_its_values(kept: SQLStore):
    """A value that cannot be read, and words that cannot be looked for."""
    broken = (
        f"SELECT n FROM message_words WHERE message_words MATCH '{MARK}:x'"
        if kept.name == "sqlite"
        else "SELECT body::int FROM message"
    )
    with pytest.raises(StoreError) as refused, slices.reading(kept) as connection:
        connection.exec_driver_sql(broken)
    assert MARK not in _told(refused.value)


def test_a_search_that_fails_is_told_without_its_words(
    kept: SQLStore, monkeypatch: pytest.MonkeyPatch
):
    find = "_FIND_NEW" if kept.name == "sqlite" else "_FIND_POSTGRES"
    statement = getattr(search, find)
    broken = {
        "_FIND_NEW": statement.replace("MATCH :words", "MATCH :words || ' ('"),
        "_FIND_POSTGRES": statement.replace(":words", ":words || ' ('"),
    }
    monkeypatch.setattr(search, find, broken[find])
    with pytest.raises(StoreError) as refused:
        search.search(kept, f"{MARK} {MARK}")
    assert MARK not in _told(refused.value)


def test_the_log_names_an_error_of_others_by_its_type(caplog: pytest.LogCaptureFixture):
    loop, store = Loop(), Store()
    store.failing.append((False, KeyError(MARK)))
    writer = Writer(store, loop, lambda: 1000.0)  # type: ignore[arg-type]
    writer.save(ConversationRow(1, "uuid", "ann"))
    with caplog.at_level(logging.INFO):
        loop.turn()
    assert "KeyError" in caplog.text
    assert MARK not in caplog.text


def test_a_servers_log_shows_nothing_that_people_say(store: SQLStore, url: str):
    with LiveServer.gunicorn(env={"CSAPP_DATABASE_URL": url}) as server:
        with Client(server, "user") as user, Client(server, "waiter") as waiter:
            for client in (waiter, user):
                client.auth(server.token(client.role, f"the-{client.role}"))
            waiter.ready()
            user.say("connect")
            user.receive()
            _refuse_writes(store)
            user.say("message_text", {"message": MARK})
            server.wait_for_line("the history cannot be stored")
        server.wait_for_line("disconnect role=waiter")
    assert MARK not in server.log
