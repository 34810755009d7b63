"""What operators' machines read: the metrics, readiness, and the status in a terminal."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket
from prometheus_client.parser import text_string_to_metric_families

from services.desk.memory import MemoryDesk
from services.desk.port import Figures, QueueFull, Role
from services.metrics import LAGS, Histogram, LoopLag, MeasuredDesk, Meters, Metrics, Readings
from services.timers import TICK
from services.wire.codes import CloseCode, ErrorCode
from testkit import Client, LiveServer, assert_receives
from testkit.ports import free_port
from testkit.server import PATIENCE, ROOT, SECRET, inherited

from .desk.helpers import Clock, users_connect, waiters_get_ready
from .raw import BINARY, Raw, frame

USER = "/v1/ws/user/connect"

SETTINGS = {
    "CSAPP_MAX_USERS_PER_WAITER": "1",
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_CONNECTIONS_PER_IP": "0",
    "CSAPP_OUTBOX_BYTES": "67108864",
    "CSAPP_OUTBOX_SECONDS": "3600",
    "CSAPP_GRACE": "0",
}

Samples = dict[str, float]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One whose figures nobody but the tests of this file moves."""
    with LiveServer.gunicorn(env=SETTINGS) as server:
        yield server


def scrape(server: LiveServer) -> Samples:
    """Every sample under its name and labels, as they are written."""
    lines = server.get("/metrics").splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def until(server: LiveServer, holds: Callable[[Samples], bool]) -> Samples:
    """Look until it *holds*, for what happens without anybody being told."""
    while not holds(samples := scrape(server)):
        pass
    return samples


def quiet(server: LiveServer) -> Samples:
    """How the figures stand when everybody of the test before has gone."""
    here = ('connections{role="user"}', 'connections{role="waiter"}', "waiters", "users_served")
    return until(server, lambda now: not any(now[f"csapp_{name}"] for name in here))


def moved(before: Samples, after: Samples, name: str) -> float:
    return after.get(name, 0) - before.get(name, 0)


# ---- the page --------------------------------------------------------------


def test_every_way_of_running_shows_prometheus_text(any_server):
    asked = urllib.request.Request(f"{any_server.url}/metrics", headers={"Accept": "a;version=x"})
    with urllib.request.urlopen(asked, context=any_server.tls) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {
            family.name: family for family in text_string_to_metric_families(answer.read().decode())
        }
    assert families["csapp_connections"].type == "gauge"
    assert families["process_cpu_seconds"].type == "counter"
    for family in families.values():
        if family.type == "histogram":
            values = [one.value for one in family.samples if one.name.endswith("_bucket")]
            counts = [one.value for one in family.samples if one.name.endswith("_count")]
            assert values == sorted(values), "buckets are cumulative"
            assert values[-1:] == counts


def test_it_names_nobody_and_no_client_chooses_a_label(server):
    with Client.user(server, "secret-visitor") as user:
        user.say("secret-type")
        assert_receives(user, "error")
        text = server.get("/metrics")
    assert "secret" not in text
    assert user.uuid not in text
    assert "127.0.0.1" not in text


def no_readings() -> Readings:
    return Readings(dict.fromkeys(Role, 0), 0, 0, 0, Figures(0, 0, 0, 0, 0.0))


def test_two_applications_of_one_process_count_for_themselves():
    clock = Clock()
    one, other = Meters(clock), Meters(clock)
    pages = [Metrics(meters, no_readings) for meters in (one, other)]
    one.errors.add(ErrorCode.FORBIDDEN)
    one.waits.observe(7)
    for page, count in zip(pages, (1, 0), strict=True):
        text = page.exposition().decode()
        assert f'csapp_errors_total{{code="forbidden"}} {count}.0' in text
        assert f"csapp_queue_wait_seconds_count {count}.0" in text


# ---- what is refused over HTTP ---------------------------------------------


