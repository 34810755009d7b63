"""Werkzeug's ProxyFix instead of `CSAPP_TRUSTED_PROXIES`, or beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from blueprints.host.extensions import proxies_believed
from services.origin import UNREADABLE, client_address

from .made import PREFIX, made

#: as a proxy at https://shop.example:8443 asks
ASKED = {
    "Host": "inner:8000",
    "X-Forwarded-For": "203.0.113.5",
    "X-Forwarded-Host": "shop.example",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Proto": "https",
}


def fixed(trusted: int = 0, **options: Any) -> Flask:
    app, chat = made("behind")
    app.config["CSAPP_TRUSTED_PROXIES"] = trusted
    chat.init_app(app, PREFIX)
    app.wsgi_app = ProxyFix(app.wsgi_app, **options)  # type: ignore[method-assign]
    return app


def test_pages_of_the_public_address_get_a_token():
    app = fixed(x_host=1, x_port=1)
    client = app.test_client()
    asked = {**ASKED, "Origin": "https://shop.example:8443"}
    assert client.post(f"{PREFIX}/v1/visitor/token", headers=asked).status_code == 200
    asked["Origin"] = "https://elsewhere.example"
    assert client.post(f"{PREFIX}/v1/visitor/token", headers=asked).status_code == 403


@pytest.mark.parametrize(
    ("told", "hops", "x_for", "address"),
    [
        ("203.0.113.5", 0, 1, "203.0.113.5"),
        ("203.0.113.5", 1, 1, "203.0.113.5"),
        ("6.6.6.6, 203.0.113.5, 10.0.0.2", 0, 2, "203.0.113.5"),
        ("203.0.113.5:50001", 0, 1, "203.0.113.5"),
        ("[2001:db8:1:2::5]:50001", 0, 1, "2001:db8:1:2::/64"),
        ("unknown", 0, 1, UNREADABLE),
        ("203.0.113.5", 0, 2, "10.0.0.1"),
        ("203.0.113.5", 0, 0, "10.0.0.1"),
        (None, 0, 1, "10.0.0.1"),
    ],
)
def test_addresses_are_counted_as_it_says(told, hops, x_for, address):
    seen: list[str] = []

    def inner(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        seen.append(client_address(environ, hops))
        return []

    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_HOST": "shop.example", "wsgi.url_scheme": "http"}
    if told is not None:
        environ["HTTP_X_FORWARDED_FOR"] = told
    ProxyFix(inner, x_for=x_for)(environ, lambda *_: None)  # type: ignore[arg-type, return-value]
    assert seen == [address]


def test_it_is_found_in_whatever_it_is_wrapped():
    class Middleware:
        def __init__(self, app: Any) -> None:
            self.app = app

    app = fixed(x_for=2)
    assert proxies_believed(app) == 2
    app.wsgi_app = Middleware(Middleware(app.wsgi_app))  # type: ignore[assignment]
    assert proxies_believed(app) == 2
    assert proxies_believed(fixed(x_for=0)) == 0
    assert proxies_believed(made("bare")[0]) == 0
