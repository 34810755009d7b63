"""Another token for whoever shows one, while the host or the account still stands for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, abort, render_template_string
from werkzeug.test import TestResponse

from blueprints import renewal
from blueprints.host import identity as host_identity
from csapp import CSApp, Identity, TokenRole, create_app
from services.bounds import RENEWALS
from services.identity import ANONYMOUS, Shown
from testkit.server import SECRET

WORD = "correct horse battery"


class Host:
    """An application that says who is who; *visitor* and *waiter* are whom it sees now."""

    def __init__(self, **config: Any) -> None:
        self.app = Flask("host")
        self.app.config.update(CSAPP_SECRET_KEY=SECRET, CSAPP_DATABASE_URL="off", **config)
        self.visitor: Any = None
        self.waiter: Any = None
        chat = CSApp(self.app)
        chat.identify_visitor(lambda request: self.visitor)
        chat.identify_waiter(lambda request: self.waiter)
        self.chat = chat


def post(app: Flask, path: str, token: str = "", **options: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return app.test_client().post(path, headers=headers, **options)


def shown(app: Flask, token: str) -> Shown:
    return app.extensions["csapp"].server.tokens.inspect_any(token)


VISITOR, WAITER = "/v1/visitor/token", "/v1/waiter/login"


# ---- whom the host knows -----------------------------------------------------


@pytest.mark.parametrize(("path", "who"), [(VISITOR, "visitor"), (WAITER, "waiter")])
def test_the_host_is_asked_again_and_the_login_stays(path: str, who: str):
    host = Host()
    setattr(host, who, Identity("42", "Ann"))
    first = post(host.app, path).get_json()
    assert first["expires_in"] == 900
    setattr(host, who, Identity("42", "Ann Other"))
    second = post(host.app, path, first["token"]).get_json()
    before, after = (shown(host.app, one["token"]) for one in (first, second))
    assert after.identity.sid == before.identity.sid
    assert after.identity.name == "Ann Other"
    assert after.expires - after.signed <= 900_000


@pytest.mark.parametrize(("path", "who"), [(VISITOR, "visitor"), (WAITER, "waiter")])
def test_the_host_says_each_time_which_departments(path: str, who: str):
    host = Host()
    token = ""
    for said, priority in ((["sales", ("support", 9)], 3), (["support"], 0), ((), 0)):
        setattr(host, who, Identity("42", departments=said, priority=priority))
        token = post(host.app, path, token).get_json()["token"]
        found = shown(host.app, token).identity
        assert (found.departments, found.priority) == (
            Identity("42", departments=said, priority=priority).departments, priority
        )  # fmt: skip


@pytest.mark.parametrize(
    ("config", "seconds"),
    [({"CSAPP_RECHECK": 60}, 60), ({"CSAPP_RECHECK": 0}, 43_200), ({"CSAPP_TOKEN_LIFETIME": 5}, 5)],
)
def test_how_often_it_is_asked_is_a_setting(config: dict[str, int], seconds: int):
    host = Host(**config)
    host.visitor = host.waiter = "42"
    for path in (VISITOR, WAITER):
        assert post(host.app, path).get_json()["expires_in"] == seconds


def test_an_anonymous_visitor_is_not_asked_about():
    host = Host(CSAPP_RECHECK=60)
    assert post(host.app, VISITOR).get_json()["expires_in"] == 43_200


@pytest.mark.parametrize("now", [None, "bob"])
def test_a_waiter_whom_the_host_knows_no_more_is_not_renewed(now: str | None):
    host = Host()
    host.waiter = "ada"
    token = post(host.app, WAITER).get_json()["token"]
    host.waiter = now
    answer = post(host.app, WAITER, token)
    if now is None:
        assert answer.status_code == 401
    else:
        assert answer.get_json()["sub"] == "bob"
        assert shown(host.app, answer.get_json()["token"]).identity.sid != (
            shown(host.app, token).identity.sid
        ), "another login"


def test_a_visitor_whom_the_host_knows_no_more_is_anonymous():
    host = Host()
    host.visitor = "42"
    token = post(host.app, VISITOR).get_json()["token"]
    host.visitor = None
    assert post(host.app, VISITOR, token).get_json()["sub"].startswith("anonymous-")


def test_an_anonymous_visitor_in_a_conversation_stays_one_while_it_asks_for_that():
    host = Host()
    stranger = post(host.app, VISITOR).get_json()
    host.visitor = "42"
    assert post(host.app, f"{VISITOR}?stay", stranger["token"]).get_json()["sub"] == stranger["sub"]
    assert post(host.app, VISITOR, stranger["token"]).get_json()["sub"] == "42"
    assert post(host.app, f"{VISITOR}?stay").get_json()["sub"] == "42"
    known = post(host.app, VISITOR).get_json()["token"]
    host.visitor = "43"
    assert post(host.app, f"{VISITOR}?stay", known).get_json()["sub"] == "43", "the host decides"


def test_a_login_that_was_signed_out_is_not_renewed_but_another_begun():
    host = Host()
    host.waiter = "ada"
    token = post(host.app, WAITER).get_json()["token"]
    with host.app.app_context():
        host.chat.revoke("ada")
    again = post(host.app, WAITER, token).get_json()["token"]
    assert shown(host.app, again).identity.sid != shown(host.app, token).identity.sid


# ---- accounts ------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/csapp.db"
    app = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})
    chat(app, "waiter", "add", "ada", "--password-stdin", typed=f"{WORD}\n")
    return app


def chat(app: Flask, *words: str, typed: str = "") -> None:
    done = app.test_cli_runner().invoke(args=["chat", *words], input=typed)
    assert done.exit_code == 0, done.output


def signed_in(app: Flask) -> str:
    answer = post(app, WAITER, json={"name": "ada", "password": WORD})
    return str(answer.get_json()["token"])


def test_a_login_with_a_password_is_renewed_and_stays_the_same(app: Flask):
    token = signed_in(app)
    answer = post(app, WAITER, token)
    assert answer.status_code == 200
    assert answer.get_json()["expires_in"] == 43_200
    before, after = shown(app, token), shown(app, answer.get_json()["token"])
    assert after.identity == before.identity
    assert after.since == before.since > 0
    assert abs(before.since - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    "change",
    [("waiter", "disable", "ada"), ("waiter", "password", "ada", "--generate"),
     ("revoke", "--sub", "ada")],
)  # fmt: skip
def test_it_is_not_when_the_account_changes(app: Flask, change: tuple[str, ...]):
    token = signed_in(app)
    chat(app, *change)
    app.extensions["csapp"].server.house.revocations._look()
    assert post(app, WAITER, token).status_code == 401


def test_nor_after_thirty_days_nor_when_it_was_made_by_hand(app: Flask):
    tokens = app.extensions["csapp"].server.tokens
    ada = Identity("ada", "", TokenRole.WAITER)
    now = int(time.time() * 1000)
    for since, status in (
        (0, 401),
        (now - renewal.LONGEST - 1, 401),
        (now - renewal.LONGEST + 60_000, 200),
        (now + 3_600_000, 200),  # a clock that was set back
    ):
        assert post(app, WAITER, tokens.sign(ada, since=since)).status_code == status, since
    nobody = tokens.sign(Identity("zoe", "", TokenRole.WAITER), since=now)
    assert post(app, WAITER, nobody).status_code == 401
    run_out = tokens.sign(ada, -5, since=now)
    assert post(app, WAITER, run_out).status_code == 401


# ---- how often -----------------------------------------------------------------


def test_renewing_is_counted_by_login_not_by_address():
    """A thousand visitors behind one address stay in their chats."""
    host = Host()
    host.visitor = "42"
    tokens = host.app.extensions["csapp"].server.tokens
    logins = [tokens.sign(Identity("42", sid=f"login-{n}")) for n in range(60)]
    assert {post(host.app, VISITOR, one).status_code for one in logins} == {200}
    at_once = int(RENEWALS.at_once)
    again = [post(host.app, VISITOR, logins[0]).status_code for _ in range(at_once)]
    assert again == [200] * (at_once - 1) + [429]


# ---- who a token is ------------------------------------------------------------


def me(app: Flask, token: str) -> TestResponse:
    return app.test_client().get("/v1/waiter/me", headers={"Authorization": f"Bearer {token}"})


def test_a_token_can_be_looked_at_before_it_is_used(app: Flask):
    tokens = app.extensions["csapp"].server.tokens
    ada = Identity("ada", "Ada", TokenRole.WAITER, "login-1")
    answer = me(app, tokens.sign(ada, 100))
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.get_json()
    assert 90 <= said.pop("expires_in") <= 100
    assert said == {"sub": "ada", "name": "Ada", "avatar": ""}
    post(app, "/v1/waiter/logout", tokens.sign(ada))
    for token, code in (
        ("garbage", "invalid_token"),
        ("", "unauthenticated"),
        (tokens.sign(Identity("ann")), "forbidden"),
        (tokens.sign(Identity("lin", "", TokenRole.WAITER), -5), "expired_token"),
        (tokens.sign(ada), "invalid_token"),
    ):
        refused = me(app, token)
        assert (refused.status_code, refused.get_json()["code"]) == (401, code)


# ---- a host that fails -----------------------------------------------------------


def failing(request: object) -> None:
    raise ZeroDivisionError("the host's database is away")


class Speechless:
    """A host's object whose text cannot be had."""

    def __str__(self) -> str:
        return str(failing(None))


