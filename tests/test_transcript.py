"""What a connection of version 2 is sent while a history is being read for it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from services.bounds import Bounds
from services.channels import Channel, ChannelEntries
from services.conversation.conversation import Conversation
from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow, EntryRow
from services.desk.port import Role
from services.feeds.history import HistoryFeed
from services.identity import Identity
from services.participants import Participant
from services.wire.dialect import DIALECTS, Peer


class Reader:
    """Stands where a connection and a house would; its greenlets run when a test says so."""

    def __init__(self, store: object) -> None:
        self.sent: list[dict[str, Any]] = []
        self.begun: list[Any] = []
        self.connection: Any = SimpleNamespace(put=self._put, put_and_remember=self._put, code=None)
        runtime = SimpleNamespace(spawn=self.begun.append, blocking=lambda function: function())
        self.house: Any = SimpleNamespace(
            runtime=runtime,
            switchboard=SimpleNamespace(store=store),
            meters=None,
            bounds=Bounds(),
            settings=SimpleNamespace(outbox_bytes=100_000),
        )

    def _put(self, data: bytes) -> None:
        self.sent.append(json.loads(data[data.index(b'{"') :]))


class Room:
    """Ann's socket in a chat with ada; the history holds what ada and ann have said."""

    def __init__(self, resume: dict[str, int] | None = None) -> None:
        self.ann, self.ada = (
            Participant(f"uuid-{name}", role, Identity(name))
            for name, role in (("ann", Role.USER), ("ada", Role.WAITER))
        )
        rows = [
            EntryRow(7, 1, Side.WAITER, "ada", None, 1, "hello", 1),
            EntryRow(7, 2, Side.USER, "ann", "own-1", 1, "hi", 2),
        ]
        store = SimpleNamespace(
            entries=lambda *_, before, after=0, **__: [r for r in rows if after < r.seq < before]
        )
        self.conversation = Conversation(ConversationRow(7, "uuid-ann", "ann", last_seq=1))
        self.channel = Channel(self.ann, self.ada, self.conversation)
        self.reader = Reader(store)
        auth: Any = SimpleNamespace(payload=SimpleNamespace(version=2, resume=resume))
        admission: Any = None
        self.transcript = HistoryFeed(
            self.reader.connection, self.reader.house, admission, "uuid-ann", auth
        )
        self.transcript.participant = self.ann

    def meet(self) -> None:
        """Ann is sent who serves her; a page of the conversation is to be read."""
        peer = Peer("uuid-ada", "ada", "Ada", self.conversation.id, 1, True, 0, 0, "", 0)
        self.transcript.open_conversation(
            self.channel, DIALECTS[2].connect_success("uuid-ann", peer)
        )

    def read(self) -> None:
        """The page is read, and what waits for it is sent."""
        (act,) = self.reader.begun
        act()

    def entries(self, first: int, *ids: str) -> ChannelEntries:
        """Ann's texts, stored as *first* and the next."""
        entries = ChannelEntries(
            self.conversation, Side.USER, "ann", ["hi"] * len(ids), ids, lambda _: None
        )
        entries.channel, entries.seqs, entries.stored = (
            self.channel,
            range(first, first + len(ids)),
            True,
        )
        entries._plain = entries._full = entries._echo = None
        return entries

    def repeated(self, *ids: tuple[str, int]) -> ChannelEntries:
        """Ann's texts, which were there before under these numbers."""
        entries = self.entries(1)
        entries.repeats = [
            (one, EntryRow(7, seq, Side.USER, "ann", one, 1, "hi", 2)) for one, seq in ids
        ]
        return entries

    @property
    def shown(self) -> list[tuple[int, str | None]]:
        """Receipts with their ids, and messages without, in order."""
        sent = [one for one in self.reader.sent if one["type"].startswith("message_text")]
        return [(one["seq"], one.get("reply_id")) for one in sent]