def test_refusals_are_counted_by_door_and_status(tmp_path):
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_CONNECTIONS_PER_IP": "5",
        "CSAPP_ALLOWED_ORIGINS": "https://shop.example",
    }
    with LiveServer.gunicorn(env=env) as server:
        before = scrape(server)
        assert before['csapp_refusals_total{door="sockets",status="429"}'] == 0
        elsewhere = {"Origin": "https://other.example"}
        asked = [
            ("sockets", 426, "GET", "/v1/ws/user/connect", {}),
            ("auth", 401, "POST", "/v1/waiter/login", {}),
            ("auth", 403, "POST", "/v1/visitor/token", elsewhere),
            ("canned", 401, "GET", "/v1/canned", {}),
            ("search", 401, "GET", "/v1/search?q=x", {}),
            ("api", 405, "POST", "/v1/status", {}),  # no view is reached: the application's own
        ]
        for _, status, method, path, headers in asked:
            assert asked_status(server, method, path, headers) == status, path
        with contextlib.ExitStack() as here:
            for _ in range(5):
                here.enter_context(Client(server, "user"))
            with pytest.raises(websocket.WebSocketBadStatusException):
                Client(server, "user")  # one more than its address may have
        after = scrape(server)
    expected = [*((door, status) for door, status, *_ in asked[:-1]), ("sockets", 429)]
    counted = {name: moved(before, after, name) for name in after if "csapp_refusals" in name}
    assert {name: count for name, count in counted.items() if count} == {
        f'csapp_refusals_total{{door="{door}",status="{status}"}}': 1 for door, status in expected
    }


def asked_status(server: LiveServer, method: str, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        return connection.getresponse().status


def test_what_operators_ask_is_no_refusal():
    """An unready server is asked all the time."""
    with LiveServer.gunicorn(args=["-k", "sync"]) as server:
        assert asked_status(server, "GET", "/readyz", {}) == 503
        assert asked_status(server, "POST", "/v1/visitor/token", {}) == 503
        counts = {name: count for name, count in scrape(server).items() if "refusals" in name}
    assert sum(counts.values()) == counts['csapp_refusals_total{door="auth",status="503"}'] == 1


def test_an_unusual_status_is_another():
    meters = Meters(Clock())
    meters.refused("auth", 418)
    assert meters.refusals()["auth", "other"] == 1


# ---- connections -----------------------------------------------------------


def test_connections_go_up_and_come_back(server):
    before = quiet(server)
    names = {role: f'csapp_connections{{role="{role}"}}' for role in Role}
    with Client(server, "user"), Client(server, "user"), Client(server, "waiter"):
        during = scrape(server)
        assert moved(before, during, names[Role.USER]) == 2
        assert moved(before, during, names[Role.WAITER]) == 1
    until(server, lambda now: all(now[name] == before[name] for name in names.values()))


def three_bad_tokens(client: Client) -> None:
    for _ in range(3):
        client.auth("nonsense")
    assert client.closed() == CloseCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("end", "code", "by"),
    [
        (Client.leave, "1000", "client"),
        (Client.drop, "1006", "line"),
        (three_bad_tokens, "4401", "server"),
        (lambda client: client.leave(1011), "1011", "client"),
        (lambda client: client.leave(3210), "other", "client"),
        (lambda client: client.leave(4999), "other", "client"),
    ],
)
def test_closes_are_counted_by_code_and_by_whom(server, end, code, by):
    before = quiet(server)
    end(Client(server, "user"))
    name = f'csapp_closes_total{{by="{by}",code="{code}"}}'
    after = until(server, lambda now: moved(before, now, name) == 1)
    closes = [one for one in after if one.startswith("csapp_closes_total")]
    assert sum(moved(before, after, one) for one in closes) == 1
    assert f'csapp_closes_total{{by="server",code="{int(CloseCode.INTERNAL_ERROR)}"}}' in before


