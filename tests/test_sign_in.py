"""Who guesses shuts nobody out, and what a password costs and may be."""

from __future__ import annotations

import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.security import generate_password_hash

from blueprints import known_browsers, password_hashing
from blueprints.demo.waiters import WAITERS
from csapp import create_app
from services import bounds
from services.history import tables
from services.history.accounts import Accounts, Hashing
from services.history.attempts import Attempts
from services.history.sql import SQLStore
from services.identity import TokenRole
from testkit.server import ROOT, SECRET, inherited

from .conftest import COST

WORD = "correct horse"
HOME, AWAY = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return made(tmp_path)


def made(folder: Path, **more: Any) -> Flask:
    url = f"sqlite:///{folder}/csapp.db"
    app = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url, **more})
    store = app.extensions["csapp"].store()
    accounts = Accounts(store, password_hashing.HASHING)
    if accounts.get("ada") is None:
        accounts.add("ada", WORD)
    store.close()
    return app


def sign_in(app: Flask, word: str, address: str = AWAY, client=None, name: str = "ada"):
    client = client or app.test_client(use_cookies=False)
    return client.post(
        "/v1/waiter/login",
        json={"name": name, "password": word},
        environ_base={"REMOTE_ADDR": address},
    )


def guess_until_refused(app: Flask, name: str = "ada") -> list[int]:
    """From ever new addresses, so that no limit of an address helps."""
    codes = []
    for number in range(40):
        answer = sign_in(app, f"guess {number}", f"198.51.100.{number + 10}", name=name)
        codes.append(answer.status_code)
        if codes[-1] == 429:
            break
    return codes


# ---- who guesses, and who is shut out ---------------------------------------


def test_guesses_from_elsewhere_are_refused_and_the_owner_is_not(app):
    at_home = app.test_client()
    assert sign_in(app, WORD, HOME, at_home).status_code == 200
    assert guess_until_refused(app) == [401] * 10 + [429]
    assert sign_in(app, WORD, AWAY).status_code == 429, "a stranger with the right one as well"
    assert sign_in(app, WORD, HOME).status_code == 200, "its own address"
    assert sign_in(app, WORD, AWAY, at_home).status_code == 200, "its own browser, elsewhere"


def test_what_was_counted_outlives_a_worker(tmp_path):
    """It is in the database, which all workers share: `tests/history/test_attempts.py`."""
    one = made(tmp_path)
    assert sign_in(one, WORD, HOME).status_code == 200
    codes = [sign_in(one, "x" * 9, f"198.51.100.{number}").status_code for number in range(7)]
    one.extensions["csapp"].server.close()
    other = made(tmp_path)
    codes += [sign_in(other, "x" * 9, f"198.51.100.{number}").status_code for number in range(5)]
    assert codes == [401] * 10 + [429] * 2
    assert sign_in(other, WORD, HOME).status_code == 200, "known to a worker that never saw it"


def test_a_known_browser_is_counted_as_well(app):
    client = app.test_client()
    assert sign_in(app, WORD, HOME, client).status_code == 200
    codes = [sign_in(app, "wrong one", f"198.51.100.{n}", client).status_code for n in range(12)]
    assert codes == [401] * 10 + [429] * 2
    assert sign_in(app, WORD, "198.51.100.77").status_code == 200, "which is no fault of others"


