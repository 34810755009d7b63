"""Accounts of waiters: kept, checked without telling which there are, and shut."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from blueprints import known_browsers, password_hashing
from csapp import CSApp, create_app
from services.history.accounts import AccountError, Accounts, Hashing, folded
from services.history.opening import open_store
from services.history.port import StoreError
from services.history.sql import SQLStore
from services.identity import Identity, TokenRole
from services.revocation import date
from services.wire.codes import CloseCode
from testkit import Client, LiveServer, assert_receives
from testkit.client import assert_quiet
from testkit.server import SECRET

WORD = "correct horse"
OTHER = "battery staple"
WRONG = {"code": "unauthenticated", "message": "name or password is wrong"}


class Counted:
    """A hashing that costs nothing and is counted."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.hashing = Hashing(self.make, self.check)

    def make(self, password: str) -> str:
        self.count["make"] += 1
        return f"hash of {password}"

    def check(self, kept: str, password: str) -> bool:
        self.count["check"] += 1
        return kept == f"hash of {password}"


@pytest.fixture
def store(tmp_path: Path):
    made = open_store(f"sqlite:///{tmp_path}/csapp.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def accounts(store: SQLStore, counted: Counted) -> Accounts:
    return Accounts(store, counted.hashing)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


def chat(app: Flask, *words: str, typed: str = "") -> Result:
    """A `flask chat …` command."""
    return app.test_cli_runner().invoke(args=["chat", *words], input=typed)


def added(app: Flask, name: str = "ada", word: str = WORD) -> None:
    made = chat(app, "waiter", "add", name, "--password-stdin", typed=f"{word}\n")
    assert made.exit_code == 0, made.output


def post_login(app: Flask, body: object = None, **options: object):
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    return app.test_client().post("/v1/waiter/login", data=data, **options)


def revoked(app: Flask) -> list[tuple[str, str, int]]:
    return [row[1:] for row in app.extensions["csapp"].store().revoked(0)]


# ---- keeping them ----------------------------------------------------------


def test_an_account_is_kept_with_a_hash(accounts, store):
    made = accounts.add(" Ada ", WORD)
    assert (made.name, made.display_name, made.disabled) == ("ada", "Ada", False)
    assert abs(made.created - time.time() * 1000) < 60_000
    assert accounts.all() == [made]
    assert accounts.get("ADA") == made
    assert WORD not in repr(made)
    assert "hash of" not in repr(made)


def test_real_hashes_are_salted_scrypt(store):
    accounts = Accounts(store, password_hashing.HASHING)
    kept = {accounts.add(name, WORD).password for name in ("ada", "lin")}
    assert len(kept) == 2
    assert all(one.startswith("scrypt:") for one in kept)
    assert accounts.verify("ada", WORD)
    assert accounts.verify("ada", WORD + " ") is None


@pytest.mark.parametrize("again", ["ada", "Ada", " ADA", "ａｄａ"])
def test_a_name_is_taken_however_it_is_written(accounts, again):
    accounts.add("ada", WORD)
    with pytest.raises(AccountError, match="an account ada already"):
        accounts.add(again, WORD)
    assert len(accounts.all()) == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\0b", "a\nb", "\ud800", "ß" * 101])
def test_a_name_can_be_printed_and_has_an_end(accounts, name):
    with pytest.raises(AccountError, match="name: 1 to 200"):
        accounts.add(name, WORD)


def test_a_folded_name_stays_as_it_is():
    for code in [*range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x2000, 7), 0x1E9E, 0x130]:
        if (letter := chr(code)).isprintable():
            assert folded(folded(f"a{letter}")) == folded(f"a{letter}")


@pytest.mark.parametrize("word", ["", "seven77", "x" * 1025, "\ud800" * 8])
def test_a_password_has_eight_characters(accounts, word):
    with pytest.raises(AccountError, match="password: "):
        accounts.add("ada", word)
    accounts.add("ada", "eight888")
    with pytest.raises(AccountError, match="password: "):
        accounts.set_password("ada", word)


def test_a_password_is_the_same_from_every_keyboard(accounts):
    accounts.add("zoe", "naïve naïve")
    assert accounts.verify("zoe", "nai\u0308ve nai\u0308ve")


@pytest.mark.parametrize("change", ["disable", "enable"])
def test_an_unknown_account_cannot_be_changed(accounts, change):
    with pytest.raises(AccountError, match="no account ada"):
        getattr(accounts, change)("Ada")
    with pytest.raises(AccountError, match="no account ada"):
        accounts.set_password("Ada", WORD)


