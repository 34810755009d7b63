"""Exports and the commands: whatever people wrote is data, never markup, formula or control."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import html.parser
import io
import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from playwright.sync_api import sync_playwright

from csapp import create_app
from services.conversation.rows import ConversationRow
from services.history import care, export
from services.history.canned import CannedReplies
from services.history.opening import open_store
from services.history.sql import SQLStore
from services.wire.dates import rfc3339
from testkit.server import ROOT, SECRET
from tests.browser.engines.chromium import launched

from .people import BEGAN, keep

SCRIPT = "<script>document.title = 'owned'</script>"
NASTY = [
    SCRIPT,
    "<img src=x onerror=\"document.title = 'owned'\">",
    "</style></title></p><svg onload=\"document.title = 'owned'\">",
    "'\"><b>&amp;{title}",
    "=HYPERLINK(\"http://x.example\")",
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1",
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "line\r\nINJECTED: header\rback",
    "a\u2028b\u2029c\u202ereversed\ufeff",
    "comma, \"quote\"; semicolon",
    "ends with backslash\\",
    "\x7f\x80\x9f",
    "你好 — 😀",
]  # fmt: skip
FIELDS = ("user_subject", "user_name", "waiter_subject", "waiter_name", "department", "page")


def text_of(store: SQLStore, form: str, *chats: ConversationRow) -> str:
    what = export.Export(f"About {SCRIPT}", BEGAN, chats)
    return "".join(export.FORMATS[form](store, what))


@pytest.fixture
def nasty(store: SQLStore) -> tuple[SQLStore, list[ConversationRow]]:
    """Each bad text in each field of a chat."""
    chats = []
    for key, bad in enumerate(NASTY, 1):
        # PostgreSQL and SQLite both keep all of these
        chats.append(
            keep(store, key, [bad, bad], user=bad, waiter=bad, user_name=bad, waiter_name=bad,
                 department=bad, page=bad, notes=[bad])
        )  # fmt: skip
    return store, chats


def test_json_has_everything_as_it_was(nasty: tuple[SQLStore, list[ConversationRow]]):
    store, chats = nasty
    text = text_of(store, "json", *chats)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ufeff]", text)
    read = json.loads(text)
    assert read["exported"] == "2026-01-02T03:04:05.000Z"
    for one, bad in zip(read["conversations"], NASTY, strict=True):
        assert [m["text"] for m in one["messages"]] == [bad, bad]
        assert [m["author"] for m in one["messages"]] == [bad, bad]
        assert [m["from"] for m in one["messages"]] == ["user", "waiter"]
        assert one["user"]["name"] == one["waiter"]["name"] == one["department"] == bad
        assert one["user"]["subject"] == one["waiter"]["subject"] == one["page"] == bad
        assert one["notes"] == [
            {
                "n": 1, "after": 2, "date": "2026-01-02T03:04:05.000Z", "author": bad, "id": None,
                "type": "note", "text": bad,
            }
        ]  # fmt: skip


def test_no_cell_is_a_formula_and_every_row_is_whole(nasty: tuple[SQLStore, list[ConversationRow]]):
    store, chats = nasty
    text = text_of(store, "csv", *chats)
    assert text.startswith("\ufeffconversation,opened,")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
    rows = list(csv.DictReader(io.StringIO(text[1:], newline=""), strict=True))
    assert len(rows) == 3 * len(NASTY)
    for number, row in enumerate(rows):
        assert None not in row
        assert None not in row.values()
        for name, value in row.items():
            assert not re.match(r"[=+\-@\t\r＝]|\s+[=+\-@]", value), (name, value)
        bad = NASTY[number // 3]
        for name in (*FIELDS, "text", "author"):
            assert row[name].removeprefix("'") == export.visible(bad).removeprefix("'")
    for bad in NASTY[4:13]:
        assert export.cell(bad) == "'" + export.visible(bad)
    for good in ("a=b", "1-1", "'quoted'", "", "x@y.example"):
        assert export.cell(good) == good
    assert export.cell(-1) == -1


TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "section", "dl", "dt", "dd",
    "bdi", "span", "article", "header", "b", "time",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "dir", "class", "datetime"}


class Page(html.parser.HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.paragraphs: list[str] = []
        self._in = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "p":
            self.paragraphs.append("")
        self._in = tag == "p"

    def handle_endtag(self, tag: str) -> None:
        self._in = self._in and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._in:
            self.paragraphs[-1] += data


def test_a_page_is_text_only(nasty: tuple[SQLStore, list[ConversationRow]]):
    store, chats = nasty
    text = text_of(store, "html", *chats)
    page = Page()
    page.feed(text)
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
    ) in text
    said = [bad for bad in NASTY for _ in range(3)]
    assert page.paragraphs[1:] == [export.visible(bad) for bad in said]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


@pytest.mark.browser
def test_the_page_in_a_browser(tmp_path: Path, nasty: tuple[SQLStore, list[ConversationRow]]):
    store, chats = nasty
    path = tmp_path / "page.html"
    path.write_text(text_of(store, "html", *chats), encoding="utf-8")
    asked = []
    with sync_playwright() as playwright, launched(playwright) as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert page.title() == f"About {SCRIPT}"
        assert page.locator("article").count() == 3 * len(NASTY)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert asked == [path.as_uri()]


def test_times_are_rfc_3339():
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(BEGAN + 7) == "2026-01-02T03:04:05.007Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999Z"
    assert rfc3339(2**62) == f"{2**62} ms"


def test_nothing_at_all(store: SQLStore):
    assert json.loads(text_of(store, "json"))["conversations"] == []
    assert text_of(store, "csv").count("\r\n") == 1
    assert "There is nothing." in text_of(store, "html")
    silent = keep(store, 1, [], waiter=None, ended=None)
    assert text_of(store, "csv", silent).count("\r\n") == 2
    assert json.loads(text_of(store, "json", silent))["conversations"][0]["messages"] == []


# ---- commands ------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An application with a history: Ada's two chats, and one of Bob's."""
    url = f"sqlite:///{tmp_path / 'csapp.db'}"
    store = open_store(url)
    store.migrate()
    keep(store, 0x1A2B, ["Where is my parcel?", "On its way\x1b[2J\nreally"])
    keep(store, 0x1A2C, ["Thanks"], ended=None)
    keep(store, 0x1A2D, ["A parcel for Bob"], user="bob", waiter="zoe")
    store.close()
    return app_with(url)


