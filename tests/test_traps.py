"""One regression test for each trap of the stack (`docs/architecture.md`), on real servers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from services.threads import ThreadRuntime
from services.timers import TICK, Wheel
from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed
from testkit.server import ROOT, SECRET

from .clocked import GUNICORN, let_pass
from .raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame, request

MIB = 1024 * 1024
USER = "/v1/ws/user/connect"
HEARTBEAT = 600  # s


@pytest.fixture
def bystanders(echo_server):
    """Somebody else on the same server, who must notice nothing."""
    with Raw.open(echo_server, "/echo") as other:
        yield other
        other.send(frame(b"unharmed"))
        while (heard := other.receive())[0] == PING:
            pass  # it is a heartbeat later
        assert heard == (TEXT, b"unharmed")


# 1. simple-websocket calls `sock.send` and ignores the count.
@pytest.mark.usefixtures("bystanders")
def test_1_eight_mib_to_a_reader_that_pauses_arrive_intact(echo_server):
    payload = os.urandom(4 * MIB).hex().encode()
    with Raw.open(echo_server, "/echo", receive_buffer=65_536) as reader:
        threading.Thread(target=reader.send, args=(frame(payload),)).start()
        echo_server_has_sent_what_the_kernel_takes(reader)
        assert reader.receive() == (TEXT, payload)


def echo_server_has_sent_what_the_kernel_takes(reader: Raw) -> None:
    """The pause: wait until our receive buffer has stopped filling."""
    filled = -1
    stopped = threading.Event()
    while True:
        waiting = len(reader.sock.recv(MIB, socket.MSG_PEEK))
        if waiting == filled and waiting > 10_000:
            return
        filled = waiting
        stopped.wait(0.5)  # what is measured is that nothing changes over a while


# 2. Two greenlets sending on one full socket raise ConcurrentObjectUseError.
def test_2_two_senders_to_one_full_socket(live_server):
    with (
        Client.user(live_server, "two-senders") as user,
        Client.waiter(live_server, "two-senders") as waiter,
    ):
        waiter.ready()
        user.say("connect")
        assert_receives(user, "connect_success")
        assert_receives(waiter, "new_connection")
        text = "x" * 4000

        def pour(client: Client, to: str | None) -> None:
            for _ in range(200):
                client.text(text, to)

        pouring = [
            threading.Thread(target=pour, args=(user, None)),
            threading.Thread(target=pour, args=(waiter, user.uuid)),
        ]
        for thread in pouring:
            thread.start()
        for _ in range(200):
            assert_receives(waiter, "message_text", message=text)
            assert_receives(user, "message_text", message=text)
        for thread in pouring:
            thread.join()
    assert "ConcurrentObjectUseError" not in live_server.log


# 3. Its input buffer is unbounded, its limit counts characters, empty fragments never end.
@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (frame(b"", length=65_537), 1009),
        (frame("€".encode() * 21_846), 1009),
        (frame(b"x" * 40_000, fin=False) + frame(b"x" * 40_000, CONTINUATION), 1009),
        (frame(b"x", fin=False) + frame(b"", CONTINUATION, fin=False) * 3000, 1008),
        (frame(b"", PING) * 1000, 4429),
        (frame(b"x", BINARY), 1003),
        (frame(b"\xff"), 1007),
        (frame(b"x", rsv=4), 1002),
        (frame(b"x", masked=False), 1002),
        (frame(b"x", 11), 1002),
        (frame(b"\x03\xe7", CLOSE), 1002),
    ],
    ids=[
        "announced-length", "characters", "fragments", "empty-fragments", "pings", "binary",
        "utf-8", "reserved-bit", "unmasked", "opcode", "close-code",
    ],
)  # fmt: skip
def test_3_what_breaks_the_rules_is_closed_with_its_code(live_server, attack, code):
    with Raw.open(live_server, USER) as raw:
        raw.send(attack)
        assert raw.close_code() == code
        raw.assert_ends()


# 4. It always offers permessage-deflate.
def test_4_compression_is_never_negotiated(any_server):
    path = any_server.url.split(str(any_server.port))[1] + USER
    with Raw(any_server) as raw:
        offer = "permessage-deflate; client_max_window_bits"
        raw.send(request(path, Sec_WebSocket_Extensions=offer))
        head = raw.head()
        assert head.startswith("HTTP/1.1 101")
        assert "extension" not in head.lower()
        raw.send(frame(b"compressed?", rsv=4))
        assert raw.close_code() == 1002


# 5. Bad handshakes end in HTTP 500, and bytes that arrive before the 101 are lost.
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "x"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Extensions": "=;"}, 400),
        ({"Upgrade": None}, 426),
        ({"Connection": "close"}, 400),
    ],
)
def test_5_a_bad_handshake_is_told_so(any_server, changed, status):
    path = any_server.url.split(str(any_server.port))[1] + USER
    with Raw(any_server) as raw:
        raw.send(request(path, **changed))
        head = raw.head()
        assert head.startswith(f"HTTP/1.1 {status} "), head
        assert "application/json" in head


def test_5_frames_sent_together_with_the_handshake_are_served(any_server):
    path = any_server.url.split(str(any_server.port))[1] + USER
    with Raw(any_server) as raw:
        raw.send(request(path) + frame(b'{"id":"early","type":"connect"}') + frame(b"bird", PING))
        assert raw.head().startswith("HTTP/1.1 101")
        found = [raw.receive() for _ in range(3)]
        assert (PONG, b"bird") in found
        assert any(b'"reply_id":"early"' in payload for _, payload in found)


# 6. An exception in a handler writes a raw HTTP 500 into the WebSocket stream.
@pytest.mark.parametrize("way", ["gunicorn", "flask"])
def test_6_a_handler_that_raises_closes_1011_and_writes_no_http(way):
    start = LiveServer.gunicorn if way == "gunicorn" else LiveServer.flask
    with start("tests.buggy:app") as server:
        with Raw.open(server, USER) as raw, Client(server, "waiter") as bystander:
            raw.receive()
            raw.send(frame(b'{"type":"auth","payload":{"token":"any"}}'))
            assert raw.close_code() == 1011
            raw.assert_ends()
            bystander.say("ready")
            assert_receives(bystander, "error")
        server.wait_for_line("planted in a handler")


# 7. Its ping timer uses wall-clock time.
def test_7_heartbeat_pings_and_ends_a_silent_connection():
    settings = {"CSAPP_HEARTBEAT": str(HEARTBEAT), "CSAPP_AUTH_TIMEOUT": "3600"}
    with LiveServer.gunicorn(GUNICORN, settings) as server:
        silent, lively = Raw.open(server, USER), Raw.open(server, USER)
        with silent, lively:
            silent.receive()
            lively.receive()
            let_pass(server, HEARTBEAT)
            for one in (silent, lively):
                opcode, payload = one.receive()
                assert opcode == PING
            lively.send(frame(payload, PONG))
            still_there(lively)
            assert "code=4408" not in server.log
            let_pass(server, 10)  # s that the answer may take
            assert silent.close_code() == 4408
            still_there(lively)


def still_there(raw: Raw) -> None:
    """It is answered, and all that it has sent has arrived."""
    raw.send(frame(b"are you there?", PING))
    assert raw.receive() == (PONG, b"are you there?")


def test_7_a_stall_of_the_loop_kicks_nobody():
    wheel = Wheel(ThreadRuntime())
    fired: list[str] = []
    wheel.after(10, lambda: fired.append("judged"))
    wheel.tick()  # however long the stall before it was, one tick is one tick
    assert fired == []
    assert wheel.lived() == pytest.approx(TICK)


def test_7_one_wheel_serves_all_connections(live_server):
    with Client.user(live_server, "wheel-1"), Client.user(live_server, "wheel-2"):
        source = (ROOT / "services/transport/connection.py").read_text()
    assert "threading.Timer" not in source
    assert "wheel.after" in source


# 8. SOCK_SERVER_OPTIONS is app-wide and belongs to the host.
def test_8_a_hosts_own_socket_and_options_are_untouched(serve):
    server = serve("embedded")
    with Raw(server) as raw:
        raw.send(request("/own-socket"))
        raw.head()
        assert raw.receive() == (TEXT, b"simple_websocket.ws ping_interval=7")
        raw.send(frame(b"mine"))
        assert raw.receive() == (TEXT, b"mine")


# 9. gunicorn at SIGTERM closes sockets without a close frame.
def test_9_sigterm_drains():
    with LiveServer.gunicorn(env={"CSAPP_MESSAGE_RATE": "0"}) as server:
        waiter, user = Client.waiter(server, "w"), Client.user(server, "u")
        waiter.ready()
        user.say("connect")
        assert_receives(user, "connect_success")
        for number in range(300):
            user.text(f"{number} " + "x" * 3000)
        assert_receives(waiter, "new_connection")
        assert_receives(waiter, "message_text")
        server.signal(signal.SIGTERM)
        end = ending(waiter)
        assert end.code == 1012
        assert re.search(r"retry_after=\d+\.\d", end.reason)
        assert user.closed() == 1012
        assert server.wait() == 0
        assert "Worker exiting" in server.log, "gunicorn has not killed it"
        assert "code=1012 by=server" in server.log
        assert "Traceback" not in server.log


def ending(client: Client) -> Closed:
    """Skip what is still on its way; how the server said goodbye."""
    try:
        while True:
            client.receive()
    except Closed as closed:
        return closed


# 10. At worker_connections gunicorn silently hangs the next client.
def test_10_a_full_server_says_so():
    with LiveServer.gunicorn(env={"CSAPP_MAX_CONNECTIONS": "2"}) as server:
        with Raw.open(server, USER), Raw.open(server, USER), Raw(server) as third:
            third.send(request(USER))
            head = third.head()
            assert head.startswith("HTTP/1.1 503 ")
            assert "retry-after" in head.lower()
        server.wait_for_line("disconnect", count=2)
        with Raw.open(server, USER):
            pass
    conf = configuration()
    assert conf["worker_connections"] > 15_000


# 11., 12., 17.: what the files say.
def configuration() -> dict[str, object]:
    """gunicorn.conf.py, run in a process of its own: it patches."""
    code = (
        "import json, runpy; found = runpy.run_path('gunicorn.conf.py').items(); "
        "print(json.dumps({k: v for k, v in found if type(v) in (int, str, bool)}))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    found: dict[str, object] = json.loads(out.stdout)
    return found


def test_11_no_control_socket_and_17_no_preload():
    conf = configuration()
    assert conf["control_socket_disable"] is True
    assert conf["preload_app"] is False
    assert conf["worker_class"] == "gevent"


def test_12_gunicorn_is_required_with_its_gevent_extra():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("gunicorn[gevent]==") for line in lines)


def test_17_nothing_starts_before_the_first_use():
    code = (
        "import threading; from csapp import create_app; "
        f"app = create_app({{'CSAPP_SECRET_KEY': '{SECRET}'}}); "
        "assert threading.active_count() == 1, threading.enumerate(); "
        "assert app.extensions['csapp'].server._started is None"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# 18. WebSocket sessions never show in gunicorn's access log.
def test_18_connect_and_disconnect_are_logged_with_nothing_personal():
    with LiveServer.gunicorn() as server:
        user = Client.user(server, "somebody-private")
        server.wait_for_line("connect role=user open=1")
        user.leave()
        line = server.wait_for_line("disconnect")
        assert re.search(
            r"disconnect role=user code=1000 by=client seconds=\d+\.\d received=1 "
            r"sent_bytes=\d+ open=0$",
            line,
        )
        assert "somebody-private" not in server.log
        assert user.uuid not in server.log


# 19. Flask's test client cannot open WebSockets.
def test_19_tests_run_a_live_server_in_every_way(any_server):
    with Client.user(any_server, "live") as user:
        user.say("connect")
        assert_receives(user, "connect_queue", location=0)


# ---- the promises that lean on several of them -----------------------------


@pytest.mark.usefixtures("bystanders")
def test_a_reader_that_stops_is_closed_4413(echo_server):
    with Raw.open(echo_server, "/echo", receive_buffer=4096) as stopped:
        stopped.send(frame(b"x" * 8 * MIB))
        echo_server.wait_for_line("echo ended code=4413")
        stopped.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MIB)  # it hurries now
        assert stopped.close_code() == 4413


def test_a_user_who_stops_reading_is_closed_and_its_waiter_goes_on():
    with (
        LiveServer.gunicorn(
            env={"CSAPP_MESSAGE_RATE": "0", "CSAPP_OUTBOX_BYTES": "65536", "CSAPP_GRACE": "1"}
        ) as server,
        Client.waiter(server, "w") as waiter,
        Client.user(server, "other") as other,
    ):
        waiter.ready()
        other.say("connect")
        assert_receives(waiter, "new_connection", uuid=other.uuid)
        assert_receives(other, "connect_success")
        with Raw.open(server, USER, receive_buffer=4096) as stopped:
            stopped.receive()
            token = server.token("user", "stopped")
            stopped.send(frame(b'{"type":"auth","payload":{"token":"%b"}}' % token.encode()))
            stopped.send(frame(b'{"type":"connect"}'))
            user = assert_receives(waiter, "new_connection")["payload"]["uuid"]
            while "code=4413" not in server.log:
                waiter.text("x" * 4000, to=user)
                waiter.text("tick", to=other.uuid)
                assert_receives(other, "message_text", message="tick")
            assert stopped.close_code() == 4413
        while (gone := waiter.receive())["type"] == "error":
            assert "away" in gone["payload"]["message"], "more than is kept for it"
        assert (gone["type"], gone["from"]) == ("disconnected", user)


def test_the_library_is_pinned_where_its_inside_is_used():
    lines = (ROOT / "requirements.txt").read_text()
    for package in ("simple-websocket==", "wsproto==", "websockets==", "msgspec==", "gevent=="):
        assert package in lines
