"""One way of saying no over HTTP, and one root for "not now"."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from blueprints.extension import Extension
from blueprints.host.reached import marked
from csapp import create_app
from services.errors import Unavailable
from services.wire.codes import ErrorCode, HTTPRefusal
from testkit import Client, LiveServer, assert_receives
from testkit.server import ROOT, SECRET

from .away import kinds

#: the module that makes error answers
MAKER = "blueprints/refusals.py"

#: `/readyz` reports a state, with a status that monitors understand (docs/operations.md)
REPORTS = {"blueprints/ops.py": "readyz"}

#: in whose handlers `Unavailable` becomes what a client is told
TRANSLATORS = {MAKER, "services/session.py"}


KINDS = list(kinds().values())
NAMES = set(kinds())


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


# ---- over HTTP -------------------------------------------------------------


def is_error(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and 400 <= node.value < 600


def answers_with_an_error(tree: ast.AST) -> Iterator[int]:
    """Lines that make an HTTP error in a way of their own."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="abort") | ast.Attribute(attr="abort")):
                if not ast.unparse(node.func).endswith("transport.abort"):
                    yield node.lineno
            case ast.Call(keywords=words) if any(
                word.arg in ("status", "status_code") and is_error(word.value) for word in words
            ):
                yield node.lineno
            case ast.Return(value=ast.Tuple(elts=[_, status, *_])) if is_error(status):
                yield node.lineno
            case ast.Assign(targets=[ast.Attribute(attr="status_code" | "status")], value=value):
                if not isinstance(value, ast.Constant) or is_error(value):
                    yield node.lineno
            case ast.Call(func=ast.Name(id="start_response"), args=[status, *_]):
                if ast.unparse(status)[1:2] in "45":
                    yield node.lineno
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if is_of_werkzeug(name):
                yield node.lineno


def is_of_werkzeug(name: str) -> bool:
    import werkzeug.exceptions

    one = getattr(werkzeug.exceptions, name, None)
    return isinstance(one, type) and issubclass(one, werkzeug.exceptions.HTTPException)


def without(tree: ast.AST, function: str | None) -> ast.AST:
    """*tree* without the body of *function*."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            node.body = []
    return tree


#: `unchanged.py` restores the status that a door has given
RESTORES = "blueprints/host/unchanged.py"


def test_one_module_makes_the_answers_to_requests_that_are_refused():
    found = {
        f"{name}:{line}"
        for name, tree in modules("blueprints")
        if name not in (MAKER, RESTORES)
        for line in answers_with_an_error(without(tree, REPORTS.get(name)))
    }
    assert not found, "raise HTTPRefusal; blueprints/refusals.py makes the answer"


@pytest.mark.parametrize(
    "way",
    [
        "return jsonify(code='x'), 404",
        "abort(404)",
        "flask.abort(403)",
        "return Response('no', status=500)",
        "response.status_code = 429",
        "response.status_code = status",
        "start_response('503 Service Unavailable', [])",
        "raise NotFound()",
    ],
)
def test_other_ways_are_found(way):
    assert list(answers_with_an_error(ast.parse(way))) == [1]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


def raising(app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Any:
    """What a view is answered with that raises *error*."""

    def fail() -> None:
        raise error

    monkeypatch.setitem(app.view_functions, "csapp_api.status", marked(fail))
    return app.test_client().get("/v1/status")


def test_a_refusal_is_its_code_message_status_and_headers(app, monkeypatch):
    refusal = HTTPRefusal(418, ErrorCode.FULL, "only tea", {"X-Spout": "short"}, retry_after=7)
    answer = raising(app, monkeypatch, refusal)
    assert answer.status_code == 418
    assert answer.get_json() == {"code": "full", "message": "only tea"}
    assert (answer.headers["X-Spout"], answer.headers["Retry-After"]) == ("short", "7")


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_away_the_answer_says_what_and_tells_no_address(app, monkeypatch, kind):
    answer = raising(app, monkeypatch, kind("10.0.0.7 is away"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    reason = kind("chat migrate").public_reason  # one of them says what its error says
    assert answer.get_json()["code"] == "unavailable"
    if kind.__name__ != "Outdated":
        assert answer.get_json()["message"] == f"{reason}; try again in a moment"
        assert "10.0.0.7" not in answer.text


# ---- not now ---------------------------------------------------------------


def test_what_the_database_redis_and_the_secret_raise_is_one_kind():
    assert {"StoreError", "OutcomeUnknown", "DeskUnavailable", "NoSecret", "InUse"} <= NAMES


def names_in(node: ast.AST | None) -> set[str]:
    if node is None:
        return set()
    return {
        getattr(one, "id", getattr(one, "attr", ""))
        for one in ast.walk(node)
        if isinstance(one, ast.Name | ast.Attribute)
    }


def test_nobody_lists_the_kinds_of_what_is_not_there_now():
    """A kind of tomorrow would be missing in the list: `Unavailable` is all of them."""
    roots = {one.__name__ for one in Unavailable.__subclasses__()}
    assert len(roots) == 6
    found = {
        f"{name}:{node.lineno}"
        for name, tree in modules("blueprints", "services", "testkit")
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple) and len(names_in(node) & roots) > 1
    }
    assert not found


def test_what_is_not_there_now_is_told_to_clients_in_one_place_for_http_and_one_for_sessions():
    found = {
        f"{name}:{node.lineno}"
        for name, tree in modules("blueprints", "services")
        if name not in TRANSLATORS
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and names_in(node.type) & NAMES
        and names_in(ast.Module(node.body, [])) & {"Refusal", "HTTPRefusal"}
    }
    assert not found, "let it pass: Session._handle and blueprints/refusals.py catch it"


def test_a_session_says_what_is_not_there_now_and_goes_on(tmp_path):
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db"}
    with (
        LiveServer.gunicorn("tests.away:standalone()", env) as server,
        Client(server, "user") as user,
    ):
        user.say("auth", {"token": server.token("user", "ann"), "version": 2})
        while user.receive()["type"] != "auth_success":
            pass
        for name, kind in kinds().items():
            asked = user.say("get_history", {"conversation": name})
            error = assert_receives(user, "error", reply_id=asked)["payload"]
            assert (error["code"], error["retry_after"] > 0) == ("unavailable", True)
            if name != "Outdated":  # which says what its error says
                assert error["message"] == kind("").advice
                assert "10.0.0.7" not in error["message"]
        assert "Traceback" not in server.log


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", [("waiter", "list"), ("migrate",)])
def test_a_command_says_it_in_one_line(app, monkeypatch, words, kind):
    def fail(self: object) -> None:
        raise kind("the disk is full")

    monkeypatch.setattr(Extension, "open_store", fail)
    done = app.test_cli_runner().invoke(args=["chat", *words])
    assert (done.exit_code, done.output) == (1, "Error: the disk is full\n")