def test_a_known_address_is_counted_as_well(app):
    assert sign_in(app, WORD, HOME).status_code == 200
    codes = [sign_in(app, "wrong one", HOME).status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2
    assert sign_in(app, WORD, AWAY).status_code == 200


def test_an_address_that_cannot_be_read_is_known_for_nobody(tmp_path):
    """Many may have it: who guesses there is no owner who mistypes."""
    app = made(tmp_path, CSAPP_TRUSTED_PROXIES=1)

    def enter(word: str, proxy_says: str) -> int:
        return (
            app.test_client()
            .post(
                "/v1/waiter/login",
                json={"name": "ada", "password": word},
                headers={"X-Forwarded-For": proxy_says},
            )
            .status_code
        )

    assert enter(WORD, "unknown") == 200
    assert [enter("wrong one", AWAY) for _ in range(11)] == [401] * 10 + [429]
    assert enter(WORD, "unknown") == 429


def test_who_signs_in_often_is_never_refused_for_it(app):
    assert [sign_in(app, WORD, HOME).status_code for _ in range(15)] == [200] * 15


def test_a_name_that_does_not_exist_looks_the_same(app, monkeypatch):
    def told(name: str) -> list[tuple[int, str, str | None]]:
        told = []
        for number in range(12):
            answer = sign_in(app, "wrong one", f"198.51.100.{number}", name=name)
            told.append((answer.status_code, answer.text, answer.headers.get("Retry-After")))
            assert "Set-Cookie" not in answer.headers
        return told

    assert told("ada") == told("nobody")


def test_a_cookie_of_ones_own_making_is_worth_nothing(app):
    guess_until_refused(app)
    tokens = app.extensions["csapp"].server.tokens
    signed, _, signature = tokens.sign_browser("b", [tokens.mark("ada")]).rpartition(".")
    for cookie in (
        "x",
        tokens.sign_browser("b", [tokens.mark("bob")]),
        tokens.sign_ticket("b", 1),
        f"{signed}.{signature.swapcase()}",
    ):
        client = app.test_client()
        client.set_cookie(known_browsers.COOKIE, cookie)
        assert sign_in(app, WORD, AWAY, client).status_code == 429, cookie


def cookie_of(answer) -> Any:
    return SimpleCookie(answer.headers["Set-Cookie"])[known_browsers.COOKIE]


def test_the_cookie_is_for_the_server_alone_and_names_nobody(app):
    cookie = cookie_of(sign_in(app, WORD, HOME))
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert not cookie["secure"]
    assert "ada" not in cookie.value
    assert int(cookie["max-age"]) > 30 * 86_400


def test_behind_tls_and_under_a_prefix_the_cookie_goes_nowhere_else(tmp_path):
    app = made(tmp_path, CSAPP_TRUSTED_PROXIES=1, CSAPP_URL_PREFIX="/support")
    answer = app.test_client().post(
        "/support/v1/waiter/login",
        json={"name": "ada", "password": WORD},
        headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": HOME},
    )
    cookie = cookie_of(answer)
    assert cookie["secure"]
    assert cookie["path"] == "/support"


def test_waiters_who_share_a_browser_are_all_known_there(app):
    Accounts(app.extensions["csapp"].store(), password_hashing.HASHING).add("lin", "battery staple")
    shared = app.test_client()
    assert sign_in(app, WORD, HOME, shared).status_code == 200
    assert sign_in(app, "battery staple", HOME, shared, name="lin").status_code == 200
    for name, word in (("ada", WORD), ("lin", "battery staple")):
        guess_until_refused(app, name)
        assert sign_in(app, word, AWAY, shared, name=name).status_code == 200


def test_no_address_and_no_name_is_kept_in_the_clear(app, tmp_path):
    sign_in(app, WORD, HOME)
    sign_in(app, "wrong one", AWAY, name="a password typed into the wrong field")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("csapp.db*"))
    for word in (HOME, AWAY, "typed into"):
        assert word.encode() not in kept


def test_a_flood_of_unknown_browsers_costs_no_more_commits_than_they_may_have(app, monkeypatch):
    """Each attempt is written down, and what is said waits for the same commits."""
    taken: list[str] = []
    take = Attempts.take
    monkeypatch.setattr(Attempts, "take", lambda *of: taken.append(of[1]) or take(*of))
    monkeypatch.setattr(bounds, "SIGN_INS", bounds.Rate(1e-9, 20))
    flooded = made_over(app)
    at_home = flooded.test_client()
    assert sign_in(flooded, WORD, HOME, at_home).status_code == 200
    codes = [
        sign_in(flooded, "x" * 9, f"198.51.100.{number}", name=f"name {number}").status_code
        for number in range(60)
    ]
    assert codes == [401] * 19 + [503] * 41
    assert len(taken) == 20
    assert sign_in(flooded, WORD, AWAY, at_home).status_code == 200
    assert sign_in(flooded, WORD, HOME).status_code == 200


