"""A visitor without a page, for tests that look at the waiter's."""

from __future__ import annotations

from typing import Any

from testkit import Client, LiveServer

Frame = dict[str, Any]


class Guest:
    """Has asked for a waiter, in version 2; a context manager that lets the line go.

    It stands in line, or is served, when it is made: who is made first comes first.
    Frames are taken in order: what a method waits for must come, and what
    comes before it is left out.
    """

    def __init__(
        self,
        server: LiveServer,
        sub: str,
        name: str = "",
        page: str = "",
        *,
        avatar: str = "",
        question: str = "",
        department: str = "",
    ) -> None:
        self._server, self._sub, self._name, self._avatar = server, sub, name, avatar
        self._enter()
        asked = {"page": page, "question": question, "department": department}
        self.client.say(
            "connect", {key: said for key, said in asked.items() if said or key == "page"}
        )
        answer = self.client.receive()
        while answer["type"] not in ("connect_queue", "connect_success", "error"):
            answer = self.client.receive()
        self.client.put_back([answer])

    def _enter(self) -> None:
        self.client = Client(self._server, "user")
        token = self._server.token("user", self._sub, self._name, avatar=self._avatar)
        self.client.say("auth", {"token": token, "version": 2})
        self.hears("auth_success")

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.drop()

    def hears(self, type_: str) -> Frame:
        """The next frame of *type_*."""
        while (frame := self.client.receive())["type"] != type_:
            pass
        return frame

    def is_served(self) -> str:
        """Wait for a waiter; the conversation."""
        return str(self.hears("connect_success")["payload"]["conversation"])

    def returns(self) -> None:
        """On a new line, after the server has gone."""
        self.client.drop()
        self._enter()
        self.client.say("connect")
        self.is_served()

    def reads(self) -> str:
        """The next text."""
        return str(self.hears("message_text")["payload"]["message"])

    def writes(self, *texts: str) -> None:
        """Say them, and wait until they are stored."""
        for text in texts:
            self.client.text(text)
            self.hears("message_text_success")

    def tells(self, type_: str, **payload: Any) -> None:
        """Send any other frame."""
        self.client.say(type_, payload)

    def leaves(self) -> None:
        """For good."""
        self.client.say("disconnect")
        self.hears("disconnected")