def test_shutting_out_revokes_what_was_given_until_now(accounts, store):
    accounts.add("ada", WORD)
    last = 0
    for shut in (
        lambda: accounts.disable("ADA"),
        lambda: accounts.set_password("ada", OTHER),
    ):
        shut()
        rows = store.revoked(last)
        assert [(sid, subject) for _, sid, subject, _ in rows] == [("", "ada")]
        assert abs(rows[0][3] - time.time() * 1000) < 60_000
        last = rows[0][0]
    accounts.enable("ada")
    assert store.revoked(last) == []
    assert accounts.verify("ada", WORD) is None
    assert accounts.verify("ada", OTHER)


def test_it_is_revoked_after_the_change_not_before(accounts, store, monkeypatch):
    """Who signs in between must not keep a token."""
    accounts.add("ada", WORD)
    seen: list[bool] = []
    monkeypatch.setattr(
        store, "revoke", lambda **who: seen.append(accounts.verify("ada", WORD) is None)
    )
    accounts.disable("ada")
    accounts.enable("ada")
    accounts.set_password("ada", OTHER)
    assert seen == [True, True]


def test_who_is_shut_out_while_signing_in_is_noticed(accounts):
    accounts.add("ada", WORD)
    account = accounts.verify("ada", WORD)
    assert accounts.stands(account)
    accounts.set_password("ada", OTHER)
    assert not accounts.stands(account)
    account = accounts.verify("ada", OTHER)
    accounts.disable("ada")
    assert not accounts.stands(account)


def test_a_store_that_is_down_is_said_to_be(tmp_path, counted):
    accounts = Accounts(open_store(f"sqlite:///{tmp_path}/empty.db"), counted.hashing)
    for ask in (accounts.all, lambda: accounts.add("a", WORD), lambda: accounts.verify("a", WORD)):
        with pytest.raises(StoreError, match="unable to open"):
            ask()


# ---- checking --------------------------------------------------------------


def test_every_answer_costs_one_hash(accounts, counted):
    accounts.add("ada", WORD)
    accounts.add("lin", WORD)
    accounts.disable("lin")
    accounts.verify("nobody", WORD)  # makes the decoy
    made = counted.count["make"]
    for name, word, right in [
        ("ada", WORD, True),
        ("ada", "wrong", False),
        ("lin", WORD, False),
        ("lin", "wrong", False),
        ("nobody", WORD, False),
        ("\0", WORD, False),
    ]:
        counted.count["check"] = 0
        assert (accounts.verify(name, word) is not None) == right, name
        assert counted.count["check"] == 1, name
    assert counted.count["make"] == made


def test_the_decoy_is_made_whoever_comes_first(accounts, counted):
    accounts.add("ada", WORD)
    accounts.verify("ada", WORD)
    assert counted.count["make"] == 2, "otherwise the first unknown name takes longer"


# ---- over HTTP -------------------------------------------------------------


def test_a_waiter_signs_in(app):
    made = chat(app, "waiter", "add", "Ada", "--display-name", "Ada L.", "--password-stdin",
                typed=WORD + "\n")  # fmt: skip
    assert made.exit_code == 0, made.output
    answer = post_login(app, {"name": " ADA", "password": WORD})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.get_json()
    assert (said["sub"], said["name"], said["expires_in"]) == ("ada", "Ada L.", 43_200)
    tokens = app.extensions["csapp"].server.tokens
    identity = tokens.verify(said["token"], TokenRole.WAITER)
    assert identity == Identity("ada", "Ada L.", TokenRole.WAITER, identity.sid)
    again = post_login(app, {"name": "ada", "password": WORD}).get_json()
    assert tokens.verify(again["token"], TokenRole.WAITER).sid != identity.sid


