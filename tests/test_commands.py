"""What commands say in numbers, and the files that they write."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from csapp import create_app
from services.clock import KEY_BITS
from services.history.opening import open_store
from services.history.port import Batch, Visit
from services.words import counted
from testkit.server import ROOT, SECRET

from .history.people import BEGAN, keep


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One conversation of Ada's with one text and one note."""
    path = tmp_path / "of the shop" / "csapp.db"
    path.parent.mkdir()
    with contextlib.closing(open_store(f"sqlite:///{path}")) as store:
        store.migrate()
        keep(store, 0x1A, ["Hello"], notes=["kind"])
    return path


@pytest.fixture
def app(database: Path) -> Flask:
    app = create_app({"CSAPP_SECRET_KEY": SECRET})
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, database_url=f"sqlite:///{database}")
    return app


def run(app: Flask, *words: str | Path) -> Result:
    return app.test_cli_runner().invoke(args=["chat", *map(str, words)])


EXPORT = ("export", "--person", "ada", "--output")
BACKUP = ("backup",)
WRITERS = pytest.mark.parametrize("command", [EXPORT, BACKUP], ids=["export", "backup"])


# ---- numbers ---------------------------------------------------------------


@pytest.mark.parametrize(("number", "said"), [
    (0, "0 texts"), (1, "1 text"), (2, "2 texts"), (12_345, "12,345 texts")
])  # fmt: skip
def test_a_number_and_its_plural(number, said):
    assert counted(number, "text") == said


def test_another_plural():
    assert [counted(number, "was", "were") for number in (1, 2)] == ["1 was", "2 were"]


def test_one_of_each(app: Flask, tmp_path: Path):
    assert "1 conversation, 1 message;" in run(app, "backup", tmp_path / "copy.db").output
    assert (
        "Deleted 0 conversations, 0 entries, 0 notes."
        in run(app, "sweep", "--older-than", "36500").output
    )
    said = run(app, "erase", "--person", "wim", "--yes").output
    assert "Erased 0 conversations, 0 entries, 0 notes." in said
    assert "Replaced the name in 1 conversation and 1 text of others." in said
    assert "Replaced the id in 0 visits." in said
    assert "Removed 0 rows of duty, account and membership." in said
    assert (
        "Erased 1 conversation, 1 entry, 1 note."
        in run(app, "erase", "--person", "ada", "--yes").output
    )


def test_a_sweep_of_one(app: Flask):
    assert (
        "Deleted 1 conversation, 1 entry, 1 note." in run(app, "sweep", "--older-than", "1").output
    )


def test_the_doctor_counts_one_connection(app: Flask):
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, connections_per_ip=1)
    assert "visitors share 1 connection and 1 place\n" in run(app, "doctor").output


# ---- files -----------------------------------------------------------------


def test_a_dash_is_standard_output(app: Flask, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dash in ("-", "--force -"):
        said = run(app, "export", "--person", "ada", "--output", *dash.split()[::-1])
        assert said.exit_code == 0
        assert [one["id"] for one in json.loads(said.stdout)["conversations"]] == ["1a"]
    assert not Path("-").exists()
    assert run(app, *EXPORT, "./-").exit_code == 0
    assert json.loads(Path("-").read_text())["conversations"]


def test_a_backup_is_no_text(app: Flask, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["-"], ["--force", "-"]):
        said = run(app, "backup", *words)
        assert said.exit_code == 2
        assert "FILE: a backup is made in a file, not on standard output" in said.output
    assert not Path("-").exists()
    assert run(app, "backup", "./-").exit_code == 0
    assert Path("-").read_bytes().startswith(b"SQLite format 3")


@WRITERS
def test_what_cannot_be_a_file_is_named(app: Flask, tmp_path: Path, command: tuple[str, ...]):
    (tmp_path / "folder").mkdir()
    (tmp_path / "to folder").symlink_to(tmp_path / "folder")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "loose").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    before = sorted(tmp_path.iterdir())
    for name, said in {
        "folder": "is a directory",
        "folder/": "is a directory",
        "none/": "a file needs a name",
        "to folder": "is a directory",
        "file/x": f"{tmp_path / 'file'}: is no folder",
        "none/x": f"{tmp_path / 'none'}: there is no such folder",
        "pipe": "pipe is no plain file",
        "null": "null is no plain file",
    }.items():
        for force in ((), ("--force",)):
            done = run(app, *force_after(command, force), f"{tmp_path}/{name}")
            assert done.exit_code in (1, 2), done.output
            assert said in done.output
    for name in ("file", "loose"):
        done = run(app, *command, tmp_path / name)
        assert (done.exit_code, done.output) == (
            1, f"Error: {tmp_path / name} exists; --force overwrites it\n"
        )  # fmt: skip
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "precious"


