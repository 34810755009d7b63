"""What the site says by itself: which text, to whom, once, and never as an answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.history import tables
from services.history.departments import Change, DepartmentError, DepartmentTables
from services.history.opening import open_store
from services.history.words import MOST_TEXTS, Occasion, WordsError, WordsRow, WordsTable
from services.site_words import SiteWords, Words, filled
from testkit import Client, LiveServer
from testkit.client import assert_quiet
from testkit.redis import RedisServer

from .probe import next_frame, until
from .test_transfers import Shop, hands_over, met, says
from .three_ways import WAYS, served

GREETING, LOOKING, FIRST = Occasion
LONGEST = 200  # characters

TEXTS = [
    WordsRow("", GREETING, "en", "Welcome to {department}."),
    WordsRow("", GREETING, "de", "Willkommen."),
    WordsRow("", LOOKING, "en", "Please wait on.", 1),
    WordsRow("", FIRST, "en", "You speak with {name} of {department}."),
    WordsRow("sales", GREETING, "fr", "Bonjour."),
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A site with a department."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    with closing(open_store(url)) as store:
        store.migrate()
        DepartmentTables(store).add("sales", Change(names={"en": "Sales"}))
    return url


@pytest.fixture
def words(url: str) -> Iterator[WordsTable]:
    with closing(open_store(url)) as store:
        yield WordsTable(store)


# ---- which text --------------------------------------------------------------


@pytest.mark.parametrize(
    ("department", "language", "found"),
    [
        ("", "de-AT", "Willkommen."),
        ("", "", "Welcome to {department}."),
        ("", "ja", "Welcome to {department}."),
        ("", "no tag!", "Welcome to {department}."),
        ("sales", "fr", "Bonjour."),
        ("sales", "de", "Willkommen."),
        ("sales", "ja", "Bonjour."),
        ("support", "fr", "Welcome to {department}."),
    ],
)
def test_the_language_counts_more_than_the_department(department, language, found):
    row = SiteWords(TEXTS).find(GREETING, department, language)
    assert row is not None
    assert row.text == found


def test_a_site_without_words_says_nothing():
    nothing = SiteWords()
    assert not nothing
    assert nothing.find(GREETING, "", "") is None
    assert nothing.at_match("", "", "Ada", lambda key, language: key) == []


def test_only_the_two_names_are_filled_in():
    assert filled("{name}, {0} {name.x} {department}", "{name}", "Ada") == "Ada, {0} {name.x} Ada"
    said = SiteWords(TEXTS).at_match(
        "sales", "fr", "Ada", lambda key, language: f"{key}/{language}"
    )
    assert said == [
        Words("greeting", "Bonjour."), Words("first", "You speak with Ada of sales/en."),
    ]  # fmt: skip


# ---- what is stored ----------------------------------------------------------


def test_texts_stand_in_the_order_in_which_they_were_first_set(words: WordsTable) -> None:
    for row in TEXTS:
        assert words.set(row, LONGEST) == row
    words.set(WordsRow("", GREETING, "EN", "  Hello.  ", 9), LONGEST)
    changed = [TEXTS[0]._replace(text="Hello."), *TEXTS[1:]]
    assert words.all() == changed
    assert words.remove("", GREETING, "de") == 1
    assert words.remove("", GREETING) == 1
    assert words.all() == changed[2:]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (WordsRow("", GREETING, "nonsense!", "x"), "language: a language tag is required"),
        (WordsRow("", GREETING, "e" * 36, "x"), "language: a language tag is required"),
        (WordsRow("", GREETING, "en", " "), "text: 1 to 200 characters"),
        (WordsRow("", GREETING, "en", "x" * 201), "text: 1 to 200 characters"),
        (WordsRow("", GREETING, "en", "a\0b"), "text: 1 to 200 characters"),
        (WordsRow("", LOOKING, "en", "x", 3601), "after: 1 to 3,600 s"),
        (WordsRow("nowhere", GREETING, "en", "x"), "department: there is no department nowhere"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(words: WordsTable, row: WordsRow, why: str) -> None:
    with pytest.raises(WordsError, match=f"^{why}"):
        words.set(row, LONGEST)
    assert words.all() == []


def test_there_are_so_many_texts_at_most(words: WordsTable) -> None:
    tags = [f"{a}{b}" for a in "abcdefghij" for b in "abcdefghijk"]
    for tag in tags[:MOST_TEXTS]:
        words.set(WordsRow("", GREETING, tag, "x"), LONGEST)
    with pytest.raises(WordsError, match="100 texts"):
        words.set(WordsRow("", GREETING, tags[MOST_TEXTS], "x"), LONGEST)
    words.set(WordsRow("", GREETING, tags[0], "y"), LONGEST)


def test_each_change_makes_the_number_of_the_departments_grow(url: str) -> None:
    with closing(open_store(url)) as store:
        departments, words = DepartmentTables(store), WordsTable(store)
        before = departments.number()
        words.set(WordsRow("sales", GREETING, "en", "Hello."), LONGEST)
        assert departments.number() == before + 1
        assert departments.read().words == (WordsRow("sales", "greeting", "en", "Hello."),)
        departments.remove("sales")
        assert departments.read().words == ()
        with pytest.raises(WordsError, match="no such text"):
            words.remove("sales", GREETING)


def test_the_table_comes_to_an_older_database(url: str) -> None:
    with closing(open_store(url)) as store:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP INDEX message_rating")
            connection.exec_driver_sql("DROP INDEX canned_owner")
            newer = {"canned": ("choices", "department", "used", "used_at")}
            newer["canned_past"] = ("choices", "department")
            for table, names in newer.items():
                for name in names:
                    connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")
            connection.exec_driver_sql("CREATE INDEX canned_owner ON canned (owner, shortcut)")
            connection.exec_driver_sql("DROP TABLE file")
            connection.exec_driver_sql("DROP INDEX visit_asked")
            connection.exec_driver_sql("DROP TABLE words")
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0019'")
        store.migrate()
        assert WordsTable(store).all() == []
        with pytest.raises(DepartmentError):
            DepartmentTables(store).add("sales")


# ---- on running servers ------------------------------------------------------


@pytest.fixture(params=WAYS)
def servers(
    request: pytest.FixtureRequest, url: str, words: WordsTable
) -> Iterator[list[LiveServer]]:
    for row in TEXTS:
        words.set(row, LONGEST)
    env = {
        "CSAPP_DATABASE_URL": url, "CSAPP_GRACE": "60", "CSAPP_HEARTBEAT": "3600",
        "CSAPP_MESSAGE_RATE": "0", "CSAPP_MAX_USERS_PER_WAITER": "1",
    }  # fmt: skip
    with served(request, env) as servers:
        yield servers


@pytest.fixture
def shop(servers: list[LiveServer]) -> Iterator[Shop]:
    shop = Shop(*servers)
    yield shop
    shop.close()


def said(client: Client, count: int) -> list[tuple[str, str, str]]:
    """The next entries: what it is, the text or what has happened, and who has written it."""
    found: list[tuple[str, str, str]] = []
    while len(found) < count:
        frame = client.receive()
        shown = frame["payload"].get("messages", ()) if frame["type"] == "message_history" else [
            frame
        ]  # fmt: skip
        found += [
            (one["payload"].get("words", ""),
             one["payload"].get("message") or one["payload"]["what"], one.get("from", "?"))
            for one in shown if one["type"] in ("message_text", "event")
        ]  # fmt: skip
    return found


AT_MATCH = [
    ("", "joined", ""),
    ("greeting", "Willkommen.", ""),
    ("first", "You speak with Wanda of Sales.", ""),
]


def test_both_sides_read_the_words_behind_joined_once(shop: Shop, url: str) -> None:
    wanda, ann = shop.serves("wanda", "sales"), shop.come("user", "ann", at=1)
    ann.say("connect", {"department": "sales", "language": "de-CH"})
    user = met(ann, wanda)
    assert said(ann, 3) == AT_MATCH
    assert said(wanda, 3) == AT_MATCH
    will = shop.serves("will", "sales", at=1)
    assert hands_over(wanda, user, to_waiter=will.uuid)["type"] == "transfer_success"
    assert [what for _, what, _ in said(ann, 2)] == ["transferred", "joined"]
    says(ann, "Hello")  # no words are between: nothing is said anew
    with closing(open_store(url)) as store, store.engine.connect() as connection:
        rows = connection.execute(sa.select(tables.message).order_by(tables.message.c.seq)).all()
    assert [(row.side, row.kind) for row in rows] == [
        (3, 2), (3, 1), (3, 1), (3, 2), (3, 2), (1, 1),
    ]  # fmt: skip
    assert [row.author for row in rows[1:3]] == ["", ""]


def test_words_are_no_answer(shop: Shop, url: str) -> None:
    wanda, ann = shop.serves("wanda"), shop.asks("ann", at=1)
    user = met(ann, wanda)
    said(ann, 3)
    with closing(open_store(url)) as store:
        (key,) = [row.key for row in store.open_conversations()]
        assert store.answered([key]) == set()
        assert store.last_words([key]) == {}
        assert store.last_events([key])[key].kind == 2
        says(wanda, "Good day", user)
        assert store.answered([key]) == {key}
        assert store.last_words([key])[key].body == "Good day"
        ann.say("disconnect")
        next_frame(wanda, "disconnected")

        def visit() -> Any:
            with store.engine.connect() as connection:
                row = connection.execute(sa.select(tables.visit)).one()
                return row if row.outcome else None

        row = until(visit)
        assert row.answered_by == "wanda"


def test_a_visitor_who_waits_is_told_so_once_on_each_connection(shop: Shop) -> None:
    ann = shop.come("user", "ann")
    ann.say("connect", {"department": "sales", "language": "en"})
    next_frame(ann, "connect_queue")
    greeting = next_frame(ann, "words")["payload"]
    assert greeting == {"what": "greeting", "message": "Welcome to Sales."}
    looking = next_frame(ann, "words")["payload"]
    assert looking == {"what": "looking", "message": "Please wait on."}
    again = shop.come("user", "ann", at=1)
    again.say("connect", {"language": "en"})
    assert [next_frame(again, "words")["payload"] for _ in range(2)] == [greeting, looking]
    ann.say("connect", {"department": "sales"})
    next_frame(ann, "connect_queue")
    shop.serves("wanda", "sales", at=1)
    shown = []
    while (frame := ann.receive())["type"] != "connect_success":
        shown.append(frame["type"])
    assert "words" not in shown


def test_the_language_of_auth_counts_where_connect_names_none(shop: Shop) -> None:
    ann = shop.come("user", "ann", locale="de-AT", at=1)
    ann.say("connect")
    next_frame(ann, "connect_queue")
    assert next_frame(ann, "words")["payload"]["message"] == "Willkommen."
    wanda = shop.serves("wanda")
    met(ann, wanda)
    assert said(wanda, 2)[1] == ("greeting", "Willkommen.", "")
    bea = shop.come("user", "bea", locale="de")
    bea.say("connect", {"department": "sales", "language": "fr"})
    next_frame(bea, "connect_queue")
    assert next_frame(bea, "words")["payload"]["message"] == "Bonjour."
    cid = shop.come("user", "cid", locale="no tag!", at=1)
    cid.say("connect")
    next_frame(cid, "connect_queue")
    assert next_frame(cid, "words")["payload"]["message"] == "Welcome to ."


def test_another_tab_does_not_change_the_language_of_who_waits(shop: Shop) -> None:
    ann = shop.come("user", "ann", locale="de")
    ann.say("connect", {"language": "fr", "department": "sales"})
    next_frame(ann, "connect_queue")
    assert next_frame(ann, "words")["payload"]["message"] == "Bonjour."
    for at, locale in ((0, "en"), (1, "de")):
        tab = shop.come("user", "ann", locale=locale, at=at)
        tab.say("connect")
        assert next_frame(tab, "words")["payload"]["message"] == "Bonjour."


def test_a_language_counts_that_was_said_before_the_site_had_any_words(
    shop: Shop, words: WordsTable
) -> None:
    for row in TEXTS:
        words.remove(row.department, row.what, row.language)
    bea = shop.come("user", "bea")
    bea.say("connect")
    next_frame(bea, "connect_queue")
    until(lambda: not said_to_who_waits(bea))
    ann = shop.come("user", "ann", locale="de")
    words.set(TEXTS[0], LONGEST)
    words.set(TEXTS[1], LONGEST)
    until(lambda: said_to_who_waits(bea))
    ann.say("connect")
    assert next_frame(ann, "words")["payload"]["message"] == "Willkommen."


def said_to_who_waits(client: Client) -> list[str]:
    """What the site says by itself to one who has asked, and leaves the queue and asks again."""
    client.say("disconnect")
    next_frame(client, "disconnected")
    client.say("connect")
    asked = client.say("auth", {"token": "marker"})
    found = []
    while (frame := client.receive()).get("reply_id") != asked:
        found += [frame["payload"]["message"]] if frame["type"] == "words" else []
    return found


def test_the_browsers_first_language_counts_where_the_client_says_none(
    servers: list[LiveServer],
) -> None:
    for header, locale, text in [
        ("de-CH, en;q=0.8", None, "Willkommen."),
        ("de;q=0.9", "en", "Welcome to ."),
        ("*", None, "Welcome to ."),
    ]:
        ann = Client(servers[1], "user", header={"Accept-Language": header})
        with closing(ann.ws):
            more = {} if locale is None else {"locale": locale}
            token = servers[1].token("user", f"ann {header}")
            ann.say("auth", {"token": token, "version": 2, **more})
            ann.say("connect")
            next_frame(ann, "connect_queue")
            assert next_frame(ann, "words")["payload"]["message"] == text


def test_version_1_is_sent_none_of_it(shop: Shop) -> None:
    ann = shop.asks("ann", version=1)
    next_frame(ann, "connect_queue")
    wanda = shop.serves("wanda", version=1, at=1)
    next_frame(ann, "connect_success")
    user = next_frame(wanda, "new_connection")["payload"]["uuid"]
    wanda.text("Good day", user)
    assert next_frame(ann, "message_text")["payload"] == {"message": "Good day"}
    ann.text("Hello")
    assert next_frame(wanda, "message_text")["payload"] == {"message": "Hello"}


def test_a_site_says_what_was_set_meanwhile_and_then_nothing(shop: Shop, words: WordsTable) -> None:
    for row in TEXTS:
        words.remove(row.department, Occasion(row.what), row.language)
    wanda, ann = shop.serves("wanda"), shop.come("user", "ann", at=1)

    def is_silent() -> bool:
        ann.say("connect")
        met(ann, wanda)
        says(ann, "Hello")
        ann.say("disconnect")
        shown = []
        while (frame := wanda.receive())["type"] != "disconnected":
            shown.append(frame)
        return not any("words" in (one.get("payload") or {}) for one in shown)

    until(is_silent)


# ---- a worker that is killed -------------------------------------------------


def test_words_of_a_worker_that_is_killed_are_written_by_another_one(
    url: str, words: WordsTable, own_redis: RedisServer
) -> None:
    for row in TEXTS:
        words.set(row, LONGEST)
    env = {
        "CSAPP_DATABASE_URL": url, "CSAPP_REDIS_URL": own_redis.url, "CSAPP_GRACE": "60",
        "CSAPP_HEARTBEAT": "3600",
    }  # fmt: skip
    with LiveServer.gunicorn(env=env) as one, LiveServer.gunicorn(env=env) as other:
        shop = Shop(one, other)
        ann, wanda = shop.come("user", "ann", at=1), shop.come("waiter", "wanda")
        ann.say("connect", {"language": "de"})
        next_frame(ann, "connect_queue")
        with closing(open_store(url)) as store, store.engine.connect() as held:
            held.exec_driver_sql("BEGIN IMMEDIATE")  # nothing can be written
            wanda.say("ready")
            next_frame(ann, "connect_success")
            os.kill(one.worker_pid, signal.SIGKILL)
            held.rollback()
        assert said(ann, 3) == [
            ("", "joined", ""), ("greeting", "Willkommen.", ""),
            ("first", "You speak with Wanda of .", ""),
        ]  # fmt: skip
        assert_quiet(ann)
        shop.close()