def test_errors_are_counted_by_code(server):
    before = quiet(server)
    with Client(server, "user") as user:
        user.say("connect")
        assert_receives(user, "error", message="send auth first")
        user.auth(server.token("user", "u"))
        for _ in range(2):
            user.send("no JSON")
            assert_receives(user, "error")
        user.text("is there anybody?")
        assert_receives(user, "error")
        after = scrape(server)
    expected = {"unauthenticated": 1, "invalid_json": 2, "not_connected": 1}
    for code in ErrorCode:
        assert moved(before, after, f'csapp_errors_total{{code="{code}"}}') == expected.get(code, 0)


def test_bytes_that_a_reader_does_not_take_show_while_they_wait(server):
    slow: Any = {"sockopt": [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]}
    with Client.waiter(server, "w") as waiter, Client.user(server, "slow", **slow) as user:
        waiter.ready()
        user.say("connect")
        assert_receives(waiter, "new_connection")
        sent = 0
        while not scrape(server)["csapp_outbox_bytes"]:
            for _ in range(100):
                waiter.text("x" * 4000, to=user.uuid)
            sent += 100
        assert_receives(user, "connect_success")
        for _ in range(sent):
            assert_receives(user, "message_text")
        until(server, lambda now: now["csapp_outbox_bytes"] == 0)


# ---- messages --------------------------------------------------------------

RECEIVED, RELAYED = "csapp_messages_received_total", "csapp_messages_relayed_total"


def test_texts_that_are_passed_on_are_relayed_and_nothing_else_is(server):
    """Every frame type, taken and refused, in every phase that has it."""
    before = quiet(server)
    sent = relayed = 0
    waiter, user = Client(server, "waiter"), Client(server, "user")

    def says(client: Client, type_: str, *payload: Any, refused: bool = False, **fields: Any):
        nonlocal sent, relayed
        marker = client.say(type_, *payload, **fields)
        sent += 1
        relayed += type_ == "message_text" and not refused
        if refused:
            while client.receive().get("reply_id") != marker:
                pass

    text = {"message": "hello"}
    says(user, "message_text", text, refused=True)  # before auth
    says(user, "auth", {"token": "nonsense"}, refused=True)
    for client in (waiter, user):
        for _ in range(2):  # the second time it confirms
            says(client, "auth", {"token": server.token(client.role, "one")})
        says(client, "auth", {"token": server.token(client.role, "another")}, refused=True)
    says(user, "message_text", text, refused=True)  # no waiter
    for _ in range(2):
        says(user, "connect")
    says(user, "disconnect")  # out of the line
    for _ in range(2):
        says(waiter, "ready")
    says(waiter, "message_text", text, refused=True, to="nobody")
    says(waiter, "disconnect", refused=True, to="nobody")
    for _ in range(2):
        says(user, "connect")
    assert_receives(waiter, "new_connection", uuid=user.uuid)
    says(user, "message_text", text)
    says(user, "message_text", {"message": "x" * 5000}, refused=True)
    says(user, "ready", refused=True)  # not theirs to send
    for _ in range(2):
        says(waiter, "message_text", text, to=user.uuid)
    says(waiter, "disconnect", to=user.uuid)
    for client in (waiter, user):
        client.leave()
    after = until(server, lambda now: moved(before, now, RECEIVED) == sent)
    assert moved(before, after, RELAYED) == relayed == 3


def in_a_chat(server: LiveServer, waiter: Client) -> Raw:
    """The bare line of a user whom *waiter* serves."""
    raw = Raw.open(server, USER)
    raw.receive()
    raw.send(sent_at_once(("auth", {"token": server.token("user", "bare")}), ("connect", None)))
    raw.receive()
    assert_receives(waiter, "new_connection")
    return raw


def sent_at_once(*messages: tuple[str, Any]) -> bytes:
    frames = ({"type": type_, "payload": payload} for type_, payload in messages)
    return b"".join(frame(json.dumps(one).encode()) for one in frames)