def force_after(command: tuple[str, ...], force: tuple[str, ...]) -> tuple[str, ...]:
    """The option behind the command's name, because the file comes last."""
    return (command[0], *force, *command[1:])


@WRITERS
def test_the_database_is_not_overwritten(
    app: Flask, database: Path, command: tuple[str, ...], tmp_path: Path
):
    os.link(database, tmp_path / "link")
    for target in (database, tmp_path / "link"):
        done = run(app, *force_after(command, ("--force",)), target)
        assert (done.exit_code, "is the database itself" in done.output) == (1, True)
    assert run(app, "export", "--person", "ada").exit_code == 0


@WRITERS
def test_a_place_that_cannot_be_written_is_named(app: Flask, command: tuple[str, ...]):
    done = run(app, *command, "/proc/x")  # not even by root
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].startswith("Error: /proc/x: ")
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("command", "others"),
    [
        (EXPORT[:-1], 1),  # for whom it is
        (("waiter", "list"), 0),
        (("token", "--role", "user", "--sub", "ann"), 0),
    ],
    ids=["export", "waiter-list", "token"],
)
def test_a_full_standard_output_is_said(database: Path, command: tuple[str, ...], others: int):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "csapp", "chat", *command],
            cwd=ROOT,
            env={
                **os.environ,
                "CSAPP_SECRET_KEY": SECRET,
                "CSAPP_DATABASE_URL": f"sqlite:///{database}",
                "CSAPP_AUDIENCE": "",
            },
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    said = done.stderr.splitlines()[others:]
    assert said == ["Error: standard output: No space left on device"]


# ---- departments -----------------------------------------------------------


def said_by(app: Flask, *words: str, code: int = 0) -> str:
    """What a command says."""
    done = run(app, *words)
    assert done.exit_code == code, done.output
    return done.output


def with_waiters(app: Flask, *names: str) -> None:
    for name in names:
        said_by(app, "waiter", "add", name, "--generate")


#: what stands in the blocks of that page, at odd places
PAGE = re.split(r"```(?:sh|python)?\n", (ROOT / "docs" / "departments.md").read_text())


def test_what_departments_md_says_to_type(app: Flask):
    """Its five commands, and the table that they lead to."""
    with_waiters(app, "ada", "lin")
    commands = [line.split(" chat ")[1] for line in PAGE[1].splitlines() if " chat " in line]
    assert len(commands) == 5
    for command in commands:
        assert "Servers know it within 5 s." in said_by(app, *shlex.split(command))
    assert said_by(app, "department", "list") == PAGE[3]


def test_a_site_without_departments_is_told_how_to_make_one(app: Flask):
    assert "chat department add KEY" in said_by(app, "department", "list")


def test_a_department_is_made_changed_and_removed(app: Flask):
    said_by(app, "department", "add", "support")
    assert said_by(
        app, "department", "add", "sales", "--name", "de=Verkauf = alles", "--max-queue", "20",
        "--overflow", "support:60", "--member", "ada:5", "--member", "user:x",
    ) == (
        "sales: enabled; names de=Verkauf = alles; members ada:5 user:x:0; "
        "overflow to support:60; at most 20 wait. Servers know it within 5 s.\n"
    )  # fmt: skip
    assert said_by(
        app, "department", "set", "sales", "--disable", "--name", "de=", "--overflow", "",
        "--max-queue", "0", "--no-member", "ada", "--member", "user:7:3",
    ) == (
        "sales: disabled; no names; members user:7:3 user:x:0. Servers know it within 5 s.\n"
    )  # fmt: skip
    assert "sales: enabled;" in said_by(app, "department", "set", "sales", "--enable")
    for seconds, shown in (("60", "; answers within 60 s."), ("0", "; no time for answers.")):
        assert shown in said_by(app, "department", "set", "sales", "--answer-within", seconds)
    assert "answers" not in said_by(app, "department", "set", "sales", "--answer-within", "")
    assert "'': enabled; no names; no members; overflow to sales:0." in said_by(
        app, "department", "set", "", "--overflow", "sales:0"
    )
    assert "overflow to '':9." in said_by(app, "department", "set", "support", "--overflow", ":9")
    assert said_by(app, "department", "remove", "sales").startswith("sales is removed.")
    assert said_by(app, "department", "list").splitlines()[1:] == [
        "''              enabled                                    open",
        "support         enabled           '':9                     open",
    ]