def made_over(app: Flask) -> Flask:
    """Another application on the same database."""
    return create_app({key: app.config[key] for key in ("CSAPP_SECRET_KEY", "CSAPP_DATABASE_URL")})


# ---- what it costs ----------------------------------------------------------


def kept_hash(store: SQLStore, name: str = "ada") -> str:
    with store.engine.connect() as connection:
        query = sa.select(tables.account.c.password).where(tables.account.c.name == name)
        return str(connection.execute(query).scalar_one())


def test_it_costs_what_owasp_asks_for(tmp_path):
    """Password Storage Cheat Sheet: scrypt with N=2^17, r=8, p=1. In a process of its own."""
    assert COST == "scrypt:131072:8:1"
    url = f"sqlite:///{tmp_path}/csapp.db"
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "csapp", "chat", "waiter", "add", "bob",
         "--generate"],
        env={**inherited(), "CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url,
             "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    store = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url}).extensions[
        "csapp"
    ].store()  # fmt: skip
    assert kept_hash(store, "bob").startswith("scrypt:131072:8:1$")
    store.close()


def test_an_older_hash_is_replaced_at_the_next_sign_in(app):
    store = app.extensions["csapp"].store()
    for old in ("scrypt:2048:8:1", "pbkdf2:sha256:1000"):
        set_hash(store, generate_password_hash(WORD, old))
        before = kept_hash(store)
        assert sign_in(app, "wrong one").status_code == 401
        assert kept_hash(store) == before
        assert sign_in(app, WORD).status_code == 200
        renewed = kept_hash(store)
        assert renewed.startswith(f"{password_hashing.COST}$")
        assert sign_in(app, WORD).status_code == 200
        assert kept_hash(store) == renewed
    assert not store.revoked(0), "nobody is signed out for it"
    store.close()


def set_hash(store: SQLStore, value: str, name: str = "ada") -> None:
    with store.engine.begin() as connection:
        query = sa.update(tables.account).where(tables.account.c.name == name)
        connection.execute(query.values(password=value))


def test_whoever_signs_in_costs_the_same_hashes(app):
    """Else the quick answer of an old, cheap hash would say that there is such a name."""
    store = app.extensions["csapp"].store()
    checked: list[str] = []

    def check(kept: str, password: str) -> bool:
        checked.append(kept.partition("$")[0])
        return kept.endswith(f"${password}")

    costs = Hashing(lambda word: f"new${word}", check, lambda kept: kept.partition("$")[0])
    accounts = Accounts(store, costs)
    for name in ("lin", "zoe", "off"):
        accounts.add(name, WORD)
    accounts.disable("off")
    set_hash(store, f"old${WORD}")
    set_hash(store, f"older${WORD}", "zoe")
    work = {}
    for name in ("ada", "lin", "zoe", "off", "nobody", "no\0name"):
        checked.clear()
        assert accounts.verify(name, "wrong one") is None
        work[name] = sorted(checked)
    assert set(map(tuple, work.values())) == {("new", "old", "older")}
    store.close()


def test_two_that_renew_one_hash_at_the_same_time_both_get_in(app):
    store = app.extensions["csapp"].store()
    inner = password_hashing.HASHING
    raced = []

    def make(word: str) -> str:
        if word == WORD and not raced:
            raced.append(Accounts(store, inner).verify("ada", WORD))
        return inner.make(word)

    set_hash(store, generate_password_hash(WORD, "scrypt:2048:8:1"))
    accounts = Accounts(store, Hashing(make, inner.check, inner.kind))
    found = accounts.verify("ada", WORD)
    assert raced
    assert found
    assert accounts.stands(found)
    store.close()


# ---- public passwords -------------------------------------------------------


def test_a_password_that_everybody_can_read_lets_nobody_in(app):
    store = app.extensions["csapp"].store()
    waiter = WAITERS[0]
    Accounts(store, password_hashing.HASHING).add(
        waiter.name, waiter.password
    )  # as an older csapp did
    store.close()
    answer = sign_in(app, waiter.password, name=waiter.name)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthenticated")
    made_ = app.test_cli_runner().invoke(
        args=["chat", "waiter", "add", "bob", "--password-stdin"], input=waiter.password
    )
    assert made_.exit_code == 1
    assert "source" in made_.output