def test_what_comes_behind_the_frame_that_ends_a_connection_is_not_relayed(server):
    hello = ("message_text", {"message": "hello"})
    quiet(server)
    with Client.waiter(server, "w") as waiter:
        waiter.ready()
        before = scrape(server)
        with in_a_chat(server, waiter) as raw:
            raw.send(sent_at_once(*[hello] * 3, *[("nonsense", None)] * 10, *[hello] * 5))
            assert raw.close_code() == CloseCode.BAD_FRAMES
        for _ in range(3):
            assert_receives(waiter, "message_text")
        after = until(server, lambda now: moved(before, now, RECEIVED) == 20)
        assert moved(before, after, RELAYED) == 3


def test_what_comes_behind_the_last_bad_token_is_not_relayed(server):
    before = quiet(server)
    with Raw.open(server, USER) as raw:
        bad, hello = ("auth", {"token": "nonsense"}), ("message_text", {"message": "hello"})
        raw.send(sent_at_once(*[bad] * 3, *[hello] * 5))
        assert raw.close_code() == CloseCode.UNAUTHENTICATED
    after = until(server, lambda now: moved(before, now, RECEIVED) == 8)
    assert moved(before, after, RELAYED) == 0


def test_what_is_sent_at_once_with_the_token_is_relayed(server):
    quiet(server)
    with Client.waiter(server, "w") as waiter:
        waiter.ready()
        before = scrape(server)
        with Raw.open(server, USER) as raw:
            token = {"token": server.token("user", "hasty")}
            hello = ("message_text", {"message": "hello"})
            raw.send(sent_at_once(("auth", token), ("connect", None), hello))
            assert_receives(waiter, "new_connection")
            assert_receives(waiter, "message_text", message="hello")
            assert moved(before, scrape(server), RELAYED) == 1
            raw.send(frame(b"binary", BINARY))
            assert raw.close_code() == CloseCode.UNSUPPORTED_DATA
        assert moved(before, scrape(server), RELAYED) == 1


# ---- the desk --------------------------------------------------------------