def test_the_list_says_which_departments_are_open_and_until_when(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    """On a Monday at 11:00 in Berlin."""
    monkeypatch.setattr(time, "time", lambda: 1_780_304_400.0)
    zone = ("--zone", "Europe/Berlin")
    for key, more in {
        "always": (), "noon": ("--hours", "mo 9:00-12:00", *zone),
        "shut": ("--hours", "closed", *zone), "tuesday": ("--hours", "tu 9:00-12:00", *zone),
    }.items():  # fmt: skip
        said_by(app, "department", "add", key, *more)
    said_by(app, "department", "add", "off")
    said_by(app, "department", "set", "off", "--disable")
    said_by(app, "department", "set", "", "--overflow", "tuesday:0")
    head, *lines = said_by(app, "department", "list").splitlines()
    begin, end = head.index("NOW"), head.index("HOURS")
    assert {line.split()[0]: line[begin:end].strip() for line in lines} == {
        "''": "closed until 2026-06-02 07:00 UTC", "always": "open",
        "noon": "open until 2026-06-01 12:00", "off": "closed", "shut": "closed",
        "tuesday": "closed until 2026-06-02 09:00",
    }  # fmt: skip


def test_the_list_says_until_when_an_overflow_lets_visitors_in(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    """On a Saturday at 12:00: sales is closed and passes its visitors on."""
    monkeypatch.setattr(time, "time", lambda: 1_780_142_400.0)
    week = ("--zone", "UTC", "--hours")
    said_by(app, "department", "add", "support", *week, "sa 0:00-23:00")
    said_by(app, "department", "add", "sales", *week, "mo 9:00-17:00", "--overflow", "support:0")
    said_by(app, "department", "add", "off", "--overflow", "support:0")
    said_by(app, "department", "set", "off", "--disable")
    said_by(app, "department", "add", "slow", *week, "mo 9:00-17:00", "--overflow", "support:60")
    said_by(app, "department", "add", "round", *week, "sa 23:00-24:00", "--overflow", "support:0")
    head, *lines = said_by(app, "department", "list").splitlines()
    begin, end = head.index("NOW"), head.index("HOURS")
    assert {line.split()[0]: line[begin:end].strip() for line in lines} == {
        "''": "open", "support": "open until 2026-05-30 23:00",
        "sales": "open until 2026-05-30 23:00", "off": "closed",
        "slow": "closed until 2026-06-01 09:00", "round": "open until 2026-05-31 00:00",
    }  # fmt: skip


def test_the_hours_of_a_department(app: Flask):
    said = said_by(
        app, "department", "add", "sales", "--hours", "mo-fr 09:00-17:30; sa 10:00-14:00",
        "--zone", "Europe/Berlin", "--date", "2026-12-25=closed", "--date", "2026-12-24=9:00-12:00",
    )  # fmt: skip
    shown = "mo-fr 9:00-17:30; sa 10:00-14:00; 2026-12-24 9:00-12:00; 2026-12-25 closed"
    assert f"open {shown} (Europe/Berlin). " in said
    assert f"{shown} (Europe/Berlin)\n" in said_by(app, "department", "list")
    said = said_by(app, "department", "set", "sales", "--hours", "", "--no-date", "2026-12-24")
    assert "open always; 2026-12-25 closed (Europe/Berlin). " in said
    said = said_by(app, "department", "set", "sales", "--no-date", "2026-12-25")
    assert "open" not in said
    said = said_by(app, "department", "set", "", "--hours", "su closed", "--zone", "UTC")
    assert "'': enabled; no names; no members; closed (UTC). " in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "Sales"), "key: 1 to 40 characters"),
        (("add", "support"), "key: there is a department support already"),
        (("add", ""), "key: 1 to 40 characters"),
        (("remove", "nowhere"), "key: there is no department nowhere"),
        (("remove", ""), 'key: "" is there always'),
        (("set", "", "--disable"), "enabled: "),
        (("set", "support"), "an option is needed"),
        (("set", "nowhere", "--enable"), "key: there is no department nowhere"),
        (("set", "support", "--name", "Hilfe"), "de=Verkauf"),
        (("set", "support", "--name", "x=Hilfe"), "names: a language tag"),
        (("set", "support", "--overflow", "nowhere:1"), "overflow: there is no department nowhere"),
        (("set", "support", "--overflow", "support"), "support:60"),
        (("set", "support", "--answer-within", "soon"), "seconds are needed"),
        (("set", "support", "--answer-within", "86401"), "answer_within: 0 to 86,400"),
        (("set", "support", "--overflow", ":-1"), "support:60"),
        (("set", "support", "--overflow", ":86401"), "overflow: 0 to 86,400"),
        (("set", "support", "--overflow", "support:1"), "overflow: visitors would go round"),
        (("set", "support", "--max-queue", "1000001"), "--max-queue"),
        (("set", "support", "--member", "ada:10"), "a priority is 0 to 9"),
        (("set", "support", "--member", ":1"), "members: the id of a waiter"),
        (("set", "support", "--no-member", "ada"), "members: ada is none"),
        (
            ("set", "support", "--hours", "mo 9-17", "--zone", "UTC"),
            "hours: times such as 9:00-17:",
        ),
        (("set", "support", "--hours", "mo 9:00-17:00"), "zone: hours need a time zone"),
        (("set", "support", "--zone", "Europe/Berlinn"), "did you mean Europe/Berlin?"),
        (("set", "support", "--date", "2026-12-25"), "such as 2026-12-25=closed"),
        (("set", "support", "--zone", "UTC", "--date", "25.12.=closed"), "dates: a date such as"),
        (("set", "support", "--no-date", "2026-12-25"), "dates: 2026-12-25 is none"),
    ],
)
def test_what_cannot_be_of_a_department_is_named(app: Flask, words: tuple[str, ...], why: str):
    said_by(app, "department", "add", "support")
    before = said_by(app, "department", "list")
    failed = run(app, "department", *words)
    assert failed.exit_code > 0
    assert why in failed.output
    assert "Traceback" not in failed.output
    assert said_by(app, "department", "list") == before


