"""What one connection was given, and nothing has confirmed that it has arrived.

A connection may be dead for half a minute before the server notices. What was put
into it meanwhile must follow when its participant returns. A client of version 2 says
what it has seen, and the rest is read from the history. Without a history, and in
version 1, the pong of a heartbeat confirms what was put before the ping. Nothing else
confirms it: that the kernel has sent it means only that the nearest proxy has it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Protocol

from .channels import ChannelEntries, ParkedFrames
from .participants import Owed
from .participants import Question as Asked
from .room import Room, farthest, key, merged
from .timers import Timer, Wheel

#: things remembered of one connection; of more, the oldest count as confirmed
MOST = 2048

#: and their bytes; they are counted whenever so many more have been sent
MOST_BYTES = 262_144

#: s that a newer connection of the same participant waits for the answer of an older one
VERDICT = 2.0

#: held while something is forgotten: a pong, the end and the outbox may do so at once
_lock = threading.Lock()


class Connection(Protocol):
    """Of a connection, what is needed here."""

    #: None while it is open
    code: int | None
    #: told of pings and pongs, and of the end
    watch: Unconfirmed | None

    @property
    def is_silent(self) -> bool:
        """It ended because nothing came back: what has arrived, nobody knows."""

    @property
    def unsent(self) -> int:
        """Once it has ended: bytes that it was given and that were never sent."""

    def prove(self) -> None:
        """Send a ping now."""

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        """Call *add* with all that is given from now on, *tidy* after as many bytes as it says."""


#: what was given: entries, what was parked, or framed bytes of version 1
Given = ChannelEntries | ParkedFrames | bytes


class _Mark:
    """Stands between what was given before something happened, and what was given after it."""

    __slots__ = ()


class Question:
    """A newer connection of the same participant asks *asked*: what has not arrived there?"""

    __slots__ = ("_asked", "_timer", "is_answered", "word")

    stays = False

    def __init__(self, asked: Unconfirmed) -> None:
        self._asked = asked
        self._timer: Timer | None = None
        #: the pong of *asked* has come
        self.is_answered = False
        #: set when there is nothing more to wait for
        self.word = threading.Event()

    def start_timer(self, wheel: Wheel) -> None:
        """Time begins now: for several questions it is up at the same moment."""
        self._timer = wheel.after(VERDICT, self.word.set)

    @property
    def told(self) -> dict[int, int]:
        """What other workers reported when *asked* came here: it counts for newer ones, too."""
        return self._asked.told

    def verdict(self) -> list[ParkedFrames]:
        """What had not arrived when it was asked. Waits for the answer, or until time is up."""
        self.word.wait()
        if self._timer is not None:
            self._timer.cancel()
        return self._asked.answer(self)

    def withdraw(self) -> list[Owed]:
        """Nobody waits for the answer any more; returns what *asked*, which has ended, holds."""
        return self._asked.withdraw(self)


class Unconfirmed:
    """What *connection* was given, oldest first.

    A `Room` in it is the place of what older connections, or those of other workers, have missed.

    *in_full*: in both versions, because there is no history. Other threads may
    add to it at any time: what is looked at is a copy.
    """

    __slots__ = (
        "_asked",
        "_brought",
        "_connection",
        "_ended",
        "_given",
        "_heritage",
        "_in_full",
        "_is_left",
        "_left_out",
        "_question",
        "_rooms",
        "add",
        "is_lost",
        "told",
    )

    def __init__(self, connection: Connection, *, in_full: bool) -> None:
        self._connection = connection
        self._in_full = in_full
        self._given: deque[Given | Room | _Mark] = deque(maxlen=MOST)
        #: remember what is put into the outbox; each text goes this way, so it is the deque's own
        #: method
        self.add: Callable[[Given], None] = self._given.append
        #: where the ping that is not answered yet was sent
        self._asked: _Mark | None = None
        #: questions of newer connections that have ended: the next one asks them
        self._heritage: list[Asked] = []
        #: among what was given, for what older ones have missed
        self._rooms: list[Room] = []
        #: where the connection ended
        self._ended: _Mark | None = None
        #: of a newer connection
        self._question: Question | None = None
        #: its participant does not have this connection any more
        self._is_left = False
        #: it has not answered in time, and nothing has come from it since
        self.is_lost = False
        #: what older connections had missed and this one was told, unless a newer one has it
        self._brought: set[object] = set()
        #: entries that waited here until another worker had delivered them: the rest of each
        self._left_out: dict[ChannelEntries, ChannelEntries | None] = {}
        #: by conversation: up to which `seq` nothing more is delivered, as other workers report
        self.told: dict[int, int] = {}
        connection.watch = self
        connection.remember(self.add, self._tidy)
        if connection.code is not None:
            self.ended()

    def _mark(self) -> _Mark:
        mark = _Mark()
        self._given.append(mark)
        return mark

    def _before(self, mark: _Mark | Room) -> list[Given | Room | _Mark]:
        """What is remembered of what was given before *mark*, which may be forgotten itself."""
        given = list(self._given)
        return given[: given.index(mark)] if mark in given else []

    def _forget(self, oldest: Iterable[Given | Room | _Mark]) -> None:
        """Forget these, as far as nobody has done so since they were looked at."""
        with _lock:
            for one in oldest:
                if self._given and self._given[0] is one:
                    self._given.popleft()

    def _tidy(self) -> int:
        """Forget the oldest of too many bytes; returns after how many more to look again."""
        given = list(self._given)
        left, count = sum(map(_size, given)), 0
        while left > MOST_BYTES:
            left -= _size(given[count])
            count += 1
        self._forget(given[:count])
        return MOST_BYTES

    def ended(self) -> None:
        """The connection has ended: what is given from now on does not arrive."""
        if self._ended is None:
            self._ended = self._mark()

    def pinged(self) -> None:
        """A ping follows what was given until now; only its own pong counts from now on."""
        if self._question is None:
            self._asked = self._mark()

    def ponged(self) -> None:
        """The pong of the last ping has come."""
        self.is_lost = False
        room, question = self._open_room, self._question
        if self._asked is not None:
            self._forget(self._before(room or self._asked))  # what comes after a room waits for it
            if room is None or question is None:
                self._asked = None
        if question is not None:
            question.is_answered = True
            question.word.set()

    def take(self) -> list[Owed]:
        """The connection has ended: what has not arrived; all of it, where that is not known.

        Where a newer connection asks, only what came after its question: the newer one was given
        the same, unless it is one of another worker.
        """
        self._is_left = True
        if self._question is not None:  # a newer connection waits for it
            self._question.word.set()
            return self._owed(self._taken_after(self._asked))
        self._forget(self._arrived())
        given = list(self._given)
        self._forget(given)
        evicted = [room for room in self._open_rooms if room not in given]
        heritage, self._heritage = self._heritage, []
        return merged([self._owed([*evicted, *given]), heritage])

    def _taken_after(self, mark: _Mark | None) -> list[Given | Room | _Mark]:
        """What it was given after *mark*; it stays here no longer."""
        given = list(self._given)
        begin = given.index(mark) if mark in given else len(given)
        for _ in given[begin + 1 :]:
            self._given.pop()
        return given[begin + 1 :]

    def _owed(self, given: Iterable[Given | Room | _Mark]) -> list[Owed]:
        """All of it, which has not arrived."""
        owed: list[Sequence[Owed]] = []
        for are_rooms, some in groupby(given, lambda one: isinstance(one, Room)):
            if are_rooms:
                owed += [one.give_up() for one in some if isinstance(one, Room)]
            else:
                owed.append(self._as_kept(some))
        return merged(owed)

    @property
    def _open_rooms(self) -> list[Room]:
        """Those that are not told yet, the oldest first."""
        self._rooms = [room for room in self._rooms if not room.is_told]
        return self._rooms

    @property
    def _open_room(self) -> Room | None:
        return next(iter(self._open_rooms), None)

    def new_of(self, found: Sequence[ParkedFrames]) -> list[ParkedFrames]:
        """Of what older connections have missed, what this one was not told yet; it is told now.

        The same may be found twice where somebody moves fast between workers.
        """
        new = [one for one in found if not one.conversation or key(one) not in self._brought]
        self._brought.update(key(one) for one in new if one.conversation)
        return new

    def leave_out(self, entries: ChannelEntries, rest: ChannelEntries | None) -> None:
        """Of *entries*, which it was given, only the *rest* is delivered; None: nothing."""
        self._left_out[entries] = rest

    def _arrived(self) -> list[Given | Room | _Mark]:
        """The connection has ended: the first ones, which have arrived, as far as is known.

        What was never sent are the last bytes of what was given before the end,
        and all that has waited for what older connections have missed.
        """
        if self._connection.is_silent or self.is_lost or self._ended is None:
            return []
        end: _Mark | Room = self._ended
        if (room := self._open_room) is not None:
            end = room
        before = self._before(end)
        left = self._connection.unsent
        while before and left > 0:
            left -= _size(before.pop())
        return before

    def make_room(self, questions: Sequence[Asked]) -> Room:
        """Make the place where what older connections have missed comes."""
        room = Room(questions)
        self._rooms.append(room)
        self._given.append(room)
        return room

    def keep(self, words: Iterable[Asked]) -> None:
        """A newer connection, which waited for these, has ended: a still newer one asks them."""
        self._heritage += words

    def inherit(self, take: Callable[[], list[Owed]]) -> None:
        """A newer connection has ended, only lost ones are left: this keeps what *take* returns.

        Whatever else was given here since the newer one came, it was given as well; and what
        came before it heard, unless it ended while it waited for that.
        """
        asked = self._asked if self._question is not None else None
        mark = self._mark()
        missed = take()
        unheard = [] if asked is None else self._before(asked)
        self._forget(self._before(mark))
        self._given.appendleft(Room((), [one for one in missed if isinstance(one, ParkedFrames)]))
        self._given.extendleft(reversed(unheard))
        self.keep(one for one in missed if not isinstance(one, ParkedFrames))

    def all(self) -> list[ParkedFrames]:
        """All of it; it stays here."""
        return self._as_kept(list(self._given))

    def ask(self, wheel: Wheel) -> Question | None:
        """A newer connection of the same client, or another window, begins to be told what follows.

        None: there is no doubt, or another newer one, which is told, has asked already.
        """
        if self._question is not None:
            return None
        if not self._is_in_doubt:
            self._be_proven()
            return None
        self._question = question = Question(self)
        if self._connection.code is None:
            self._asked = self._mark()
            self._connection.prove()
            question.start_timer(wheel)
        else:
            self._forget(self._arrived())
            self._asked = self._mark()
            question.word.set()
        return question

    def _be_proven(self) -> None:
        """What follows goes to the newer one as well: this one counts only if it is alive."""
        if self._connection.code is None:
            self.is_lost = True  # until the pong comes
            self._connection.prove()

    @property
    def _is_in_doubt(self) -> bool:
        if self._heritage or self._open_room is not None:
            return True
        return any(
            one.kept if isinstance(one, Room) else type(one) is not _Mark
            for one in list(self._given)
        )

    def answer(self, question: Question) -> list[ParkedFrames]:
        """The answer to *question* has come, or will not; what had not arrived by then."""
        if self._question is not question:
            return []  # it was withdrawn
        if self._asked is not None and not question.is_answered:
            self.is_lost = self._connection.code is None
        found: list[list[ParkedFrames]] = []
        # This takes time, and meanwhile the newer connection may end, too.
        heritage = [*self._heritage]
        for word in heritage:
            found.append(word.verdict())
        before = [] if self._asked is None else self._before(self._asked)
        rooms = [one for one in (*self._open_rooms, *before) if isinstance(one, Room)]
        for room in rooms:
            found.append(room.fill())
            farthest(self.told, room.told)
        if self._question is not question:
            return []
        asked, self._asked, self._question = self._asked, None, None
        self._heritage = self._heritage[len(heritage) :]
        given = [] if asked is None else self._before(asked)
        self._forget(given)
        self._rooms = [room for room in self._rooms if room not in rooms]
        missed = merged([*found, self._as_kept(given)])
        self._brought.difference_update(key(one) for one in missed)
        return missed

    def withdraw(self, question: Question) -> list[Owed]:
        """Nobody waits for *question* any more; what a connection that has ended left here."""
        if self._question is not question:
            return []
        self._question = None
        question.word.set()
        return self.take() if self._is_left else []

    def _as_kept(self, given: Iterable[Given | Room | _Mark]) -> list[ParkedFrames]:
        return [kept for one in given if not isinstance(one, _Mark) for kept in self._each(one)]

    def _each(self, given: Given | Room) -> list[ParkedFrames]:
        if isinstance(given, Room):
            return given.kept
        if isinstance(given, bytes):
            return [ParkedFrames(given, b"")]
        if isinstance(given, ParkedFrames):
            return [given]
        told = self._left_out.get(given, given)
        if told is None:
            return []
        return [*told.parked_singly(in_full=self._in_full)]


def _size(given: Given | Room | _Mark) -> int:
    """Its bytes, about: version 2 frames them in a few more."""
    if isinstance(given, Room):
        return sum(len(kept.plain) for kept in given.kept)
    if isinstance(given, bytes):
        return len(given)
    if isinstance(given, _Mark):
        return 0
    return len(given.plain if isinstance(given, ParkedFrames) else given.for_version_1())
