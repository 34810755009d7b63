"""Ends conversations whose visitors write nothing more (docs/protocol.md, *Idle*).

Only the workers to which a visitor is connected, or was last, look; the first one ends the
conversation. Nothing is counted for each message: once a second each worker notes in which
conversations something has come, and where nothing has for long, the history says who has
written last.

A silence is measured on the clock of the wheel, which stands still while the process does. The
wall clock only says how old the last entry is where this worker meets a conversation: no older
than this worker, than the last time that the wall clock was set, and than the last time that
the database was away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .conversation.kinds import Side
from .desk.port import DeskUnavailable, Reason, Role
from .errors import Unavailable
from .notices import send_idle
from .participants import Participant, Phase
from .runtime import Runtime
from .switchboard import Switchboard

if TYPE_CHECKING:
    from .conversation.conversation import Conversation
    from .history.port import Store

#: s between two looks
LOOK = 1.0

#: s by which the wall clock and that of the wheel may drift apart between two looks: more is a
#: wall clock that was set, or a process that stood still
STEP = 5.0


@dataclass(slots=True)
class _Silence:
    """What follows the last entry of a conversation. All times are those of the wheel, in s."""

    #: the highest `seq` of the conversation
    end: int
    #: when that came
    since: float
    #: who of the two has written last; None: the history was not asked yet
    side: Side | None = None
    #: and when
    spoke: float = 0.0
    #: when the visitor was warned; None: it was not
    warned: float | None = None


class Idle:
    """Warns visitors after *warn* s of silence behind a waiter's last word (0: never), and
    ends their conversations after *close* s; *close* - *warn* s after the warning at the earliest.

    *now*: `Wheel.lived`. While the database is away visitors cannot write, and no time counts.
    """

    def __init__(
        self, switchboard: Switchboard, store: Store, runtime: Runtime, warn: float, close: float,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._switchboard = switchboard
        self._store = store
        self._runtime = runtime
        self._warn = warn
        self._close = close
        self._now = now
        #: by the keys of the conversations of all served users here
        self._silences: dict[int, _Silence] = {}
        #: no entry counts as older than this
        self._oldest = now()
        self._difference = self._wall() - self._oldest

    def look(self) -> None:
        """Warn whom it is time to warn, and end what is to end. Waits for store and desk."""
        now = self._now()
        self._heed_step(now)
        writer = self._switchboard.writer
        if writer is None or not writer.available:
            self._silences, self._oldest = {}, now
            return
        users = self._served()
        self._silences = {key: self._silence(one, now) for key, (_, one) in users.items()}
        long = self._warn or self._close
        quiet = [key for key, one in self._silences.items() if now - one.since >= long]
        with contextlib.suppress(Unavailable):  # the writer says so
            self._look_up(quiet, now)
        for key in quiet:
            user, silence = users[key][0], self._silences[key]
            if silence.side is Side.WAITER and self._is_last(user, key, silence):
                self._judge(user, silence, now)

    def _wall(self) -> float:
        return self._switchboard.clock.ms() / 1000

    def _heed_step(self, now: float) -> None:
        """Dates of before do not count if the wall clock was set since the last look."""
        before, self._difference = self._difference, self._wall() - now
        if abs(self._difference - before) > STEP:
            self._oldest = now

    def _came(self, date: int, now: float) -> float:
        """When an entry of this *date* (ms) came, which this worker did not see come."""
        return max(self._oldest, min(now, date / 1000 - self._difference))

    def _served(self) -> dict[int, tuple[Participant, Conversation]]:
        """By the keys of their conversations: the users here who have a waiter."""
        found = {}
        for one in list(self._switchboard.delivery.roster.participants.values()):
            conversation = one.conversation
            if one.role is Role.USER and one.here and one.phase is Phase.SERVED and conversation:
                found[conversation.row.key] = one, conversation
        return found

    def _silence(self, conversation: Conversation, now: float) -> _Silence:
        known = self._silences.get(conversation.row.key)
        if known is None:
            row = conversation.row
            return _Silence(conversation.last_seq, self._came(max(row.last_date, row.opened), now))
        return known if known.end == conversation.last_seq else _Silence(conversation.last_seq, now)

    def _look_up(self, quiet: Iterable[int], now: float) -> None:
        """Find out who has written last where that is not known. Raises `Unavailable`."""
        unknown = [key for key in quiet if self._silences[key].side is None]
        if not unknown:
            return
        found = self._runtime.blocking(self._store.last_words, unknown)
        for key in unknown:
            silence, entry = self._silences[key], found.get(key)
            silence.side = Side.SERVER if entry is None else Side(entry.side)
            silence.spoke = silence.since
            if entry is not None and entry.seq < silence.end:  # the server has written since
                silence.spoke = min(silence.since, self._came(entry.date, now))

    def _is_last(self, user: Participant, key: int, silence: _Silence) -> bool:
        """Whether nothing has come since, nor is on its way here."""
        conversation = user.conversation
        return (
            user.phase is Phase.SERVED
            and conversation is not None
            and not conversation.behind
            and (conversation.row.key, conversation.last_seq) == (key, silence.end)
            and conversation.given == silence.end
        )

    def _judge(self, user: Participant, silence: _Silence, now: float) -> None:
        if not self._warn:
            if now - silence.spoke >= self._close:
                self._end(user)
        elif silence.warned is None:
            if now - silence.spoke >= self._warn:
                silence.warned = now
                send_idle(user, self._close - self._warn)
        elif now - silence.warned >= self._close - self._warn:
            self._end(user)

    def _end(self, user: Participant) -> None:
        channel = user.channel
        if channel is None:
            return
        with contextlib.suppress(DeskUnavailable):  # the next look ends it
            self._switchboard.desk.part(user.uuid, channel.to.uuid, user.uuid, Reason.IDLE)
        self._switchboard.carry_out()