# ---- one's own password ----------------------------------------------------


def change(app: Flask, token: str, current: Any, new: Any, **more: Any):
    return app.test_client().post(
        "/v1/waiter/password",
        json={"current": current, "new": new},
        headers={"Authorization": f"Bearer {token}"},
        **more,
    )


def test_a_waiter_changes_its_own_password_and_stays_alone(app):
    here, elsewhere = (sign_in(app, WORD).get_json()["token"] for _ in range(2))
    answer = change(app, here, WORD, "battery staple")
    assert answer.status_code == 200
    said = answer.get_json()
    assert (said["sub"], said["name"]) == ("ada", "ada")
    assert answer.headers["Cache-Control"] == "no-store"
    assert known_browsers.COOKIE in answer.headers["Set-Cookie"]
    tokens = app.extensions["csapp"].server.tokens
    assert (
        tokens.verify(said["token"], TokenRole.WAITER).sid
        == tokens.verify(here, TokenRole.WAITER).sid
    ), "it is the same login"
    assert sign_in(app, WORD).status_code == 401
    assert sign_in(app, "battery staple").status_code == 200
    for token, status in ((here, 401), (elsewhere, 401), (said["token"], 200)):
        header = {"Authorization": f"Bearer {token}"}
        assert app.test_client().get("/v1/canned", headers=header).status_code == status


@pytest.mark.parametrize(
    ("current", "new", "status", "said"),
    [
        ("wrong one", "battery staple", 403, "current: "),
        (WORD, "password", 400, "new: "),
        (WORD, "short", 400, "new: "),
        (WORD, WORD, 400, "new: "),
        (WORD, "ada-ada-ada-1815", 200, ""),
        (WORD, "ada-1815", 400, "new: "),
        (WORD, WAITERS[0].password, 400, "new: "),
        (WORD, None, 400, "new: "),
        ("", "battery staple", 400, "current: "),
        (5, "battery staple", 400, "current: "),
    ],
)
def test_what_cannot_be_done_is_said_in_place(app, current, new, status, said):
    token = sign_in(app, WORD).get_json()["token"]
    answer = change(app, token, current, new)
    assert answer.status_code == status
    if said:
        assert answer.get_json()["message"].startswith(said)
        assert sign_in(app, WORD).status_code == 200, "nothing has changed"


def test_a_token_that_was_taken_does_not_guess_for_ever(app):
    token = sign_in(app, WORD).get_json()["token"]
    codes = [change(app, token, f"guess {n}", "battery staple").status_code for n in range(12)]
    assert codes == [403] * 10 + [429] * 2


def test_who_has_no_password_cannot_change_it(app):
    from services.identity import Identity

    tokens = app.extensions["csapp"].server.tokens
    token = tokens.sign(Identity("agent-7", "", TokenRole.WAITER))
    answer = change(app, token, WORD, "battery staple")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_message")
    for bad, code in (("", "unauthenticated"), ("x", "invalid_token")):
        answer = change(app, bad, WORD, "battery staple")
        assert (answer.status_code, answer.get_json()["code"]) == (401, code)
    visitor = tokens.sign(Identity("ada", "", TokenRole.USER))
    assert change(app, visitor, WORD, "battery staple").status_code == 401


def test_pages_of_others_may_not_change_it(app):
    token = sign_in(app, WORD).get_json()["token"]
    answer = change(app, token, WORD, "battery staple", environ_base={"HTTP_ORIGIN": "https://e.x"})
    assert answer.status_code == 403


def test_it_is_written_down_without_the_password(app, caplog):
    with caplog.at_level("INFO", "csapp.security"):
        token = sign_in(app, WORD).get_json()["token"]
        change(app, token, "wrong one", "battery staple")
        change(app, token, WORD, "battery staple")
        guess_until_refused(app)
    text = caplog.text
    assert "event=account_changed subject=ada" in text
    assert 'reason="password change"' in text
    assert 'reason="too many attempts"' in text
    for word in (WORD, "battery staple", "wrong one"):
        assert word not in text