def test_a_waiter_belongs_where_its_command_says(app: Flask):
    for key in ("sales", "support"):
        said_by(app, "department", "add", key)
    said = said_by(app, "waiter", "add", "Ada", "--generate", "--department", "sales:5",
                   "--department", "")  # fmt: skip
    assert "ada is a member of sales:5, '':0. Servers know it within 5 s.\n" in said
    with_waiters(app, "lin")

    def places() -> dict[str, str]:
        lines = said_by(app, "waiter", "list").splitlines()
        start = lines[0].find("DEPARTMENTS")
        return {line.split()[0]: line[start:] if start > 0 else "no column" for line in lines[1:]}

    assert places() == {"ada": "'':0 sales:5", "lin": ""}
    assert said_by(app, "waiter", "set", "ADA", "--department", "support") == (
        "ada is a member of support:0. Servers know it within 5 s.\n"
    )
    assert places()["ada"] == "support:0"
    said = said_by(app, "waiter", "set", "ada", "--display-name", "Ada L.", "--department", "")
    assert "ada is Ada L. to visitors" in said
    assert "ada is a member of no department" in said
    assert places()["ada"] == "no column", "nobody is a member of any"


def test_a_department_that_there_is_not_changes_nothing_of_a_waiter(app: Flask):
    with_waiters(app, "ada")
    unknown = "department: there is no department nowhere"
    assert unknown in said_by(app, "waiter", "add", "lin", "--department", "nowhere", code=1)
    for words in (("ada",), ("ada", "--display-name", "Somebody")):
        assert unknown in said_by(app, "waiter", "set", *words, "--department", "nowhere", code=1)
    said = said_by(app, "waiter", "set", "mia", "--department", "", code=1)
    assert "name: there is no account mia" in said
    assert "Somebody" not in said_by(app, "waiter", "list")
    assert "lin" not in said_by(app, "waiter", "list")


