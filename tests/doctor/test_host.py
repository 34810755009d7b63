"""What the application round the chat does to all requests."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from flask import Flask, redirect
from werkzeug.middleware.proxy_fix import ProxyFix

from csapp import CSApp
from services.doctor import Intercepted, Level
from testkit.server import SECRET

from .conftest import SERVING, says

TOKEN, SCRIPT = "POST /support/v1/visitor/token", "GET /support/widget.js"


@pytest.mark.parametrize(
    ("status", "more", "level", "words"),
    [
        (302, "/login", Level.WARNING, "before the chat is asked (302 to /login): visitors have"),
        (401, "", Level.WARNING, "before the chat is asked (401): visitors have no chat"),
        (400, "", Level.FAULT, "answers 400 before the chat is asked, at "),
        (429, "", Level.FAULT, "nobody gets a chat"),
        (0, "KeyError", Level.FAULT, "a hook of the application fails with KeyError, at "),
    ],
)
def test_what_answers_in_the_place_of_the_chat(sick, status, more, level, words):
    found = sick(intercepted=tuple(Intercepted(one, status, more) for one in (TOKEN, SCRIPT)))
    said = says(found, level, words)
    assert f"{TOKEN}, {SCRIPT}" in said.what
    assert status == 0 or "if request.blueprint in chat.blueprints: return" in said.remedy


def test_what_a_middleware_answers(sick):
    found = sick(intercepted=(Intercepted(TOKEN, 302, "/login", is_outside=True),))
    said = says(found, Level.WARNING, "a middleware round the application answers before the chat")
    assert "app.wsgi_app" in said.remedy, "no line in a hook helps"


def test_proxies_that_are_counted_twice(sick):
    assert sick(proxy_fix=1, trusted_proxies=0) == []
    says(sick(proxy_fix=1, trusted_proxies=1), Level.HINT, "says the same once more")
    says(sick(proxy_fix=1, trusted_proxies=2), Level.WARNING, "believes 1 of the proxies")


def test_proxies_that_others_get_past(sick):
    serving = replace(SERVING, binds=["0.0.0.0:8000"])
    found = sick(serving=serving, proxy_fix=1, trusted_proxies=0)
    says(found, Level.HINT, "x_for of ProxyFix is 1")


def test_the_command_looks_at_the_application():
    app = Flask("shop")
    app.config.update(CSAPP_SECRET_KEY=SECRET, CSAPP_DATABASE_URL="off", CSAPP_TRUSTED_PROXIES=2)
    app.before_request(lambda: redirect("/login"))
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    CSApp(app, "/support")
    told = json.loads(app.test_cli_runner().invoke(args=["chat", "doctor", "--json"]).output)
    said = [one["what"] for one in told["findings"]]
    assert any("before the chat is asked (302 to /login)" in one for one in said), said
    assert any("believes 1 of the proxies" in one for one in said), said
