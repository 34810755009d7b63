"""The host signs somebody out: at once, everywhere, and without harm to itself."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from blinker import signal
from flask import Flask
from flask_login import user_logged_out

from csapp import CSApp, Identity
from services.history.opening import open_store
from services.history.port import StoreError
from services.wire.codes import CloseCode
from testkit import Client, LiveServer
from testkit.client import assert_quiet
from testkit.server import SECRET

EXAMPLE = "examples.flask_login_shop.app:app"


class User:
    """As Flask-Login sends it."""

    def __init__(self, id: str | None) -> None:
        self.id = id

    def get_id(self) -> str | None:
        return self.id


def host(tmp_path: Path, chat: CSApp | None = None, **config: str) -> tuple[Flask, CSApp]:
    app = Flask("a host")
    url = f"sqlite:///{tmp_path}/csapp.db"
    app.config.update(CSAPP_SECRET_KEY=SECRET, CSAPP_DATABASE_URL=url, **config)
    chat = chat or CSApp()
    chat.init_app(app)
    return app, chat


def kept(tmp_path: Path) -> list[tuple[str, str]]:
    store = open_store(f"sqlite:///{tmp_path}/csapp.db")
    try:
        return [row[1:3] for row in store.revoked(0)]
    finally:
        store.close()


@pytest.mark.parametrize("who", ["42", 42, Identity("42", "Ann"), User("42")])
def test_a_subject_is_named_as_the_callbacks_name_it(tmp_path: Path, who: Any):
    app, chat = host(tmp_path)
    with app.app_context():
        chat.revoke(who)
    assert kept(tmp_path) == [("", "42")]


def test_the_only_application_needs_no_context(tmp_path: Path):
    _, chat = host(tmp_path)
    chat.sign_out("42")
    assert kept(tmp_path) == [("", "42")]


def test_of_several_applications_it_must_be_said_which(tmp_path: Path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    one, chat = host(tmp_path / "1")
    two, _ = host(tmp_path / "2", chat)
    with pytest.raises(RuntimeError, match="application context"):
        chat.revoke("42")
    with two.app_context():
        chat.revoke("42")
    assert kept(tmp_path / "2") == [("", "42")]
    assert not (tmp_path / "1" / "csapp.db").exists()
    assert one.extensions["csapp"].server.started is False, "no chat begins by this"


@pytest.mark.parametrize("who", ["", "x" * 201, "a\0b", None, False, True, b"42", object()])
def test_what_can_be_nobody_is_named(tmp_path: Path, who: Any):
    _, chat = host(tmp_path)
    with pytest.raises(ValueError, match="subject"):
        chat.revoke(who)


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[tuple[Flask, CSApp]]:
    app, chat = host(tmp_path)
    with user_logged_out.connected_to(chat.revoke):
        yield app, chat


def test_it_hears_the_signal_of_flask_login(connected, tmp_path: Path):
    app, _ = connected
    user_logged_out.send(app, user=User("42"))
    assert kept(tmp_path) == [("", "42")]


@pytest.mark.parametrize("user", ["42", 42, User("42")])
def test_it_hears_signals_of_others(tmp_path: Path, user: Any):
    _, chat = host(tmp_path)
    blocked = signal("blocked")
    with blocked.connected_to(chat.sign_out):
        blocked.send("the shop's user service", user=user, reason="fraud")
        blocked.send(user=user)
    assert kept(tmp_path) == [("", "42")]


@pytest.mark.parametrize("user", ["", "x" * 201])
def test_a_signal_about_what_can_be_nobody_does_no_harm(tmp_path: Path, user: str):
    _, chat = host(tmp_path)
    blocked = signal("blocked")
    with blocked.connected_to(chat.revoke):
        blocked.send(None, user=user)
    assert not (tmp_path / "csapp.db").exists()


@pytest.mark.parametrize("user", [None, User(None)])
def test_a_sign_out_of_nobody_signs_nobody_out(connected, tmp_path: Path, user: User | None):
    app, _ = connected
    user_logged_out.send(app, user=user)
    assert not (tmp_path / "csapp.db").exists()


def test_a_sign_out_of_the_host_does_not_fail_with_the_chats_database(connected, tmp_path: Path):
    app, chat = connected
    (tmp_path / "csapp.db").mkdir()
    user_logged_out.send(app, user=User("42"))
    with pytest.raises(StoreError):
        chat.revoke("42")


# ---- where it runs ----------------------------------------------------------


class Browser:
    """Of somebody who signs in at the shop."""

    def __init__(self, server: LiveServer) -> None:
        self.home = server.url.removesuffix("/support")
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar())
        )  # fmt: skip

    def post(self, path: str, body: str = "") -> str:
        with self._opener.open(f"{self.home}{path}", body.encode()) as answer:
            return str(answer.read().decode())

    def token(self, path: str) -> str:
        return str(json.loads(self.post(path))["token"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("shop")
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{folder}/csapp.db"}
    with LiveServer.gunicorn(EXAMPLE, env=env, prefix="/support") as server:
        yield server


@pytest.mark.parametrize(
    ("name", "role", "door"),
    [("ann", "user", "/support/v1/visitor/token"), ("ada", "waiter", "/support/v1/waiter/login")],
)
def test_whoever_signs_out_leaves_the_chat_at_once(
    shop: LiveServer, name: str, role: str, door: str
):
    browser = Browser(shop)
    browser.post("/sign-in", f"name={name}&password={name}")
    token = browser.token(door)
    with Client(shop, role) as tab, Client(shop, role) as other:
        for one in (tab, other):
            one.auth(token)
            one.receive_all()
        with Client.user(shop, "bystander") as bystander:
            browser.post("/sign-out")
            assert [one.closed() for one in (tab, other)] == [CloseCode.UNAUTHENTICATED] * 2
            assert_quiet(bystander)
    with Client(shop, role) as late:
        late.auth(token)
        assert late.receive()["payload"] == {"message": "payload.token: this login was signed out"}


def test_whoever_signs_in_again_is_let_in_again(shop: LiveServer):
    browser = Browser(shop)
    for _ in range(2):
        browser.post("/sign-in", "name=bob&password=bob")
        with Client(shop, "user") as tab:
            tab.auth(browser.token("/support/v1/visitor/token"))
            assert_quiet(tab)
        browser.post("/sign-out")


def test_a_process_that_serves_pages_only_tells_the_one_that_serves_the_chat(
    tmp_path: Path,
):
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    pages, chat = host(tmp_path, CSAPP_AUDIENCE="csapp_standalone")  # the same application
    with LiveServer.gunicorn(env=env) as server, Client.user(server, "42") as tab:
        assert_quiet(tab)
        with pages.app_context():
            chat.revoke("42")
        assert tab.closed() == CloseCode.UNAUTHENTICATED
