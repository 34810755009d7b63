"""What the tag and the pages take up of other extensions: language and nonce."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask_babel import Babel
from flask_talisman import Talisman

from . import babel, talisman
from .made import PREFIX, made


def attribute(html: str, name: str) -> str | None:
    found = re.search(rf'\b{name}="([^"]*)"', html)
    return found[1] if found else None


@pytest.mark.parametrize(
    ("language", "tag"), [("zh", "zh"), ("zh_Hans_CN", "zh-Hans-CN"), ("de", "de")]
)
def test_the_language_of_flask_babel(language, tag):
    client = babel.app.test_client()
    client.get(f"/speak/{language}")
    assert attribute(client.get("/").text, "data-locale") == tag
    assert attribute(client.get(f"{PREFIX}/waiter").text, "data-locale") == tag
    assert attribute(client.get(f"{PREFIX}/").text, "data-locale") == tag


def written(app: Flask, call: str = "csapp_widget()") -> str:
    with app.test_request_context():
        return render_template_string("{{ " + call + " }}")


def hosted(**options: Any) -> Flask:
    app, chat = made("tagged")
    chat.init_app(app, PREFIX)
    Babel(app, **options)
    return app


def test_what_the_page_says_itself_wins():
    app = hosted(locale_selector=lambda: "zh")
    assert attribute(written(app, "csapp_widget(locale='en')"), "data-locale") == "en"


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ({}, None),  # nobody has said anything: the page's `lang`, then the browser's
        ({"default_locale": "fr"}, "fr"),
        ({"locale_selector": lambda: None}, "en"),
        ({"locale_selector": lambda: 1 / 0}, None),
        ({"locale_selector": lambda: "no language"}, None),
    ],
)
def test_what_flask_babel_says(options, tag):
    assert attribute(written(hosted(**options)), "data-locale") == tag


def test_a_host_without_it_says_nothing():
    app, chat = made("alone")
    app.extensions["babel"] = object()  # of another kind
    chat.init_app(app, PREFIX)
    assert attribute(written(app), "data-locale") is None


def test_the_nonce_of_flask_talisman():
    answer = talisman.app.test_client().get("/")
    nonce = attribute(answer.text, "nonce")
    assert nonce
    assert f"'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("told", "nonce"),
    [
        (lambda: "n1", "n1"),
        ("n2", "n2"),
        (lambda: "", None),
        (lambda where: where, None),  # of another kind
    ],
)
def test_the_nonce_that_the_templates_know(told, nonce):
    app, chat = made("nonce")
    chat.init_app(app, PREFIX)
    app.jinja_env.globals["csp_nonce"] = told
    assert attribute(written(app), "nonce") == nonce
    assert attribute(written(app, "csapp_widget(nonce='mine')"), "nonce") == "mine"


def test_a_policy_that_only_reports_is_not_on_our_pages():
    app, chat = made("reports")
    chat.init_app(app, PREFIX)
    Talisman(app, force_https=False, content_security_policy_report_only=True,
             content_security_policy_report_uri="/reports")  # fmt: skip
    headers = app.test_client().get(f"{PREFIX}/waiter").headers
    assert "Content-Security-Policy-Report-Only" not in headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["Referrer-Policy"] == "no-referrer"