def test_a_waiter_has_a_picture(app):
    made = chat(app, "waiter", "add", "ada", "--avatar", "/ada.png", "--password-stdin",
                typed=WORD + "\n")  # fmt: skip
    assert made.exit_code == 0, made.output
    tokens = app.extensions["csapp"].server.tokens

    def signed_in() -> Identity:
        said = post_login(app, {"name": "ada", "password": WORD}).get_json()
        identity = tokens.verify(said["token"], TokenRole.WAITER)
        assert said["avatar"] == identity.avatar
        header = {"Authorization": f"Bearer {said['token']}"}
        me = app.test_client().get("/v1/waiter/me", headers=header).get_json()
        assert (me["name"], me["avatar"]) == (identity.name, identity.avatar)
        renewed = app.test_client().post("/v1/waiter/login", headers=header).get_json()
        assert renewed["avatar"] == identity.avatar
        return identity

    assert signed_in().avatar == "/ada.png"
    changed = chat(app, "waiter", "set", "ADA", "--avatar", "https://pics.example/ada")
    assert changed.output == "ada is ada to visitors, with https://pics.example/ada.\n"
    assert signed_in().avatar == "https://pics.example/ada"
    assert chat(app, "waiter", "set", "ada", "--display-name", "Ada L.").exit_code == 0
    assert chat(app, "waiter", "set", "ada", "--avatar", "").exit_code == 0
    assert (signed_in().name, signed_in().avatar) == ("Ada L.", "")


def test_a_picture_in_a_token_made_by_hand(app):
    words = ("token", "--role", "user", "--sub", "ann", "--avatar")
    token = chat(app, *words, "/ann.png").output.strip()
    tokens = app.extensions["csapp"].server.tokens
    assert tokens.verify(token, TokenRole.USER).avatar == "/ann.png"
    failed = chat(app, *words, "ann.png")
    assert failed.exit_code == 1
    assert "avatar: a path that begins with /" in failed.output


def test_departments_in_a_token_made_by_hand(app):
    words = ("token", "--role", "waiter", "--sub", "ada", "--priority", "2", "--department")
    token = chat(app, *words, "sales", "--department", "support:9").output.strip()
    tokens = app.extensions["csapp"].server.tokens
    identity = tokens.verify(token, TokenRole.WAITER)
    assert (identity.departments, identity.priority) == ((("sales", 2), ("support", 9)), 2)
    for unfit, why in (
        ("Sales", "departments: of each key 1 to 40"),
        ("sales:10", "a priority is 0 to 9"),
    ):
        failed = chat(app, *words, unfit)
        assert failed.exit_code > 0
        assert why in failed.output


def test_wrong_unknown_and_disabled_get_one_answer(app):
    for name in ("ada", "lin"):
        added(app, name)
    assert chat(app, "waiter", "disable", "lin").exit_code == 0
    for name, word in [("ada", "wrong"), ("lin", WORD), ("nobody", WORD), ("ada", "x" * 5000)]:
        answer = post_login(app, {"name": name, "password": word})
        assert (answer.status_code, answer.get_json()) == (401, WRONG)


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [
        (b"name=ada&password=x", 400, "invalid_json", "the body"),
        (b"\xff", 400, "invalid_json", "the body"),
        (b"[" * 10_000, 400, "invalid_json", "the body"),
        (b'{"name": "a", "password": "\\ud800"}', 400, "invalid_json", "the body"),
        (b"[]", 400, "invalid_message", "the body"),
        (b'"ada"', 400, "invalid_message", "the body"),
        (b"{}", 400, "invalid_message", "name"),
        (b'{"name": 5, "password": "x"}', 400, "invalid_message", "name"),
        (b'{"name": "", "password": "x"}', 400, "invalid_message", "name"),
        (b'{"name": "a\\u0000", "password": "x"}', 400, "invalid_message", "name"),
        (b'{"name": "%s", "password": "x"}' % (b"a" * 201), 400, "invalid_message", "name"),
        (b'{"name": "ada"}', 400, "invalid_message", "password"),
        (b'{"name": "ada", "password": null}', 400, "invalid_message", "password"),
        (b'{"name": "ada", "password": ""}', 400, "invalid_message", "password"),
        (b" " * 20_000, 413, "too_large", "the body"),
    ],
)
def test_what_is_no_login_is_named(app, body, status, code, named):
    answer = post_login(app, body)
    assert answer.status_code == status
    assert answer.get_json()["code"] == code
    assert answer.get_json()["message"].startswith(f"{named}: ")


def test_attempts_at_one_name_are_counted_before_any_hash(app, monkeypatch):
    counted = Counted()
    monkeypatch.setattr(password_hashing, "HASHING", counted.hashing)
    for number in range(10):
        answer = post_login(app, {"name": "ada" if number % 2 else "ADA ", "password": "x"})
        assert answer.status_code == 401
    refused = post_login(app, {"name": "Ada", "password": "x"})
    assert refused.status_code == 429
    assert refused.get_json()["code"] == "rate_limited"
    assert refused.headers["Retry-After"] == "6"
    assert counted.count["check"] == 10
    assert post_login(app, {"name": "lin", "password": "x"}).status_code == 401


