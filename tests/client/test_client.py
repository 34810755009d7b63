"""`csapp-client.js`: by itself with a clock of its own, and on the real server."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from blueprints.kit.assets import asset
from blueprints.widget.pages import STATIC
from services.wire.codes import RECONNECT, CloseCode
from testkit import Client, LiveServer
from testkit.proxy import BOTH, TO_CLIENT, TO_SERVER, FaultProxy
from testkit.server import ROOT

from ..browser.engines.chromium import EXECUTABLE
from ..chaos.victim import SETTINGS, Victim, real
from .page import Page, State

#: a page that comes from the test counts as one from outside, which may not reach the loopback
FLAGS = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
HERE = Path(__file__).parent
CLIENT = ROOT / "blueprints" / "kit" / "static" / "client.js"


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


def the_chat(state: State) -> Any:
    (chat,) = state["chats"].values()
    return chat


def stands(place: int) -> Any:
    """A condition: it is connected, and in line."""
    return lambda state: (
        state["status"]["state"] == "online"
        and state["queue"] is not None
        and state["queue"]["location"] == place
    )


class Conversation:
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
def talking(server: Any) -> Iterator[Conversation]:
    with Page(server, "user", "ann") as user, Page(server, "waiter", "wim") as waiter:
        yield Conversation(user, waiter)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/client.db"


@pytest.fixture
def server(database: str) -> Iterator[LiveServer]:
    with LiveServer.gunicorn(env={**SETTINGS, "CSAPP_DATABASE_URL": database}) as server:
        yield server


# ---- by itself --------------------------------------------------------------


def node(*args: str, **env: str) -> str:
    done = subprocess.run(
        ["node", *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_units():
    node("--test", *map(str, sorted(HERE.glob("*.test.mjs"))))


def test_units_as_one_file(tmp_path: Path):
    """As the server gives it out."""
    sent = tmp_path / "csapp-client.mjs"
    sent.write_bytes(asset(STATIC, "csapp-client.js")[0])
    node("--test", *map(str, sorted(HERE.glob("*.test.mjs"))), CLIENT=sent.as_uri())


def test_close_codes_are_those_of_the_server():
    script = f"import * as client from '{CLIENT.as_uri()}'; console.log(JSON.stringify(client))"
    there = json.loads(node("--input-type=module", "-e", script))["CLOSE_CODES"]
    assert {int(code): row["reconnect"] for code, row in there.items()} == {
        int(code): code in RECONNECT for code in CloseCode
    }
    assert all(row["text"] for row in there.values())


# ---- on a good line ---------------------------------------------------------


def test_both_roles_talk(server: LiveServer):
    with talking(server) as pair:
        for _ in range(5):
            pair.say(pair.user)
            pair.say(pair.waiter)
        pair.assert_told()
        pair.waiter.call("typing", True, pair.conversation)
        pair.user.wait(lambda state: the_chat(state)["typing"], "typing")
        pair.user.call("read")
        pair.waiter.wait(lambda state: the_chat(state)["readByPeer"] == 11, "read")
        peer = the_chat(pair.waiter.state)["peer"]
        assert (peer["sub"], peer["page"]) == ("ann", "/shop")


def test_tabs_show_the_same(server: LiveServer):
    with talking(server) as pair, Page(server, "user", "ann") as tab:
        tab.wait(lambda state: state["status"]["state"] == "online")
        tab.call("connect")
        tab.wait(is_served)
        for _ in range(5):
            pair.say(pair.user)
            pair.say(pair.waiter)
            tab.call("send", "from the tab")
        for page in (pair.user, pair.waiter, tab):
            page.wait(sent(15))
            assert page.state["problems"] == []
        assert said(tab) == said(pair.user)
        assert [text for _, text, _ in said(tab)] == [text for _, text, _ in said(pair.waiter)]


def test_texts_keep_their_order_when_the_server_refuses_haste(database: str):
    limits = {"CSAPP_MESSAGE_RATE": "20", "CSAPP_MESSAGE_BURST": "3"}
    env = {**SETTINGS, **limits, "CSAPP_DATABASE_URL": database}
    with LiveServer.gunicorn(env=env) as server, talking(server) as pair:
        pair.say(pair.user, 10)
        pair.assert_told()
        assert "rate_limited" in server.get("/metrics")


def test_what_is_said_before_anybody_is_there_arrives(server: LiveServer):
    with Page(server, "user", "ann") as user, Page(server, "waiter", "wim") as waiter:
        user.call("send", "anybody?")
        user.call("connect", {})
        user.wait(lambda state: state["queue"] and state["queue"]["location"] == 0)
        waiter.call("ready", {})
        waiter.wait(sent(1))
        user.wait(sent(1))
        assert [text for _, text, _ in said(waiter)] == ["anybody?"]


def test_old_messages_come_page_by_page(server: LiveServer):
    with talking(server) as pair:
        pair.say(pair.user, 130)
        pair.assert_told()
        for page in pair.texts:
            page.call("reload")
            page.wait(lambda state: len(the_chat(state)["messages"]) == 50, "the latest")
            while not page.call("history", {"conversation": pair.conversation})["complete"]:
                pass
            page.wait(lambda state: the_chat(state)["complete"], "all")
        pair.assert_told()
        answer = pair.waiter.call("sessions", {"sub": "ann"})
        assert [one["conversation"] for one in answer["sessions"]] == [pair.conversation]


@pytest.mark.browser
def test_the_example_of_the_documentation(server: LiveServer):
    example = (ROOT / "docs" / "client.md").read_text().split("```html\n")[1].split("```")[0]
    with sync_playwright() as playwright, Page(server, "waiter", "wim") as waiter:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        page = browser.new_page()
        page.route(
            "**/example", lambda route: route.fulfill(body=example, content_type="text/html")
        )
        page.goto(f"{server.url}/example")
        page.get_by_label("Message").fill("anybody?")
        page.get_by_role("button").click()
        expect(page.locator("#state")).to_have_text("0 ahead of you")
        expect(page.get_by_role("listitem")).to_have_text(["you: anybody? (sending)"])
        waiter.call("ready", {})
        waiter.wait(sent(1))
        expect(page.get_by_role("listitem")).to_have_text(["you: anybody? (sent)"])
        page.reload()
        expect(page.get_by_role("listitem")).to_have_text(["you: anybody? (sent)"])
        waiter.call("send", "me", next(iter(waiter.chats)))
        expect(page.get_by_role("listitem").last).to_have_text(": me")
        waiter.wait(lambda state: the_chat(state)["readByPeer"] == 3)
        browser.close()


# ---- the server dies --------------------------------------------------------


def test_nothing_is_lost_doubled_or_moved_when_the_server_is_killed(database: str):
    with Victim(real(database)) as victim, talking(victim.server) as pair:
        for _ in range(4):
            pair.say(pair.user, 7)
            pair.say(pair.waiter, 7)
            victim.kill_server()
            pair.say(pair.user, 2)
        pair.assert_told()


def test_positions_in_the_queue_outlive_the_server(database: str):
    with ExitStack() as stack:
        victim = stack.enter_context(Victim(real(database)))
        users = []
        for place, sub in enumerate(["ann", "ben", "cid"]):
            user = stack.enter_context(Page(victim.server, "user", sub))
            user.call("connect", {})
            user.wait(stands(place))
            users.append(user)
        victim.kill_server()
        for place, user in enumerate(users):
            user.wait(stands(place), "the same place as before")


# ---- the line dies ----------------------------------------------------------


def swallow(proxy: FaultProxy, ways: Any, pair: Conversation) -> None:
    """A line that stays open and brings nothing, until both have noticed by themselves."""
    for page in pair.texts:
        page.wait(lambda state: state["status"]["state"] == "online", "it is back")
    proxy.black_hole(ways)
    for page in pair.texts:
        pair.say(page)
    for page in pair.texts:
        page.wait(lambda state: state["status"]["state"] != "online", "the line is dead")


def test_nothing_is_lost_doubled_or_moved_on_a_bad_connection(server: LiveServer):
    dice = random.Random(1)
    with FaultProxy(server) as proxy, talking(proxy) as pair:
        faults = [
            proxy.reset,
            lambda: proxy.reset(TO_SERVER),
            lambda: proxy.close(TO_CLIENT),
            lambda: proxy.cut_after(dice.randrange(600), TO_SERVER),
            lambda: proxy.cut_after(dice.randrange(600), TO_CLIENT),
            lambda: swallow(proxy, BOTH, pair),
            lambda: swallow(proxy, TO_CLIENT, pair),
            lambda: swallow(proxy, TO_SERVER, pair),
        ]
        dice.shuffle(faults)
        for fault in faults:
            pair.say(dice.choice([pair.user, pair.waiter]), dice.randrange(6))
            fault()
            pair.say(dice.choice([pair.user, pair.waiter]), dice.randrange(1, 6))
            proxy.heal()
        pair.assert_told()


def test_reloads_without_a_connection_lose_nothing(server: LiveServer):
    with FaultProxy(server) as proxy, talking(proxy) as pair:
        pair.say(pair.user, 3)
        pair.say(pair.waiter, 3)
        proxy.refuse()
        proxy.reset()
        for page in pair.texts:
            pair.say(page, 3)
            page.call("reload")
            pair.say(page, 2)
        proxy.heal()
        pair.assert_told()


@contextmanager
def apart(server: LiveServer) -> Iterator[tuple[Conversation, FaultProxy]]:
    """A chat whose user has no line, until it heals."""
    with (
        FaultProxy(server) as proxy,
        Page(server, "waiter", "wim") as waiter,
        Page(proxy, "user", "ann") as user,
    ):
        pair = Conversation(user, waiter)
        proxy.refuse()
        proxy.reset()
        yield pair, proxy


# ---- people go --------------------------------------------------------------


@pytest.fixture
def hasty(database: str) -> Iterator[LiveServer]:
    """A server that waits for nobody for long."""
    env = {**SETTINGS, "CSAPP_DATABASE_URL": database, "CSAPP_GRACE": "1"}
    with LiveServer.gunicorn(env=env) as server:
        yield server


def test_a_conversation_goes_on_with_another_waiter(hasty: LiveServer):
    with talking(hasty) as pair, Page(hasty, "waiter", "zoe") as zoe:
        pair.say(pair.user, 2)
        pair.assert_told()
        pair.waiter.kill()
        pair.user.wait(lambda state: state["phase"] == "queued", "back in line")
        pair.say(pair.user, 2)
        zoe.call("ready", {})
        zoe.wait(sent(4))
        pair.user.wait(sent(4))
        assert list(pair.user.chats) == list(zoe.chats) == [pair.conversation]
        assert [text for _, text, _ in said(zoe)] == pair.texts[pair.user]


def test_a_conversation_that_has_ended_meanwhile_tells_what_was_not_sent(server: LiveServer):
    with apart(server) as (pair, proxy):
        user, waiter = pair.user, pair.waiter
        late = user.call("send", "too late")
        waiter.call("disconnect", pair.conversation)
        waiter.wait(serves(0))
        proxy.heal()
        user.wait(lambda state: the_chat(state)["messages"][0]["state"] == "failed")
        assert user.state["phase"] == "idle"
        user.call("connect", {})
        user.wait(is_served)
        user.call("retry", late["id"])
        waiter.wait(sent(1), "in the new chat")
        assert len(waiter.chats) == 2


def test_a_user_who_ends_its_conversation_without_a_connection_has_ended_it(server: LiveServer):
    with apart(server) as (pair, proxy):
        user, waiter = pair.user, pair.waiter
        user.call("disconnect")
        user.call("reload")
        proxy.heal()
        waiter.wait(lambda state: the_chat(state)["state"] == "ended")
        assert user.state["phase"] == "idle"
        assert list(waiter.chats) == [pair.conversation]


def is_ready(ready: bool) -> Any:
    """A condition: the server has said so."""
    return lambda state: state["duty"] is not None and state["duty"]["ready"] is ready


def test_a_waiter_stays_ready_over_a_reload_and_away_over_another(server: LiveServer):
    with Page(server, "waiter", "wim") as waiter:
        for method, ready in [("ready", True), ("unready", False)]:
            waiter.call(method)
            waiter.wait(is_ready(ready))
            waiter.call("reload")
            waiter.wait(is_ready(ready))


# ---- the token runs out -------------------------------------------------------


#: s that a token lasts: its bearer has a fifth of them, or more, to fetch another one
LIFE = 8


def test_a_conversation_outlives_its_tokens_and_nobody_notices(database: str):
    env = {**SETTINGS, "CSAPP_DATABASE_URL": database, "CSAPP_TOKEN_LIFETIME": str(LIFE)}
    with (
        LiveServer.gunicorn(env=env) as server,
        Page(server, "user", "a stranger", tokens="/v1/visitor/token") as user,
        Page(server, "waiter", "wim") as waiter,
    ):
        user.call("connect", {})
        waiter.call("ready", {})
        user.wait(is_served)
        waiter.wait(serves(1))
        first = user.state["me"]["sub"]
        user.call("send", "before")
        user.wait(sent(1))
        with Client(server, "user") as other:
            other.auth(server.token("user", "other", lifetime=LIFE))
            assert other.closed() == CloseCode.UNAUTHENTICATED
        user.call("send", "after")
        user.wait(sent(2))
        waiter.wait(sent(2))
        assert user.state["count"] > 1
        assert user.state["lines"] == ["connecting", "online"]
        assert user.state["me"]["sub"] == first
        assert user.state["problems"] == []
