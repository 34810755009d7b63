"""What a socket of version 2 is told while a history is being read for it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from services.desk.port import Role
from services.history.port import Chat, Message, Side
from services.history.writer import Talk
from services.identity import Identity
from services.participants import Line, Participant, Spoken
from services.transcript import Transcript
from services.wire.dialect import DIALECTS, Peer


class Reader:
    """Stands where a session would; its greenlets run when they are told to."""

    def __init__(self, participant: Participant, store: object) -> None:
        self.participant = participant
        self.uuid = participant.uuid
        self.dialect = DIALECTS[2]
        self.told: list[dict[str, Any]] = []
        self.begun: list[Any] = []
        self.put = self._put
        self.connection = SimpleNamespace(put=self._put, code=None)
        runtime = SimpleNamespace(spawn=self.begun.append, blocking=lambda function: function())
        self.house = SimpleNamespace(
            runtime=runtime, switchboard=SimpleNamespace(store=store), meters=None
        )

    def _put(self, data: bytes) -> None:
        self.told.append(json.loads(data[data.index(b"{") :]))


def test_what_a_page_has_told_of_one_s_own_gets_no_receipt_besides():
    ann, ada = (
        Participant(f"uuid-{name}", role, Identity(name))
        for name, role in (("ann", Role.USER), ("ada", Role.WAITER))
    )
    rows = [
        Message(7, 1, Side.WAITER, "ada", None, 1, "hello", 1),
        Message(7, 2, Side.USER, "ann", "own-1", 1, "hi", 2),
    ]
    store = SimpleNamespace(messages=lambda *_, before, **__: [r for r in rows if r.seq < before])
    talk = Talk(Chat(7, "uuid-ann", "ann", last_seq=1))
    line = Line(ann, ada, talk)
    reader = Reader(ann, store)
    transcript = Transcript(reader, {})

    peer = Peer("uuid-ada", "ada", "Ada", talk.id, 1, True, 0, 0, "", 0)
    transcript.meet(line, DIALECTS[2].connect_success("uuid-ann", peer))  # a history is to be read
    talk.stored_to(2)  # meanwhile what one has said is stored …
    for first, ids in ((2, ["own-1"]), (3, ["own-2"])):
        spoken = Spoken(talk, Side.USER, "ann", ["hi"], ids, lambda _: None)
        spoken.line, spoken.seqs, spoken.stored = line, [first], True
        transcript.acknowledge(spoken)
    (act,) = reader.begun
    act()

    types = [one["type"] for one in reader.told]
    assert types[:2] == ["connect_success", "message_history"]
    page = reader.told[1]["payload"]["messages"]
    assert [(one["seq"], one.get("client_id")) for one in page] == [(1, None), (2, "own-1")]
    receipts = [one for one in reader.told if one["type"] == "message_text_success"]
    assert [(one["seq"], one["reply_id"]) for one in receipts] == [(3, "own-2")]
