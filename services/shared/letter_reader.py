"""Reads the letters of other workers, and does what follows from each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ..channels import Channel, ParkedFrames
from ..conversation.kinds import Side
from ..conversation.rows import StaffRow
from ..conversation_rows import set_read
from ..notices import send_read, send_signal, send_staff_entry, send_typing
from ..participants import Owed, Participant
from ..roster import put_parked
from ..switchboard import Switchboard
from .delivery import SharedDelivery
from .letters import LEFT, Letter, NewLogin, Parked, Passed, Reached, Said, decode

log = logging.getLogger("csapp.desk")


class LetterReader:
    """Reads the letters to this worker, for its *switchboard* and its *delivery*."""

    def __init__(self, switchboard: Switchboard, delivery: SharedDelivery) -> None:
        self._switchboard = switchboard
        self._delivery = delivery
        self._roster = delivery.roster
        self._order = delivery.order
        self._handover = delivery.handover
        self._send = delivery.outgoing.send

    def read(self, sender: str, pieces: list[bytes]) -> None:
        """Read letters of *sender*.

        Waits while a participant is being let in, if a letter may be for that participant.
        """
        newcomer = self._switchboard.newcomer
        # Other workers cannot know a participant yet that is let in later.
        for piece in pieces:
            for letter in self._decode(piece, sender):
                try:
                    if newcomer is not None and not self._is_about_known(letter):
                        newcomer.wait()
                    _READ[type(letter)](self, letter, sender)
                except Exception:
                    log.exception("a letter of %s could not be read", sender)

    def _decode(self, piece: bytes, sender: str) -> list[Letter]:
        """The letters of *piece*; if they cannot be read, all they may be about is looked up."""
        try:
            return decode(piece)
        except Exception:
            log.exception("letters of %s could not be read", sender)
            self._delivery.doubt()
            return []

    def _is_about_known(self, letter: Letter) -> bool:
        if isinstance(letter, Parked):
            return False  # it may be for the newcomer, even if that one is known here
        if isinstance(letter, NewLogin):
            return letter.uuid in self._roster.participants
        return letter.conversation in self._order.conversations

    def _said(self, letter: Said, sender: str) -> None:
        conversation = self._order.take(letter)
        if conversation is not None and (channel := conversation.channels.get(Side.USER)):
            self._tell_of_late(letter, sender, channel)

    def _tell_of_late(self, letter: Said, sender: str, channel: Channel) -> None:
        """Tell the workers of both sides of *channel* about it where *sender* does not know them.

        It knew the waiter who has handed its user over, and not the next one.
        """
        users, waiters = channel.sender.elsewhere, channel.to.elsewhere
        if sender not in users and sender not in waiters:
            last = letter.first + len(letter.texts) - 1
            self._send({*users, *waiters}, Reached(letter.conversation, last))

    def _passed(self, letter: Passed, sender: str) -> None:
        if letter.staff is not None:
            self._show_staff_entry(letter.staff, letter.to)
            return
        conversation = self._order.conversations.get(letter.conversation)
        channel = conversation.channels.get(letter.side) if conversation is not None else None
        if channel is None:
            return
        if letter.seq is not None:
            set_read(channel, letter.seq)
            send_read(channel, letter.seq)
        elif letter.on is not None:
            send_typing(channel, letter.on)
        elif letter.signal:
            send_signal(channel, letter.signal)

    def _show_staff_entry(self, fields: tuple[Any, ...], uuid: str) -> None:
        reader = self._roster.participants.get(uuid)
        if reader is not None:  # a later version may have sent more fields
            send_staff_entry(reader, StaffRow(*fields[: len(StaffRow._fields)]))

    def _reached(self, letter: Reached, sender: str) -> None:
        if conversation := self._order.conversations.get(letter.conversation):
            self._order.reach(conversation, letter.seq)
        self._handover.hint(sender, letter)

    def _new_login(self, letter: NewLogin, sender: str) -> None:
        def is_replaced(waiter: Participant) -> bool:
            is_older = letter.came < waiter.login
            waiter.login = max(waiter.login, letter.came)
            if waiter.identity.sid == letter.sid:
                return False
            if is_older:  # the sender does not know the newer login
                self._delivery.whereabouts.announce_login(waiter, waiter.elsewhere)
            return not is_older

        self._switchboard.replace(letter.uuid, is_replaced)

    def _parked(self, letter: Parked, sender: str) -> None:
        with self._roster.lock:
            participant = self._roster.participants.get(letter.uuid)
            is_here = participant is not None and participant.here
            if letter.asks and participant is not None and is_here:
                self._handover.give(participant, (sender,), letter.about)
            elif letter.asks:
                self._send((sender,), Parked(letter.uuid, [], letter.about))
            elif self._handover.take(sender, letter):
                pass
            elif participant is None or not is_here:
                self._pass_parked_on(participant, letter, sender)
            else:
                owed = self._handover.take_over(sender, letter, participant)
                self._put_late(participant, owed)

    def _pass_parked_on(self, participant: Participant | None, letter: Parked, sender: str) -> None:
        """*participant* has moved on: send *letter* after it; back if nobody knows where."""
        if (letter.frames or letter.live) and letter.about != LEFT:
            there = participant.elsewhere[:1] if participant is not None else ()
            rest = Parked(letter.uuid, [*letter.frames, *letter.live])
            self._send(there or (sender,), rest)

    def _put_late(self, participant: Participant, owed: Sequence[Owed]) -> None:
        """Deliver what *participant* is *owed*, and none of its connections has waited for."""
        for one in owed:
            self._roster.park(participant, one)
        for connection in participant.connections[-1:]:
            if connection.dialect.version > 1:
                put_parked(participant, connection)
            elif asked := [one for one in owed if not isinstance(one, ParkedFrames)]:
                participant.parked.clear()
                connection.await_answers(asked)


_READ: dict[type[Letter], Callable[[LetterReader, Any, str], None]] = {
    Said: LetterReader._said,
    Passed: LetterReader._passed,
    Reached: LetterReader._reached,
    NewLogin: LetterReader._new_login,
    Parked: LetterReader._parked,
}