def test_one_s_own_texts_that_wait_for_a_page_come_after_it_as_receipts():
    room = Room()
    room.meet()
    room.conversation.record_stored(2)  # meanwhile what one has said is stored …
    room.transcript.acknowledge(room.entries(2, "own-1"))
    room.transcript.acknowledge(room.entries(3, "own-2"))
    room.read()
    types = [one["type"] for one in room.reader.sent]
    assert types[:2] == ["connect_success", "message_history"]
    page = room.reader.sent[1]["payload"]["messages"]
    assert [(one["seq"], one.get("client_id")) for one in page] == [(1, None)]
    assert room.shown == [(2, "own-1"), (3, "own-2")]


def test_what_a_page_has_told_is_answered_once_more_where_it_is_repeated():
    room = Room()
    room.conversation.record_stored(2)
    room.meet()
    room.transcript.acknowledge(room.repeated(("own-1", 2)))
    room.read()
    page = room.reader.sent[1]["payload"]["messages"]
    assert [(one["seq"], one.get("client_id")) for one in page] == [(1, None), (2, "own-1")]
    assert room.shown == [(2, "own-1")]


def test_a_text_that_was_said_elsewhere_and_here_again_is_shown_once_as_its_receipt():
    room = Room()
    room.transcript.awaited.update(["b", "d"])
    room.transcript.deliver(room.entries(2, "a", "b", "c"))  # as another socket has said them
    room.transcript.acknowledge(room.repeated(("b", 3), ("d", 1)))
    assert room.shown == [(2, None), (3, "b"), (4, None), (1, "d")]
    room.transcript.acknowledge(room.repeated(("b", 3)))
    assert room.shown[-1] == (3, "b"), "each frame has its answer"


def test_a_client_that_has_seen_more_than_waits_for_it_is_told_only_the_rest():
    room = Room({Conversation(ConversationRow(7, "", "")).id: 3})
    room.conversation.record_stored(4)
    room.meet()
    room.transcript.deliver(room.entries(2, "x", "y", "z"))
    room.read()
    (page,) = [one for one in room.reader.sent if one["type"] == "message_history"]
    assert (page["payload"]["messages"], page["payload"]["last_seq"]) == ([], 3)
    assert room.shown == [(4, None)]


def test_a_receipt_behind_a_handover_follows_what_went_to_the_next_waiter_only():
    room = Room()
    room.meet()
    room.read()
    room.channel.is_over = True
    room.conversation.record_stored(3)
    room.transcript.acknowledge(room.entries(3, "own-2"))
    room.reader.begun[-1]()
    page, receipt = room.reader.sent[-2:]
    assert [one["seq"] for one in page["payload"]["messages"]] == [2]
    assert (receipt["type"], receipt["seq"]) == ("message_text_success", 3)


def test_a_repeat_behind_a_handover_is_shown_once():
    room = Room()
    room.meet()
    room.read()
    room.channel.is_over = True
    room.conversation.record_stored(2)
    room.transcript.acknowledge(room.repeated(("own-1", 2)))
    room.reader.begun[-1]()
    assert [one["seq"] for one in room.reader.sent[-2]["payload"]["messages"]] == [2]
    assert room.shown == [(2, "own-1")]
    room.meet()  # it is back
    page = [one for one in room.reader.sent if one["type"] == "message_history"][-1]
    assert page["payload"]["messages"] == []


def test_a_conversation_that_goes_on_before_its_page_is_read_is_shown_once():
    """It is resumed, its waiter was not there yet, and what was written here has no receipt."""
    room = Room({"7": 1})
    row = ConversationRow(7, "uuid-ann", "ann", last_seq=2)
    room.reader.house.switchboard.store.conversation = lambda _: row
    room.transcript._send_others(set())
    room.ann.channel = room.channel
    room.meet()
    room.conversation.record_stored(2)
    room.transcript.acknowledge(room.entries(2, "own-1"))
    room.read()
    pages = [one for one in room.reader.sent if one["type"] == "message_history"]
    assert [one["payload"]["messages"] for one in pages] == [[]]
    assert room.shown == [(2, "own-1")]
