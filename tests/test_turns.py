"""What a connection is sent while what comes before it is looked up."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from services.channels import WEIGHT, Channel, ChannelEntries, sealed
from services.conversation.conversation import Conversation
from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow
from services.desk.port import Role
from services.feeds.choose import choose_feed
from services.feeds.turns import Turns
from services.identity import Identity
from services.participants import Participant
from services.wire.dialect import DIALECTS, Position


class LateConversation(Conversation):
    """An entry of it is still on its way here."""

    behind = True


@pytest.mark.parametrize("version", [1, 2])
def test_the_last_text_comes_before_the_end_and_the_position_in_the_queue_after_it(version):
    dialect = DIALECTS[version]
    ann = Participant("uuid-ann", Role.USER, Identity("ann"))
    ada = Participant("uuid-ada", Role.WAITER, Identity("ada"))
    conversation = LateConversation(ConversationRow(7, "uuid-ann", "ann"))
    sent: list[dict[str, Any]] = []
    begun: list[Any] = []

    def catch_up(late: Conversation) -> None:
        entries = ChannelEntries(late, Side.WAITER, "ada", ["last words"], None, lambda _: None)
        entries.channel, entries._plain, entries._full = Channel(ada, ann, late), None, None
        entries.seqs = [1]
        late.record_stored(1)
        feed.deliver(entries)

    house: Any = SimpleNamespace(
        settings=SimpleNamespace(
            max_text=100, message_rate=0, auth_timeout=1, outbox_bytes=100_000
        ),
        runtime=SimpleNamespace(spawn=begun.append, now=lambda: 0.0),
        wheel=SimpleNamespace(after=lambda *_: None),
        switchboard=SimpleNamespace(catch_up=catch_up, store=None),
    )
    connection: Any = SimpleNamespace(
        # the frame's length may be a brace, too
        put=lambda data: sent.append(json.loads(data[data.index(b'{"') :])),
        put_and_remember=None,
        code=None,
        remember=lambda add, tidy: None,
    )
    auth: Any = SimpleNamespace(payload=SimpleNamespace(version=version, resume=None))
    admission: Any = None
    feed = choose_feed(connection, house, admission, "uuid-ann", auth)

    feed.close_conversation(
        conversation, dialect.disconnected("uuid-ann", "uuid-ada", conversation.id, "left")
    )
    feed.put(sealed(dialect.connect_queue("uuid-ann", Position(0))))
    assert sent == [], "what comes before is looked up first"
    (look_up,) = begun
    look_up()
    assert [one["type"] for one in sent] == ["message_text", "disconnected", "connect_queue"]


def test_what_waits_and_another_worker_has_sent_is_left_out():
    """Another worker has sent the first two texts; this one sends what follows."""
    ann = Participant("uuid-ann", Role.USER, Identity("ann"))
    ada = Participant("uuid-ada", Role.WAITER, Identity("ada"))
    conversation, sent, begun = Conversation(ConversationRow(7, "uuid-ann", "ann")), [], []

    def stored(*seqs: int) -> ChannelEntries:
        texts = [f"text {seq}" for seq in seqs]
        entries = ChannelEntries(conversation, Side.WAITER, "ada", texts, None, lambda _: None)
        entries.seqs, entries.channel, entries.connection, entries._plain = (
            seqs,
            Channel(ada, ann, conversation),
            None,
            None,
        )
        return entries

    connection: Any = SimpleNamespace(put=sent.append, put_and_remember=None, code=None)
    house: Any = SimpleNamespace(
        settings=SimpleNamespace(outbox_bytes=100_000),
        runtime=SimpleNamespace(spawn=begun.append),
    )
    turns = Turns(connection, house)
    some = [stored(1), stored(2, 3), stored(4)]
    left_out: list[Any] = []
    held: list[int] = []

    def leave_out() -> None:
        held.append(turns.held)
        left_out.extend(turns.leave_out({7: 2, 8: 9}))
        held.append(turns.held)

    turns.in_turn(leave_out)
    for entries in some:
        turns.do(partial(sent.append, entries.for_version_1()), entries)
    turns.do(partial(sent.append, b"a frame"))
    (act,) = begun
    act()
    assert [json.loads(data[data.index(b'{"') :])["payload"]["message"] for data in sent[:2]] == [
        "text 3",
        "text 4",
    ]
    assert sent[2:] == [b"a frame"]
    rest = left_out[1][1]
    size = len(some[1].for_version_1()) - len(rest.for_version_1())
    assert held[0] - held[1] == WEIGHT + len(some[0].for_version_1()) + size
    assert [(entries, rest and list(rest.seqs)) for entries, rest in left_out] == [
        (some[0], None),
        (some[1], [3]),
    ]
