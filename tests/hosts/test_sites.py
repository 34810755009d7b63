"""Host names, subdomains, mounts and slashes: the chat is at one address on each of them."""

from __future__ import annotations

import gc
import re
from typing import Any

import pytest
from flask import Flask, render_template_string, url_for
from flask_login import user_logged_out
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from csapp import CSApp, Identity

from .made import PREFIX, made

TOKEN = f"{PREFIX}/v1/visitor/token"


def embedded(**options: Any) -> Flask:
    app, chat = made("somewhere", **options)
    chat.init_app(app, PREFIX)
    return app


def tag_on(app: Flask, url: str) -> str:
    with app.test_request_context("/", base_url=url):
        return render_template_string("{{ csapp_widget() }}")


@pytest.mark.parametrize("url", ["http://shop.example", "https://other.example:8443"])
def test_an_application_that_matches_host_names(url):
    app = embedded(host_matching=True, static_host="static.example")
    client = app.test_client()
    for path in ("/widget.js", "/waiter", "/csapp-static/console/main.js"):
        assert client.get(PREFIX + path, base_url=url).status_code == 200, path
    assert client.post(TOKEN, base_url=url, headers={"Origin": url}).status_code == 200
    assert f'src="{PREFIX}/widget.js"' in tag_on(app, url), "of the same origin"


@pytest.mark.parametrize("site", ["shop.example", "tea.shop.example", "a.tea.shop.example"])
def test_an_application_that_matches_subdomains(site):
    app = embedded(subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.example"
    client = app.test_client()
    url = f"http://{site}"
    for path in ("/widget.js", "/waiter", "/csapp-static/console/main.js"):
        assert client.get(PREFIX + path, base_url=url).status_code == 200, path
    assert client.post(TOKEN, base_url=url, headers={"Origin": url}).status_code == 200
    assert f'src="{PREFIX}/widget.js"' in tag_on(app, url), "of the same origin"


def test_an_address_without_a_request():
    app = embedded()
    app.config["SERVER_NAME"] = "shop.example"
    with app.app_context():
        assert url_for("csapp_console.waiter") == f"http://shop.example{PREFIX}/waiter"


def test_a_mounted_application():
    app = embedded()
    client = Client(DispatcherMiddleware(NotFound(), {"/shop": app}))
    page = client.get("/shop/")
    assert f'src="/shop{PREFIX}/widget.js"' in page.text
    assert client.get(f"/shop{PREFIX}/waiter/").location == f"/shop{PREFIX}/waiter"
    assert f"/shop{PREFIX}/csapp-static/console/main.js" in client.get(f"/shop{PREFIX}/waiter").text


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("asked", ["/waiter/", "/waiter/?from=mail", ""])
def test_a_page_has_one_address(strict, asked):
    app, chat = made("slashes")
    app.url_map.strict_slashes = strict
    chat.init_app(app, PREFIX)
    client = app.test_client()
    answer = client.get(PREFIX + asked)
    assert answer.status_code == 308
    page = client.get(PREFIX + asked, follow_redirects=True)
    assert page.status_code == 200
    assert page.request.path == f"{PREFIX}/{asked.strip('/').partition('/')[0]}"
    assert page.request.query_string.decode() == asked.partition("?")[2]


def test_a_page_at_the_root_has_one_address():
    app, chat = made("root")
    app.url_map.strict_slashes = False
    app.view_functions.pop("page")
    app.url_map._rules_by_endpoint["page"][0].methods.clear()  # the shop's own front page
    chat.init_app(app, "")
    assert app.test_client().get("/waiter/").location == "/waiter"
    assert app.test_client().get("/waiter").status_code == 200


def test_addresses_that_take_everything():
    """A folder of files at the root, and a single page for whatever is no address."""
    app = embedded(static_url_path="")
    app.add_url_rule("/<path:anything>", "anything", lambda anything: "the shop's page")
    app.add_url_rule("/<anything>/<path:more>", "more", lambda anything, more: "the shop's page")
    client = app.test_client()
    for path in ("/widget.js", "/waiter", "/csapp-static/console/main.js", "/healthz"):
        assert "the shop's" not in client.get(PREFIX + path).text, path
    assert client.post(TOKEN).status_code == 200


def test_values_that_the_application_takes_out_of_addresses_and_puts_into_them():
    """As its documentation has it for languages."""
    app = embedded()
    app.url_value_preprocessor(lambda endpoint, values: (values or {}).pop("language", None))
    app.url_defaults(lambda endpoint, values: values.setdefault("language", "de"))
    page = app.test_client().get("/").text
    script = re.search(r'src="([^"]+)"', page)
    assert script
    assert app.test_client().get(script[1]).mimetype == "text/javascript"


def test_an_application_that_has_the_chat_already_says_so():
    app = embedded()
    with pytest.raises(RuntimeError, match="the chat is in this application already"):
        CSApp(app, PREFIX)


def test_a_factory_that_keeps_nothing_signs_out_all_the_same():
    """Signals hold their receivers weakly, and nobody else has the object."""

    def create_app() -> Flask:
        app, chat = made("forgetful")
        chat.init_app(app, PREFIX)
        user_logged_out.connect(chat.revoke)
        return app

    app = create_app()
    gc.collect()
    client = app.test_client()
    token = client.post(TOKEN, headers={"Origin": "http://localhost"}).json["token"]
    with app.test_request_context():
        user_logged_out.send(app, user="ann")
    server = app.extensions["csapp"].server
    assert server.house.revocations.is_revoked(Identity("ann"), 0)
    assert token


def test_a_factory_that_is_called_again_and_again():
    chat = CSApp()
    for number in range(3):
        app, _ = made(f"again {number}")
        chat.init_app(app, PREFIX)
        assert app.test_client().post(TOKEN).status_code == 200
