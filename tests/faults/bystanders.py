"""Two people in a chat beside the attack, who must notice nothing."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from testkit import Client, LiveServer, assert_receives
from testkit.client import assert_quiet

PACE = 0.02  # s between two exchanges: the attack is what should keep the server busy


class Bystanders:
    """A user and its waiter who talk before, while and after; a context manager.

    Each frame they get must be the text that the other has just sent, whole
    and once, and nothing besides. The waiter's other *seats* are taken by
    users who hear nothing, so that it serves nobody of the test.
    """

    def __init__(self, server: LiveServer, seats: int = 1, **options: Any) -> None:
        self._name = uuid.uuid4().hex[:8]
        self.waiter = Client.waiter(server, f"bystander-{self._name}", **self._fresh(options))
        self.waiter.ready()
        self._others = [self._sit_down(server, number, options) for number in range(1, seats)]
        self.user = self._sit_down(server, 0, options)
        self._ids: set[str] = set()
        self._said = 0
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._talk_on, name="bystanders")

    @staticmethod
    def _fresh(options: dict[str, Any]) -> dict[str, Any]:
        """The options of one connection: callables (which open a socket) are called."""
        return {name: value() if callable(value) else value for name, value in options.items()}

    def _sit_down(self, server: LiveServer, number: int, options: dict[str, Any]) -> Client:
        user = Client.user(server, f"bystander-{self._name}-{number}", **self._fresh(options))
        user.say("connect")
        assert_receives(user, "connect_success", uuid=self.waiter.uuid)
        assert_receives(self.waiter, "new_connection", uuid=user.uuid)
        return user

    def __enter__(self) -> Bystanders:
        self.exchange()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            self.assert_nothing_noticed()
        for client in (*self._others, self.user, self.waiter):
            client.drop() if kind or self._failure else client.leave()

    def assert_nothing_noticed(self) -> None:
        """They talk as before, and nothing else has come."""
        if self._failure is not None:
            raise AssertionError("the bystanders have noticed something") from self._failure
        self.exchange()
        for client in (self.user, self.waiter, *self._others):
            assert_quiet(client)

    def exchange(self) -> None:
        """The user says something, and the waiter something else."""
        self._say(self.user, self.waiter)
        self._say(self.waiter, self.user, to=self.user.uuid)

    def _say(self, one: Client, other: Client, to: str | None = None) -> None:
        self._said += 1
        text = f"{self._said} 说 \U0001f600"
        one.text(text, to)
        heard = other.receive()
        assert heard == {
            "id": heard["id"],
            "from": one.uuid,
            "to": other.uuid,
            "type": "message_text",
            "payload": {"message": text},
        }
        assert heard["id"] not in self._ids
        self._ids.add(heard["id"])

    def _talk_on(self) -> None:
        try:
            self.exchange()
            while not self._stop.wait(PACE):
                self.exchange()
        except BaseException as failure:
            self._failure = failure