def test_departments_need_a_database(app: Flask):
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, database_url="off")
    for words in (("list",), ("add", "sales"), ("set", "sales", "--enable"), ("remove", "sales")):
        said = said_by(app, "department", *words, code=1)
        assert "no departments without a database: set CSAPP_DATABASE_URL" in said


# ---- words by themselves -----------------------------------------------------


def test_what_departments_md_says_to_type_about_words(app: Flask):
    said_by(app, "department", "add", "sales")
    (block,) = [block for block in PAGE if "chat words" in block and "chat words set" in block[:80]]
    commands = [line.split(" chat ")[1] for line in block.splitlines() if " chat " in line]
    *changes, shown, removal = [shlex.split(one) for one in commands]
    for command in changes:
        assert said_by(app, *command).endswith(f"{command[3]}\nServers know it within 5 s.\n")
    assert said_by(app, *shown).splitlines() == [
        "DEPARTMENT  WHAT      LANGUAGE  AFTER  TEXT",
        "''          greeting  en               Welcome to {department}.",
        "''          greeting  de               Willkommen.",
        "''          looking   en        60     Thank you for waiting.",
        "sales       first     en               You speak with {name}.",
        "sales       first     de               Sie sprechen mit {name}.",
    ]
    assert said_by(app, *removal).startswith("2 texts are removed.")


def test_a_site_that_says_nothing_is_told_how_to(app: Flask):
    assert "chat words set greeting" in said_by(app, "words", "list")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("set", "greeting", "x"), "--language"),
        (("set", "farewell", "x", "--language", "en"), "farewell"),
        (("set", "greeting", "", "--language", "en"), "text: 1 to 4,096 characters"),
        (("set", "greeting", "x" * 4097, "--language", "en"), "text: 1 to 4,096 characters"),
        (("set", "greeting", "x", "--language", "no tag"), "language: a language tag is required"),
        (
            ("set", "greeting", "x", "--language", "en", "--after", "9"),
            "--after is of looking only",
        ),
        (("set", "looking", "x", "--language", "en", "--after", "0"), "--after"),
        (("set", "greeting", "x", "--language", "en", "--department", "no"), "no department no"),
        (("remove", "greeting"), "there is no such text"),
    ],
)
def test_words_that_do_not_fit_are_named(app: Flask, words: tuple[str, ...], why: str):
    failed = run(app, "words", *words)
    assert failed.exit_code > 0
    assert why in failed.output
    assert "Traceback" not in failed.output
    assert "says nothing by itself" in said_by(app, "words", "list")


def test_words_need_a_database_and_are_in_the_security_log(app: Flask, caplog):
    caplog.set_level(logging.INFO, "csapp.security")
    said_by(app, "words", "set", "greeting", "Hello.", "--language", "en")
    said_by(app, "words", "remove", "greeting")
    lines = [re.sub(r" by=command/\S+", "", one.getMessage()) for one in caplog.records]
    assert lines == [
        "event=department_changed reason=\"'' greeting set\"",
        "event=department_changed reason=\"'' greeting removed\"",
    ]
    server = app.extensions["csapp"].server
    server.settings = dataclasses.replace(server.settings, database_url="off")
    assert "no words without a database" in said_by(app, "words", "list", code=1)


def test_changes_of_departments_are_in_the_security_log(app: Flask, caplog):
    caplog.set_level(logging.INFO, "csapp.security")
    with_waiters(app, "ada")
    caplog.clear()
    said_by(app, "department", "add", "sales", "--member", "lin:3")
    said_by(app, "department", "set", "sales", "--no-member", "lin", "--name", "de=Verkauf")
    said_by(app, "waiter", "set", "ada", "--department", "sales")
    said_by(app, "department", "remove", "sales")
    lines = [re.sub(r" by=command/\S+", "", one.getMessage()) for one in caplog.records]
    assert lines == [
        'event=department_changed reason="sales added"',
        'event=department_changed subject=lin reason="sales has a member"',
        'event=department_changed reason="sales changed"',
        'event=department_changed subject=lin reason="sales has a member no more"',
        "event=account_changed subject=ada reason=departments",
        'event=department_changed reason="sales removed"',
    ]