def test_a_wait_shows_while_it_lasts_and_in_the_histogram_afterwards(server):
    before = quiet(server)
    with Client.user(server, "patient") as user:
        user.say("connect")
        assert_receives(user, "connect_queue", location=0)
        waiting = until(server, lambda now: now["csapp_queue_longest_wait_seconds"] > 0)
        assert waiting["csapp_queue_length"] == 1
        assert moved(before, waiting, "csapp_queue_wait_seconds_count") == 0
        with Client.waiter(server, "w") as waiter:
            waiter.say("ready")
            assert_receives(waiter, "new_connection")
            after = scrape(server)
    assert moved(before, after, "csapp_queue_wait_seconds_count") == 1
    waited = moved(before, after, "csapp_queue_wait_seconds_sum")
    assert waited >= waiting["csapp_queue_longest_wait_seconds"] - 1e-6
    assert moved(before, after, "csapp_match_seconds_count") == 2
    assert moved(before, after, "csapp_match_seconds_sum") > 0
    for name, count in {
        "csapp_queue_length": 0,
        "csapp_queue_longest_wait_seconds": 0,
        "csapp_users_served": 1,
        "csapp_waiters": 1,
        "csapp_waiters_ready": 1,
    }.items():
        assert after[name] == count, name
    until(server, lambda now: now["csapp_users_served"] == now["csapp_waiters"] == 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meters(clock: Clock) -> Meters:
    return Meters(clock)


@pytest.fixture
def desk(clock: Clock, meters: Meters) -> MeasuredDesk:
    return MeasuredDesk(MemoryDesk(capacity=1, max_queue=10, grace=20, now=clock), meters)


def test_each_waits_from_joining_the_queue_to_being_matched(desk, clock, meters):
    users_connect(desk, "Ann")
    clock.passes(10)
    users_connect(desk, "Bob")
    clock.passes(30)
    waiters_get_ready(desk, "Wanda", "Will", "Wu")
    users_connect(desk, "Cid")
    assert [event.waited for event in desk.take_events() if hasattr(event, "waited")] == [40, 30, 0]
    buckets, total = meters.waits.read()
    assert total == 70
    assert {bound: count for bound, count in buckets if bound in ("0.5", "30.0", "60.0")} == {
        "0.5": 1,
        "30.0": 2,
        "60.0": 3,
    }


def test_a_user_whose_waiter_was_lost_waits_from_then_on(desk, clock, meters):
    waiters_get_ready(desk, "Wanda")
    users_connect(desk, "Ann")
    desk.take_events()
    clock.passes(1000)
    desk.drop("Wanda")
    clock.passes(20)
    desk.tick()
    clock.passes(7)
    waiters_get_ready(desk, "Will")
    desk.take_events()
    assert meters.waits.read()[1] == 7


def test_asking_in_vain_takes_the_desk_time_as_well(desk, meters):
    for number in range(10):
        users_connect(desk, str(number))
    with pytest.raises(QueueFull):
        users_connect(desk, "one too many")
    assert meters.matching.read()[0][-1] == ("+Inf", 11)


def test_bounds_of_a_histogram_are_within():
    histogram = Histogram((1, 2))
    for value in (0, 1, 1.5, 2, 3):
        histogram.observe(value)
    assert histogram.read() == ([("1.0", 2), ("2.0", 4), ("+Inf", 5)], 7.5)


# ---- the loop --------------------------------------------------------------


def test_lag_is_how_late_ticks_come_and_the_worst_of_a_second_is_shown(clock):
    lag = LoopLag(clock)
    assert lag.worst == 0
    lag.tick()
    for late in (0.0, 0.3, 0.02):
        clock.passes(TICK + late)
        lag.tick()
    assert lag.worst == pytest.approx(0.3)
    for _ in range(round(1 / TICK)):
        clock.passes(TICK)
        lag.tick()
    assert lag.worst == pytest.approx(0)
    buckets, total = lag.all.read()
    assert total == pytest.approx(0.32)
    below = dict(buckets)
    assert below["+Inf"] - below["0.25"] == 1
    assert below["0.25"] - below["0.01"] == 1
    assert str(LAGS[0]) in below


def test_a_tick_that_is_still_overdue_shows(clock):
    lag = LoopLag(clock)
    lag.tick()
    clock.passes(TICK + 5)
    assert lag.worst == pytest.approx(5)


def test_a_tick_that_comes_early_is_not_late(clock):
    lag = LoopLag(clock)
    lag.tick()
    lag.tick()
    assert lag.worst == 0
    assert lag.all.read()[1] == 0


def test_the_loop_of_a_server_is_measured(any_server):
    before = scrape(any_server)
    name = "csapp_loop_lag_seconds_count"
    until(any_server, lambda now: moved(before, now, name) >= 2)


# ---- readiness -------------------------------------------------------------


def test_ready(any_server):
    assert json.loads(any_server.get("/readyz")) == {"status": "ready"}


def test_a_draining_server_is_not_ready_and_counts_on():
    with LiveServer.gunicorn(args=["--keep-alive", "60"]) as server:
        held = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        held.connect()
        with Raw.open(server, USER) as stubborn:
            server.signal(signal.SIGTERM)
            assert stubborn.close_code() == CloseCode.RESTART  # and is not answered
            held.request("GET", "/readyz")
            answer = held.getresponse()
            assert answer.status == 503
            assert json.loads(answer.read()) == {"status": "draining"}
            held.request("GET", "/metrics")
            name = b'csapp_closes_total{by="server",code="1012"} 1.0'
            assert name in held.getresponse().read()
        held.close()
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["-k", "gevent", "-w", "2"], "CSAPP_REDIS_URL"),
        (["-k", "sync"], "one request at a time"),
        (["-k", "gevent_pywsgi"], "pywsgi"),
    ],
)
def test_a_web_server_that_cannot_carry_a_chat_is_not_ready(args, why):
    command = [sys.executable, "-m", "gunicorn", "-c", os.devnull, "--no-control-socket"]
    with LiveServer([*command, "-b", "127.0.0.1:{port}", *args, "wsgi:app"]) as server:
        with pytest.raises(urllib.error.HTTPError) as red:
            server.get("/readyz")
        assert red.value.code == 503
        said = json.loads(red.value.read())
        assert said["status"] == "unfit"
        assert why in said["reason"]


