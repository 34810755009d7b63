"""The opening handshake, with everything that can be wrong about it."""

from __future__ import annotations

import pytest

from services.transport import handshake
from services.wire.codes import HTTPRefusal
from tests.raw import ACCEPT, KEY

GOOD = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "example.org",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": KEY,
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


def test_a_good_handshake_is_accepted_without_extensions():
    offered = {
        **GOOD,
        "HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate; client_max_window_bits",
    }
    for environ in (GOOD, offered):
        answer = handshake.check(environ)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert ACCEPT.encode() in answer
        assert b"xtension" not in answer
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("host", ["shop.example:8000", "127.0.0.1", "[::1]:80", "xn--caf-dma.fr"])
def test_hosts(host):
    handshake.check({**GOOD, "HTTP_HOST": host})


def test_tokens_are_lists_and_know_no_case():
    handshake.check(
        {**GOOD, "HTTP_UPGRADE": "h2c, WebSocket", "HTTP_CONNECTION": "keep-alive, upgrade"}
    )


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"REQUEST_METHOD": "POST"}, 400),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, 400),
        ({"HTTP_UPGRADE": ""}, 426),
        ({"HTTP_UPGRADE": "h2c"}, 426),
        ({"HTTP_CONNECTION": "close"}, 400),
        ({"HTTP_HOST": ""}, 400),
        ({"HTTP_HOST": "two words"}, 400),
        ({"HTTP_HOST": "a.example,b.example"}, 400),
        ({"HTTP_SEC_WEBSOCKET_VERSION": ""}, 426),
        ({"HTTP_SEC_WEBSOCKET_VERSION": "8"}, 426),
        ({"HTTP_SEC_WEBSOCKET_VERSION": "13, 8"}, 426),
        ({"HTTP_SEC_WEBSOCKET_KEY": ""}, 400),
        ({"HTTP_SEC_WEBSOCKET_KEY": "short"}, 400),
        ({"HTTP_SEC_WEBSOCKET_KEY": "not base64, not base64!!"}, 400),
        ({"HTTP_SEC_WEBSOCKET_KEY": KEY + "," + KEY}, 400),
        ({"HTTP_SEC_WEBSOCKET_EXTENSIONS": ";;;"}, 400),
        ({"HTTP_SEC_WEBSOCKET_EXTENSIONS": "a b c"}, 400),
    ],
)
def test_a_bad_handshake_is_refused(changed, status):
    with pytest.raises(HTTPRefusal) as refused:
        handshake.check({**GOOD, **changed})
    assert refused.value.status == status
    if "HTTP_SEC_WEBSOCKET_VERSION" in changed:
        assert refused.value.headers == {"Sec-WebSocket-Version": "13"}
