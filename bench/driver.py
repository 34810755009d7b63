"""The load driver: one process, one epoll loop, no asyncio, as little Python as it takes.

Users write, waiters echo. It checks the order, the loss and the repeats of
every message while it measures, and says how much of its own core it used: at
0.9 and more it, not the server, was the limit.

Frames to the server are masked with a zero key, which RFC 6455 allows: the
server unmasks as ever, and the driver has nothing to compute. Frames from the
server are found by their text marker rather than by parsing each header.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
PIECE = 65_536  # bytes read at once: more would be mapped and unmapped for each read
PATIENCE = 20.0  # s of silence before a run is given up


class Failed(Exception):
    """The run could not be done, or the server answered wrongly."""


def header(length: int) -> bytes:
    """Of a client's text frame, with a zero mask."""
    if length < 126:
        return bytes((0x81, 0x80 | length, 0, 0, 0, 0))
    return bytes((0x81, 0xFE, length >> 8, length & 0xFF, 0, 0, 0, 0))


#: what a user says: who, which of its messages, and something. All are of one length, so that
#: nothing around them changes
TEXT = b"%05d@%09d@" + b"x" * 32
WHO = 5  # its first bytes
SIZE = len(TEXT % (0, 0))

#: what stands around a user's text, and behind a waiter's
HEAD, TAIL = b'{"id":"u","type":"message_text","payload":{"message":"', b'"}}'


def framed(head: bytes) -> bytes:
    """*head* behind the header of the frame that it begins: a `TEXT` and `TAIL` follow."""
    return header(len(head) + SIZE + len(TAIL)) + head


#: the beginning of each message of a user
ASKED = framed(HEAD)


def frame(text: str) -> bytes:
    """A client's text frame."""
    data = text.encode()
    return header(len(data)) + data


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Connection:
    """One WebSocket connection."""

    def __init__(self, port: int, path: str, source: int = 0) -> None:
        self.sock = socket.socket()
        if source:
            self.sock.bind((f"127.0.0.{2 + source % 200}", 0))
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.out: list[bytes] = []
        self.uuid = ""
        self.peer = ""
        self.sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n".encode()
            + b"Sec-WebSocket-Key: "
            + KEY
            + b"\r\n\r\n"
        )
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        if b" 101 " not in head:
            raise Failed(head.decode())

    def more(self) -> None:
        data = self.sock.recv(PIECE)
        if not data:
            raise Failed("the server hung up")
        self.rest += data

    def say(self, type_: str, payload: Any = None) -> None:
        self.sock.sendall(frame(json.dumps({"id": "s", "type": type_, "payload": payload})))

    def frames(self) -> Iterator[bytes]:
        """Payloads of text frames, one by one: for setting up."""
        while True:
            while len(self.rest) < 2 or len(self.rest) < self._size():
                self.more()
            size = self._size()
            whole, self.rest = self.rest[:size], self.rest[size:]
            if whole[0] == 0x81:
                yield whole[4 if whole[1] == 126 else 2 :]

    def _size(self) -> int:
        short = self.rest[1]
        if short < 126:
            return 2 + short
        return 4 + int.from_bytes(self.rest[2:4], "big") if len(self.rest) >= 4 else 1 << 30

    def until(self, type_: str) -> dict[str, Any]:
        """Skip to a frame of this type."""
        for data in self.frames():
            found: dict[str, Any] = json.loads(data)
            if found["type"] == "initialize":
                self.uuid = found["to"]
            if found["type"] == type_:
                return found
            if found["type"] == "error":
                raise Failed(data.decode())
        raise AssertionError

    def flush(self) -> None:
        """Send all that is queued; waits for a full buffer."""
        data = b"".join(self.out)
        self.out.clear()
        while data:
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                select.select([], [self.sock], [], PATIENCE)


@dataclass
class Result:
    """One measured stretch."""

    relays: int = 0
    seconds: float = 0.0
    rtts: list[float] = field(default_factory=list)
    driver_cpu: float = 0.0
    server_cpu: float = 0.0
    problems: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        self.rtts.sort()

        def quantile(share: float) -> float:
            if not self.rtts:
                return 0.0
            return self.rtts[min(len(self.rtts) - 1, int(share * len(self.rtts)))] * 1e3

        return {
            "relays_per_s": self.relays / self.seconds,
            "relays": self.relays,
            "seconds": self.seconds,
            "rtt_p50_ms": quantile(0.5),
            "rtt_p99_ms": quantile(0.99),
            "driver_cpu": self.driver_cpu / self.seconds,
            "server_us": self.server_cpu / max(1, self.relays) * 1e6,
            "problems": self.problems,
        }