def test_attempts_from_one_address_are_counted(app, monkeypatch):
    monkeypatch.setattr(password_hashing, "HASHING", Counted().hashing)
    codes = [
        post_login(app, {"name": f"name-{number}", "password": "x"}).status_code
        for number in range(40)
    ]
    assert codes[:30] == [401] * 30
    assert 429 in codes


def test_pages_of_others_may_not_try(app):
    foreign = {"Origin": "https://evil.example"}
    answer = post_login(app, {"name": "a", "password": "x"}, headers=foreign)
    assert answer.status_code == 403


def test_without_a_database_it_says_what_to_do():
    app = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": "off"})
    answer = post_login(app, {"name": "ada", "password": WORD})
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "unavailable"
    assert "CSAPP_DATABASE_URL" in answer.get_json()["message"]
    assert "CSAPP_DATABASE_URL" in chat(app, "waiter", "list").output


def test_a_database_that_is_down_is_no_wrong_password(app, tmp_path, monkeypatch):
    monkeypatch.setattr("services.starting.START_AGAIN", 0.0)  # otherwise once a second
    (tmp_path / "csapp.db").mkdir()
    answer = post_login(app, {"name": "ada", "password": WORD})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.get_json()["code"] == "unavailable"
    assert str(tmp_path) not in answer.text
    (tmp_path / "csapp.db").rmdir()
    assert post_login(app, {"name": "ada", "password": WORD}).status_code == 401, "back by itself"


def test_hashes_wait_for_their_turn_and_not_without_end(tmp_path, monkeypatch):
    begun, answered, gate = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    codes: list[int] = []

    def check(kept: str, password: str) -> bool:
        begun.release()
        return not gate.wait(30)

    def ask(number: int) -> None:
        codes.append(post_login(app, {"name": f"n{number}", "password": "x"}).status_code)
        answered.release()

    monkeypatch.setattr(password_hashing, "HASHING", Hashing(str, check))
    monkeypatch.setattr(password_hashing, "WAITING", 6)
    url = f"sqlite:///{tmp_path}/csapp.db"
    app = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})
    asking = [threading.Thread(target=ask, args=(number,)) for number in range(9)]
    for one in asking:
        one.start()
    assert all(answered.acquire(timeout=30) for _ in range(3)), "those without room"
    assert begun.acquire(timeout=30)
    assert not begun.acquire(blocking=False), "strangers' hashes are made one after the other"
    known = threading.Thread(target=lambda: ask_from_known_browser(app, codes))
    known.start()
    assert begun.acquire(timeout=30), "whoever is known waits for none of them"
    gate.set()
    for one in [*asking, known]:
        one.join()
    assert sorted(codes) == [401] * 7 + [503] * 3


def ask_from_known_browser(app: Flask, codes: list[int]) -> None:
    tokens = app.extensions["csapp"].server.tokens
    client = app.test_client()
    client.set_cookie(known_browsers.COOKIE, tokens.sign_browser("browser", [tokens.mark("ada")]))
    body = {"name": "ada", "password": "x"}
    codes.append(client.post("/v1/waiter/login", json=body).status_code)


def test_shut_out_while_the_hash_was_checked(app, monkeypatch):
    added(app)
    extension = app.extensions["csapp"]

    def check(kept: str, password: str) -> bool:
        Accounts(extension.store(), password_hashing.HASHING).disable("ada")
        return True

    monkeypatch.setattr(password_hashing, "HASHING", Hashing(str, check))
    answer = post_login(app, {"name": "ada", "password": WORD})
    assert (answer.status_code, answer.get_json()) == (401, WRONG)


def test_the_hosts_word_counts_where_nothing_is_sent(tmp_path):
    app = Flask(__name__)
    url = f"sqlite:///{tmp_path}/csapp.db"
    app.config.update(CSAPP_SECRET_KEY=SECRET, CSAPP_DATABASE_URL=url)
    host = CSApp(app)
    host.identify_waiter(lambda request: "agent-7")
    assert app.test_client().post("/v1/waiter/login").get_json()["sub"] == "agent-7"
    assert post_login(app, {"name": "agent-7", "password": WORD}).status_code == 401


