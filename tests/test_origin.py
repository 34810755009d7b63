"""Addresses behind proxies, and origins that only look right."""

from __future__ import annotations

import pytest

from services.origin import (
    UNREADABLE,
    PageShown,
    client_address,
    is_known,
    origin_allowed,
    public_host,
    public_site,
    shown_page,
    why_refused,
)


@pytest.mark.parametrize(
    ("remote", "forwarded", "hops", "address"),
    [
        ("198.51.100.1", None, 0, "198.51.100.1"),
        ("198.51.100.1", "203.0.113.5", 0, "198.51.100.1"),
        ("10.0.0.1", "203.0.113.5", 1, "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.5", 1, "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.5, 10.0.0.2", 2, "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5", 2, "10.0.0.1"),
        ("10.0.0.1", None, 1, "10.0.0.1"),
        ("10.0.0.1", "not an address", 1, UNREADABLE),
        ("", None, 0, ""),
        ("10.0.0.1", "203.0.113.5:50001", 1, "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5:50001, 10.0.0.2:50002", 2, "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5:_hidden", 1, "203.0.113.5"),
        ("10.0.0.1", '"203.0.113.5:50001"', 1, "203.0.113.5"),
        ("10.0.0.1", "for=203.0.113.5", 1, "203.0.113.5"),
        ("10.0.0.1", 'For="[2001:db8:1:2::5]:50001";proto=https', 1, "2001:db8:1:2::/64"),
        ("10.0.0.1", "[2001:db8:1:2::5]:50001", 1, "2001:db8:1:2::/64"),
        ("10.0.0.1", "[2001:db8:1:2::5]", 1, "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2:3:4:5:6:50001", 1, "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2::5%eth0", 1, "2001:db8:1:2::/64"),
        ("10.0.0.1", "[::ffff:203.0.113.5]:50001", 1, "203.0.113.5"),
        ("", "203.0.113.5:50001", 1, "203.0.113.5"),
        ("10.0.0.1", "unknown", 1, UNREADABLE),
        ("", "unix:", 1, UNREADABLE),
        ("", ",", 1, UNREADABLE),
        ("", "203.0.113.5", 2, UNREADABLE),
        ("10.0.0.1", ",", 1, "10.0.0.1"),
        ("", "unix:", 0, ""),
        ("", None, 1, ""),
        ("10.0.0.1", "_obfuscated:5", 1, UNREADABLE),
        ("10.0.0.1", "[", 1, UNREADABLE),
        ("10.0.0.1", ":" * 9000, 1, UNREADABLE),
        ("::ffff:203.0.113.5", None, 0, "203.0.113.5"),
        ("64:ff9b::203.0.113.5", None, 0, "203.0.113.5"),
        ("10.0.0.1", "[64:ff9b::cb00:7105]:50001", 1, "203.0.113.5"),
        ("fe80::1%eth0", None, 0, "fe80::/64"),
        ("2001:db8:1:2:3:4:5:6", None, 0, "2001:db8:1:2::/64"),
    ],
)
def test_client_address(remote, forwarded, hops, address):
    environ = {"REMOTE_ADDR": remote}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    assert client_address(environ, hops) == address


@pytest.mark.parametrize(("address", "known"), [
    ("203.0.113.5", True), ("2001:db8:1:2::/64", True), (UNREADABLE, False), ("", False)
])  # fmt: skip
def test_who_is_somebody_in_particular(address, known):
    assert is_known(address) is known


def test_public_host():
    environ = {"HTTP_HOST": "inside:8000", "HTTP_X_FORWARDED_HOST": "evil, shop.example"}
    assert public_host(environ, 0) == "inside:8000"
    assert public_host(environ, 1) == "shop.example"


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "shop.example", True),
        ("https://shop.example", "shop.example", True),
        ("https://SHOP.example", "Shop.Example", True),
        ("https://shop.example", "shop.example:443", True),
        ("http://shop.example:80", "shop.example", True),
        ("http://shop.example:8000", "shop.example:8000", True),
        ("http://shop.example:8000", "shop.example", False),
        ("https://shop.example.evil.example", "shop.example", False),
        ("https://evil.example/shop.example", "shop.example", False),
        ("https://shop.example@evil.example", "shop.example", False),
        ("https://evil@shop.example", "shop.example", False),
        ("null", "shop.example", False),
        ("", "", False),
        ("file://", "", False),
        ("chrome-extension://shop.example", "shop.example", False),
        ("http://[", "shop.example", False),
        ("http://[::1", "[::1", False),
        ("http://]", "]", False),
        ("http://[shop.example]", "[shop.example]", False),
        ("http://[::1]:8000", "[::1]:8000", True),
    ],
)
def test_same_origin(origin, host, allowed):
    assert origin_allowed(origin, host, ()) is allowed


