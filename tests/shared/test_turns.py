"""First come, first served, also where the desk is in Redis and answers one after the other."""

from __future__ import annotations

import pytest

from testkit import Client, LiveServer

from ..faults.conftest import settle
from .conftest import until

CROWD = 60


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_asks_first_is_first_in_the_queue(a: LiveServer, come) -> None:
    crowd: list[Client] = [come(a, "user", f"user-{number}") for number in range(CROWD)]
    for client in crowd:
        client.receive_all()
    settle(a)
    for turn in range(3):
        order = crowd[turn * 7 :] + crowd[: turn * 7]
        for client in order:
            client.say("connect")
        places = [until(client, "connect_queue")["payload"]["location"] for client in order]
        assert places == list(range(CROWD)), str(places)
        for client in order:
            client.say("disconnect")
            client.receive_all()
        settle(a)