# ---- reports ---------------------------------------------------------------------


@pytest.fixture
def visited(database: Path) -> None:
    """Two visitors on the second of January 2026 at three o'clock, and one a day later."""
    with contextlib.closing(open_store(f"sqlite:///{database}")) as store:
        day = 86_400_000
        served = Visit(
            BEGAN << KEY_BITS, BEGAN, "sales", BEGAN + 61_000, "wim", BEGAN + 3_800_000, "left"
        )
        closed = (
            Visit(at << KEY_BITS, at, "=care", ended=at, outcome="closed")
            for at in (BEGAN + 1, BEGAN + day)
        )
        store.commit(Batch(visits=[served, *closed]))


DAYS = ("--from", "2026-01-01", "--to", "2026-01-03")


@pytest.mark.usefixtures("visited")
def test_a_report_is_a_table(app: Flask) -> None:
    result = run(app, "report", *DAYS)
    assert result.exit_code == 0
    said = """2026-01-01 to 2026-01-03, UTC

DAY ASKED SERVED ABANDONED OFFLINE FULL MESSAGES WAITED 95 % ANSWER 95 % LASTED 95 %
2026-01-01 0 0 0 0 0 0 - - - - - -
2026-01-02 2 1 0 1 0 0 1:01 1:01 - - 1:02:19 1:02:19
2026-01-03 1 0 0 1 0 0 - - - - - -
all 3 1 0 2 0 0 1:01 1:01 - - 1:02:19 1:02:19"""
    assert [" ".join(line.split()) for line in result.output.splitlines()] == said.splitlines()


@pytest.mark.usefixtures("visited")
def test_a_report_is_csv_that_no_spreadsheet_calculates(app: Flask) -> None:
    result = run(app, "report", *DAYS, "--by", "department", "--format", "csv")
    assert result.output.splitlines() == [
        "department,asked,served,abandoned,offline,full,messages,"
        "waited_median,waited_p95,answer_median,answer_p95,lasted_median,lasted_p95",
        "'=care,2,0,0,2,0,0,,,,,,",
        "sales,1,1,0,0,0,0,61.0,61.0,,,3739.0,3739.0",
    ]


@pytest.mark.usefixtures("visited")
def test_a_report_is_json(app: Flask) -> None:
    options = ("--by", "waiter", "--format", "json", "--zone", "Europe/Berlin")
    found = json.loads(run(app, "report", *DAYS, *options).output)
    assert found["days"] == "2026-01-01 to 2026-01-03, Europe/Berlin"
    (row,) = found["rows"]
    assert (row["waiter"], row["served"], row["waited_median"]) == ("wim", 1, 61.0)
    assert (found["all"]["asked"], found["all"]["answer_median"]) == (3, None)


def test_a_report_is_of_today_unless_it_is_said_otherwise(app: Flask) -> None:
    today = str(datetime.now(UTC).date())
    first, _, head, day = run(app, "report").output.splitlines()
    assert first in (f"{today}, UTC", f"{datetime.now(UTC).date()}, UTC")
    assert head.startswith("DAY")
    assert day.split()[1:] == [*"000000", *"------"]
    hours = run(app, "report", "--by", "hour", "--to", "2026-01-01").output.splitlines()
    assert hours[0] == "2026-01-01, UTC"
    assert [line.split()[0] for line in hours[3:]] == [*(f"{n:02}:00" for n in range(24)), "all"]


@pytest.mark.parametrize(("options", "said"), [
    (("--from", "yesterday"), "a date is needed"),
    (("--from", "2026-01-02", "--to", "2026-01-01"), "before --to"),
    (("--from", "0001-01-01"), "at most 3660 days"),
    (("--to", "9999-12-31"), "nothing in such a year"),
    (("--zone", "Nowhere/Else"), "a time zone is needed"),
    (("--zone", "../etc/passwd"), "a time zone is needed"),
    (("--zone", ""), "a time zone is needed"),
    (("--by", "moon"), "is not one of"),
])  # fmt: skip
def test_a_report_says_what_it_does_not_take(app: Flask, options: tuple[str, ...], said: str):
    result = run(app, "report", *options)
    assert result.exit_code == 2
    assert said in result.output
