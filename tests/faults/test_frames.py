"""Rows 1 to 7 and 25: what a stream of frames may not be, and what it must stay."""

from __future__ import annotations

import json
import os
import struct
import threading

import pytest

from testkit import Client, assert_receives
from testkit.client import assert_quiet
from testkit.proxy import TO_CLIENT, FaultProxy

from ..raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame, request
from .conftest import meet, row

USER = "/v1/ws/user/connect"

MIB = 1024 * 1024
EURO = "€".encode()  # three bytes

#: what is sent, and the code that it is closed with
ATTACKS = [
    *(row(1, f"opcode-{code:x}", frame(b"x", code), 1002) for code in (3, 4, 5, 6, 7, 11, 12, 15)),
    *(row(1, f"reserved-bits-{bits:03b}", frame(b"x", rsv=bits), 1002) for bits in range(1, 8)),
    row(1, "reserved-bit-in-a-ping", frame(b"x", PING, rsv=1), 1002),
    row(1, "unmasked", frame(b"x", masked=False), 1002),
    row(1, "unmasked-and-long", frame(b"x" * 70_000, masked=False), 1002),
    row(1, "unmasked-ping", frame(b"x", PING, masked=False), 1002),
    row(1, "fragmented-ping", frame(b"x", PING, fin=False), 1002),
    row(1, "fragmented-close", frame(b"\x03\xe8", CLOSE, fin=False), 1002),
    row(1, "long-ping", frame(b"x" * 126, PING), 1002),
    row(1, "continuation-of-nothing", frame(b"x", CONTINUATION), 1002),
    row(1, "text-inside-a-message", frame(b"x", fin=False) + frame(b"y"), 1002),
    row(1, "bad-opcode-inside-a-message", frame(b"x", fin=False) + frame(b"y", 3), 1002),
    row(1, "length-with-the-highest-bit", frame(b"", length=1 << 63), 1002),
    row(1, "behind-good-frames", frame(b"{}") * 3 + frame(b"x", rsv=4), 1002),
    row(2, "no-utf8", frame(b"\xff"), 1007),
    row(2, "truncated-at-the-end", frame(EURO[:2]), 1007),
    row(2, "surrogate", frame(b"\xed\xa0\x80"), 1007),
    row(2, "overlong", frame(b"\xc0\xaf"), 1007),
    row(2, "above-unicode", frame(b"\xf4\x90\x80\x80"), 1007),
    row(2, "far-into-a-long-text", frame(b"x" * 60_000 + b"\xff"), 1007),
    row(2, "split", frame(EURO[:2], fin=False) + frame(b"x", CONTINUATION), 1007),
    row(2, "split-and-truncated", frame(EURO[:1], fin=False) + frame(EURO[1:2], 0), 1007),
    row(2, "at-once-though-more-is-to-come", frame(b"\xff", fin=False), 1007),
    row(3, "one-byte", frame(b"\x03", CLOSE), 1002),
    *(
        row(3, f"code-{code}", frame(code.to_bytes(2, "big"), CLOSE), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
    ),
    row(3, "reason-is-no-utf8", frame(b"\x03\xe8\xff", CLOSE), 1007),
    row(3, "long-reason", frame(b"\x03\xe8" + b"x" * 124, CLOSE), 1002),
    row(4, "three-byte-characters", frame(EURO * 21_846), 1009),
    row(4, "one-byte-too-many", frame(b"x" * 65_537), 1009),
    row(4, "only-announced", frame(b"", length=65_537), 1009),
    row(4, "announced-without-end", frame(b"", length=(1 << 63) - 1), 1009),
    row(4, "in-two", frame(b"x" * 40_000, fin=False) + frame(b"", 0, length=40_000), 1009),
    row(4, "in-many", frame(b"x", fin=False) + frame(b"x" * 999, 0, fin=False) * 66, 1009),
    row(5, "empty-continuations", frame(b"x", fin=False) + frame(b"", 0, fin=False) * 3000, 1008),
    row(5, "tiny-continuations", frame(b"x", fin=False) + frame(b"x", 0, fin=False) * 3000, 1008),
    row(5, "pings", frame(b"", PING) * 1000, 4429),
    row(5, "pongs", frame(b"", PONG) * 1000, 4429),
    row(5, "pings-inside-a-message", frame(b"x", fin=False) + frame(b"", PING) * 1000, 4429),
    row(6, "compressed", frame(b"\xaa\x56\x4a\x04\x00", rsv=4), 1002),
    row(6, "compressed-in-two", frame(b"\xaa\x56", fin=False, rsv=4), 1002),
    row(7, "binary", frame(b"x", BINARY), 1003),
    row(7, "empty-binary", frame(b"", BINARY), 1003),
    row(7, "fragmented-binary", frame(b"x", BINARY, fin=False), 1003),
    row(7, "long-binary", frame(b"", BINARY, length=60_000), 1003),
]


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize(("attack", "code"), ATTACKS)
def test_what_breaks_the_rules_ends_with_its_code(server, attack, code):
    with Raw.open(server, USER) as raw:
        raw.receive()
        raw.send(attack)
        assert raw.close_code() == code
        raw.assert_ends()


#: whole messages, which are read as such (and cannot be understood)
GOOD = [
    row(2, "split-inside-a-character", frame(EURO[:2], fin=False) + frame(EURO[2:], 0)),
    row(4, "at-the-limit", frame(EURO * 21_845 + b"x")),
    row(4, "at-the-limit-in-two", frame(b"x" * 40_000, fin=False) + frame(b"x" * 25_536, 0)),
    row(5, "in-1001-pieces", frame(fin=False) + frame(b"x", 0, fin=False) * 999 + frame(b"", 0)),
    row(5, "around-pings", frame(b"x", fin=False) + frame(b"", PING) * 20 + frame(b"x", 0)),
]


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize("message", GOOD)
def test_what_keeps_the_rules_is_read(server, message):
    with Raw.open(server, USER) as raw:
        raw.receive()
        raw.send(message + frame(b"still here", PING))
        heard = [raw.receive()]
        while heard[-1] != (PONG, b"still here"):
            heard.append(raw.receive())
        answers = [json.loads(payload)["type"] for opcode, payload in heard if opcode == TEXT]
        answers += [json.loads(raw.receive()[1])["type"]] * (not answers)
        assert answers == ["error"]


def test_row01_to_row07_whoever_talked_to_the_attacker_is_told_after_the_grace(join):
    ends = []
    for attack, code in [
        (frame(b"x", rsv=4), 1002),
        (frame(b"\xff"), 1007),
        (frame(b"", length=65_537), 1009),
        (frame(b"", PING) * 1000, 4429),
        (frame(b"x", BINARY), 1003),
    ]:
        attacker, waiter = meet(join("user"), join("waiter"))
        attacker.text("the last good one")
        attacker.ws.sock.sendall(attack)
        assert attacker.closed() == code
        ends.append((attacker.uuid, waiter))
    for uuid, waiter in ends:
        assert_receives(waiter, "message_text", message="the last good one", from_=uuid)
        assert_receives(waiter, "disconnected", from_=uuid)
        assert_quiet(waiter)


@pytest.mark.usefixtures("bystanders")
def test_row06_compression_is_offered_and_never_negotiated(server):
    for offer in (
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover, permessage-bzip2",
        "x-webkit-deflate-frame",
    ):
        with Raw(server) as raw:
            raw.send(request(USER, Sec_WebSocket_Extensions=offer))
            head = raw.head()
            assert head.startswith("HTTP/1.1 101 ")
            assert "extensions" not in head.lower()
            raw.receive()
            raw.send(frame(b"\xaa\x56\x4a\x04\x00", rsv=4))
            assert raw.close_code() == 1002


# ---- row 25: two writers, one socket ---------------------------------------


@pytest.mark.usefixtures("bystanders")
def test_row25_eight_mib_messages_between_pongs_to_a_slow_reader(server):
    messages = [os.urandom(4 * MIB).hex().encode() for _ in range(2)]
    pings = [b"%d" % number for number in range(100)]

    def pour(raw: Raw) -> None:
        for message in messages:
            raw.send(unmasked(message))
            raw.send(b"".join(frame(ping, PING) for ping in pings[:50]))
            pings[:50], pings[50:] = pings[50:], pings[:50]

    with FaultProxy(server) as proxy, Raw.open(proxy, "/echo", receive_buffer=65_536) as reader:
        proxy.throttle(0, TO_CLIENT)
        pouring = threading.Thread(target=pour, args=(reader,))
        pouring.start()
        proxy.throttle(64 * MIB, TO_CLIENT)
        heard = [reader.receive() for _ in range(2 + len(pings))]
        pouring.join()
    assert [payload for opcode, payload in heard if opcode == TEXT] == messages
    assert [payload for opcode, payload in heard if opcode == PONG] == pings


def unmasked(payload: bytes) -> bytes:
    """A large text frame, masked with nothing: quick to make."""
    return struct.pack("!BBQ4x", 0x81, 0x80 | 127, len(payload)) + payload


def test_row25_two_tabs_to_a_waiter_who_reads_late(server, join):
    with FaultProxy(server) as proxy, Client(proxy, "waiter") as waiter:
        waiter.auth(server.token("waiter", "reads-late"))
        one, _ = meet(join("user", "two-tabs"), waiter)
        other = join("user", "two-tabs")
        assert_receives(other, "initialize", to=one.uuid)
        proxy.throttle(0, TO_CLIENT)
        texts = {tab: [f"{tab} {n} {'x' * 3900}" for n in range(120)] for tab in "ab"}
        pouring = [
            threading.Thread(target=lambda tab, texts: [*map(tab.text, texts)], args=(tab, texts))
            for tab, texts in zip((one, other), texts.values(), strict=True)
        ]
        for thread in pouring:
            thread.start()
        for thread in pouring:
            thread.join()
        waiter.send("not JSON")  # a third who writes to the waiter's socket: its own session
        proxy.heal()
        heard = [waiter.receive() for _ in range(241)]
        said = [frame["payload"]["message"] for frame in heard if frame["type"] == "message_text"]
        assert [frame["type"] for frame in heard].count("error") == 1
        for tab in "ab":
            assert [text for text in said if text.startswith(tab)] == texts[tab]
        assert_quiet(waiter)
