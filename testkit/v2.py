"""A version-2 client that does all that a good client must, and writes it into a `Journal`.

`Manners` is the client without a socket: frames go in, frames to send come
out. `Device` is a thread that carries them over websocket-client, and comes
back when the server says so.

1. A message stays in the outbox until it is acknowledged, and is sent again,
   in order and with the same id, on each return to its conversation, after
   the page that comes with it: what that page holds needs no repeat.
2. All that a device remembers of a conversation is the last `seq` seen; a gap
   never occurs by contract, and is reported where it does.
3. What may be repeated is repeated after `retry_after`, not before.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import websocket

from .entries import said
from .journal import (
    Acknowledged,
    Closed,
    Entered,
    Item,
    Journal,
    Opened,
    Page,
    Refused,
    Seen,
    Sent,
)
from .server import PATIENCE

Frame = dict[str, Any]

#: a client comes back after these; after the others it stops and says why
RECONNECT = frozenset({1001, 1006, 1011, 1012, 1013, 4408, 4413})

#: refusals after which a message stays in the outbox, for the conversation goes on
PASSING = frozenset({"not_connected", "no_such_user", "not_ready", "unauthenticated"})

JITTER = 0.1  # s at most before it comes back: spread out, but tests do not wait for it

PAGE = 200  # messages asked for at once, the most that a server gives


@dataclass(slots=True)
class Letter:
    """A message in the outbox."""

    client_id: str
    text: str
    #: sent on this connection, and not refused since
    sent: bool = False
    #: not to be sent before
    due: float = 0.0
    #: how often it was sent, on any connection
    times: int = 0


@dataclass(slots=True)
class Chat:
    """What a device knows of one conversation."""

    name: str
    #: the other side's UUID
    peer: str = ""
    #: the last seen of all that were seen without a gap; None: nothing yet
    last_seq: int | None = None
    #: the page has come, so it is served and may be spoken in
    here: bool = False
    #: its page is still to come on this connection, before anything else of it
    entering: bool = True
    ended: bool = False
    outbox: dict[str, Letter] = field(default_factory=dict)
    #: later than `last_seq`: seen after a gap that is being asked for
    ahead: set[int] = field(default_factory=set)

    def unsent(self) -> None:
        """Whatever is in the outbox is to be sent (again)."""
        for letter in self.outbox.values():
            letter.sent = False
            letter.due = 0.0

    def give_up(self) -> None:
        """What is missing will not come."""
        self.last_seq = min(self.ahead) - 1
        self.saw(min(self.ahead))

    def saw(self, seq: int) -> None:
        """*seq* was seen."""
        if self.last_seq is None:
            self.last_seq = seq
        elif seq > self.last_seq:
            self.ahead.add(seq)
            while self.last_seq + 1 in self.ahead:
                self.last_seq += 1
                self.ahead.remove(self.last_seq)


class Manners:
    """A version-2 client without a socket. Not for two threads at once.

    Each method returns the frames to send now, in order.
    """

    def __init__(
        self,
        role: str,
        sub: str,
        token: str,
        journal: Journal,
        *,
        device: str = "1",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.role = role
        self.sub = sub
        self.name = f"{sub}/{device}"
        self.uuid = ""
        self.chats: dict[str, Chat] = {}
        #: the user's place in the line, to be taken again
        self.ticket: str | None = None
        #: what a good server never makes a client see
        self.problems: list[str] = []
        #: the answers to `get_history` that nobody has taken yet, by the request's id
        self.pages: dict[str, Frame] = {}
        #: this connection's name; "" between connections
        self.socket = ""
        self._token = token
        self._journal = journal
        self._clock = clock
        self._sockets = (f"{self.name}#{number}" for number in itertools.count(1))
        self._ids = (f"{self.name}.{number}" for number in itertools.count(1))
        self._asked: dict[str, Frame] = {}  # requests without an answer
        self._bridges: set[str] = set()  # … that are to fill a gap
        self._later: list[tuple[float, Frame]] = []  # requests to repeat, and when

    # ---- from above ----------------------------------------------------

    def say(self, text: str, conversation: str | None = None) -> list[Frame]:
        """Put *text* into the outbox of *conversation*, the only one or the latest by default."""
        chat = self.chats[conversation or next(reversed(self.chats))]
        letter = Letter(next(self._ids), text)
        chat.outbox[letter.client_id] = letter
        return list(self._speak(chat))

    def repeat(self) -> list[Frame]:
        """Ask once more for what has been asked on this connection already: harmless."""
        if not any(chat.here for chat in self.chats.values()):
            return []
        return [self._request("connect" if self.role == "user" else "ready")]

    def ask(self, conversation: str, **payload: int) -> Frame:
        """A `get_history`; its answer will be in `pages`."""
        return self._request("get_history", {"conversation": conversation, **payload})

    @property
    def pending(self) -> int:
        """Messages in all outboxes."""
        return sum(len(chat.outbox) for chat in self.chats.values())

    @property
    def answered(self) -> bool:
        """It is connected, and all that it has asked for has an answer."""
        return bool(self.uuid) and not self._asked and not self._later

    @property
    def settled(self) -> bool:
        """All is said, and nothing is on its way that this client knows of."""
        return (
            self.answered
            and not self.pending
            and all(chat.here or chat.ended for chat in self.chats.values())
        )

    # ---- from the line -------------------------------------------------

    def opened(self) -> list[Frame]:
        """A connection is there."""
        self.socket = next(self._sockets)
        return []

    def closed(self, code: int) -> bool:
        """The connection is gone; whether to come back."""
        if self.uuid:
            self._journal.write(Closed(self.socket, code))
        self.socket = self.uuid = ""
        self._asked.clear()
        self._bridges.clear()
        self._later.clear()
        for chat in self.chats.values():
            self._shut(chat)
            chat.entering = True
            chat.ahead.clear()
            chat.unsent()
        return code in RECONNECT

    def received(self, frame: Frame) -> list[Frame]:
        """A frame came."""
        handler = getattr(self, f"_on_{frame['type']}", None)
        request = self._asked.pop(frame.get("reply_id", ""), None)
        if handler is None:
            self.problems.append(f"unknown type: {frame}")
            return []
        return list(handler(frame, request))

    @property
    def next_due(self) -> float | None:
        """When `due` has something to send."""
        times = [at for at, _ in self._later]
        for chat in self.chats.values():
            first = next((one for one in chat.outbox.values() if not one.sent), None)
            if self._is_open(chat) and first is not None:
                times.append(first.due)
        return min(times, default=None)

    def due(self) -> list[Frame]:
        """What was to wait for `retry_after` until now."""
        now = self._clock()
        ready = [frame for at, frame in self._later if at <= now]
        self._later = [(at, frame) for at, frame in self._later if at > now]
        self._asked.update((frame["id"], frame) for frame in ready)  # whoever asked knows the id
        frames = list(ready)
        for chat in self.chats.values():
            frames += self._speak(chat)
        return frames

    # ---- frames --------------------------------------------------------

    def _request(self, type_: str, payload: Any = None) -> Frame:
        frame: Frame = {"id": next(self._ids), "type": type_}
        if payload is not None:
            frame["payload"] = payload
        self._asked[frame["id"]] = frame
        return frame

    def _is_open(self, chat: Chat) -> bool:
        """Whether its outbox may be sent."""
        return chat.here

    def _shut(self, chat: Chat) -> None:
        """Nothing of its outbox may be sent until the server says that it goes on."""
        chat.here = False

    def _speak(self, chat: Chat) -> Iterator[Frame]:
        """What of its outbox may be sent now: none before those that were put in before it."""
        for letter in chat.outbox.values():
            if not letter.sent:
                if not self._is_open(chat) or letter.due > self._clock():
                    return
                yield self._message(chat, letter)

    def _message(self, chat: Chat, letter: Letter) -> Frame:
        letter.sent = True
        letter.times += 1
        self._journal.write(Sent(self.socket, chat.name, self.sub, letter.client_id, letter.text))
        frame: Frame = {
            "id": letter.client_id,
            "type": "message_text",
            "payload": {"message": letter.text},
        }
        if self.role == "waiter":
            frame["to"] = chat.peer
        return frame

    def _on_initialize(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        first = not self.uuid
        self.uuid = frame["to"]
        self._journal.name(self.uuid, self.sub)
        if first:
            resume = {
                chat.name: chat.last_seq
                for chat in self.chats.values()
                if chat.last_seq is not None and not chat.ended
            }
            self._journal.write(Opened(self.socket, self.sub, 2, resume))
            payload: Frame = {"token": self._token, "version": 2}
            if resume:
                payload["resume"] = resume
            yield self._request("auth", payload)

    def _on_auth_success(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        if frame["payload"]["sub"] != self.sub or frame["payload"]["uuid"] != self.uuid:
            self.problems.append(f"{self.sub} {self.uuid} is taken for another: {frame}")
        if self.role == "user":
            yield self._request("connect", {"ticket": self.ticket} if self.ticket else {})
        else:
            yield self._request("ready")

    def _on_ready(self, _: Frame, __: Frame | None) -> Iterator[Frame]:
        return iter(())

    def _on_connect_queue(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        self.ticket = frame["payload"].get("ticket", self.ticket)
        for chat in self.chats.values():
            self._shut(chat)
        return iter(())

    def _on_connect_success(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        self.ticket = None
        return self._enter(frame)

    def _on_new_connection(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        return self._enter(frame)

    def _enter(self, frame: Frame) -> Iterator[Frame]:
        payload = frame["payload"]
        name = payload["conversation"]
        chat = self.chats.setdefault(name, Chat(name))
        chat.peer = payload["uuid"]
        chat.here, chat.entering = False, True  # until its page has come
        if chat.last_seq is not None and payload["last_seq"] < chat.last_seq:
            self.problems.append(f"{chat.last_seq} was seen already: {frame}")
        self._journal.write(Entered(self.socket, name))
        return iter(())

    def _on_disconnected(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        for chat in self.chats.values():
            if chat.peer == frame["from"]:
                self._shut(chat)
        return iter(())

    def _on_message_history(self, frame: Frame, request: Frame | None) -> Iterator[Frame]:
        payload = frame["payload"]
        items = [_item(one) for one in payload["messages"]]
        reply = frame.get("reply_id")
        if request is not None and reply is not None and reply not in self._bridges:
            self.pages[reply] = payload  # somebody wanted to read, not to catch up
            return
        name = payload["conversation"]
        chat = self.chats.setdefault(name, Chat(name))
        bridge = reply is not None
        self._bridges.discard(reply or "")
        self._journal.write(
            Page(self.socket, name, tuple(items), asked=bridge, complete=payload["complete"])
        )
        for item in items:
            chat.saw(item.seq)
            if item.client_id is not None:
                chat.outbox.pop(item.client_id, None)
        if chat.last_seq is None:
            chat.last_seq = 0  # it has just begun
        if chat.ahead and bridge and not items:
            self.problems.append(f"nobody knows what came after {chat.last_seq}: {frame}")
            chat.give_up()
        if chat.ahead:
            yield self._bridge(chat, frame)
        if bridge:
            return
        chat.entering = False
        if payload["state"] == "ended":
            chat.ended = True
            chat.outbox.clear()
            return
        chat.here = True
        yield from self._speak(chat)

    def _bridge(self, chat: Chat, frame: Frame) -> Frame:
        """Ask for what is missing before what came."""
        if frame["type"] != "message_history" or frame["payload"]["complete"]:
            self.problems.append(f"a gap after {chat.last_seq}: {frame}")
        request = self.ask(chat.name, after=chat.last_seq or 0, before=min(chat.ahead), limit=PAGE)
        self._bridges.add(request["id"])
        return request

    def _on_message_text(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        name, seq = frame["conversation"], frame["seq"]
        self._journal.write(
            Seen(self.socket, frame["from"], frame["payload"]["message"], name, seq, frame["date"])
        )
        chat = self.chats.get(name)
        if chat is None or not chat.here:
            self.problems.append(f"before the page of its conversation: {frame}")
            return
        yield from self._saw(chat, seq, frame)

    def _on_event(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        name, seq = frame["conversation"], frame["seq"]
        text = said(frame["payload"])
        self._journal.write(Seen(self.socket, frame["from"], text, name, seq, frame["date"]))
        chat = self.chats.get(name)
        if chat is None or chat.entering:
            self.problems.append(f"before the page of its conversation: {frame}")
            return
        yield from self._saw(chat, seq, frame)

    def _on_message_text_success(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        name, seq = frame["conversation"], frame["payload"]["seq"]
        self._journal.write(
            Acknowledged(
                self.socket, name, self.sub, frame["reply_id"], seq, frame["payload"]["date"]
            )
        )
        chat = self.chats[name]
        if chat.entering:
            self.problems.append(f"before the page of its conversation: {frame}")
        chat.outbox.pop(frame["reply_id"], None)
        yield from self._saw(chat, seq, frame)

    def _saw(self, chat: Chat, seq: int, frame: Frame) -> Iterator[Frame]:
        waiting = bool(chat.ahead)
        chat.saw(seq)
        if chat.ahead and not waiting:
            yield self._bridge(chat, frame)

    def _on_error(self, frame: Frame, request: Frame | None) -> Iterator[Frame]:
        error = frame["payload"]
        after = error.get("retry_after")
        if request is not None:
            if after is not None:
                self._later.append((self._clock() + after, request))
            else:
                self.problems.append(f"{request} was refused: {frame}")
            return
        reply = frame.get("reply_id", "")
        for chat in self.chats.values():
            if reply in chat.outbox:
                self._journal.write(Refused(self.socket, self.sub, reply, error["code"]))
                chat.outbox[reply].sent = False
                if after is not None:
                    chat.outbox[reply].due = self._clock() + after
                elif error["code"] in PASSING:
                    self._shut(chat)
                else:
                    del chat.outbox[reply]
                    self.problems.append(f"a message was refused for good: {frame}")
                return
        self.problems.append(f"an error without a question: {frame}")
        yield from ()

    def _ignored(self, _: Frame, __: Frame | None) -> Iterator[Frame]:
        """Nothing that changes what this client does."""
        return iter(())

    _on_presence = _on_queue_status = _on_typing = _on_read = _on_kickout = _on_idle = _ignored


def _item(one: Frame) -> Item:
    return Item(one["seq"], one["from"], said(one["payload"]), one.get("client_id"), one["date"])


class Door(Protocol):
    """What a device needs of a server, or of several: a `LiveServer` has it."""

    @property
    def ws_url(self) -> str:
        """Where to connect; asked each time."""

    def token(self, role: str, sub: str) -> str:
        """One that it accepts."""


class Device:
    """`Manners` on a line to *server*, in a thread of its own, until `leave` or `drop`.

    A context manager, which drops the line in the end.
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
        self._cut = False  # the line is to be lost
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

    def history(self, conversation: str) -> list[Item]:
        """All of it, read page by page; not written into the journal."""
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
                continue  # the line was lost, and the question with it
            items = [_item(one) for one in payload["messages"]]
            found += items
            if payload["complete"] or not items:
                return found

    def _answer(self, request: Frame, socket: str) -> Any:
        """The page; None if it was asked for on a *socket* that is not there any more."""

        def answered(manners: Manners) -> bool:
            return request["id"] in manners.pages or manners.socket not in ("", socket)

        if not self.wait(answered):
            raise AssertionError(f"{self.name}: no answer to {request}")
        return self.manners.pages.pop(request["id"], None)

    def lose(self) -> None:
        """Lose the line, and come back."""
        with self._changed:
            self._cut = True
        self._wake()

    def leave(self, code: int = 1000) -> None:
        """Close with a close frame."""
        self._stop(code)

    def drop(self) -> None:
        """Lose the line."""
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
                line = self._connect()
                if line is None:
                    self._pause()
                elif not self._stay(line):
                    return
                else:
                    self._pause()
        except BaseException as failure:
            self._failure = failure
            with self._changed:
                self._changed.notify_all()

    def _pause(self) -> None:
        self._drain(self._random.uniform(0, JITTER))

    def _drain(self, seconds: float | None, *lines: Any) -> list[Any]:
        """Wait for something to do; which of *lines* can be read."""
        ready, _, _ = select.select([self._wake_out, *lines], [], [], seconds)
        if self._wake_out in ready:
            os.read(self._wake_out, 4096)
        return [one for one in ready if one != self._wake_out]

    def _connect(self) -> websocket.WebSocket | None:
        url = f"{self._server.ws_url}/v1/ws/{self.manners.role}/connect"
        try:
            return websocket.create_connection(url, timeout=PATIENCE, suppress_origin=True)
        except (OSError, websocket.WebSocketException):
            return None

    def _stay(self, line: websocket.WebSocket) -> bool:
        """Talk until the line is gone; whether to come back."""
        with self._changed:
            self._mail = self.manners.opened()
        try:
            code = self._talk(line)
        except (OSError, websocket.WebSocketException):
            code = 1006
        finally:
            with contextlib.suppress(Exception):
                line.shutdown()  # type: ignore[no-untyped-call]
        with self._changed:
            back = self.manners.closed(code)
            self._mail.clear()
            if not back and self._end is None:
                self.manners.problems.append(f"closed with {code}")
            self._changed.notify_all()
        return back and self._end is None

    def _talk(self, line: websocket.WebSocket) -> int:
        """The code with which it ended."""
        while True:
            with self._changed:
                mail, self._mail = self._mail + self.manners.due(), []
                due = self.manners.next_due
            if self._end is not None:
                if self._end != 1006:
                    line.close(status=self._end, timeout=int(PATIENCE))
                return self._end
            if self._cut:
                self._cut = False
                return 1006
            for frame in mail:
                line.send(json.dumps(frame))
            wait = None if due is None else max(0.0, due - time.monotonic())
            if self._drain(wait, line.sock):
                code = self._hear(line)
                if code is not None:
                    return code

    def _hear(self, line: websocket.WebSocket) -> int | None:
        frame = line.recv_frame()  # type: ignore[no-untyped-call]
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(frame.data[:2], "big") if frame.data else 1005
        if frame.opcode == websocket.ABNF.OPCODE_PING:
            line.pong(frame.data)
        elif frame.opcode == websocket.ABNF.OPCODE_TEXT:
            with self._changed:
                self._mail += self.manners.received(json.loads(frame.data))
                self._changed.notify_all()
        return None
