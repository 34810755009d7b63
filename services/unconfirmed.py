"""What one connection was given and nothing has confirmed yet.

A connection may be dead for half a minute before the server notices. What was put
into it meanwhile must be delivered when its participant returns. A client of version 2
says what it has seen, and the rest is read from the history. Without a history, and in
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

#: items remembered of one connection; of more, the oldest count as confirmed
MOST = 2048

#: and their bytes; they are counted whenever so many more have been sent
MOST_BYTES = 262_144

#: s that a newer connection of the same participant waits for the answer of an older one
ANSWER_TIME = 2.0

#: held while items are forgotten: a pong, the end and the outbox may do so at the same time
_lock = threading.Lock()


class Connection(Protocol):
    """The part of a connection that is needed here."""

    #: None while it is open
    code: int | None
    #: notified of pings and pongs, and of the end
    watch: Unconfirmed | None

    @property
    def is_silent(self) -> bool:
        """It ended because no pong came: nobody knows what has arrived."""

    @property
    def unsent(self) -> int:
        """Once it has ended: how many of the bytes that it was given were never sent."""

    def prove(self) -> None:
        """Send a ping now."""

    def remember(self, add: Callable[[bytes], None], tidy: Callable[[], int]) -> None:
        """Call *add* with all that is given; *tidy* after as many more bytes as it returned."""


#: what was given: entries, what was parked, or framed bytes of version 1
Given = ChannelEntries | ParkedFrames | bytes


class _Mark:
    """Stands between what was given before an event and what was given after it."""

    __slots__ = ()


class Question:
    """A newer connection of the same participant asks *asked*: what has not arrived there?"""

    __slots__ = ("_asked", "_done", "_timer", "is_answered")

    stays = False

    def __init__(self, asked: Unconfirmed) -> None:
        self._asked = asked
        self._timer: Timer | None = None
        #: the pong of *asked* has come
        self.is_answered = False
        #: set when the answer has come, or time is up
        self._done = threading.Event()

    def start_timer(self, wheel: Wheel) -> None:
        """Begin to count the time: for several questions it is up at the same moment."""
        self._timer = wheel.after(ANSWER_TIME, self._done.set)

    def stop_waiting(self) -> None:
        """The answer has come, or none will come."""
        self._done.set()

    @property
    def sent(self) -> dict[int, int]:
        """What other workers reported when *asked* came here; it counts for newer ones, too."""
        return self._asked.sent

    def answer(self) -> list[ParkedFrames]:
        """What had not arrived when it was asked. Waits for the answer, or until time is up."""
        self._done.wait()
        if self._timer is not None:
            self._timer.cancel()
        return self._asked.answer(self)

    def withdraw(self) -> list[Owed]:
        """Nobody waits for the answer any more; returns what *asked* holds, if that has ended."""
        return self._asked.withdraw(self)


class Unconfirmed:
    """What *connection* was given and nothing has confirmed yet, oldest first.

    A `Room` in it is the place of what older connections, or those of other workers, have missed.

    *in_full*: frames are remembered for both versions, because there is no history. Other
    threads may add to it at any time: what is looked at is a copy.
    """

    __slots__ = (
        "_asked",
        "_connection",
        "_delivered",
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
        "sent",
    )

    def __init__(self, connection: Connection, *, in_full: bool) -> None:
        self._connection = connection
        self._in_full = in_full
        self._given: deque[Given | Room | _Mark] = deque(maxlen=MOST)
        #: remember what is put into the outbox; each text goes this way, so it is the deque's own
        #: method
        self.add: Callable[[Given], None] = self._given.append
        #: where the ping was sent that is not answered yet
        self._asked: _Mark | None = None
        #: questions of newer connections that have ended: the next connection asks them
        self._heritage: list[Asked] = []
        #: among what was given, the places of what older connections have missed
        self._rooms: list[Room] = []
        #: where the end of the connection was noticed
        self._ended: _Mark | None = None
        #: the question of a newer connection
        self._question: Question | None = None
        #: its participant does not have this connection any more
        self._is_left = False
        #: it has not answered in time, and nothing has come from it since
        self.is_lost = False
        #: keys of what older connections had missed and this one was sent; not what a newer one
        #: was sent after it
        self._delivered: set[object] = set()
        #: entries that waited here while another worker delivered them: what is left of each
        self._left_out: dict[ChannelEntries, ChannelEntries | None] = {}
        #: by conversation: the highest `seq` that other workers have sent, as they report
        self.sent: dict[int, int] = {}
        connection.watch = self
        connection.remember(self.add, self._tidy)
        if connection.code is not None:
            self.ended()

    def _mark(self) -> _Mark:
        mark = _Mark()
        self._given.append(mark)
        return mark

    def _before(self, mark: _Mark | Room) -> list[Given | Room | _Mark]:
        """What is remembered from before *mark*; nothing, if *mark* itself is forgotten."""
        given = list(self._given)
        return given[: given.index(mark)] if mark in given else []

    def _forget(self, oldest: Iterable[Given | Room | _Mark]) -> None:
        """Forget the *oldest* items, as far as nobody has done so since the copy was made."""
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
        """The connection has ended: what is given from now on will not arrive."""
        if self._ended is None:
            self._ended = self._mark()

    def pinged(self) -> None:
        """A ping was sent: its pong confirms what was given before it."""
        if self._question is None:
            self._asked = self._mark()

    def ponged(self) -> None:
        """The pong of the last ping has come."""
        self.is_lost = False
        room, question = self._open_room, self._question
        if self._asked is not None:
            self._forget(self._before(room or self._asked))  # what follows a room waits for it
            if room is None or question is None:
                self._asked = None
        if question is not None:
            question.is_answered = True
            question.stop_waiting()

    def take(self) -> list[Owed]:
        """The connection has ended: take out what has not arrived; where that is not known, all.

        Where a newer connection asks, this is only what was given after its question. The newer
        one was given the same, unless it belongs to another worker.
        """
        self._is_left = True
        if self._question is not None:  # a newer connection waits
            self._question.stop_waiting()
            return self._owed(self._taken_after(self._asked))
        self._forget(self._arrived())
        given = list(self._given)
        self._forget(given)
        evicted = [room for room in self._open_rooms if room not in given]
        heritage, self._heritage = self._heritage, []
        return merged([self._owed([*evicted, *given]), heritage])

    def _taken_after(self, mark: _Mark | None) -> list[Given | Room | _Mark]:
        """Take out what was given after *mark*."""
        given = list(self._given)
        after = given[given.index(mark) + 1 :] if mark in given else []
        for _ in after:
            self._given.pop()
        return after

    def _owed(self, given: Iterable[Given | Room | _Mark]) -> list[Owed]:
        """*given*, which has not arrived, as it is owed to the participant."""
        owed: list[Sequence[Owed]] = []
        for are_rooms, some in groupby(given, lambda one: isinstance(one, Room)):
            if are_rooms:
                owed += [one.give_up() for one in some if isinstance(one, Room)]
            else:
                owed.append(self._as_parked(some))
        return merged(owed)

    @property
    def _open_rooms(self) -> list[Room]:
        """The rooms whose content was not put into the connection yet, the oldest first."""
        self._rooms = [room for room in self._rooms if not room.is_delivered]
        return self._rooms

    @property
    def _open_room(self) -> Room | None:
        return next(iter(self._open_rooms), None)

    def new_of(self, found: Sequence[ParkedFrames]) -> list[ParkedFrames]:
        """Of *found*, which older connections have missed, what is to be put into this one now.

        The same may be found twice where a participant moves fast between workers.
        """
        new = [one for one in found if not one.conversation or key(one) not in self._delivered]
        self._delivered.update(key(one) for one in new if one.conversation)
        return new

    def leave_out(self, entries: ChannelEntries, rest: ChannelEntries | None) -> None:
        """Of *entries*, which the connection was given, only the *rest* is sent; None: nothing."""
        self._left_out[entries] = rest

    def _arrived(self) -> list[Given | Room | _Mark]:
        """The connection has ended: the first items, which have arrived, as far as is known.

        Not sent were the last bytes of what was given before the end, and all that has waited
        for what older connections have missed.
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
        """Make the place of what older connections have missed."""
        room = Room(questions)
        self._rooms.append(room)
        self._given.append(room)
        return room

    def keep(self, questions: Iterable[Asked]) -> None:
        """A newer connection, which waited for *questions*, has ended; the next one asks them."""
        self._heritage += questions

    def inherit(self, take: Callable[[], list[Owed]]) -> None:
        """A newer connection has ended and only lost ones are left: hold what *take* returns.

        What was given here since the newer one came, the newer one was given as well. What was
        given before, it was sent, unless it ended while it waited for that.
        """
        asked = self._asked if self._question is not None else None
        mark = self._mark()
        missed = take()
        unsent = [] if asked is None else self._before(asked)
        self._forget(self._before(mark))
        self._given.appendleft(Room((), [one for one in missed if isinstance(one, ParkedFrames)]))
        self._given.extendleft(reversed(unsent))
        self.keep(one for one in missed if not isinstance(one, ParkedFrames))

    def all(self) -> list[ParkedFrames]:
        """All that is remembered; it stays remembered."""
        return self._as_parked(list(self._given))

    def ask(self, wheel: Wheel) -> Question | None:
        """A newer connection of the same client, or of another window, is given what follows.

        None: there is no doubt, or another newer connection has asked already.
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
            question.stop_waiting()
        return question

    def _be_proven(self) -> None:
        """What follows goes to the newer one as well: this one counts only while it is alive."""
        if self._connection.code is None:
            self.is_lost = True  # until the pong comes
            self._connection.prove()

    @property
    def _is_in_doubt(self) -> bool:
        if self._heritage or self._open_room is not None:
            return True
        return any(
            one.found if isinstance(one, Room) else type(one) is not _Mark
            for one in list(self._given)
        )

    def answer(self, question: Question) -> list[ParkedFrames]:
        """The answer to *question* has come, or will not come; take out what had not arrived."""
        if self._question is not question:
            return []  # it was withdrawn
        if self._asked is not None and not question.is_answered:
            self.is_lost = self._connection.code is None
        found: list[list[ParkedFrames]] = []
        # The answers take time, and meanwhile the newer connection may end, too.
        heritage = [*self._heritage]
        for inherited in heritage:
            found.append(inherited.answer())
        before = [] if self._asked is None else self._before(self._asked)
        rooms = [one for one in (*self._open_rooms, *before) if isinstance(one, Room)]
        for room in rooms:
            found.append(room.fill())
            farthest(self.sent, room.sent)
        if self._question is not question:
            return []
        asked, self._asked, self._question = self._asked, None, None
        self._heritage = self._heritage[len(heritage) :]
        given = [] if asked is None else self._before(asked)
        self._forget(given)
        self._rooms = [room for room in self._rooms if room not in rooms]
        missed = merged([*found, self._as_parked(given)])
        self._delivered.difference_update(key(one) for one in missed)
        return missed

    def withdraw(self, question: Question) -> list[Owed]:
        """Nobody waits for *question*; if this connection has ended: what has not arrived."""
        if self._question is not question:
            return []
        self._question = None
        question.stop_waiting()
        return self.take() if self._is_left else []

    def _as_parked(self, given: Iterable[Given | Room | _Mark]) -> list[ParkedFrames]:
        return [item for one in given if not isinstance(one, _Mark) for item in self._each(one)]

    def _each(self, given: Given | Room) -> list[ParkedFrames]:
        if isinstance(given, Room):
            return given.found
        if isinstance(given, bytes):
            return [ParkedFrames(given, b"")]
        if isinstance(given, ParkedFrames):
            return [given]
        rest = self._left_out.get(given, given)
        return [] if rest is None else [*rest.parked_singly(in_full=self._in_full)]


def _size(given: Given | Room | _Mark) -> int:
    """Its bytes, about: version 2 frames them in a few more."""
    if isinstance(given, Room):
        return sum(len(item.plain) for item in given.found)
    if isinstance(given, bytes):
        return len(given)
    if isinstance(given, _Mark):
        return 0
    return len(given.plain if isinstance(given, ParkedFrames) else given.for_version_1())
