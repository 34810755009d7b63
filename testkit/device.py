"""`Device`: `Manners` on a WebSocket, in a thread that comes back when the server says so."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import websocket

from .journal import Item, Journal
from .server import PATIENCE
from .v2 import PAGE, Frame, Manners, item_of

JITTER = 0.1  # s at most before it comes back: spread out, but tests do not wait for it


class Door(Protocol):
    """What a device needs of a server, or of several: a `LiveServer` has it."""

    @property
    def ws_url(self) -> str:
        """Where to connect; asked each time."""

    def token(self, role: str, sub: str) -> str:
        """One that it accepts."""


class Device:
    """`Manners` on a connection to *server*, in a thread of its own, until `leave` or `drop`.

    A context manager, which drops the connection in the end.
    """

    def __init__(
        self,
        server: Door,
        role: str,
        sub: str,
        journal: Journal,
        *,
        device: str = "1",
        manners: type[Manners] = Manners,
        seed: int = 0,
    ) -> None:
        token = server.token(role, sub)  # one login for all of its life
        self.manners = manners(role, sub, token, journal, device=device)
        self.journal = journal
        self._server = server
        self._random = random.Random(seed)
        self._changed = threading.Condition()
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._mail: list[Frame] = []
        self._end: int | None = None  # the code to leave with; 1006: without a word
        self._cut = False  # the connection is to be lost
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=self.manners.name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: object) -> None:
        self.drop()

    @property
    def name(self) -> str:
        """Subject and device."""
        return self.manners.name

    @property
    def problems(self) -> list[str]:
        """What a good server never makes a client see, and what this one stumbled over."""
        failure = [f"the client failed: {self._failure!r}"] if self._failure else []
        return [f"{self.name}: {one}" for one in [*self.manners.problems, *failure]]

    # ---- from any thread -----------------------------------------------

    def say(self, text: str, conversation: str | None = None) -> None:
        """Put *text* into the outbox."""
        self.do(lambda manners: manners.say(text, conversation))

    def do(self, what: Callable[[Manners], list[Frame]]) -> None:
        """Send what *what* returns."""
        with self._changed:
            self._mail += what(self.manners)
        self._wake()

    def wait(self, condition: Callable[[Manners], bool], patience: float = PATIENCE) -> bool:
        """Wait until *condition* of the client's state holds; False: out of patience."""
        with self._changed:
            return self._changed.wait_for(
                lambda: condition(self.manners) or self._failure is not None, patience
            ) and condition(self.manners)

    def look(self, question: Callable[[Manners], Any]) -> Any:
        """*question*, asked while nothing changes."""
        with self._changed:
            return question(self.manners)

    def history(self, conversation: str) -> list[Item] | None:
        """All of it, read page by page; not written into the journal. None: it may not read it."""
        found: list[Item] = []
        while True:
            after = found[-1].seq if found else 0
            with self._changed:
                socket = self.manners.socket
                request = self.manners.ask(conversation, after=after, limit=PAGE)
                self._mail.append(request)
            self._wake()
            payload = self._answer(request, socket)
            if payload is None:
                continue  # the connection was lost, and the question with it
            if payload.get("code") == "forbidden":
                return None
            items = [item_of(one) for one in payload["messages"]]
            found += items
            if payload["complete"] or not items:
                return found

    def _answer(self, request: Frame, socket: str) -> Any:
        """The page, or the error; None: the *socket* of the request is not there any more."""

        def answered(manners: Manners) -> bool:
            return request["id"] in manners.pages or manners.socket not in ("", socket)

        if not self.wait(answered):
            raise AssertionError(f"{self.name}: no answer to {request}")
        return self.manners.pages.pop(request["id"], None)

    def lose(self) -> None:
        """Lose the connection, and come back."""
        with self._changed:
            self._cut = True
        self._wake()

    def leave(self, code: int = 1000) -> None:
        """Close with a close frame."""
        self._stop(code)

    def drop(self) -> None:
        """Lose the connection."""
        self._stop(1006)

    def _stop(self, code: int) -> None:
        with self._changed:
            self._end = code
        self._wake()
        self._thread.join(PATIENCE)
        for end in (self._wake_out, self._wake_in):
            with contextlib.suppress(OSError):
                os.close(end)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it will wake up anyway, or never again
            os.write(self._wake_in, b"!")

    # ---- its own thread ------------------------------------------------

    def _run(self) -> None:
        try:
            while self._end is None:
                connection = self._connect()
                if connection is None:
                    self._pause()
                elif not self._stay(connection):
                    return
                else:
                    self._pause()
        except BaseException as failure:
            self._failure = failure
            with self._changed:
                self._changed.notify_all()

    def _pause(self) -> None:
        self._drain(self._random.uniform(0, JITTER))

    def _drain(self, seconds: float | None, *sockets: Any) -> list[Any]:
        """Wait for something to do; which of *sockets* can be read."""
        ready, _, _ = select.select([self._wake_out, *sockets], [], [], seconds)
        if self._wake_out in ready:
            os.read(self._wake_out, 4096)
        return [one for one in ready if one != self._wake_out]

    def _connect(self) -> websocket.WebSocket | None:
        url = f"{self._server.ws_url}/v1/ws/{self.manners.role}/connect"
        try:
            return websocket.create_connection(url, timeout=PATIENCE, suppress_origin=True)
        except (OSError, websocket.WebSocketException):
            return None

    def _stay(self, connection: websocket.WebSocket) -> bool:
        """Exchange frames until the connection is gone; whether to come back."""
        with self._changed:
            self._mail = self.manners.opened()
        try:
            code = self._converse(connection)
        except (OSError, websocket.WebSocketException):
            code = 1006
        finally:
            with contextlib.suppress(Exception):
                connection.shutdown()  # type: ignore[no-untyped-call]
        with self._changed:
            back = self.manners.closed(code)
            self._mail.clear()
            if not back and self._end is None:
                self.manners.problems.append(f"closed with {code}")
            self._changed.notify_all()
        return back and self._end is None

    def _converse(self, connection: websocket.WebSocket) -> int:
        """The code with which it ended."""
        while True:
            with self._changed:
                mail, self._mail = self._mail + self.manners.due(), []
                due = self.manners.next_due
            if self._end is not None:
                if self._end != 1006:
                    connection.close(status=self._end, timeout=int(PATIENCE))
                return self._end
            if self._cut:
                self._cut = False
                return 1006
            for frame in mail:
                connection.send(json.dumps(frame))
            wait = None if due is None else max(0.0, due - time.monotonic())
            if self._drain(wait, connection.sock):
                code = self._hear(connection)
                if code is not None:
                    return code

    def _hear(self, connection: websocket.WebSocket) -> int | None:
        frame = connection.recv_frame()  # type: ignore[no-untyped-call]
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(frame.data[:2], "big") if frame.data else 1005
        if frame.opcode == websocket.ABNF.OPCODE_PING:
            connection.pong(frame.data)
        elif frame.opcode == websocket.ABNF.OPCODE_TEXT:
            with self._changed:
                self._mail += self.manners.received(json.loads(frame.data))
                self._changed.notify_all()
        return None
