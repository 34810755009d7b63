"""The feed of a connection that speaks version 1: who is there, and the texts, nothing else.

Version 1 cannot say what it has seen. So what it is given is remembered until a pong confirms
it (`unconfirmed.py`), and a newer connection of the same participant is given what the older
ones have missed before all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..channels import Channel, ChannelEntries
from ..conversation.kinds import Kind
from ..participants import Participant, Question
from ..room import Room
from ..unconfirmed import Unconfirmed
from ..wire import frames
from ..wire.dialect import DIALECTS
from .base import BaseFeed


class PlainFeed(BaseFeed):
    """Version 1."""

    __slots__ = ()

    dialect = DIALECTS[1]

    def _greet(self, participant: Participant) -> None:
        """Send a waiter its users; a user of version 1 does not expect its waiter again."""
        switchboard = self.house.switchboard
        if participant.channel is not None:
            self.doubt()
        for channel in list(participant.channels.values()):
            frame = switchboard.introduce(participant, channel, True, self.dialect)
            self.open_conversation(channel, frame)

    def open_conversation(self, channel: Channel, frame: frames.ServerFrame) -> None:
        """*frame* says who is at the other end of *channel*."""
        self.doubt()
        self.send(frame)

    def deliver(self, entries: ChannelEntries) -> None:
        """Stored entries for the participant."""
        data = entries.for_version_1()
        if not data:
            return  # version 1 is sent nothing of this kind
        (self._unconfirmed or self.doubt()).add(entries)
        if self._actions is None:
            self.put(data)
        else:
            self.do(partial(self.connection.put, data), entries)

    def write(
        self, channel: Channel, texts: list[str], ids: Sequence[str | None], kind: Kind,
        data: str | None,
    ) -> bool:  # fmt: skip
        """Have entries stored; the ids of version 1 name nothing."""
        self.in_flight += len(texts)
        if self.house.switchboard.say(channel, self, texts, None, kind, data):
            return True
        self.in_flight -= len(texts)
        return False

    def acknowledge(self, entries: ChannelEntries) -> None:
        """Version 1 is answered only where something is not stored."""
        self._landed(entries)
        if not entries.stored:
            self._refuse_all(entries)

    def await_answers(self, questions: Sequence[Question]) -> None:
        """Deliver what the answers to *questions* bring before all else."""
        unconfirmed = self.doubt()
        room = unconfirmed.make_room(questions)
        self.in_turn(partial(self._make_up_for, room, unconfirmed))

    def _make_up_for(self, room: Room, unconfirmed: Unconfirmed) -> None:
        for parked in unconfirmed.new_of(room.fill()):
            self.connection.put(parked.plain)
        for entries, rest in self.leave_out(room.sent):
            unconfirmed.leave_out(entries, rest)
        room.is_delivered = self.connection.code is None
