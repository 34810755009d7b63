"""Ends conversations whose visitors write nothing more (docs/protocol.md, *Idle*).

Only the workers to which a visitor is connected, or was last, look; the first one ends the
conversation. Nothing is counted for each message: conversations in which nothing has come for
so long are found once a second, and the history says who has written last.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clock import Clock
from .conversation.kinds import Side
from .desk.port import DeskUnavailable, Reason, Role
from .errors import Unavailable
from .notices import send_idle
from .participants import Participant, Phase
from .runtime import Runtime
from .switchboard import Switchboard

if TYPE_CHECKING:
    from .history.port import Store

#: s between two looks
LOOK = 1.0


@dataclass(slots=True)
class _LastWord:
    """The last entry of a conversation that a person has written, when it was looked up."""

    #: the highest `seq` of the conversation then
    end: int
    side: int
    #: ms since 1970
    date: int
    is_warned: bool = False


class Idle:
    """Warns visitors after *warn* s of silence behind a waiter's last word (0: never), and
    ends their conversations after *close* s.

    The time before the start of this process does not count: nobody could write.
    """

    def __init__(
        self, switchboard: Switchboard, store: Store, runtime: Runtime, warn: float, close: float
    ) -> None:
        self._switchboard = switchboard
        self._store = store
        self._runtime = runtime
        self._warn = warn
        self._close = close
        self._clock: Clock = switchboard.clock
        self._began = self._clock.ms()
        #: by the keys of conversations in which nothing comes
        self._words: dict[int, _LastWord] = {}

    def look(self) -> None:
        """Warn whom it is time to warn, and end what is to end. Waits for store and desk."""
        quiet = self._quiet()
        self._words = {key: word for key, word in self._words.items() if key in quiet}
        with contextlib.suppress(Unavailable):  # the writer says so
            self._look_up(quiet)
        for key, user in quiet.items():
            word = self._words.get(key)
            if word is not None and word.side == Side.WAITER and self._is_last(user, key, word):
                self._judge(user, word)

    def _quiet(self) -> dict[int, Participant]:
        """By the keys of their conversations: served users where nothing has come for long."""
        before = self._clock.ms() - (self._warn or self._close) * 1000
        found: dict[int, Participant] = {}
        for one in list(self._switchboard.delivery.roster.participants.values()):
            if one.role is Role.USER and one.here and one.phase is Phase.SERVED:
                conversation = one.conversation
                if (
                    conversation is not None
                    and not conversation.behind
                    and conversation.row.last_date <= before
                ):
                    found[conversation.row.key] = one
        return found

    def _look_up(self, quiet: dict[int, Participant]) -> None:
        """Find out who has written last where that is not known. Raises `Unavailable`."""
        ends = {key: user.conversation.last_seq for key, user in quiet.items() if user.conversation}
        unknown = [key for key, end in ends.items() if self._words.get(key, _NONE).end != end]
        if not unknown:
            return
        found = self._runtime.blocking(self._store.last_words, unknown)
        for key in unknown:
            entry = found.get(key)
            side, date = (Side.SERVER, 0) if entry is None else (Side(entry.side), entry.date)
            self._words[key] = _LastWord(ends[key], side, date)

    def _is_last(self, user: Participant, key: int, word: _LastWord) -> bool:
        """Whether nothing has come since *word* was looked up, nor is on its way here."""
        conversation = user.conversation
        return (
            user.phase is Phase.SERVED
            and conversation is not None
            and (conversation.row.key, conversation.last_seq) == (key, word.end)
            and conversation.given == word.end
        )

    def _judge(self, user: Participant, word: _LastWord) -> None:
        silence = (self._clock.ms() - max(word.date, self._began)) / 1000
        if silence >= self._close:
            self._end(user)
        elif self._warn and silence >= self._warn and not word.is_warned:
            word.is_warned = True
            send_idle(user, self._close - silence)

    def _end(self, user: Participant) -> None:
        channel = user.channel
        if channel is None:
            return
        with contextlib.suppress(DeskUnavailable):  # the next look ends it
            self._switchboard.desk.part(user.uuid, channel.to.uuid, user.uuid, Reason.IDLE)
        self._switchboard.carry_out()


_NONE = _LastWord(-1, Side.SERVER, 0)