# ---- signing out -----------------------------------------------------------


def sign_out(app: Flask, token: str, kind: str = "Bearer"):
    return app.test_client().post("/v1/waiter/logout", headers={"Authorization": f"{kind} {token}"})


@pytest.mark.parametrize("role", list(TokenRole))
def test_signing_out_revokes_the_login(app, role):
    tokens = app.extensions["csapp"].server.tokens
    answer = sign_out(app, tokens.sign(Identity("ada", "", role, "login-1")))
    assert (answer.status_code, answer.data) == (204, b"")
    [(sid, subject, at)] = revoked(app)
    assert (sid, subject) == ("login-1", "")
    half_a_day = time.time() * 1000 + 43_200_000  # its token's life; it is kept for as long
    assert abs(at - date(int(half_a_day))) < 60_000


def test_the_sign_out_of_a_token_that_lives_long_is_remembered_as_long(app):
    tokens = app.extensions["csapp"].server.tokens
    month = 30 * 86_400
    assert sign_out(app, tokens.sign(Identity("ada"), month)).status_code == 204
    [(_, _, at)] = revoked(app)
    assert abs(at - date(int(time.time() + month) * 1000)) < 60_000


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "unauthenticated"),
        ("Basic x", "unauthenticated"),
        ("Bearer", "unauthenticated"),
        ("Bearer not-a-token", "invalid_token"),
    ],
)
def test_signing_out_needs_a_token(app, header, code):
    answer = app.test_client().post("/v1/waiter/logout", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.get_json()["code"] == code
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert revoked(app) == []


def test_nobody_fills_the_database_by_signing_out(app):
    tokens = app.extensions["csapp"].server.tokens
    again = tokens.sign(Identity("ada"))
    assert [sign_out(app, again).status_code for _ in range(5)] == [204] * 5
    assert len(revoked(app)) == 1, "it is signed out already"
    logins = [tokens.sign(Identity("ada")) for _ in range(4)]
    assert [sign_out(app, one).status_code for one in logins] == [204] * 2 + [429] * 2
    assert len(revoked(app)) == 3


def test_the_sign_out_of_an_anonymous_visitor_is_stored_nowhere(app):
    web = app.test_client()
    for _ in range(5):
        token = web.post("/v1/visitor/token").get_json()["token"]
        assert sign_out(app, token).status_code == 204
    assert revoked(app) == []


def test_a_sign_out_that_cannot_be_kept_is_not_promised(app, tmp_path):
    (tmp_path / "csapp.db").mkdir()
    token = app.extensions["csapp"].server.tokens.sign(Identity("ada"))
    assert sign_out(app, token).status_code == 503


# ---- commands --------------------------------------------------------------


def test_a_password_is_asked_for_twice(app):
    made = chat(app, "waiter", "add", "ada", typed=f"{WORD}\n{WORD}\n")
    assert made.exit_code == 0, made.output
    assert WORD not in made.output
    assert post_login(app, {"name": "ada", "password": WORD}).status_code == 200


def test_a_password_is_made_and_printed_once(app):
    made = chat(app, "waiter", "add", "ada", "--generate")
    word = re.search(r"Password: (\S{16})\n", made.output)[1]
    assert post_login(app, {"name": "ada", "password": word}).status_code == 200
    made = chat(app, "waiter", "password", "ada", "--generate")
    other = re.search(r"Password: (\S{16})\n", made.output)[1]
    assert post_login(app, {"name": "ada", "password": word}).status_code == 401
    assert post_login(app, {"name": "ada", "password": other}).status_code == 200
    assert [row[:2] for row in revoked(app)] == [("", "ada")]


def test_list_disable_enable(app):
    assert "no accounts yet" in chat(app, "waiter", "list").output
    added(app, "Lin")
    added(app, "ada")
    assert "disabled" in chat(app, "waiter", "disable", "LIN").output
    lines = chat(app, "waiter", "list").output.splitlines()
    assert lines[0].split() == ["NAME", "DISPLAY", "NAME", "DISABLED", "CREATED"]
    assert lines[1].split()[:3] == ["ada", "ada", "no"]
    assert lines[2].split()[:3] == ["lin", "Lin", "yes"]
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\dZ$", lines[1])
    assert post_login(app, {"name": "lin", "password": WORD}).status_code == 401
    assert chat(app, "waiter", "enable", "lin").exit_code == 0
    assert post_login(app, {"name": "lin", "password": WORD}).status_code == 200


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("waiter", "add", " ", "--generate"), "", "name: 1 to 200 characters"),
        (("waiter", "add", "bob", "--password-stdin"), "short\n", "password: 8 to 1024"),
        (("waiter", "add", "bob", "--password-stdin"), "", "password: 8 to 1024"),
        (("waiter", "add", "ADA", "--generate"), "", "an account ada already"),
        (("waiter", "add", "b", "--generate", "--display-name", "x" * 201), "", "display name: "),
        (("waiter", "add", "b", "--generate", "--avatar", "ada.png"), "", "avatar: a path that"),
        (("waiter", "set", "ada", "--avatar", "//host/ada.png"), "", "avatar: a path that"),
        (("waiter", "set", "ada", "--display-name", " "), "", "display name: "),
        (("waiter", "set", "ada"), "", "--display-name or --avatar"),
        (("waiter", "set", "bob", "--avatar", "/b.png"), "", "no account bob"),
        (("waiter", "add", "bob", "--generate", "--password-stdin"), WORD, "not both"),
        (("waiter", "disable", "bob"), "", "no account bob"),
        (("waiter", "enable", "bob"), "", "no account bob"),
        (("waiter", "password", "bob"), "", "no account bob"),
        (("revoke",), "", "one of --sid and --sub"),
        (("revoke", "--sid", "a", "--sub", "b"), "", "one of --sid and --sub"),
        (("revoke", "--sub", ""), "", "1 to 200 characters"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(app, words, typed, said):
    added(app)
    failed = chat(app, *words, typed=typed)
    assert failed.exit_code != 0
    assert said in failed.output
    assert "Traceback" not in failed.output


def test_revoke(app):
    assert chat(app, "revoke", "--sub", "ada").exit_code == 0
    assert chat(app, "revoke", "--sid", "login-1").exit_code == 0
    by_subject, by_login = revoked(app)
    assert by_subject[:2] == ("", "ada")
    assert abs(by_subject[2] - time.time() * 1000) < 60_000
    assert by_login[:2] == ("login-1", "")
    assert by_login[2] > time.time() * 1000 + 9 * 365 * 86_400_000, "its lifetime is not known"


def test_migrate_twice(app):
    for _ in range(2):
        made = chat(app, "migrate")
        assert made.exit_code == 0, made.output
        assert "sqlite" in made.output


# ---- in a real server ------------------------------------------------------


@pytest.mark.parametrize("way", ["gunicorn", "flask"])
def test_whoever_is_signed_out_is_closed(tmp_path, way):
    """How soon: tests/test_revocation.py."""
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    app = create_app({"CSAPP_SECRET_KEY": SECRET, **env})
    added(app, "ada")
    added(app, "lin")
    with getattr(LiveServer, way)("tests.cheap:app", env) as server:

        def signed_in(name: str) -> tuple[Client, str]:
            body = {"name": name, "password": WORD}
            token = json.loads(server.request("POST", "/v1/waiter/login", body=body))["token"]
            client = Client(server, "waiter")
            client.auth(token)
            client.say("ready")
            client.receive_all()  # within the grace period: its standing UUID
            return client, token

        (ada, first), (lin, other) = signed_in("ada"), signed_in("lin")
        server.post("/v1/waiter/logout", Authorization=f"Bearer {first}")
        assert ada.closed() == CloseCode.UNAUTHENTICATED
        ada, _ = signed_in("ada")
        chat(app, "waiter", "disable", "lin")
        assert lin.closed() == CloseCode.UNAUTHENTICATED
        sid = app.extensions["csapp"].server.tokens.inspect_any(
            json.loads(server.request("POST", "/v1/waiter/login",
                                      body={"name": "ada", "password": WORD}))["token"]
        ).identity.sid  # fmt: skip
        chat(app, "revoke", "--sid", sid)
        chat(app, "revoke", "--sub", "nobody")
        for token in (first, other):
            late = Client(server, "waiter")
            late.auth(token)
            assert_receives(late, "error", message="payload.token: this login was signed out")
            late.drop()
        assert_quiet(ada)
        chat(app, "revoke", "--sub", "ada")
        assert ada.closed() == CloseCode.UNAUTHENTICATED
        again, _ = signed_in("ada")
        assert_quiet(again)
        again.drop()
        assert WORD not in server.log
        assert first not in server.log
