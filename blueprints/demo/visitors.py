"""Simulated visitors of the demo, a program of its own: `visitors CHAT SHOP COUNT`.

They are clients like any other, over real WebSockets in version 2 of the protocol: they come
one after the other, wait in the queue, ask, answer the waiter, lose their connection now and
then, leave, and come back under another name.

The program reads their tokens from the standard input, one a line, up to an empty line. When
the input ends after that, the server is gone, and the program ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from inspect import signature
from itertools import count as counting
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from services.wire.codes import RECONNECT, CloseCode

from .people import STILL_THERE, TOPICS, Topic

try:
    from websockets.asyncio.client import ClientConnection, connect
except ModuleNotFoundError:  # websockets 12
    from websockets.client import (  # type: ignore[attr-defined, no-redef]
        WebSocketClientProtocol as ClientConnection,
    )
    from websockets.client import connect  # type: ignore[attr-defined, no-redef]

#: newer versions look for a proxy in the environment; the demo runs on this machine
DIRECT: dict[str, Any] = (
    {"proxy": None} if "proxy" in signature(connect.__init__).parameters else {}
)

Frame = dict[str, Any]
#: seconds, from and to
Span = tuple[float, float]

ARRIVAL = (1.0, 60.0)  # until somebody comes for the first time
AWAY = (15.0, 90.0)  # until somebody else comes
WAIT = (180.0, 600.0)  # in the queue, before giving up
READING = (1.5, 6.0)  # before an answer
TYPING = (0.04, 0.09)  # for each character
SILENCE = (45.0, 120.0)  # of the waiter, before asking whether it is there
OFFLINE = (2.0, 8.0)  # in a tunnel

TUNNELS = 0.08  # of all answers are followed by one
PROMPT = 30.0  # s: the server itself is quicker
REQUEUED = 5.0  # s: a visitor whose waiter left is in the queue again by then


class _Over(Exception):
    """The visitor has nothing to wait for any more."""


class State(StrEnum):
    """How far a visitor has come."""

    NEW = "new"
    GREETED = "greeted"
    KNOWN = "known"
    QUEUED = "queued"
    SERVED = "served"
    LEFT = "left"  # by the waiter: for good, unless it is in the queue again in a moment


#: frame type → the state that it brings
STATES = {
    "initialize": State.GREETED,
    "auth_success": State.KNOWN,
    "connect_queue": State.QUEUED,
    "connect_success": State.SERVED,
    "disconnected": State.LEFT,
}


@dataclass(frozen=True)
class Tempo:
    """How quick people are.

    *pace* multiplies every pause of their own, *patience* how long they wait
    for others. They are two things: a slow machine is no slow waiter.
    """

    pace: float
    patience: float


class Visit:
    """One person in the shop, from the first question to the last word.

    *chat* and *shop* are addresses; *tempo* is how quick they are.
    """

    def __init__(
        self, chat: str, shop: str, token: str, topic: Topic, chance: Random, tempo: Tempo
    ) -> None:
        self._address = f"{chat.replace('http', 'ws', 1)}/v1/ws/user/connect"
        self._page = f"{shop}{topic.page}"
        self._token = token
        self._chance = chance
        self._tempo = tempo
        self._texts = deque([topic.question, *topic.replies])
        visit = secrets.token_hex(4)
        self._ids = (f"{visit}-{number}" for number in counting(1))
        self._state = State.NEW
        self._seen: dict[str, int] = {}  # conversation → its last `seq`
        self._unanswered: Frame | None = None  # the waiter's last words that have no answer yet
        self._asked = False
        self._nudged = False

    async def run(self) -> None:
        """Run until the visitor leaves. Raises `OSError` and `InvalidHandshake`: no connection."""
        while True:
            try:
                async with connect(
                    self._address, open_timeout=PROMPT, close_timeout=1, **DIRECT
                ) as connection:
                    with suppress(_Over):
                        await self._enter(connection)
                        await self._talk(connection)
                    return  # closes with 1000: the visitor leaves on purpose
            except ConnectionClosed as closed:
                if (closed.rcvd.code if closed.rcvd else CloseCode.ABNORMAL) not in RECONNECT:
                    return
            await self._pause(OFFLINE)

    async def _enter(self, connection: ClientConnection) -> None:
        self._state = State.NEW
        await self._become(connection, State.GREETED, PROMPT)
        auth: Frame = {"token": self._token, "version": 2}
        if self._seen:
            auth["resume"] = self._seen
        await self._send(connection, "auth", auth)
        await self._become(connection, State.KNOWN, PROMPT)
        await self._send(connection, "connect", {"page": self._page})

    async def _talk(self, connection: ClientConnection) -> None:
        """Ask and answer until all is said. Raises `ConnectionClosed` in a tunnel."""
        while self._texts:
            await self._become(connection, State.SERVED, self._longest(WAIT))
            if not self._asked or await self._answered(connection):
                await self._say(connection, self._texts[0])
                self._texts.popleft()
                self._asked = True
                if self._texts and self._chance.random() < TUNNELS:
                    connection.transport.abort()
            elif self._state is State.SERVED:
                if self._nudged:
                    raise _Over
                self._nudged = True
                await self._say(connection, self._chance.choice(STILL_THERE))
        await self._pause(READING)

    async def _answered(self, connection: ClientConnection) -> bool:
        """Whether the waiter says something, before patience or the chat ends."""
        await self._until(
            connection,
            lambda: self._unanswered or self._state is not State.SERVED,
            self._longest(SILENCE),
        )
        if not self._unanswered or self._state is not State.SERVED:
            return False
        if "seq" in self._unanswered:  # a server without a database sends none
            await self._send(connection, "read", {"seq": self._unanswered["seq"]})
        self._unanswered = None
        return True

    async def _say(self, connection: ClientConnection, text: str) -> None:
        await self._pause(READING)
        await self._send(connection, "typing", {"on": True})
        await self._pause(TYPING, len(text))
        await self._send(connection, "message_text", {"message": text})

    async def _send(
        self, connection: ClientConnection, type_: str, payload: Frame | None = None
    ) -> None:
        frame: Frame = {"id": next(self._ids), "type": type_}
        if payload is not None:
            frame["payload"] = payload
        await connection.send(json.dumps(frame))

    # ---- receiving -----------------------------------------------------

    async def _become(self, connection: ClientConnection, state: State, patience: float) -> None:
        """Wait for *state*. Raises `_Over` when patience ends, or the chat."""
        while self._state is not state:
            moved = self._state
            longest = REQUEUED if moved is State.LEFT else patience
            if not await self._until(connection, lambda: self._state is not moved, longest):  # noqa: B023
                raise _Over

    async def _until(
        self, connection: ClientConnection, condition: Callable[[], object], patience: float
    ) -> bool:
        try:
            async with asyncio.timeout(patience):
                while not condition():
                    self._take(json.loads(await connection.recv()))
        except TimeoutError:
            return False
        return True

    def _take(self, frame: Frame) -> None:
        self._state = STATES.get(frame["type"], self._state)
        if frame["type"] == "message_text" and frame["from"] != frame["to"]:
            self._unanswered = frame  # not a text of this visitor, from before a tunnel
        if frame["type"] == "message_history":
            for item in frame["payload"]["messages"]:
                if "client_id" not in item and item["from"] != frame["to"]:
                    self._unanswered = item
                self._seen[frame["payload"]["conversation"]] = item["seq"]
        if "seq" in frame:
            self._seen[frame["conversation"]] = frame["seq"]

    # ---- time ----------------------------------------------------------

    async def _pause(self, between: Span, times: int = 1) -> None:
        await asyncio.sleep(times * self._chance.uniform(*between) * self._tempo.pace)

    def _longest(self, between: Span) -> float:
        return self._chance.uniform(*between) * self._tempo.patience


async def crowd(chat: str, shop: str, tokens: Sequence[str], count: int, tempo: Tempo) -> None:
    """Let *count* visitors come and go, for ever. No token is used twice at the same time."""
    chance = Random()  # noqa: S311  # who asks what is no secret
    outside = list(tokens)

    async def keep_coming() -> None:
        await asyncio.sleep(chance.uniform(*ARRIVAL) * tempo.pace)
        while True:
            token = outside.pop(chance.randrange(len(outside)))
            with suppress(OSError, InvalidHandshake):  # the server cannot be reached just now
                await Visit(chat, shop, token, chance.choice(TOPICS), chance, tempo).run()
            outside.append(token)
            await asyncio.sleep(chance.uniform(*AWAY) * tempo.pace)

    async with asyncio.TaskGroup() as everybody:
        for _ in range(count):
            everybody.create_task(keep_coming())


async def open_hours(people: Coroutine[Any, Any, None]) -> None:
    """Run *people* until the standard input ends."""
    loop = asyncio.get_running_loop()
    coming = loop.create_task(people)
    loop.add_reader(
        sys.stdin.fileno(), lambda: os.read(sys.stdin.fileno(), 4096) or coming.cancel()
    )
    with suppress(asyncio.CancelledError):
        await coming


def main() -> None:
    """Read the tokens and begin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chat", help="where the chat is")
    parser.add_argument("shop", help="where the shop is")
    parser.add_argument("count", type=int, help="how many are there at once")
    parser.add_argument("--pace", type=float, default=1.0, help="multiplies their own pauses")
    parser.add_argument(
        "--patience", type=float, default=1.0, help="multiplies how long they wait for others"
    )
    options = parser.parse_args()
    tempo = Tempo(options.pace, options.patience)
    with suppress(KeyboardInterrupt):
        tokens = [line.strip() for line in iter(sys.stdin.readline, "\n") if line]
        asyncio.run(open_hours(crowd(options.chat, options.shop, tokens, options.count, tempo)))


if __name__ == "__main__":
    main()