def app_with(url: str, **more: int) -> Flask:
    app = create_app({"CSAPP_SECRET_KEY": SECRET})
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, database_url=url, **more)
    return app


def run(app: Flask, *words: str, answer: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=["chat", *words], input=answer)


def test_export_of_a_conversation_and_of_a_person(app: Flask):
    one = json.loads(run(app, "export", "--conversation", "1a2b").stdout)
    assert [chat["id"] for chat in one["conversations"]] == ["1a2b"]
    all_ = json.loads(run(app, "export", "--person", "ada").stdout)
    assert [chat["id"] for chat in all_["conversations"]] == ["1a2b", "1a2c"]
    table = run(app, "export", "--person", "zoe", "--format", "csv")
    assert "A parcel for Bob" in table.stdout
    assert table.stdout_bytes.startswith(b"\xef\xbb\xbf")
    assert run(app, "export", "--person", "bob", "--format", "html").stdout.startswith("<!doctype")


def test_export_to_a_file_overwrites_none_and_is_nobody_elses_to_read(app: Flask, tmp_path: Path):
    path = tmp_path / "out.json"
    words = ("export", "--person", "ada", "--output", str(path))
    assert run(app, *words).exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("precious")
    refused = run(app, *words)
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert path.read_text() == "precious"
    assert run(app, *words, "--force").exit_code == 0
    assert len(json.loads(path.read_text())["conversations"]) == 2
    assert {file.suffix for file in tmp_path.iterdir()} <= {".json", ".db", ".db-wal", ".db-shm"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export"], 2, "either --conversation or --person"),
        (["export", "--conversation", "1", "--person", "a"], 2, "either"),
        (["export", "--conversation", "xyz"], 1, "no conversation has such an id"),
        (["export", "--conversation", "-1"], 1, "no conversation has such an id"),
        (["export", "--conversation", "f" * 40], 1, "no conversation has such an id"),
        (["export", "--conversation", "ffff"], 1, "there is no conversation ffff"),
        (["export", "--person", "nobody"], 1, "nobody called nobody has a conversation"),
        (["erase", "--person", "nobody", "--yes"], 1, "there is nobody called nobody"),
        (["search", "nowhere"], 1, "Nothing was found"),
        (["sweep"], 1, "CSAPP_RETENTION_DAYS is 0"),
        (["backup", "", "--force"], 2, "a file needs a name"),
        (["backup", "x" * 256], 1, "File name too long"),
        (["backup", "\udcff"], 2, "not in UTF-8"),
        (
            ["export", "--person", "ada", "--output", "/nowhere/x"],
            1,
            "/nowhere: there is no such folder",
        ),
        (["export", "--person", "ada", "--output", "", "--force"], 2, "a file needs a name"),
        (["export", "--person", "ada", "--output", "x" * 256], 1, "File name too long"),
        *(
            ([*command, person], 2, "subject: ")
            for command in (
                ["erase", "--yes", "--person"],
                ["export", "--person"],
                ["search", "parcel", "--served-by"],
            )
            for person in ("", "\udcff", "a\0b", "x" * 201)
        ),
    ],
)
def test_what_cannot_be_done_is_said(app: Flask, words: list[str], code: int, said: str):
    result = run(app, *words)
    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_an_erasure_of_nobody_takes_nothing_of_all_waiters(app: Flask):
    store: SQLStore = app.extensions["csapp"].store()
    with contextlib.closing(store):
        CannedReplies(store, 100).add("ada", shortcut="hi", text="Hello", shared=True)
        assert run(app, "erase", "--person", "", "--yes").exit_code == 2
        with pytest.raises(ValueError, match="subject"):
            care.erase(store, "")
        assert [reply.text for reply in CannedReplies(store, 100).all("bob")] == ["Hello"]


