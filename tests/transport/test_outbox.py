"""The outbox over real sockets: nothing lost, nothing doubled, bounded, one sender."""

from __future__ import annotations

import itertools
import socket
import threading
import weakref

import pytest

from services.threads import ThreadRuntime
from services.transport import frames
from services.transport.outbox import Flusher, Outbox
from testkit.server import PATIENCE

KIB = 1024


class Pair:
    """An outbox on one end of a socket pair; the test holds the other end."""

    def __init__(self, most: int = 1024 * KIB, seconds: float = 3600.0) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * KIB)
        self.near.setblocking(False)
        self.far.settimeout(PATIENCE)
        self.runtime = ThreadRuntime()
        self.happened: list[str] = []
        self.event = threading.Event()
        #: s that are over besides those of the clock on the wall
        self.passed = 0.0
        self.flusher = Flusher(self.runtime, lambda: self.runtime.now() + self.passed)
        self.outbox = Outbox(
            self.near,
            self.runtime.readiness(self.near),
            self.runtime,
            self.flusher,
            most,
            seconds,
            self,
        )

    def overflowed(self) -> None:
        self.outbox.finish(frames.close(4413))
        self.note("overflowed")

    def broken(self) -> None:
        self.note("broken")

    def finished(self) -> None:
        self.near.shutdown(socket.SHUT_WR)
        self.note("finished")

    def note(self, what: str) -> None:
        self.happened.append(what)
        self.event.set()

    def wait_until(self, what: str) -> None:
        while what not in self.happened:
            assert self.event.wait(PATIENCE), f"{what} did not happen: {self.happened}"
            self.event.clear()

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.far.recv(64 * KIB)
            if not piece:
                break
            data += piece
        return data


@pytest.fixture
def outboxed():
    pairs = []

    def make(**options) -> Pair:
        pairs.append(Pair(**options))
        return pairs[-1]

    yield make
    for one in pairs:
        one.near.close()
        one.far.close()


def test_what_is_put_in_one_round_goes_out_in_one_send(outboxed):
    one = outboxed()
    sends = []
    real = one.near

    class Counting:
        def send(self, data):
            sends.append(bytes(data))
            return real.send(data)

    one.outbox._sock = Counting()
    go = threading.Event()
    one.runtime.call_soon(go.wait)  # the loop is busy while we put
    for number in range(10):
        one.outbox.put(b"%d" % number)
    go.set()
    assert one.read(10) == b"0123456789"
    assert sends == [b"0123456789"]


def test_a_pausing_reader_gets_every_byte_once_and_in_order(outboxed):
    one = outboxed(most=16 * 1024 * KIB)
    pieces = [bytes([number % 256]) * 50_000 for number in range(160)]  # 8 MB
    for piece in pieces:
        one.outbox.put(piece)
    one.outbox.finish(b"END")
    # Nothing has been read so far: the kernel is full and a writer waits.
    assert one.read(8_000_003) == b"".join(pieces) + b"END"
    one.wait_until("finished")
    assert one.happened == ["finished"]
    assert one.outbox.sent == 8_000_003


def test_many_writers_lose_nothing(outboxed):
    one = outboxed(most=64 * 1024 * KIB)

    def write(who: int) -> None:
        for number in range(2000):
            one.outbox.put(b"%d:%04d;" % (who, number))

    writers = [threading.Thread(target=write, args=(who,)) for who in range(8)]
    for writer in writers:
        writer.start()
    data = one.read(8 * 2000 * 7)
    for writer in writers:
        writer.join()
    entries = data.decode().rstrip(";").split(";")
    assert len(entries) == 16_000
    for who in range(8):
        mine = [entry for entry in entries if entry.startswith(f"{who}:")]
        assert mine == [f"{who}:{number:04d}" for number in range(2000)]


def test_too_many_bytes_overflow_once_and_the_stream_stays_whole(outboxed):
    one = outboxed(most=256 * KIB)
    payloads = (b"%06d" % number * 500 for number in itertools.count())
    while not one.happened:
        one.outbox.put(frames.frame(next(payloads)))
    assert one.outbox.backlog < 4 * KIB, "the queue was not freed"
    stream = one.read(10**9)
    one.wait_until("finished")
    assert one.happened == ["overflowed", "finished"]
    expected = (b"%06d" % number * 500 for number in itertools.count())
    while stream[0] == frames.TEXT:
        payload = next(expected)
        assert stream[4 : 4 + len(payload)] == payload
        stream = stream[4 + len(payload) :]
    assert stream == frames.close(4413)


