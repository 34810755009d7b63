"""A waiter without a page, for tests that look at the visitor's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from testkit import Client, LiveServer

from ..files.posting import ask as fetch
from ..files.posting import uploaded

Frame = dict[str, Any]


class Waiter:
    """On duty from the beginning, in version 2; a context manager that lets the line go.

    Frames are taken in order: what a method waits for must come, and what
    comes before it is left out.
    """

    def __init__(
        self,
        server: LiveServer,
        sub: str = "ada",
        name: str = "Ada",
        avatar: str = "",
        departments: Sequence[str] = (),
    ) -> None:
        self.client = Client(server, "waiter")
        self._kept: list[Frame] = []
        self._server = server
        token = server.token("waiter", sub, name, avatar=avatar, departments=departments)
        self.token = token
        self.conversation = ""
        self.client.say("auth", {"token": token, "version": 2})
        self.client.say("ready")
        while (frame := self.client.receive())["type"] != "ready":
            self._kept.append(frame)  # who comes back is told of its chats first
        self.user = ""
        #: what `new_connection` has said of the visitor
        self.visitor: Frame = {}

    def __enter__(self) -> Waiter:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.drop()

    def hears(self, type_: str) -> Frame:
        """The next frame of *type_*."""
        while (frame := self._next())["type"] != type_:
            pass
        return frame

    def _next(self) -> Frame:
        return self._kept.pop(0) if self._kept else self.client.receive()

    def meets(self) -> str:
        """The next visitor, to whom all else is said from now on; the conversation."""
        payload = self.hears("new_connection")["payload"]
        self.user, self.visitor = payload["uuid"], payload
        self.conversation = str(payload["conversation"])
        return self.conversation

    def reads(self) -> str:
        """The next text."""
        return str(self.hears("message_text")["payload"]["message"])

    def writes(self, text: str) -> None:
        """Say *text*, and wait until it is stored."""
        self.sends(text)
        self.hears("message_text_success")

    def sends(self, text: str) -> None:
        """Say *text*."""
        self.tells("message_text", message=text)

    def sends_file(self, content: bytes, name: str) -> None:
        """Send a file, and wait until it is stored."""
        file = uploaded(self._server, self.token, self.conversation, content, name)
        type_ = "message_image" if name.endswith((".png", ".jpg")) else "message_file"
        self.tells(type_, file=file)
        self.hears(f"{type_}_success")

    def reads_file(self, type_: str = "message_image") -> tuple[Frame, bytes]:
        """The next file: what is said of it, and what it holds."""
        payload = self.hears(type_)["payload"]
        answer = fetch(self._server, "GET", f"/v1/files/{payload['file']}", token=self.token)
        assert answer.status == 200, answer
        return payload, answer.data

    def tells(self, type_: str, **payload: Any) -> None:
        """Send any other frame about the visitor."""
        # two waiters of one conversation must not use the same id
        self.client.say(type_, payload, to=self.user, id=str(uuid4()))

    def ends(self) -> None:
        """End the chat."""
        self.tells("disconnect", uuid=self.user)
        self.hears("disconnected")