class Crowd:
    """Users on the first of *ports*, and their echoing waiters on the last."""

    def __init__(
        self, ports: list[int], tokens: dict[str, list[str]], users: int, waiters: int, spaced: bool
    ) -> None:
        self.waiters = []
        for number in range(waiters):
            connection = Connection(ports[-1], "/v1/ws/waiter/connect", number)
            connection.until("initialize")
            connection.say("auth", {"token": tokens["waiter"][number]})
            connection.say("ready")
            self.waiters.append(connection)
        time.sleep(0.3)  # version 1 does not answer `ready`
        self.users = []
        for number in range(users):
            connection = Connection(ports[0], "/v1/ws/user/connect", number)
            connection.until("initialize")
            connection.say("auth", {"token": tokens["user"][number]})
            connection.say("connect")
            connection.peer = connection.until("connect_success")["payload"]["uuid"]
            self.users.append(connection)
        #: json.dumps puts a space behind a colon
        self.marker = b'"message": "' if spaced else b'"message":"'
        self.epoll = select.epoll()
        self.by_fd: dict[int, tuple[socket.socket, Callable[[bytes], None]]] = {}
        self.result = Result()
        self.sent = [0] * users
        self.got = [0] * users
        #: what each user has said and not got back yet, and when
        self.asked: list[deque[tuple[bytes, float]]] = [deque() for _ in range(users)]
        self.measuring = False
        self.running = True
        by_uuid = {connection.uuid: number for number, connection in enumerate(self.users)}
        for connection in self.waiters:
            self._listen(connection, self._echo(connection))
        for connection in self.users:
            self._listen(connection, self._check(connection, by_uuid[connection.uuid]))

    def _listen(self, connection: Connection, on_text: Callable[[list[bytes]], None]) -> None:
        connection.sock.setblocking(False)
        self.epoll.register(connection.sock, select.EPOLLIN)

        marker = self.marker

        def readable(data: bytes) -> None:
            pieces = (connection.rest + data if connection.rest else data).split(marker)
            last = pieces[-1]
            # `from` is the last field of a text on both servers: with it the frame is whole.
            if len(pieces) > 1 and last[-1:] == b"}" and b'"from"' in last:
                connection.rest = b""
                on_text(pieces[1:])
            else:
                connection.rest = marker + last if len(pieces) > 1 else last
                on_text(pieces[1:-1])
            out = connection.out
            if out:
                data = out[0] if len(out) == 1 else b"".join(out)
                try:
                    if connection.sock.send(data) == len(data):
                        out.clear()
                        return
                except BlockingIOError:
                    pass
                raise Failed("the server does not read")

        self.by_fd[connection.sock.fileno()] = connection.sock, readable

    def _echo(self, connection: Connection) -> Callable[[list[bytes]], None]:
        """A waiter: every text goes back to the user whose number stands in it."""
        head = b'{"id":"w","to":"%b","type":"message_text","payload":{"message":"'
        heads = {
            b"%05d" % number: framed(head % user.uuid.encode())
            for number, user in enumerate(self.users)
        }
        out, result = connection.out, self.result

        def on_text(pieces: list[bytes]) -> None:
            result.relays += len(pieces)
            for piece in pieces:
                out.append(heads[piece[:WHO]] + piece[:SIZE] + TAIL)

        return on_text

    def _check(self, connection: Connection, number: int) -> Callable[[list[bytes]], None]:
        """A user: the echo must be the next one of its own; then it asks again."""
        asked, result, got = self.asked[number], self.result, self.got

        def on_text(pieces: list[bytes]) -> None:
            now = time.perf_counter()
            result.relays += len(pieces)
            got[number] += len(pieces)
            for piece in pieces:
                expected, at = asked.popleft() if asked else (b"nothing", now)
                if not piece.startswith(expected):
                    result.problems.append(
                        f"user {number}: {expected!r} expected, got {piece[:60]!r}"
                    )
                if self.measuring:
                    result.rtts.append(now - at)
                if self.running:
                    self.ask(connection, number, now)

        return on_text

    def ask(self, connection: Connection, number: int, now: float) -> None:
        """Queue the next message of a user."""
        text = TEXT % (number, self.sent[number])
        connection.out.append(ASKED + text + TAIL)
        self.sent[number] += 1
        self.asked[number].append((text, now))

    def turn(self, timeout: float) -> bool:
        """One round of the loop; False when nothing came."""
        ready = self.epoll.poll(timeout)
        for fd, _ in ready:
            sock, readable = self.by_fd[fd]
            data = sock.recv(PIECE)
            if not data:
                raise Failed("the server hung up")
            readable(data)
        return bool(ready)

    def run(self, servers: list[int], window: int, warm: float, seconds: float) -> Result:
        """Run for *seconds* after *warm*, then let everything come home.

        *servers* are the process ids whose CPU time is measured meanwhile.
        """
        for number, connection in enumerate(self.users):
            for _ in range(window):
                self.ask(connection, number, time.perf_counter())
            connection.flush()
        self._live(warm)
        self.measuring, before = True, self.result.relays
        begun, cpu, server_cpu = (
            time.perf_counter(),
            time.process_time(),
            sum(map(cpu_seconds, servers)),
        )
        self._live(seconds)
        self.measuring, self.result.relays = False, self.result.relays - before
        self.result.seconds = time.perf_counter() - begun
        self.result.driver_cpu = time.process_time() - cpu
        self.result.server_cpu = sum(map(cpu_seconds, servers)) - server_cpu
        self.running = False
        end = time.perf_counter() + PATIENCE
        while self.got != self.sent and time.perf_counter() < end:
            self.turn(0.1)
        self.turn(0.1)  # a repeated message would come now
        for number, (sent, got) in enumerate(zip(self.sent, self.got, strict=True)):
            if sent != got:
                self.result.problems.append(f"user {number}: {sent} sent, {got} came back")
        return self.result

    def _live(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if not self.turn(PATIENCE):
                raise Failed(f"nothing came for {PATIENCE} s")

    def close(self) -> None:
        for connection in (*self.users, *self.waiters):
            connection.sock.setblocking(True)
            connection.sock.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
            connection.sock.close()


def open_users(port: int, tokens: list[str]) -> tuple[list[Connection], float]:
    """Open a user for each token, sixteen at a time; they and the seconds it took."""

    def one(number: int) -> Connection:
        connection = Connection(port, "/v1/ws/user/connect", number)
        connection.until("initialize")
        connection.say("auth", {"token": tokens[number]})
        return connection

    begun = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        connections = list(pool.map(one, range(len(tokens))))
    return connections, time.perf_counter() - begun


def answer_pings(connections: list[Connection]) -> None:
    """Hold idle connections until this process is ended."""
    poll = select.poll()
    by_fd = {connection.sock.fileno(): connection for connection in connections}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            connection = by_fd[fd]
            connection.more()
            while len(connection.rest) >= 2 and len(connection.rest) >= 2 + connection.rest[1]:
                size = 2 + connection.rest[1]
                ping, connection.rest = connection.rest[:size], connection.rest[size:]
                if ping[0] == 0x89:
                    head = bytes((0x8A, 0x80 | ping[1])) + b"\0\0\0\0"
                    connection.sock.sendall(head + ping[2:])


def main() -> None:
    """Driven by `bench.__main__`: a JSON request on stdin, a JSON answer on stdout."""
    asked = json.loads(sys.stdin.readline())
    if asked["cpu"] is not None:
        os.sched_setaffinity(0, {asked["cpu"]})
    if asked["scenario"] == "idle":
        connections, seconds = open_users(asked["port"], asked["tokens"]["user"])
        print(json.dumps({"opened": len(connections), "seconds": seconds}), flush=True)
        answer_pings(connections)
    crowd = Crowd(
        asked["ports"], asked["tokens"], asked["users"], asked["waiters"], asked["spaced"]
    )
    result = crowd.run(asked["pids"], asked["window"], asked["warm"], asked["seconds"])
    crowd.close()
    print(json.dumps(result.report()))


if __name__ == "__main__":
    main()
