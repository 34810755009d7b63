"""Senders that stand still are cut off, and slow ones are not; what has come stays."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blueprints.multipart import READ
from blueprints.request_limits import OPEN
from blueprints.slow_bodies import SKIPPED, SlowBody
from services.bounds import BODY_TIME, UPLOAD_PAUSE, UPLOAD_SLOWEST, UPLOAD_TIME
from testkit import LiveServer

from ..clocked import GUNICORN, THREADS, let_pass
from ..raw import Raw
from ..three_ways import Clients
from .pairs import Pair
from .posting import form
from .test_resumed import CONTENT, HALF, Upload, head


@pytest.fixture(scope="module", params=["gunicorn", "flask"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("slow")
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{folder}/chat.db", "CSAPP_HEARTBEAT": "3600"}
    is_gunicorn = request.param == "gunicorn"
    start = LiveServer.gunicorn(GUNICORN, env) if is_gunicorn else LiveServer.flask(THREADS, env)
    with start as server:
        yield server


@pytest.fixture
def upload(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Upload]:
    clients = Clients(server)
    yield Upload(Pair(clients, request.node.originalname.removeprefix("test_")[:20]))
    for client in clients.clients:
        client.leave()


def is_answered(raw: Raw) -> bool:
    return bool(select.select([raw.sock], [], [], 0.1)[0])


def test_a_sender_that_stands_still_is_cut_off(server, upload):
    body = form(CONTENT, "a.txt", **upload.fields)
    with Raw(server) as raw:
        raw.send(head(upload.pair.user_token, len(body)) + body[:HALF])
        while not is_answered(raw):
            let_pass(server, UPLOAD_PAUSE)
        assert raw.head().split()[1] == "202", "it is told what has come"
    assert HALF - 9000 < upload.offset <= HALF
    upload.assert_is(upload.send(upload.offset, len(CONTENT)))


def test_what_is_taken_whole_is_refused_then(server, upload):
    body = form(CONTENT, "a.txt", conversation=upload.pair.conversation)
    with Raw(server) as raw:
        raw.send(head(upload.pair.user_token, len(body)) + body[:HALF])
        while not is_answered(raw):
            let_pass(server, UPLOAD_PAUSE)
        assert raw.head().split()[1] == "408"


class SlowSender:
    """A request whose body comes at *rate* bytes a second, on a clock of its own."""

    def __init__(self, rate: float, size: int = 1_000_000) -> None:
        self.rate, self.left = rate, size
        self.now, self.is_cut, self.is_read = 0.0, False, False
        self.looks: list[tuple[float, Callable[[], None]]] = []
        self.incoming: Any = SimpleNamespace(environ={OPEN: self}, stream=self)

    def read(self, most: int) -> bytes:
        """Wait until so much has come, or it is cut off."""
        size = min(most, self.left)
        end = self.now + size / self.rate
        while self.looks and self.looks[0][0] <= end and not self.is_cut:
            self.now, look = self.looks.pop(0)
            look()
        if self.is_cut:
            return b""
        self.now, self.left = end, self.left - size
        return b"x" * size

    def after(self, seconds: float, call: Callable[[], None]) -> Any:
        self.looks.append((self.now + seconds, call))
        return SimpleNamespace(cancel=self.looks.clear)

    def lived(self) -> float:
        return self.now

    def cut_body(self) -> None:
        self.is_cut = True

    def body_is_read(self) -> None:
        self.is_read = True


def came(sender: SlowSender) -> int:
    """How many bytes were read of it."""
    count = 0
    with SlowBody(sender.incoming, 1 << 30) as body:
        while data := body.read(READ):
            count += len(data)
    return count


@pytest.mark.parametrize("rate", [UPLOAD_SLOWEST * 1.01, 10 * UPLOAD_SLOWEST, 1e9])
def test_a_slow_sender_has_all_the_time_it_needs(rate: float):
    sender = SlowSender(rate)
    assert (came(sender), sender.is_cut, sender.is_read) == (1_000_000, False, True)


@pytest.mark.parametrize("rate", [UPLOAD_SLOWEST * 0.9, 100, 0.01])
def test_a_byte_now_and_then_is_not_enough(rate: float):
    sender = SlowSender(rate)
    assert came(sender) <= UPLOAD_TIME * UPLOAD_SLOWEST
    assert sender.is_cut
    assert sender.now < 100_000 / UPLOAD_SLOWEST


def test_whoever_may_not_send_is_not_waited_for_long():
    sender = SlowSender(10_000)
    with SlowBody(sender.incoming, 1 << 30):
        pass
    assert sender.is_cut
    assert sender.now <= BODY_TIME + 5.0


def test_what_is_refused_is_skipped_but_not_without_end():
    sender = SlowSender(1e9, 100 * SKIPPED)
    with SlowBody(sender.incoming, 1 << 40) as body:
        body.read(1)
    assert SKIPPED <= 100 * SKIPPED - sender.left < 2 * SKIPPED
    assert not sender.is_read
