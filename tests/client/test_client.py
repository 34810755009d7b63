"""`csapp-client.js`: by itself with a clock of its own, and on the real server."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.wire.codes import RECONNECT, CloseCode
from testkit import LiveServer
from testkit.proxy import BOTH, TO_CLIENT, TO_SERVER, FaultProxy
from testkit.server import ROOT

from ..chaos.victim import SETTINGS, Victim, real
from .page import Page, State

HERE = Path(__file__).parent
CLIENT = ROOT / "blueprints" / "widget" / "static" / "csapp-client.js"


def is_served(state: State) -> bool:
    return state["phase"] == "served" and state["status"]["state"] == "online"


def serves(number: int) -> Any:
    """A condition: the waiter has so many open chats."""
    return lambda state: sum(chat["state"] == "open" for chat in state["chats"].values()) == number


def sent(number: int) -> Any:
    """A condition: all is sent, and there are so many messages in the only open chat."""

    def is_so(state: State) -> bool:
        shown = [chat for chat in state["chats"].values() if chat["state"] == "open"]
        return (
            len(shown) == 1 and [one["state"] for one in shown[0]["messages"]] == ["sent"] * number
        )

    return is_so


def said(page: Page) -> list[tuple[int, str, bool]]:
    return [(one["seq"], one["text"], one["own"]) for one in page.messages]


class Talk:
    """A user and a waiter who say numbered texts to each other."""

    def __init__(self, user: Page, waiter: Page) -> None:
        self.user, self.waiter = user, waiter
        self.texts: dict[Page, list[str]] = {user: [], waiter: []}
        self._numbers = count()
        user.call("connect", {"page": "/shop"})
        waiter.call("ready", {"capacity": 3})
        user.wait(is_served)
        waiter.wait(serves(1))
        (self.conversation,) = waiter.chats

    def say(self, page: Page, times: int = 1) -> None:
        """*page* says some more."""
        for _ in range(times):
            text = f"{page.name} {next(self._numbers)}"
            self.texts[page].append(text)
            page.call("send", text, *([self.conversation] if page is self.waiter else []))

    def assert_told(self) -> None:
        """Both show the same: all that was said, once, each side's in its order."""
        number = sum(len(texts) for texts in self.texts.values())
        for page in self.texts:
            page.wait(sent(number), f"not all of {number} messages")
        assert [(seq, text) for seq, text, _ in said(self.user)] == [
            (seq, text) for seq, text, _ in said(self.waiter)
        ]
        for page, texts in self.texts.items():
            assert [text for _, text, own in said(page) if own] == texts
            assert page.state["problems"] == []


@contextmanager
def talking(server: Any) -> Iterator[Talk]:
    with Page(server, "user", "ann") as user, Page(server, "waiter", "wim") as waiter:
        yield Talk(user, waiter)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/client.db"


@pytest.fixture
def server(database: str) -> Iterator[LiveServer]:
    with LiveServer.gunicorn(env={**SETTINGS, "CSAPP_DATABASE_URL": database}) as server:
        yield server


# ---- by itself --------------------------------------------------------------


def node(*args: str) -> str:
    done = subprocess.run(
        ["node", *args], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_units():
    node("--test", *map(str, sorted(HERE.glob("*.test.mjs"))))


def test_close_codes_are_those_of_the_server():
    script = f"import * as client from '{CLIENT.as_uri()}'; console.log(JSON.stringify(client))"
    there = json.loads(node("--input-type=module", "-e", script))["CLOSE_CODES"]
    assert {int(code): row["reconnect"] for code, row in there.items()} == {
        int(code): code in RECONNECT for code in CloseCode
    }
    assert all(row["text"] for row in there.values())


# ---- on a good line ---------------------------------------------------------


def test_both_roles_talk(server: LiveServer):
    with talking(server) as talk:
        for _ in range(5):
            talk.say(talk.user)
            talk.say(talk.waiter)
        talk.assert_told()


# ---- the server dies --------------------------------------------------------


def test_nothing_is_lost_doubled_or_moved_when_the_server_is_killed(database: str):
    with Victim(real(database)) as victim, talking(victim.server) as talk:
        for _ in range(4):
            talk.say(talk.user, 7)
            talk.say(talk.waiter, 7)
            victim.kill_server()
            talk.say(talk.user, 2)
        talk.assert_told()


# ---- the line dies ----------------------------------------------------------


def swallow(line: FaultProxy, ways: Any, talk: Talk) -> None:
    """A line that stays open and brings nothing, until both have noticed by themselves."""
    for page in talk.texts:
        page.wait(lambda state: state["status"]["state"] == "online", "it is back")
    line.black_hole(ways)
    for page in talk.texts:
        talk.say(page)
    for page in talk.texts:
        page.wait(lambda state: state["status"]["state"] != "online", "the line is dead")


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_doubled_or_moved_on_a_bad_line(server: LiveServer, seed: int):
    dice = random.Random(seed)
    with FaultProxy(server) as line, talking(line) as talk:
        faults = [
            line.reset,
            lambda: line.reset(TO_SERVER),
            lambda: line.close(TO_CLIENT),
            lambda: line.cut_after(dice.randrange(600), TO_SERVER),
            lambda: line.cut_after(dice.randrange(600), TO_CLIENT),
            lambda: swallow(line, BOTH, talk),
            lambda: swallow(line, TO_CLIENT, talk),
            lambda: swallow(line, TO_SERVER, talk),
        ]
        dice.shuffle(faults)
        for fault in faults:
            talk.say(dice.choice([talk.user, talk.waiter]), dice.randrange(6))
            fault()
            talk.say(dice.choice([talk.user, talk.waiter]), dice.randrange(1, 6))
            line.heal()
        talk.assert_told()
