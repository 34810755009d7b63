"""`Model` on a port, with its rows in a store of the history.

    python -m tests.chaos.model_server PORT

It stands in for the server where the harness itself is tried; `MODEL_BUGS`
names the bugs to switch on. SIGKILL is how it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from services.conversation.kinds import TEXT, Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history.opening import open_store
from services.history.port import Batch
from services.history.sql import SQLStore
from services.identity import TokenRole, Tokens

from .model import DATE, Bug, Conversation, Frame, Model, Row

COMMIT = 0.005  # s between two commits: long enough to be killed in


def key_of(name: str) -> int:
    """The number of a conversation in the store; its name is that in hexadecimal."""
    return int(name, 16)


class Keeper:
    """Carries the model's conversations to the store and back."""

    def __init__(self, store: SQLStore) -> None:
        self.store = store
        store.migrate()

    def load(self, model: Model) -> None:
        """What was durable before."""
        for stored in self.store.open_conversations():
            conversation = Conversation(
                f"{stored.key:x}", stored.user_subject, stored.waiter_subject or ""
            )
            for row in self.store.entries(stored.key, limit=1_000_000, newest=False):
                conversation.rows.append(
                    Row(row.seq, row.author, row.client_id or "", row.body, DATE)
                )
            model.conversations[conversation.name] = conversation

    def opened(self, conversation: Conversation) -> None:
        """A conversation begins."""
        key = key_of(conversation.name)
        stored = ConversationRow(
            key, conversation.user, conversation.user, waiter_subject=conversation.waiter
        )
        self.store.commit(Batch(conversations=[stored]))

    def save(self, rows: list[tuple[Conversation, Row]]) -> None:
        """One commit."""
        messages = [
            EntryRow(
                key_of(conversation.name),
                row.seq,
                Side.USER if row.sender == conversation.user else Side.WAITER,
                row.sender,
                # what is not known to be a repeat must not collide with it
                None if Bug.NO_DEDUPE in bugs() else row.client_id,
                TEXT.number,
                row.text,
                0,
            )
            for conversation, row in rows
        ]
        self.store.commit(Batch(entries=sorted(messages)))


def bugs() -> frozenset[Bug]:
    """Those that are switched on."""
    return frozenset(Bug[name] for name in os.environ.get("MODEL_BUGS", "").split(",") if name)


class Front:
    """The sockets."""

    def __init__(self, model: Model, tokens: Tokens) -> None:
        self.model = model
        self.tokens = tokens

    async def handle(self, connection: ServerConnection) -> None:
        """One connection."""
        assert connection.request is not None
        role = connection.request.path.split("/")[3]
        queue: asyncio.Queue[Frame] = asyncio.Queue()
        known = self.model.open(role, queue.put_nowait)
        writer = asyncio.create_task(self._write(connection, queue))
        try:
            async for data in connection:
                frame: dict[str, Any] = json.loads(data)
                sub = ""
                if frame["type"] == "auth":
                    sub = self.tokens.verify(frame["payload"]["token"], TokenRole(role)).subject
                self.model.receive(known, frame, sub)
        except ConnectionClosed:
            pass
        finally:
            self.model.lose(known)
            writer.cancel()

    async def _write(self, connection: ServerConnection, queue: asyncio.Queue[Frame]) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(json.dumps(await queue.get()))

    async def commit(self) -> None:
        """Commit now and then."""
        while True:
            await asyncio.sleep(COMMIT)
            self.model.commit()


def health(_: ServerConnection, request: Request) -> Response | None:
    """It is well."""
    if request.path == "/healthz":
        return Response(
            HTTPStatus.OK, "OK", Headers({"Content-Length": "2", "Connection": "close"}), b"ok"
        )
    return None


async def main(port: int) -> None:
    """Serve until killed."""
    keeper = Keeper(open_store(os.environ["CSAPP_DATABASE_URL"]))
    model = Model(bugs(), 2, keeper.save, keeper.opened)
    keeper.load(model)
    front = Front(model, Tokens([os.environ["CSAPP_SECRET_KEY"]], 3600))
    async with serve(front.handle, "127.0.0.1", port, process_request=health, compression=None):
        print("Running on", port, flush=True)
        await front.commit()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
