"""A version-2 client in a hurry, for `v2.Device`: allowed by the protocol, and hard on a server.

1. At once after `auth`, before it knows whether anybody hears, it sends what it
   has never sent before.
2. Each time that it is told of its conversation, before the page of it has come,
   it sends all that has no receipt, also what it has sent on this connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .v2 import Chat, Frame, Manners


class EagerManners(Manners):
    """What it has sent early and what it repeats overtake each other on purpose."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: conversations that the server has told of on this connection, and not of their end
        self._open: set[str] = set()

    def _is_open(self, chat: Chat) -> bool:
        return chat.name in self._open

    def _shut(self, chat: Chat) -> None:
        super()._shut(chat)
        self._open.discard(chat.name)

    def _speak(self, chat: Chat) -> Iterator[Frame]:
        if self._is_open(chat):
            yield from super()._speak(chat)
        elif self.uuid and not chat.ended:
            for letter in chat.outbox.values():
                if not letter.times:
                    yield self._message(chat, letter)

    def _on_initialize(self, frame: Frame, request: Frame | None) -> Iterator[Frame]:
        yield from super()._on_initialize(frame, request)
        for chat in self.chats.values():
            yield from self._speak(chat)

    def _enter(self, frame: Frame) -> Iterator[Frame]:
        yield from super()._enter(frame)
        chat = self.chats[frame["payload"]["conversation"]]
        self._open.add(chat.name)
        for letter in chat.outbox.values():
            letter.sent = False
        yield from self._speak(chat)