# ---- the status in a terminal ----------------------------------------------


def status(*options: str, **env: str) -> subprocess.Popen[str]:
    """`flask chat status` with these settings, begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "csapp", "chat", "status", *options],
        cwd=ROOT,
        env={**inherited(), "CSAPP_SECRET_KEY": SECRET, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_status_once_prints_the_figures(server):
    with Client.waiter(server, "w") as waiter:
        waiter.ready()
        shown = status("--once", "--url", f"{server.url}/")
        out, err = shown.communicate(timeout=PATIENCE)
        figures = json.loads(server.get("/v1/status"))
    assert shown.returncode == 0, err
    pairs = (pair.split("=") for pair in out.split())
    assert {name: float(value) for name, value in pairs} == figures
    assert figures["waiters_ready"] == 1
    assert out.count("\n") == 1


def test_status_asks_the_server_that_runs_with_the_same_settings(serve):
    port = str(serve("embedded").port)
    shown = status("--once", PORT=port, CSAPP_URL_PREFIX="/support")
    out, err = shown.communicate(timeout=PATIENCE)
    assert shown.returncode == 0, err
    assert out.startswith("waiters=")


def test_status_goes_on_until_it_is_stopped(server):
    with status("--url", server.url, "--interval", "0.01") as shown:
        assert shown.stdout is not None
        for _ in range(3):
            assert shown.stdout.readline().startswith("waiters=")
        shown.send_signal(signal.SIGINT)
        _, err = shown.communicate(timeout=PATIENCE)
    assert (shown.returncode, err) == (0, "")


def test_status_stays_in_its_place_in_a_terminal(server):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flask", "--app", "csapp", "chat", "status"]
    with subprocess.Popen(
        [*command, "--url", server.url, "--interval", "0.01"],
        cwd=ROOT,
        env={**os.environ, "CSAPP_SECRET_KEY": SECRET},
        stdout=theirs,
    ) as shown:
        os.close(theirs)
        seen = b""
        while seen.count(b"\x1b[6A") < 2:
            seen += os.read(ours, 4096)
        shown.send_signal(signal.SIGINT)
    os.close(ours)
    first = seen.split(b"\x1b[6A")[0]
    assert first.count(b"\n") == 6, "as many lines as it goes back"
    assert b"queue length" in first
    assert b" s\r\n" in first


@pytest.mark.parametrize(
    ("path", "why"), [("", "404"), ("/healthz", "404"), ("/torn-down?", "does not answer as")]
)
def test_status_says_when_something_else_answers(serve, path, why):
    host = serve("embedded").url.removesuffix("/support")
    shown = status("--once", "--url", host + path)
    out, err = shown.communicate(timeout=PATIENCE)
    assert (shown.returncode, out) == (1, "")
    assert why in err
    assert "Traceback" not in err


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://[", "http://127.0.0.1:x", "x"])
def test_status_fails_clearly_without_a_server(url):
    address = url.format(port=free_port())
    shown = status("--once", "--url", address)
    out, err = shown.communicate(timeout=PATIENCE)
    assert (shown.returncode, out) == (1, "")
    assert err.startswith("Error: ")
    assert address in err
    assert "Traceback" not in err
