"""One connection through a `FaultProxy`: two sockets, and what passes between them and how."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from dataclasses import dataclass
from enum import Enum
from math import inf

CHUNK = 65_536  # bytes read at once
HELD = 262_144  # bytes that one direction holds back before it stops reading
SLICE = 0.02  # s that a throttled direction saves up for one send


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


class Pipe:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, target: socket.socket, faults: Faults) -> None:
        self.source = source
        self.target = target
        self.faults = faults
        self.left = faults.cut_after  # bytes until the cut
        self.ended = False  # the source says no more
        self.has_passed_end = False  # … and the target knows, or never will
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
            self.has_passed_end = self.has_passed_end or self.faults.black_hole
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
        if self.ended and not self._held and not self.has_passed_end:
            self.has_passed_end = True
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


class Link:
    """One connection: two sockets and what passes between them."""

    def __init__(
        self, client: socket.socket, server: socket.socket, faults: dict[Way, Faults]
    ) -> None:
        self.ends = {Way.DOWN: client, Way.UP: server}  # where each direction leads
        self.pipes = {
            Way.UP: Pipe(client, server, faults[Way.UP]),
            Way.DOWN: Pipe(server, client, faults[Way.DOWN]),
        }
        for sock in self.ends.values():
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def over(self) -> bool:
        return all(pipe.has_passed_end for pipe in self.pipes.values())

    def wanted(self, way: Way, now: float) -> int:
        """The events that the socket to which *way* leads waits for."""
        to, back = self.pipes[way], self.pipes[opposite(way)]
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


def opposite(way: Way) -> Way:
    return Way.DOWN if way is Way.UP else Way.UP
