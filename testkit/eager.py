"""A version-2 client in a hurry, for a `Device`: allowed by the protocol, and hard on a server.

1. At once after `auth`, before it knows whether anybody serves it, it sends what it
   has never sent before.
2. Each time that it is sent who is in its conversation, before the page of it has come,
   it sends all that has no receipt, also what it has sent on this connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .conversation import Conversation
from .v2 import Frame, Manners


class EagerManners(Manners):
    """What it has sent early and what it repeats overtake each other on purpose."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: conversations that the server has opened on this connection, and not ended
        self._open: set[str] = set()

    def _is_open(self, conversation: Conversation) -> bool:
        return conversation.name in self._open

    def _shut(self, conversation: Conversation) -> None:
        super()._shut(conversation)
        self._open.discard(conversation.name)

    def _speak(self, conversation: Conversation) -> Iterator[Frame]:
        if self._is_open(conversation):
            yield from super()._speak(conversation)
        elif self.uuid and not conversation.ended:
            for letter in conversation.outbox.values():
                if not letter.times:
                    yield self._message(conversation, letter)

    def _on_initialize(self, frame: Frame, request: Frame | None) -> Iterator[Frame]:
        yield from super()._on_initialize(frame, request)
        for conversation in self.conversations.values():
            yield from self._speak(conversation)

    def _enter(self, frame: Frame) -> Iterator[Frame]:
        yield from super()._enter(frame)
        conversation = self.conversations[frame["payload"]["conversation"]]
        self._open.add(conversation.name)
        for letter in conversation.outbox.values():
            letter.sent = False
        yield from self._speak(conversation)
