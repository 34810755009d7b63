"""A user who waits to be served again goes on from the last message that it has seen."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from services.conversation.kinds import Side
from services.history.opening import open_store
from testkit import LiveServer
from testkit.checker import Conversation, check
from testkit.device import Device
from testkit.entries import item
from testkit.journal import Journal
from testkit.v2 import Manners
from tests.clocked import GUNICORN, let_pass

from .scenario import is_served

GRACE = 60  # s, of which nobody waits for one
SETTINGS = {
    "CSAPP_GRACE": str(GRACE),
    "CSAPP_HEARTBEAT": "3600",
    "CSAPP_MESSAGE_RATE": "0",
}


def is_queued(manners: Manners) -> bool:
    return bool(manners.ticket)


def test_a_user_whose_waiter_is_lost_returns_to_the_queue_and_to_its_conversation(tmp_path: Path):
    database = f"sqlite:///{tmp_path}/returns.db"
    journal = Journal()
    with ExitStack() as stack:
        server = stack.enter_context(
            LiveServer.gunicorn(GUNICORN, {**SETTINGS, "CSAPP_DATABASE_URL": database})
        )

        def come(role: str, sub: str) -> Device:
            device = Device(server, role, sub, journal)
            stack.callback(device.drop)
            return device

        wim, ann = come("waiter", "wim"), come("user", "ann")
        assert ann.wait(is_served)
        for number in range(3):
            ann.say(f"text {number}")
        assert ann.wait(lambda manners: manners.settled)
        wim.drop()
        server.wait_for_line("disconnect role=waiter")
        let_pass(server, GRACE)
        assert ann.wait(is_queued)
        before = ann.look(lambda manners: manners.socket)
        ann.lose()
        assert ann.wait(lambda manners: manners.socket not in ("", before) and manners.answered)
        zoe = come("waiter", "zoe")
        assert ann.wait(is_served)
        assert zoe.wait(is_served)
        ann.say("text 3")
        assert ann.wait(lambda manners: manners.settled)
        assert zoe.wait(lambda manners: [c.last_seq for c in manners.conversations.values()] == [7])

        store = open_store(database)
        stack.callback(store.close)
        (conversation,) = store.conversations_of(Side.USER, "ann")
        rows = store.entries(conversation.key)
        items = [*map(item, rows)]
        truth = {f"{conversation.key:x}": Conversation({"ann", "wim", "zoe"}, items)}
        assert check(journal, truth) == []
        assert ann.problems + zoe.problems == []