def test_what_another_thread_puts_while_it_overflows_does_not_follow_the_gap(outboxed):
    one = outboxed(most=256 * KIB)
    overflowed = one.overflowed

    def interrupted() -> None:
        one.outbox.put(frames.frame(b"behind the gap"))
        overflowed()

    one.overflowed = interrupted
    while not one.happened:
        one.outbox.put(frames.frame(b"x" * 3000))
    stream = one.read(10**9)
    assert b"behind the gap" not in stream
    assert stream.endswith(frames.close(4413))


def test_no_progress_for_too_long_overflows(outboxed):
    one = outboxed(seconds=0.3)
    one.outbox.put(frames.frame(b"x" * 500 * KIB))
    one.wait_until("overflowed")


def test_progress_keeps_a_slow_reader_alive(outboxed):
    one = outboxed(seconds=5000)
    payload = b"x" * 900 * KIB
    one.outbox.put(frames.frame(payload))
    data = b""
    while len(data) < len(payload):
        data += one.read(128 * KIB)
        one.passed += 2000  # the pace of the reader: 128 KiB in less than the bound
    assert one.happened == []
    assert one.passed > 5000


def test_a_dead_connection_is_noticed_and_forgotten(outboxed):
    one = outboxed()
    one.far.close()
    one.outbox.put(b"x")
    one.wait_until("broken")
    one.outbox.put(b"y")
    assert one.outbox.backlog == 0
    assert one.happened == ["broken"]


def test_nothing_follows_the_close_frame(outboxed):
    one = outboxed()
    one.outbox.put(b"a")
    one.outbox.finish(b"CLOSE")
    one.outbox.put(b"b")
    one.outbox.finish(b"CLOSE")
    assert one.read(100) == b"aCLOSE"


def test_waiting_for_a_slow_reader_ends_when_it_has_read(outboxed):
    one = outboxed()
    one.outbox.put(b"x" * 900 * KIB)
    done = threading.Event()

    def wait() -> None:
        flushed = threading.Event()
        one.runtime.call_soon(flushed.set)  # after the flush
        flushed.wait()
        one.outbox.wait_below(100 * KIB)
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not done.is_set()
    one.read(900 * KIB)
    assert done.wait(PATIENCE)
    assert one.outbox.backlog <= 100 * KIB


def test_what_is_told_is_remembered_and_looked_at_though_the_reader_is_slow(outboxed):
    """Between two frames the queue never empties, and much may be put meanwhile."""
    one, remembered, looks, again = outboxed(), [], [], threading.Event()

    def look() -> int:
        looks.append(one.outbox.sent)
        if len(looks) > 2:
            again.set()
        return 64 * KIB

    one.outbox.remember(remembered.append, look)
    frame = b"x" * 900 * KIB
    one.outbox.put_and_remember(frame)
    assert one.read(600 * KIB)
    assert again.wait(PATIENCE)
    assert one.outbox.backlog, "the queue has emptied"
    assert looks == sorted(looks)
    assert remembered == [frame]
    one.outbox.finish(b"")
    one.outbox.put_and_remember(b"y")
    assert remembered == [frame, b"y"], "it was put, though it is not sent"


@pytest.mark.parametrize("before", [True, False])
def test_an_outbox_that_has_ended_does_not_hold_whoever_remembers(outboxed, before):
    """Neither would be freed, since that one holds the connection."""

    class Memory:
        def tidy(self) -> int:
            return KIB

    one, memory, remembered = outboxed(), Memory(), []
    if before:
        one.outbox.abort()
    one.outbox.remember(remembered.append, memory.tidy)
    if not before:
        one.outbox.abort()
    freed = weakref.ref(memory)
    del memory
    assert freed() is None
    one.outbox.put_and_remember(b"x")
    assert remembered == [b"x"]