class LoggedIn:
    """A user as Flask-Login knows one."""

    def __init__(self, id: str | None) -> None:
        self.id = id

    def get_id(self) -> str | None:
        return self.id


@pytest.mark.parametrize(
    "bad",
    [
        failing, "", "x" * 201, "a\0b", "\ud800", True, b"42", ["42"], ("42", "Ann"), {"id": 42},
        object(), Speechless(), LoggedIn(""),
    ],
)  # fmt: skip
def test_a_host_that_cannot_say_who_somebody_is_ends_nothing(bad: Any):
    host = Host()
    host.visitor = host.waiter = "42"
    tokens = [post(host.app, path).get_json()["token"] for path in (VISITOR, WAITER)]
    callback = bad if callable(bad) else lambda request: bad
    host.chat.identify_visitor(callback)
    host.chat.identify_waiter(callback)
    for path, token in zip((VISITOR, WAITER), tokens, strict=True):
        answer = post(host.app, path, token)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
    with host.app.test_request_context():
        tag = render_template_string("{{ csapp_widget() }}")
    assert "data-visitor" not in tag, "what the browser keeps is kept"


def test_the_log_says_so_without_the_words_of_the_host(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr(
        host_identity, "_say", lambda kind, level, what, *args: said.append(what % args)
    )
    host = Host()
    for callback in (failing, lambda request: "x" * 201):
        host.chat.identify_visitor(callback)
        post(host.app, VISITOR)
    assert said == [
        "failing cannot say who somebody is: ZeroDivisionError",
        "<lambda> cannot say who somebody is: subject: a string of 1 to 200 characters is required",
    ]


@pytest.mark.parametrize("name", [None, "x" * 201, "a\0b", 7])
def test_an_identity_of_the_hosts_own_making_opens_the_chat(name: Any):
    host = Host()
    host.chat.identify_visitor(lambda request: Identity(42, name))  # type: ignore[arg-type]
    told = post(host.app, VISITOR).get_json()
    assert (told["sub"], told["name"]) == ("42", Identity("42", name).name)
    with host.app.test_request_context():
        assert "data-visitor=" in render_template_string("{{ csapp_widget() }}")


def test_the_log_says_what_is_wrong_with_an_id(caplog: pytest.LogCaptureFixture):
    host = Host()

    @host.chat.identify_visitor
    def who_has_no_id(request: Any) -> Identity:
        return Identity("", "Ann")

    for _ in range(3):
        assert post(host.app, VISITOR).status_code == 503
        with host.app.test_request_context():
            assert "<script" in render_template_string("{{ csapp_widget() }}")
    assert [one.getMessage() for one in caplog.records] == [
        "who_has_no_id cannot say who somebody is: "
        "subject: a string of 1 to 200 characters is required"
    ]


def test_the_log_says_what_is_wrong_with_departments(caplog: pytest.LogCaptureFixture):
    host = Host()

    @host.chat.identify_waiter
    def who_is_misplaced(request: Any) -> Identity:
        return Identity("ada", departments=["Sales Team of Bob"])

    assert post(host.app, WAITER).status_code == 503
    assert [one.getMessage() for one in caplog.records] == [
        "who_is_misplaced cannot say who somebody is: "
        "departments: of each key 1 to 40 characters of a-z, 0-9 and - are needed"
    ]


def test_a_subject_may_be_a_number_or_a_uuid():
    host = Host()
    for who in (42, UUID(int=7)):
        host.visitor = who
        assert post(host.app, VISITOR).get_json()["sub"] == str(who)


def test_a_user_of_flask_login_is_its_id():
    host = Host()
    host.visitor = LoggedIn("42")
    assert post(host.app, VISITOR).get_json()["sub"] == "42"


@pytest.mark.parametrize("nobody", [False, LoggedIn(None)])
def test_those_who_are_not_signed_in_are_not_one_and_the_same(nobody: Any):
    """`current_user.is_authenticated and current_user.id` is False for all of them."""
    host = Host()
    host.visitor = nobody
    subjects = {post(host.app, VISITOR).get_json()["sub"] for _ in range(2)}
    assert len(subjects) == 2
    assert all(subject.startswith(ANONYMOUS) for subject in subjects)


def test_a_host_may_answer_by_itself():
    host = Host()
    host.chat.identify_waiter(lambda request: abort(403))
    assert post(host.app, WAITER).status_code == 403
