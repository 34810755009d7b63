"""The feeds where this server has no history.

What an absent participant is to be sent is parked in memory for both versions. So version 2
remembers what may not have arrived, as version 1 does.
"""

from __future__ import annotations

from msgspec import UnsetType

from ..channels import Channel, ChannelEntries, ParkedFrames
from ..conversation.conversation import Conversation
from ..conversation.kinds import Body, Kind
from ..conversation.offers import MOST, Offer
from ..conversation.rows import StaffRow
from ..participants import Participant
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from .plain import PlainFeed
from .transcript import TranscriptFeed


class UnstoredPlainFeed(PlainFeed):
    """Version 1, without a history."""

    __slots__ = ()

    has_history = False


class UnstoredTranscriptFeed(TranscriptFeed):
    """Version 2, without a history."""

    __slots__ = ()

    has_history = False

    def deliver(self, entries: ChannelEntries) -> None:
        """Entries for the participant, or its own, written on another connection."""
        super().deliver(entries)
        if entries.channel.to is self.participant:
            self.doubt().add(entries)

    def _end(self, conversation: Conversation) -> int:
        """The last `seq` of *conversation* but for the texts that are parked for this client."""
        me = self.participant
        parked = () if me is None else me.parked
        waiting = [
            one.first
            for one in parked
            if isinstance(one, ParkedFrames)
            and one.full
            and one.conversation == conversation.row.key
        ]
        return min(waiting, default=conversation.last_seq + 1) - 1

    def _show_missed(self, conversation: Conversation, last: int, seen: int | None) -> None:
        """An empty page: what is parked follows at once."""
        super()._show_missed(conversation, last, seen)
        self._seen[conversation.id] = conversation.last_seq

    # ---- choices -------------------------------------------------------

    def offers(self, conversation: Conversation) -> list[Offer]:
        """The latest ones, as this process remembers them."""
        return conversation.offers or []

    def record_offer(self, conversation: Conversation, offer: Offer) -> None:
        """Remember *offer* until the conversation is over."""
        conversation.offers = [*(conversation.offers or []), offer][-MOST:]

    # ---- asked for -----------------------------------------------------

    def channel_after_end(self, frame: frames.ClientFrame, me: Participant, named: str) -> Channel:
        """The channel for an entry of *me* in *named*, its latest conversation."""
        former = me.former
        if former is not None and former.conversation.id == named:
            return former
        raise self._no_history(frame)

    def write_for_staff(
        self, frame: frames.ClientFrame, named: str | UnsetType, kind: Kind, body: Body,
        me: Participant,
    ) -> None:  # fmt: skip
        """Refuse: the staff track is in the history."""
        raise self._no_history(frame)

    def store_for_staff(
        self, frame: frames.ClientFrame, named: str | UnsetType, kind: Kind, body: Body,
        me: Participant,
    ) -> tuple[StaffRow, bool]:  # fmt: skip
        """Refuse, for the same reason."""
        raise self._no_history(frame)

    def get_history(self, frame: frames.GetHistory, me: Participant) -> None:
        """Refuse: there is no history."""
        raise self._no_history(frame)

    def get_history_session(self, frame: frames.GetHistorySession, me: Participant) -> None:
        """Refuse: there is no history."""
        raise self._no_history(frame)

    def _no_history(self, frame: frames.ClientFrame) -> Refusal:
        what = "this server keeps no history"
        return Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)