def test_erase_asks_first_and_counts(app: Flask):
    assert run(app, "erase", "--person", "ada", answer="n\n").exit_code == 1
    assert run(app, "export", "--person", "ada").exit_code == 0
    done = run(app, "erase", "--person", "ada", answer="y\n")
    assert done.exit_code == 0
    assert "Erased 2 conversations, 3 entries, 0 notes." in done.output
    assert "were open" not in done.output, "no server is there to write them again"
    assert run(app, "export", "--person", "ada").exit_code == 1
    assert run(app, "erase", "--person", "ada", "--yes").exit_code == 1
    assert run(app, "export", "--person", "bob").exit_code == 0


def test_search_shows_a_line_a_hit_and_no_controls(app: Flask):
    lines = run(app, "search", "parcel").stdout.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["1a2d 1", "1a2b 1"]
    assert lines[0].startswith("2026-01-02T03:04:06.000Z  ")
    assert run(app, "search", "parcel", "--limit", "1").stdout.splitlines() == lines[:1]
    assert run(app, "search", "parcel", "--served-by", "zoe").stdout.splitlines() == lines[:1]
    (line,) = run(app, "search", "really").stdout.splitlines()
    assert line.endswith("wim: On its way␛[2J really")


def test_sweep_by_setting_and_by_option(app: Flask):
    assert "Deleted 2 conv" in run(app, "sweep", "--older-than", "1").output
    url = app.extensions["csapp"].server.settings.database_url
    assert "Deleted 0 conv" in run(app_with(url, retention_days=1), "sweep").output
    assert run(app, "export", "--conversation", "1a2c").exit_code == 0, "open chats stay"


def test_without_history_the_commands_say_so(tmp_path: Path):
    for url, said in [
        ("off", "CSAPP_DATABASE_URL is 'off'"),
        (f"sqlite:///{tmp_path / 'empty.db'}", "the history cannot be used"),
    ]:
        result = run(app_with(url), "search", "x")
        assert (result.exit_code, said in result.output) == (1, True), result.output


# ---- a million messages --------------------------------------------------

BIG = """
WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < {last})
"""


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store of a million messages, 100,000 of them in the one chat of *big*, none indexed."""
    path = tmp_path_factory.mktemp("million") / "csapp.db"
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        connection.exec_driver_sql("DROP INDEX message_client_id")  # quicker to make
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(
            BIG.format(last=90_002) + "INSERT INTO chat (key, user, user_subject, opened, ended) "
            "SELECT i, 'u' || i, CASE i WHEN 1 THEN 'big' ELSE 'v' || i END, i, i FROM k"
        )
        connection.exec_driver_sql(
            BIG.format(last=999_999)
            + "INSERT INTO message (n, chat, seq, side, author, kind, body, date) "
            "SELECT i + 1, CASE WHEN i < 100000 THEN 1 ELSE 2 + (i - 100000) / 10 END, "
            "CASE WHEN i < 100000 THEN i + 1 ELSE 1 + i % 10 END, 1, 'big', 1, "
            "'=some words that somebody wrote, with number ' || i, i FROM k"
        )
        connection.exec_driver_sql("COMMIT")
    store.close()
    yield path
    path.unlink()


WORK = """
import os, resource, sys
from services.history import care, export, search
from services.history.opening import open_store
store = open_store("sqlite:///" + sys.argv[1])
care.sweep(store, 0, 0)  # what any work takes
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{work}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
EXPORT = """
pieces = export.FORMATS["{form}"](
    store, export.Export("All", 0, care.{chats}))
print(sum(map(len, pieces)))
"""


@pytest.mark.parametrize(
    ("work", "at_least"),
    [
        (EXPORT.format(form="json", chats="find_conversation(store, 1)"), 10_000_000),
        (EXPORT.format(form="csv", chats="find_conversation(store, 1)"), 10_000_000),
        (EXPORT.format(form="html", chats="find_conversation(store, 1)"), 10_000_000),
        ("print(len(search.search(store, 'words that', served_by='nobody').hits) + 1)", 1),
        ("print(len(search.search(store, 'words that').hits))", 50),
        ("print(sum(1 for _ in care.conversations_of(store, 'v7')))", 1),
        ("print(care.sweep(store, 0, 5_000, pause=lambda _: None).messages)", 145_000),
    ],
    ids=["json", "csv", "html", "search nothing", "search", "person", "sweep"],
)
def test_a_million_messages_take_little_memory(
    million: Path, tmp_path: Path, work: str, at_least: int
):
    if "sweep" in work:  # the others still need them
        million = Path(shutil.copy(million, tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", WORK.format(work=work), str(million)],
        check=True, capture_output=True, text=True, timeout=110, cwd=ROOT,
    )  # fmt: skip
    count, grown = map(int, done.stdout.split())
    assert count >= at_least
    assert grown < 64, "MB: SQLite's page cache is 32"


def test_the_names_of_the_formats_are_those_of_the_command():
    assert list(export.FORMATS) == ["json", "csv", "html"]
    assert care.DAY == 24 * 60 * 60 * 1000