@pytest.mark.parametrize(
    ("origin", "host", "words"),
    [
        ("https://shop.example:8443", "shop.example", "leave the port out"),
        ("http://[::1]:8000", "[::1]", "leave the port out"),
        ("https://shop.example", "127.0.0.1:8000", "CSAPP_TRUSTED_PROXIES"),
        ("null", "shop.example", "origin is null"),
        ("http://[", "shop.example", "origin is http://["),
        ("https://shop.example", "", "reached as nothing"),
    ],
)
def test_a_refusal_says_what_was_compared(origin, host, words):
    why = why_refused(origin, host, ())
    assert words in why
    assert origin in why
    assert host in why
    assert "does not list" in why_refused(origin, host, ("https://other.example",))
    assert len(why_refused(origin + "x" * 9000, host + "x" * 9000, ())) < 700


@pytest.mark.parametrize(
    ("page", "path", "origin", "query"),
    [
        ("https://a.example/b?c=d#e", "https://a.example/b", "https://a.example",
         "https://a.example/b?c=d"),
        ("https://a.example", "https://a.example", "https://a.example", "https://a.example"),
        ("https://a.example?k=1", "https://a.example", "https://a.example", "https://a.example?k=1"),
        ("https://ann:pass@a.example/b", "https://a.example/b", "https://a.example",
         "https://a.example/b"),
        ("HTTPS://A.example/b#token=1", "HTTPS://A.example/b", "HTTPS://A.example",
         "HTTPS://A.example/b"),
        ("/reset/token?x#y", "/reset/token", "", "/reset/token?x"),
        ("//a.example/b?c", "//a.example/b", "//a.example", "//a.example/b?c"),
        ("http://[::1/b?c", "http://[::1/b", "http://[::1", "http://[::1/b?c"),
        ("https://a.example\\b?c", "https://a.example\\b", "https://a.example",
         "https://a.example\\b?c"),
        (" https://a.example/b\n/c?d ", "https://a.example/b\n/c", "https://a.example",
         "https://a.example/b\n/c?d"),
        ("Basket #3? Yes", "Basket #3? Yes", "Basket #3? Yes", "Basket #3? Yes"),
        ("", "", "", ""),
    ],
)  # fmt: skip
def test_what_waiters_see_of_a_page(page, path, origin, query):
    shown = {
        PageShown.PATH: path,
        PageShown.ORIGIN: origin,
        PageShown.QUERY: query,
        PageShown.OFF: "",
    }
    assert {how: shown_page(page, how) for how in shown} == shown


def test_a_list_replaces_the_own_host():
    listed = ("https://a.example",)
    assert origin_allowed("https://a.example", "b.example", listed)
    assert not origin_allowed("https://b.example", "b.example", listed)
    assert origin_allowed("null", "b.example", ("*",))


@pytest.mark.parametrize(("environ", "hops", "expected"), [
    ({"HTTP_HOST": "a.example"}, 0, "http://a.example/x"),
    ({"HTTP_HOST": "a.example", "wsgi.url_scheme": "https"}, 0, "https://a.example/x"),
    ({"HTTP_HOST": "a.example:8443", "SCRIPT_NAME": "/shop"}, 0, "http://a.example:8443/shop/x"),
    ({"HTTP_HOST": "in", "HTTP_X_FORWARDED_HOST": "out", "HTTP_X_FORWARDED_PROTO": "https"}, 1,
     "https://out/x"),
    ({"HTTP_HOST": "in", "HTTP_X_FORWARDED_HOST": "out", "HTTP_X_FORWARDED_PROTO": "https"}, 0,
     "http://in/x"),
    ({"HTTP_HOST": "in", "HTTP_X_FORWARDED_PROTO": "javascript"}, 1, "http://in/x"),
])  # fmt: skip
def test_where_the_doors_were_reached(environ: dict[str, str], hops: int, expected: str):
    assert public_site(environ, hops, "/x") == expected
