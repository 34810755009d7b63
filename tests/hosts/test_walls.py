"""What an application answers by itself, before the chat is asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort, redirect, request
from flask.testing import FlaskClient
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from flask_wtf import CSRFProtect

from blueprints.host.intercepted import LOOKED_AT, MOST_NAMED, examine
from csapp import CSApp
from services.doctor import LINE

from . import login_wall
from .made import PREFIX, made

#: what scripts and programs ask for
FOR_MACHINES = [
    ("GET", "/widget.js"),
    ("GET", "/csapp-static/widget/panel.js"),
    ("GET", "/csapp-static/console/main.js"),
    ("POST", "/v1/visitor/token"),
    ("GET", "/v1/status"),
    ("GET", "/v1/ws/user/connect"),
    ("GET", "/metrics"),
]


Hook = Callable[[], Any]


def walled(hook: Hook, **config: Any) -> Flask:
    """An application in which *hook* sees every request first."""
    app, chat = made("walled")
    app.config.update(config)
    app.before_request(hook)
    chat.init_app(app, PREFIX)
    return app


@pytest.fixture
def closed() -> FlaskClient:
    """Of an anonymous visitor, before a wall that has no line for the chat."""
    return login_wall.closed.test_client()


@pytest.mark.parametrize(("method", "path"), FOR_MACHINES)
def test_no_script_is_led_to_a_page(closed, method, path):
    answer = closed.open(PREFIX + path, method=method)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert "the application answers this address itself" in answer.json["message"]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 503)])
def test_probes_are_told_what_is(closed, path, status):
    """This is no web server, so there is no chat: `/readyz` says so, and no page for signing in."""
    answer = closed.get(PREFIX + path, follow_redirects=True)
    assert answer.status_code == status
    assert answer.json["status"] in ("ok", "unfit")


@pytest.mark.parametrize("path", ["/waiter", "/"])
def test_people_are_led_where_they_sign_in(closed, path):
    answer = closed.get(PREFIX + path)
    assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login")
    assert "Content-Security-Policy" not in answer.headers


def test_whoever_has_signed_in_has_the_chat(closed):
    closed.get("/enter/ann")
    assert closed.get(f"{PREFIX}/widget.js").mimetype == "text/javascript"
    assert closed.post(f"{PREFIX}/v1/visitor/token").status_code == 200


def test_the_line_lets_everybody_through():
    client = login_wall.app.test_client()
    assert client.get("/").status_code == 302
    assert client.get(f"{PREFIX}/widget.js").mimetype == "text/javascript"
    assert client.post(f"{PREFIX}/v1/visitor/token").status_code == 200
    assert client.get(f"{PREFIX}/waiter").status_code == 200


def test_the_log_names_it_once(caplog):
    client = walled(lambda: redirect("/login?secret=1")).test_client()
    for _ in range(2):
        for method, path in FOR_MACHINES:
            client.open(PREFIX + path, method=method)
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING] == [
        f"the application answers GET {PREFIX}/widget.js itself, before the chat is asked: "
        f"302 to /login. What lets it through is {LINE}"
    ]


@pytest.mark.parametrize(
    ("hook", "status", "code"),
    [
        (lambda: abort(403), 403, "forbidden"),
        (lambda: abort(400, "The CSRF token is missing."), 400, "invalid_message"),
        (lambda: ("<h1>Down for maintenance</h1>", 503, {"Retry-After": "7"}), 503, "unavailable"),
        (lambda: ("<h1>Sign in</h1>", 401, {"WWW-Authenticate": "Basic"}), 401, "unauthenticated"),
        (lambda: "<h1>Sign in</h1>", 401, "unauthenticated"),
        (lambda: {"login": "/login"}, 401, "unauthenticated"),
        (lambda: ("<h1>Too many</h1>", 429, {"Retry-After": "7"}), 429, "rate_limited"),
        (lambda: ({"message": {"csrf": ["missing"]}}, 403), 403, "forbidden"),
        (lambda: ({"code": 403, "message": "no"}, 403), 403, "forbidden"),
    ],
)
def test_a_refusal_of_the_hosts_is_one_that_programs_can_read(hook, status, code):
    answer = walled(hook).test_client().post(f"{PREFIX}/v1/visitor/token")
    assert (answer.status_code, answer.json["code"]) == (status, code)
    told = hook() if status in (429, 503) else None
    assert answer.headers.get("Retry-After") == (told[2]["Retry-After"] if told else None)


@pytest.mark.parametrize("path", ["/widget.js", "/csapp-static/widget/panel.css"])
def test_files_that_the_application_keeps_stay_files(path, caplog):
    """A cache of its own before all views."""
    kept: dict[str, Response] = {}
    app = walled(lambda: kept.get(request.path))

    @app.after_request
    def keep(answer: Response) -> Response:
        kept[request.path] = Response(answer.get_data(), mimetype=answer.mimetype)
        return answer

    client = app.test_client()
    first, second = (client.get(PREFIX + path) for _ in range(2))
    assert (second.status_code, second.data) == (200, first.data)
    kept[PREFIX + path] = Response(status=304)
    assert client.get(PREFIX + path).status_code == 304
    assert not caplog.records


def test_the_log_has_an_end(caplog):
    """A way to the login with the page in it is another for each page."""
    client = walled(lambda: redirect(f"/login{request.path}")).test_client()
    for number in range(50):
        client.get(f"{PREFIX}/csapp-static/widget/{number}.js")
    assert len(caplog.records) == MOST_NAMED


@pytest.mark.parametrize(
    ("method", "hook"),
    [
        ("OPTIONS", lambda: Response(status=204)),
        ("GET", lambda: redirect(request.url.replace("http:", "https:"))),
        ("GET", lambda: redirect(f"https://www.shop.example{request.path}", 301)),
    ],
    ids=["preflight", "https", "www"],
)
def test_what_is_right_stays(caplog, method, hook):
    app = walled(hook)
    with app.test_request_context(f"{PREFIX}/widget.js", method=method):
        expected = app.make_response(hook())
    answer = app.test_client().open(f"{PREFIX}/widget.js", method=method)
    assert (answer.status_code, answer.location, answer.data) == (
        expected.status_code, expected.location, expected.data,
    )  # fmt: skip
    assert not caplog.records


def test_its_own_error_pages_stay_its_own():
    app, chat = made("own errors")
    app.register_error_handler(Exception, lambda error: ("the shop's apology", 500))
    app.register_error_handler(404, lambda error: ("the shop's 404", 404))
    chat.init_app(app, PREFIX)
    client = app.test_client()
    assert client.get("/nowhere").text == "the shop's 404"
    answer = client.post(f"{PREFIX}/v1/waiter/login", data="x")
    assert answer.is_json, "what the chat refuses it says itself"


# ---- extensions -------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["before the chat", "after it"])
def test_the_order_of_extensions_does_not_matter(first, caplog):
    caplog.set_level(logging.INFO)
    app, chat = made("in order")
    for step in (CSRFProtect, lambda app: chat.init_app(app, PREFIX))[:: 1 if first else -1]:
        step(app)
    app.add_url_rule("/form", "form", lambda: "sent", methods=["POST"])
    assert app.test_client().post(f"{PREFIX}/v1/visitor/token").status_code == 200
    assert app.test_client().post("/form").status_code == 400, "the host's own forms are checked"
    assert caplog.text.count("the chat's addresses are exempt from flask_wtf") == 1


def test_a_limit_that_the_host_sets_for_the_chat_stands():
    app, chat = made("limited")
    chat.init_app(app, PREFIX)
    limiter = Limiter(
        get_remote_address, app=app, default_limits=["1 per day"], storage_uri="memory://"
    )
    (auth,) = (one for one in chat.blueprints if one.name == "csapp_auth")
    limiter.limit("2 per day")(auth)
    client = app.test_client()
    assert [client.get(f"{PREFIX}/widget.js").status_code for _ in range(3)] == [200] * 3
    statuses = [client.post(f"{PREFIX}/v1/visitor/token").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_probes_over_plain_http_are_answered_under_talisman():
    app, chat = made("https only")
    chat.init_app(app, PREFIX)
    Talisman(app)
    client = app.test_client()
    assert client.get("/").location == "https://localhost/"
    assert client.get(f"{PREFIX}/waiter").location == f"https://localhost{PREFIX}/waiter"
    assert client.get(f"{PREFIX}/healthz").json == {"status": "ok"}
    assert client.get(f"{PREFIX}/readyz").json["status"] == "unfit"


def test_an_extension_that_nobody_has_tried_stops_no_request(caplog):
    class Strange(CSRFProtect):  # type: ignore[misc]
        def exempt(self, view: Any) -> Any:
            raise TypeError("another version")

    app, chat = made("strange")
    Strange(app)
    chat.init_app(app, PREFIX)
    assert app.test_client().get(f"{PREFIX}/healthz").status_code == 200
    assert "csapp and flask_wtf do not agree" in caplog.text


# ---- chat.blueprints --------------------------------------------------------


def test_blueprints_are_what_hooks_and_extensions_ask_for():
    app, chat = made("named")
    assert "csapp_auth" in chat.blueprints
    with pytest.raises(RuntimeError, match="init_app"):
        list(chat.blueprints)
    chat.init_app(app, PREFIX)
    assert {one.name for one in chat.blueprints} == set(app.blueprints)
    assert all(one in chat.blueprints for one in app.blueprints)
    assert len(chat.blueprints) == len(app.blueprints)
    for other in (None, "shop", "", 5):
        assert other not in chat.blueprints


def test_blueprints_of_several_applications():
    chat = CSApp()
    for number in range(2):
        app, _ = made(f"number {number}")
        chat.init_app(app, PREFIX)
    assert {one.name for one in chat.blueprints} == set(app.blueprints)


# ---- chat doctor ------------------------------------------------------------


def test_an_examination_finds_what_is_in_the_way():
    found = examine(login_wall.closed, PREFIX)
    asked = [f"{method} {PREFIX}{path}" for method, path in LOOKED_AT]
    assert [one.asked for one in found] == asked
    assert {(one.status, one.more) for one in found} == {(302, "/login")}
    assert examine(login_wall.app, PREFIX) == []


def test_an_examination_asks_no_view_of_the_chat():
    app, chat = made("examined")
    seen: list[str] = []
    app.before_request(lambda: seen.append(request.path))

    @chat.identify_visitor
    def visitor(request: Any) -> None:
        raise AssertionError("nobody is to be asked")

    chat.init_app(app, PREFIX)
    assert examine(app, PREFIX) == []
    assert seen == [PREFIX + path for _, path in LOOKED_AT]


@pytest.mark.parametrize("propagates", [True, False])
@pytest.mark.parametrize("when", ["before_request", "after_request"])
def test_a_hook_that_fails_is_found(propagates, when):
    def fails(*_: Any) -> None:
        raise LookupError("no such table")

    app = walled(lambda: None, PROPAGATE_EXCEPTIONS=propagates)
    getattr(app, when)(fails)
    found = examine(app, PREFIX)
    assert {(one.status, one.more) for one in found} == {(0, "LookupError")}
    assert len(found) == len(LOOKED_AT)


def test_a_middleware_that_answers_is_found():
    app = walled(lambda: None)
    app.wsgi_app = Response("Sign in", 302, {"Location": "/login"})  # type: ignore[assignment]
    found = examine(app, PREFIX)
    assert {(one.status, one.more, one.is_outside) for one in found} == {(302, "/login", True)}
    assert not any(one.is_outside for one in examine(login_wall.closed, PREFIX))
