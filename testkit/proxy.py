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
from typing import Any, TypeVar

from .link import BOTH, CHUNK, TO_CLIENT, TO_SERVER, Faults, Link, Way, Ways, opposite
from .server import PATIENCE, LiveServer

__all__ = ["BOTH", "TO_CLIENT", "TO_SERVER", "FaultProxy"]

KERNEL = 65_536  # bytes that the kernel takes in for us: a connection that stops is noticed soon
LINGER = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST

T = TypeVar("T")


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
        self._links: set[Link] = set()
        self._timed: dict[Link, float] = {}  # links that something is held back on, and till when
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
                if isinstance(key.data, Link):
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
        link = Link(client, server, self._faults)
        self._links.add(link)
        self._watch(link)

    def _look_at(self, link: Link) -> None:
        if link not in self._links:
            return
        if not link.step(time.monotonic()):
            for way in BOTH:
                self._cut_off(link, way, _say_nothing)
        if link.over:
            self._drop(link)
        else:
            self._watch(link)

    def _watch(self, link: Link) -> None:
        """Watch what *link* waits for, and nothing else."""
        now = time.monotonic()
        for way, sock in link.ends.items():
            self._wait_for(sock, link.wanted(way, now) if sock.fileno() >= 0 else 0, link)
        looks = [pipe.next_look(now) for pipe in link.pipes.values() if not pipe.writes(now)]
        self._timed.pop(link, None)
        if soonest := [look for look in looks if look is not None]:
            self._timed[link] = min(soonest)

    def _wait_for(self, sock: socket.socket, events: int, link: Link) -> None:
        watched = self._watched.pop(sock, 0)
        if events and not watched:
            self._selector.register(sock, events, link)
        elif watched and not events:
            self._selector.unregister(sock)
        elif events != watched:
            self._selector.modify(sock, events, link)
        if events:
            self._watched[sock] = events

    def _cut_off(self, link: Link, way: Way, prepare: Callable[[socket.socket], None]) -> None:
        """Close the socket to which *way* leads; the other end does not learn it."""
        sock = link.ends[way]
        self._wait_for(sock, 0, link)
        with contextlib.suppress(OSError):
            prepare(sock)
        sock.close()
        to, back = link.pipes[way], link.pipes[opposite(way)]
        to.faults = Faults(black_hole=True)
        to.swallow()
        to.has_passed_end = to.has_passed_end or to.ended
        back.ended = back.has_passed_end = True
        back.swallow()
        if not link.over:
            self._watch(link)

    def _drop(self, link: Link) -> None:
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
