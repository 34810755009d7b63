"""A bad network: a TCP proxy in front of a `LiveServer` whose faults are switched while it runs.

    with FaultProxy(server) as network:
        client = Client.user(network, "ann")
        network.black_hole(TO_SERVER)

Each fault concerns one direction or both, and connections that are open as
well as those to come. A call returns when its fault is in force.

One thread owns every socket and all state; calls are handed to it. Nothing
here ever waits for one connection while another could go on.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any, TypeVar

from .server import PATIENCE, LiveServer

CHUNK = 65_536  # bytes read at once
HELD = 262_144  # bytes that one direction holds back before it stops reading
KERNEL = 65_536  # bytes that the kernel takes in for us: a connection that stops is noticed soon
SLICE = 0.02  # s that a throttled direction saves up for one send
LINGER = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST

T = TypeVar("T")


class Way(Enum):
    """One direction of a connection."""

    UP = "client → server"
    DOWN = "server → client"


TO_SERVER = (Way.UP,)
TO_CLIENT = (Way.DOWN,)
BOTH = (Way.UP, Way.DOWN)

Ways = tuple[Way, ...]


@dataclass
class Faults:
    """What is wrong with one direction now."""

    latency: float = 0.0  # s
    rate: float = inf  # bytes a second; 0: nothing is read, so the sender's buffers fill up
    black_hole: bool = False
    cut_after: int | None = None  # bytes; for connections to come


class _Pipe:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, target: socket.socket, faults: Faults) -> None:
        self.source = source
        self.target = target
        self.faults = faults
        self.left = faults.cut_after  # bytes until the cut
        self.ended = False  # the source says no more
        self.told = False  # … and the target knows, or never will
        self._held: deque[tuple[float, bytes]] = deque()  # when it is due, what
        self._size = 0
        self._allowance = 0.0  # bytes that may pass now
        self._counted = 0.0  # when that was counted

    @property
    def reads(self) -> bool:
        """Whether the source may send now."""
        faults = self.faults
        most = min(HELD, max(1.0, faults.rate))
        return not self.ended and (faults.black_hole or (faults.rate > 0 and self._size < most))

    def read(self, now: float) -> None:
        """Take what the source sends. Raises `OSError` when it is gone."""
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            if not self.faults.black_hole:
                raise
            data = b""
        if not data:
            self.ended = True
            self.told = self.told or self.faults.black_hole
        elif not self.faults.black_hole:
            self._held.append((now + self.faults.latency, data))
            self._size += len(data)

    def write(self, now: float) -> None:
        """Pass on what is due. Raises `OSError` when the target is gone."""
        if self.faults.black_hole:
            self.swallow()
        while self._held and self._held[0][0] <= now and self.left != 0:
            due, data = self._held[0]
            taken = self._send(data[: self._most(now)])
            if not taken:
                return
            self._size -= taken
            if taken == len(data):
                self._held.popleft()
            else:
                self._held[0] = (due, data[taken:])
        if self.ended and not self._held and not self.told:
            self.told = True
            self.target.shutdown(socket.SHUT_WR)

    def _most(self, now: float) -> int:
        """Bytes that may pass now."""
        rate = self.faults.rate
        if rate == inf:
            most = CHUNK
        else:
            self._allowance = min(
                max(1.0, rate * SLICE), self._allowance + (now - self._counted) * rate
            )
            self._counted = now
            most = int(self._allowance) if self._allowance >= self._enough else 0
        return most if self.left is None else min(most, self.left)

    @property
    def _enough(self) -> float:
        """What a throttled direction saves up before it sends: no byte by byte."""
        return max(1.0, min(self._size, self.faults.rate * SLICE))

    def _send(self, data: bytes) -> int:
        try:
            taken = self.target.send(data) if data else 0
        except BlockingIOError:
            return 0
        self._allowance = max(0.0, self._allowance - taken)
        if self.left is not None:
            self.left -= taken
        return taken

    def swallow(self) -> None:
        """Lose what is held back."""
        self._held.clear()
        self._size = 0

    def next_look(self, now: float) -> float | None:
        """When time alone lets something pass; None: never."""
        rate = self.faults.rate
        if not self._held or not rate:
            return None
        due = self._held[0][0]
        if rate == inf:
            return due
        # a hair later, so that rounding never makes it look for nothing
        return max(due, now + max(0.0, self._enough - self._allowance) / rate + 1e-6)

    def writes(self, now: float) -> bool:
        """Whether only the target holds things up."""
        if not self._held or self._held[0][0] > now or not self.faults.rate:
            return False
        return self.faults.rate == inf or self._allowance >= self._enough


class _Link:
    """One connection: two sockets and what passes between them."""

    def __init__(
        self, client: socket.socket, server: socket.socket, faults: dict[Way, Faults]
    ) -> None:
        self.ends = {Way.DOWN: client, Way.UP: server}  # where each direction leads
        self.pipes = {
            Way.UP: _Pipe(client, server, faults[Way.UP]),
            Way.DOWN: _Pipe(server, client, faults[Way.DOWN]),
        }
        for sock in self.ends.values():
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def over(self) -> bool:
        return all(pipe.told for pipe in self.pipes.values())

    def wanted(self, way: Way, now: float) -> int:
        """The events that the socket to which *way* leads waits for."""
        to, back = self.pipes[way], self.pipes[_opposite(way)]
        reads = selectors.EVENT_READ if back.reads else 0
        return reads | (selectors.EVENT_WRITE if to.writes(now) else 0)

    def step(self, now: float) -> bool:
        """Move what can be moved; False when the connection was cut."""
        for pipe in self.pipes.values():
            try:
                if pipe.reads:
                    pipe.read(now)
                pipe.write(now)
            except OSError:
                return False
            if pipe.left == 0:
                return False
        return True


def _opposite(way: Way) -> Way:
    return Way.DOWN if way is Way.UP else Way.UP


class FaultProxy:
    """Listens on a free port of the loopback and leads to *server*, at first without faults.

    A context manager. It has what a client needs of a `LiveServer`: `port`,
    `url`, `ws_url`, `tls` and `token`.
    """

    def __init__(self, server: LiveServer) -> None:
        self._to = ("127.0.0.1", server.port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)  # those accepted too
        self.port: int = self._listener.getsockname()[1]
        self.tls = server.tls
        self.url = server.url.replace(f":{server.port}", f":{self.port}", 1)
        self.ws_url = server.ws_url.replace(f":{server.port}", f":{self.port}", 1)
        self.token = server.token
        self._faults = {way: Faults() for way in Way}
        self._refusing = False
        self._links: set[_Link] = set()
        self._timed: dict[_Link, float] = {}  # links that something is held back on, and till when
        self._watched: dict[socket.socket, int] = {}  # what the selector waits for
        self._calls: deque[Callable[[], None]] = deque()
        self._bell, self._ring = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._bell, selectors.EVENT_READ, self._answer)
        self._running = True
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # ---- faults that last ----------------------------------------------

    def latency(self, seconds: float, ways: Ways = BOTH) -> None:
        """Everything arrives this much later, in order."""
        self._spoil(ways, latency=seconds)

    def throttle(self, rate: float, ways: Ways = BOTH) -> None:
        """At most *rate* bytes a second pass on each connection.

        0: nothing passes and nothing is read, like a reader that has stopped.
        """
        self._spoil(ways, rate=rate)

    def black_hole(self, ways: Ways = BOTH) -> None:
        """Swallow everything silently, the end of the connection too; it stays open."""
        self._spoil(ways, black_hole=True)

    def cut_after(self, count: int, ways: Ways = BOTH) -> None:
        """Reset each connection (RST) when *count* more bytes have passed."""
        self._spoil(ways, cut_after=count)

    def refuse(self) -> None:
        """Reset every new connection."""
        self._ask(lambda: self._refuse(True))

    def heal(self) -> None:
        """Let everything pass as it comes, from now on. What was swallowed stays lost."""
        self._ask(lambda: self._refuse(False))
        self._spoil(BOTH, **vars(Faults()))

    def _refuse(self, refusing: bool) -> None:
        self._refusing = refusing

    def _spoil(self, ways: Ways, **changes: Any) -> None:
        def spoil() -> None:
            for way in ways:
                vars(self._faults[way]).update(changes)
                for link in self._links if "cut_after" in changes else ():
                    link.pipes[way].left = changes["cut_after"]
            for link in list(self._links):
                self._look_at(link)

        self._ask(spoil)

    # ---- faults of one moment ------------------------------------------

    def reset(self, ways: Ways = BOTH) -> int:
        """RST on every open connection: to both ends, or to one without the other learning it.

        Returns how many there were.
        """
        return self._end(ways, _say_nothing)

    def close(self, ways: Ways = BOTH) -> int:
        """The same with FIN: the connection is closed, without a close frame."""
        return self._end(ways, _say_no_more)

    def _end(self, ways: Ways, prepare: Callable[[socket.socket], None]) -> int:
        def end() -> int:
            links = list(self._links)
            for link in links:
                for way in ways:
                    self._cut_off(link, way, prepare)
                if link.over:
                    self._drop(link)
            return len(links)

        return self._ask(end)

    @property
    def open(self) -> int:
        """Connections open now."""
        return self._ask(lambda: len(self._links))

    def stop(self) -> None:
        """Close every connection and listen no more."""
        if self._running:
            self.close()
            self._ask(lambda: setattr(self, "_running", False))
            self._thread.join(PATIENCE)

    # ---- the thread ----------------------------------------------------

    def _ask(self, call: Callable[[], T]) -> T:
        """Run *call* in the thread; its result."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(call())
            except Exception as error:
                answer.set_exception(error)

        self._calls.append(run)
        self._ring.send(b"!")
        return answer.result(PATIENCE)

    def _run(self) -> None:
        while self._running:
            first = min(self._timed.values(), default=None)
            wait = None if first is None else max(0.0, first - time.monotonic())
            for key, _ in self._selector.select(wait):
                if isinstance(key.data, _Link):
                    self._look_at(key.data)
                else:
                    key.data()
            now = time.monotonic()
            for link in [link for link, look in self._timed.items() if look <= now]:
                self._look_at(link)
        self._selector.close()
        for sock in (self._listener, self._bell, self._ring):
            sock.close()

    def _answer(self) -> None:
        self._bell.recv(CHUNK)
        while self._calls:
            self._calls.popleft()()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # it has given up already
            return
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
        server.settimeout(PATIENCE)
        if self._refusing or server.connect_ex(self._to):
            _say_nothing(client)
            client.close()
            server.close()
            return
        link = _Link(client, server, self._faults)
        self._links.add(link)
        self._watch(link)

    def _look_at(self, link: _Link) -> None:
        if link not in self._links:
            return
        if not link.step(time.monotonic()):
            for way in BOTH:
                self._cut_off(link, way, _say_nothing)
        if link.over:
            self._drop(link)
        else:
            self._watch(link)

    def _watch(self, link: _Link) -> None:
        """Watch what *link* waits for, and nothing else."""
        now = time.monotonic()
        for way, sock in link.ends.items():
            self._wait_for(sock, link.wanted(way, now) if sock.fileno() >= 0 else 0, link)
        looks = [pipe.next_look(now) for pipe in link.pipes.values() if not pipe.writes(now)]
        self._timed.pop(link, None)
        if soonest := [look for look in looks if look is not None]:
            self._timed[link] = min(soonest)

    def _wait_for(self, sock: socket.socket, events: int, link: _Link) -> None:
        watched = self._watched.pop(sock, 0)
        if events and not watched:
            self._selector.register(sock, events, link)
        elif watched and not events:
            self._selector.unregister(sock)
        elif events != watched:
            self._selector.modify(sock, events, link)
        if events:
            self._watched[sock] = events

    def _cut_off(self, link: _Link, way: Way, prepare: Callable[[socket.socket], None]) -> None:
        """Close the socket to which *way* leads; the other end does not learn it."""
        sock = link.ends[way]
        self._wait_for(sock, 0, link)
        with contextlib.suppress(OSError):
            prepare(sock)
        sock.close()
        to, back = link.pipes[way], link.pipes[_opposite(way)]
        to.faults = Faults(black_hole=True)
        to.swallow()
        to.told = to.told or to.ended
        back.ended = back.told = True
        back.swallow()
        if not link.over:
            self._watch(link)

    def _drop(self, link: _Link) -> None:
        self._links.discard(link)
        self._timed.pop(link, None)
        for sock in link.ends.values():
            self._wait_for(sock, 0, link)
            sock.close()


def _say_nothing(sock: socket.socket) -> None:
    """Have `close` send RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)


def _say_no_more(sock: socket.socket) -> None:
    """Send FIN, behind what is on its way."""
    sock.shutdown(socket.SHUT_WR)
