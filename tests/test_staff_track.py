"""What a waiter is shown of the staff track, and how entries wait for their turn."""

from __future__ import annotations

import json
import threading

import pytest

from services import staff_track
from services.conversation.rows import MOST_SEQ, EntryRow, StaffRow
from services.desk.port import Role
from services.history.port import OutcomeUnknown, StoreError
from services.identity import Identity
from services.participants import Participant
from services.staff_track import StaffTurns, beside, encode


def entry(seq: int) -> EntryRow:
    """A text with this number."""
    return EntryRow(1, seq, 1, "ann", None, 1, "hi", 1)


@pytest.mark.parametrize(
    ("found", "behind", "to_the_end", "place"),
    [
        ([3, 4], 0, False, (2, 4)),
        ([3, 4], 2, True, (2, MOST_SEQ)),
        ([], 4, True, (4, MOST_SEQ)),
        ([], 0, True, (0, MOST_SEQ)),
        ([], 0, False, None),
    ],
)
def test_staff_entries_stand_before_between_and_behind_others(found, behind, to_the_end, place):
    rows = [entry(seq) for seq in found]
    assert beside(rows, behind, to_the_end=to_the_end) == place


def test_an_entry_of_a_kind_of_a_later_version_is_counted_and_says_nothing():
    reader = Participant("uuid-ada", Role.WAITER, Identity("ada"))
    row = StaffRow(26, 3, 2, 99, "eve", "id-1", "words", '{"more": 1}', 1)
    frame = json.loads(encode(row, reader).partition(b"{")[2].join([b"{", b""]))
    assert (frame["type"], frame["n"], frame["after"], frame["payload"]) == ("unknown", 3, 2, {})


def test_an_entry_does_not_wait_for_ever_for_those_before_it(monkeypatch):
    monkeypatch.setattr(staff_track, "TURN_WAIT", 0.01)
    turns = StaffTurns()
    with turns.turn(), pytest.raises(StoreError, match="wait for the database"), turns.turn():
        pass
    free = threading.Event()
    with turns.turn():
        free.set()
    assert free.is_set(), "the turn is free again"


def test_a_repeat_is_shown_once_where_nobody_knew_whether_it_was_stored(monkeypatch):
    monkeypatch.setattr(staff_track, "MOST_DOUBTFUL", 2)
    turns = StaffTurns()
    rows = [StaffRow(26, n, 2, 4, "eve", f"id-{n}", "words", None, 1) for n in range(1, 5)]

    def break_off(_: StaffRow) -> None:
        raise OutcomeUnknown

    def repeat(number: int) -> bool:
        written = turns.store(rows[number], lambda row: (row, False))
        assert written is not None
        return written[1]

    for row in rows[:3]:
        with pytest.raises(OutcomeUnknown):
            turns.store(row, break_off)
    assert not repeat(0), "so many are remembered"
    assert repeat(1)
    assert [repeat(1), repeat(3)] == [False, False], "everybody was shown it"
    assert turns.store(rows[2], lambda row: None) is None, "its conversation was erased"
    assert not repeat(2)
