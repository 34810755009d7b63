"""A visitor and a waiter who send each other files."""

from __future__ import annotations

from typing import Any

from testkit import Client

from ..probe import next_frame
from ..three_ways import Clients, asks


class Pair:
    """A visitor at the first server and the waiter that serves it, at the second."""

    def __init__(self, clients: Clients, name: str, versions: tuple[int, int] = (2, 2)) -> None:
        servers, self.name = clients.servers, name
        self.here, self.there = servers[0], servers[-1]
        self.user_token = self.here.token("user", name, name.title())
        self.waiter_token = self.there.token("waiter", f"{name}'s", f"{name.title()}'s")
        self.waiter = clients.come("waiter", f"{name}'s", at=1, version=versions[1])
        self.waiter.say("ready", {"capacity": 1} if versions[1] > 1 else None)
        self.user = clients.come("user", name, version=versions[0])
        self.user.say("connect")
        met = next_frame(self.user, "connect_success")["payload"]
        seen = next_frame(self.waiter, "new_connection")["payload"]
        self.user_uuid = seen["uuid"]
        self.conversation: str = met.get("conversation") or seen.get("conversation", "")


def show(client: Client, type_: str, file: str, **fields: Any) -> dict[str, Any]:
    """The answer to a message that names *file*."""
    return asks(client, type_, {"file": file}, **fields)
