"""Addresses behind proxies, and origins that only look right."""

from __future__ import annotations

import pytest

from services.origin import client_address, origin_allowed, public_host


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
        ("10.0.0.1", "not an address", 1, ""),
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
        ("10.0.0.1", "unknown", 1, ""),
        ("10.0.0.1", "_obfuscated:5", 1, ""),
        ("10.0.0.1", "[", 1, ""),
        ("10.0.0.1", ":" * 9000, 1, ""),
        ("::ffff:203.0.113.5", None, 0, "203.0.113.5"),
        ("fe80::1%eth0", None, 0, "fe80::/64"),
        ("2001:db8:1:2:3:4:5:6", None, 0, "2001:db8:1:2::/64"),
    ],
)
def test_client_address(remote, forwarded, hops, address):
    environ = {"REMOTE_ADDR": remote}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    assert client_address(environ, hops) == address


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


def test_a_list_replaces_the_own_host():
    listed = ("https://a.example",)
    assert origin_allowed("https://a.example", "b.example", listed)
    assert not origin_allowed("https://b.example", "b.example", listed)
    assert origin_allowed("null", "b.example", ("*",))
