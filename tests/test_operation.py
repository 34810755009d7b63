"""What operators see and rely on."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections import deque
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

import pytest

from testkit import Client, LiveServer, assert_receives
from testkit.client import assert_quiet
from testkit.server import ROOT, SECRET, inherited

from . import forks
from .probe import come_back
from .raw import Raw, frame, request

USER = "/v1/ws/user/connect"


def run(*command: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """A command of ours with these settings; what it did."""
    return forks.run(*command, cwd=cwd, env={"CSAPP_SECRET_KEY": SECRET, **env}, timeout=60)


# ---- health and status -----------------------------------------------------


def test_healthz(any_server):
    assert json.loads(any_server.get("/healthz")) == {"status": "ok"}


def test_status_counts_and_names_nobody():
    with LiveServer.gunicorn(env={"CSAPP_MAX_USERS_PER_WAITER": "1"}) as server:
        waiter = Client.waiter(server, "agent-secret")
        waiter.ready()
        users = [Client.user(server, f"visitor-{number}") for number in range(3)]
        for user in users:
            user.say("connect")
            user.receive()
        text = server.get("/v1/status")
        status = json.loads(text)
        assert status.pop("longest_wait") >= 0
        assert status == {
            "waiters": 1,
            "waiters_ready": 1,
            "users_served": 1,
            "queue_length": 2,
            "connections": 4,
        }
        assert "secret" not in text
        assert "visitor" not in text


# ---- tokens ----------------------------------------------------------------


def test_token_prints_one_a_line_and_they_open_the_door(live_server):
    made = run(
        "flask",
        "--app",
        "csapp",
        "chat",
        "token",
        "--role",
        "user",
        "--sub",
        "u",
        "--name",
        "Ann",
        "--count",
        "3",
    )
    assert made.returncode == 0, made.stderr
    tokens = made.stdout.split()
    assert len(tokens) == 3
    with Client(live_server, "user") as client:
        client.auth(tokens[2])
        client.say("connect")
        assert_receives(client, "connect_queue")


def test_token_says_what_is_wrong():
    assert "--role" in run("flask", "--app", "csapp", "chat", "token", "--sub", "u").stderr
    failed = run("flask", "--app", "csapp", "chat", "token", "--role", "user", "--sub", "x" * 201)
    assert failed.returncode != 0
    assert "subject" in failed.stderr


def test_a_visitor_gets_an_anonymous_token_and_not_too_many():
    with LiveServer.gunicorn() as server:
        first, second = (json.loads(server.post("/v1/visitor/token")) for _ in range(2))
        assert first["sub"] != second["sub"]
        assert first["expires_in"] == 43_200
        with Client(server, "user") as client:
            client.auth(first["token"])
            client.say("connect")
            assert_receives(client, "connect_queue", location=0)
        with pytest.raises(urllib.error.HTTPError) as refused:
            deque(map(server.post, repeat("/v1/visitor/token", 100)))
        assert refused.value.code == 429
        assert json.loads(refused.value.read())["code"] == "rate_limited"
        assert refused.value.headers["Retry-After"]


def test_a_waiter_without_a_host_application_is_nobody(live_server):
    with pytest.raises(urllib.error.HTTPError) as refused:
        live_server.post("/v1/waiter/login")
    assert refused.value.code == 401
    assert json.loads(refused.value.read())["code"] == "unauthenticated"


def test_a_host_says_who_is_who(serve):
    server = serve("embedded")
    host = server.url.removesuffix("/support")
    assert urllib.request.urlopen(f"{host}/sign-in/ann").read() == b"ann"
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(f"{host}/sign-in/ann")
    asked = urllib.request.Request(f"{server.url}/v1/visitor/token", method="POST")
    assert json.loads(opener.open(asked).read())["sub"] == "ann"
    agent = json.loads(server.post("/v1/waiter/login", X_Agent="ada"))
    assert (agent["sub"], agent["name"]) == ("agent-ada", "Ada")
    with Client(server, "waiter") as waiter:
        waiter.auth(agent["token"])
        waiter.ready()


def test_a_foreign_page_gets_no_token(any_server):
    with pytest.raises(urllib.error.HTTPError) as refused:
        any_server.post("/v1/visitor/token", Origin="https://evil.example")
    assert refused.value.code == 403


# ---- a guest in somebody's house -------------------------------------------


def test_the_host_keeps_its_own_ways(serve):
    server = serve("embedded")
    host = server.url.removesuffix("/support")
    with urllib.request.urlopen(f"{host}/") as page:
        assert page.read() == b"the host's page"
        assert "Content-Security-Policy" not in page.headers
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{host}/nothing")
    assert missing.value.read() == b"the host's 404"
    with urllib.request.urlopen(f"{server.url}/waiter") as page:
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_hosts_request_is_torn_down_when_the_conversation_begins(serve):
    server = serve("embedded")
    host = server.url.removesuffix("/support")

    def count() -> int:
        return int(urllib.request.urlopen(f"{host}/torn-down").read())

    before = count()
    with Client(server, "user"):
        assert count() == before + 2  # the one that counted before, and the chat's


# ---- who may connect -------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://127.0.0.1:{port}", 101),
        ("http://127.0.0.1", 403),
        ("https://evil.example", 403),
        ("http://127.0.0.1:{port}.evil.example", 403),
        ("http://evil@127.0.0.1:{port}", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_origins(live_server, origin, status):
    with Raw(live_server) as raw:
        host = f"127.0.0.1:{live_server.port}"
        given = origin and origin.format(port=live_server.port)
        raw.send(request(USER, host, Origin=given if origin is not None else None))
        assert raw.head().startswith(f"HTTP/1.1 {status} ")


def test_allowed_origins_replace_the_own_host():
    env = {"CSAPP_ALLOWED_ORIGINS": "https://shop.example, https://www.shop.example:8443"}
    with LiveServer.gunicorn(env=env) as server:
        for origin, status in [
            ("https://shop.example", 101),
            ("HTTPS://WWW.shop.example:8443", 101),
            ("https://shop.example.evil.example", 403),
            (f"http://127.0.0.1:{server.port}", 403),
        ]:
            with Raw(server) as raw:
                raw.send(request(USER, f"127.0.0.1:{server.port}", Origin=origin))
                assert raw.head().startswith(f"HTTP/1.1 {status} "), origin


def test_connections_from_one_address_are_limited_and_forged_headers_do_not_help():
    env = {"CSAPP_CONNECTIONS_PER_IP": "3"}
    with LiveServer.gunicorn(env=env) as server:
        held = [Raw.open(server, USER) for _ in range(3)]
        for raw in held:
            raw.receive()
        with Raw(server) as fourth:
            fourth.send(request(USER, X_Forwarded_For="203.0.113.9"))
            assert fourth.head().startswith("HTTP/1.1 429 ")
        held.pop().sock.close()
        server.wait_for_line("disconnect")
        with Raw.open(server, USER):
            pass


def test_behind_a_trusted_proxy_the_forwarded_address_counts():
    env = {"CSAPP_CONNECTIONS_PER_IP": "1", "CSAPP_TRUSTED_PROXIES": "1"}
    forged = "203.0.113.77, 203.0.113.1"  # the left one is the client's word
    with (
        LiveServer.gunicorn(env=env) as server,
        Raw(server) as one,
        Raw(server) as other,
        Raw(server) as forger,
    ):
        for raw, address, status in [
            (one, "203.0.113.1", 101),
            (other, "203.0.113.2", 101),
            (forger, forged, 429),
        ]:
            raw.send(request(USER, X_Forwarded_For=address))
            assert raw.head().startswith(f"HTTP/1.1 {status} "), address


def test_addresses_that_a_trusted_proxy_writes_unreadably_count_as_one():
    env = {"CSAPP_CONNECTIONS_PER_IP": "3", "CSAPP_TRUSTED_PROXIES": "1"}
    with LiveServer.gunicorn(env=env) as server, ExitStack() as here:
        for address, status in [
            ("unknown", 101), ("_hidden", 101), ("not an address", 101),
            ("[", 429), ("unix:", 429), ("203.0.113.2", 101),
        ]:  # fmt: skip
            raw = here.enter_context(Raw(server))
            raw.send(request(USER, X_Forwarded_For=address))
            assert raw.head().startswith(f"HTTP/1.1 {status} "), address


def test_a_client_that_sends_too_fast_is_refused_and_then_closed():
    env = {"CSAPP_MESSAGE_RATE": "5", "CSAPP_MESSAGE_BURST": "10"}
    with (
        LiveServer.gunicorn(env=env) as server,
        Client.waiter(server, "w") as waiter,
        Client.user(server, "u") as user,
    ):
        waiter.ready()
        user.say("connect")
        assert_receives(user, "connect_success")
        for number in range(60):
            user.text(str(number))
        refused = [user.receive() for _ in range(40)]
        assert all(
            f["type"] == "error" and "5 frames a second" in f["payload"]["message"] for f in refused
        )
        assert_receives(waiter, "new_connection")
        for number in range(8):  # auth and connect were within the burst as well
            assert_receives(waiter, "message_text", message=str(number))
        for number in range(200):
            user.text(str(number))
        assert user.closed() == 4429


def test_leaving_on_purpose_does_not_wait_for_the_grace_period():
    env = {"CSAPP_GRACE": "3600"}
    with LiveServer.gunicorn(env=env) as server, Client.waiter(server, "w") as waiter:
        waiter.ready()
        users = [Client.user(server, name) for name in ("leaves", "closes", "stays")]
        for user in users:
            user.say("connect")
            assert_receives(user, "connect_success")
            assert_receives(waiter, "new_connection")
        leaves, closes, stays = users
        leaves.leave()
        assert_receives(waiter, "disconnected", from_=leaves.uuid)
        closes.ws.send(b"", opcode=8)  # no code at all
        assert_receives(waiter, "disconnected", from_=closes.uuid)
        waiter.leave()
        assert_receives(stays, "disconnected", from_=waiter.uuid)


def test_messages_for_an_absent_side_are_kept_up_to_a_bound():
    env = {"CSAPP_OUTBOX_BYTES": "65536", "CSAPP_MESSAGE_RATE": "0"}
    with LiveServer.gunicorn(env=env) as server, Client.waiter(server, "w") as waiter:
        waiter.ready()
        user = Client.user(server, "u")
        user.say("connect")
        assert_receives(waiter, "new_connection")
        user.drop()
        server.wait_for_line("disconnect role=user")
        for number in range(30):
            waiter.text(f"{number:02d}" + "x" * 3998, to=user.uuid)
        refused = waiter.receive_all()
        assert refused
        assert all("try again later" in frame["payload"]["message"] for frame in refused)
        with Client.user(server, "u") as user:
            assert_receives(user, "initialize")
            kept = user.receive_all()
            assert len(kept) + len(refused) == 30
            numbers = [int(frame["payload"]["message"][:2]) for frame in kept]
            assert numbers == list(range(len(kept)))


def test_that_the_conversation_is_over_is_kept_however_much_was_kept_before():
    env = {"CSAPP_OUTBOX_BYTES": "65536", "CSAPP_MESSAGE_RATE": "0"}
    with LiveServer.gunicorn(env=env) as server, Client.waiter(server, "w") as waiter:
        waiter.ready()
        user = Client.user(server, "u")
        user.say("connect")
        assert_receives(waiter, "new_connection")
        user.drop()
        server.wait_for_line("disconnect role=user")
        text = "x" * 4000
        while not any(frame["type"] == "error" for frame in waiter.receive_all()):
            waiter.text(text, to=user.uuid)
            text = text[: len(text) // 2] or text  # fill it to the last byte
        waiter.say("disconnect", {"uuid": user.uuid})
        assert_quiet(waiter)
        with Client.user(server, "u") as user:
            assert_receives(user, "initialize")
            assert user.receive_all()[-1]["type"] == "disconnected"


# ---- starting and stopping -------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CSAPP_GRACE", "soon"),
        ("CSAPP_MAX_FRAME", "-1"),
        ("CSAPP_DATABASE_URL", "mysql://x/y"),
        ("CSAPP_REDIS_URL", "127.0.0.1:6379"),
        ("CSAPP_ALLOWED_ORIGINS", "shop.example"),
        ("CSAPP_GRCAE", "20"),
        ("CSAPP_URL_PREFIX", "support"),
        ("CSAPP_SECRET_KEY", "short"),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named(key, value):
    failed = run(
        "flask", "--app", "csapp", "chat", "token", "--role", "user", "--sub", "u", **{key: value}
    )
    assert failed.returncode != 0
    message = failed.stderr.strip().splitlines()[-1]
    assert key in message
    assert (value in message) != (key == "CSAPP_SECRET_KEY"), "the value is shown, but no secret"


def test_several_workers_without_redis_refuse_to_start_and_say_why():
    failed = run("gunicorn", "-c", "gunicorn.conf.py", "-w", "2", "-b", "127.0.0.1:0", "wsgi:app")
    assert failed.returncode != 0
    assert "CSAPP_REDIS_URL" in failed.stdout + failed.stderr


def test_several_workers_by_somebody_elses_configuration_refuse_every_chat():
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        os.devnull,
        "-k",
        "gevent",
        "-w",
        "2",
        "--no-control-socket",
        "-b",
        "127.0.0.1:{port}",
        "wsgi:app",
    ]
    with LiveServer(command) as server, Raw(server) as raw:
        raw.send(request(USER))
        assert raw.head().startswith("HTTP/1.1 503 ")
        server.wait_for_line("CSAPP_REDIS_URL")


def test_a_web_server_with_one_request_at_a_time_refuses_every_chat():
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        os.devnull,
        "-k",
        "sync",
        "--no-control-socket",
        "-b",
        "127.0.0.1:{port}",
        "wsgi:app",
    ]
    with LiveServer(command) as server, Raw(server) as raw:
        raw.send(request(USER))
        assert raw.head().startswith("HTTP/1.1 503 ")


def test_a_restarting_server_is_healed_by_clients_that_come_back():
    env = {"CSAPP_MESSAGE_RATE": "0"}
    with LiveServer.gunicorn(env=env) as server:
        client = Client.user(server, "u")
        server.signal(1)  # HUP: a new worker takes over, the old one drains
        assert client.closed() == 1012
        with come_back(server, "user") as again:
            again.auth(server.token("user", "u"))
            again.say("connect")
            assert_receives(again, "connect_queue", location=0)


def test_ctrl_c_is_for_the_master():
    """A terminal sends it to every process in it; only its master tells the worker to stop."""
    with LiveServer.gunicorn() as server:
        status = Path(f"/proc/{server.worker_pid}/status").read_text()
        ignored = int(re.findall(r"^SigIgn:\s+(\w+)$", status, re.MULTILINE)[0], 16)
        assert ignored & 1 << (signal.SIGINT - 1)
        user = Client.user(server, "ann")
        server.signal(signal.SIGINT)
        assert user.closed() == 1012
        assert server.wait() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("number", "app"), [(signal.SIGTERM, "csapp:create_app()"), (signal.SIGQUIT, "wsgi:app")]
)
def test_conversations_end_with_a_worker_that_knows_nothing_of_them(number, app):
    """gthread waits for its threads, and is killed in the end: csapp lets them go."""
    command = [
        sys.executable, "-m", "gunicorn", "-c", "/dev/null", "--no-control-socket",
        "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", app,
    ]  # fmt: skip
    with LiveServer(command) as server:
        user, waiter = Client.user(server, "ann"), Client.waiter(server, "ada")
        waiter.ready()
        user.say("connect")
        assert_receives(user, "connect_success")
        server.signal(number)
        assert (user.closed(), waiter.closed()) == (1012, 1012)
        assert server.wait() == 0
    assert "SIGKILL" not in server.log


def test_the_generated_secret_is_private_and_stays(tmp_path):
    env = {"CSAPP_SECRET_KEY": ""}
    command = ("flask", "--app", "csapp", "chat", "token", "--role", "user", "--sub", "u")
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            env={**inherited(), "PYTHONPATH": str(ROOT)},
        )
        secret = tmp_path / "instance" / "csapp-secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        env.setdefault("seen", secret.read_text())
    assert secret.read_text() == env["seen"]
    assert sorted(os.listdir(tmp_path / "instance")) == [".gitignore", "csapp-secret"]


def test_log_lines_cannot_be_forged(live_server):
    with Raw.open(live_server, USER) as raw:
        raw.send(frame(b'{"type":"x\\n\\u001b[31mforged"}'))
        raw.receive()
        _, error = raw.receive()
    assert b"error" in error
    assert not re.search(r"^.*\x1b\[31mforged", live_server.log, re.MULTILINE)
