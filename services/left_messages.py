"""Messages that visitors have left, as one worker knows them, and news of them to who is here.

Every worker looks at the number of changes each 2 s, and at once after a change of its own; it
reads what is new to it, and tells its waiters and visitors. So no letters between workers are
needed, and a site on which nobody has left a message costs one row that is read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .channels import sealed
from .conversation.rows import public_id
from .departments import Departments
from .desk.departments import Rules
from .desk.port import NOWHERE, Member, Role
from .errors import Unavailable
from .history.inbox import Answer, Changed, Sight
from .history.left_messages import LeftMessageTable
from .participants import Feed, Participant, each
from .runtime import Runtime
from .wire import codec, frames
from .wire.dates import rfc3339

if TYPE_CHECKING:
    from .loops import Loops

log = logging.getLogger("csapp")

#: s between two looks
LOOK = 2.0

#: readings of news in one look; the next look goes on
ROUNDS = 10

#: conversations of which is remembered up to where their visitors were told of answers, and of
#: which is remembered that their visits are noted
MOST_TOLD = 10_000


class _Told(NamedTuple):
    """What a waiter was told."""

    #: how many open messages it sees
    waiting: int
    #: its departments then
    departments: tuple[Member, ...]


#: of a waiter that was told nothing
_NOTHING = _Told(0, ())


class LeftMessages:
    """Knows what waits in *table* for an answer; without a *table* this server stores nothing.

    *participants* are those of this worker, by their UUIDs.
    """

    def __init__(
        self,
        table: LeftMessageTable | None = None,
        runtime: Runtime | None = None,
        departments: Departments | None = None,
        participants: Mapping[str, Participant] | None = None,
    ) -> None:
        self.table = table
        self._runtime = runtime
        self._departments = Departments() if departments is None else departments
        self._participants = {} if participants is None else participants
        #: the rules of which it is known which department leads where
        self._rules: Rules | None = None
        self._leading_to: dict[str, set[str]] = {}
        self._number = 0
        #: the last conversation that was read of the change `_number`; None: that was read whole
        self._after: int | None = None
        #: open messages, by department
        self._waiting: dict[str, int] = {}
        #: by the UUIDs of waiters here
        self._told: dict[str, _Told] = {}
        #: the rules by which they were told
        self._told_by: Rules | None = None
        #: by conversations: up to which `seq` their visitors were told of answers
        self._answered: dict[int, int] = {}
        #: held while this worker looks
        self._turn = threading.Lock()
        self._is_failing = False

    # ---- what is known -------------------------------------------------

    def sight(self, waiter: Participant) -> Sight:
        """Which messages *waiter* sees."""
        if self._rules is not self._departments.rules:
            self._rules = self._departments.rules
            self._leading_to = self._departments.leading_to()
        own = [key for key, _ in waiter.departments or NOWHERE]
        mine = {one for key in own for one in self._leading_to.get(key, {key})}
        return Sight(mine, self._departments.keys)

    def _count(self, sight: Sight) -> int:
        """How many open messages there are in *sight*."""
        return sum(count for key, count in self._waiting.items() if sight.covers(key))

    def greet(self, waiter: Participant, connection: Feed) -> None:
        """Tell a new *connection* of *waiter*, of version 2, how many wait, if any do."""
        if self._waiting and (count := self._count(self.sight(waiter))):
            self._told[waiter.uuid] = _Told(count, waiter.departments)
            connection.put(_inbox_changed(waiter, count))

    # ---- reading -------------------------------------------------------

    def start(self, loops: Loops) -> None:
        """Read what waits, and look again every 2 s. Waits. Raises `StoreError`."""
        if self.table is not None and self._runtime is not None:
            self._number, self._waiting = self._runtime.blocking(self.table.waiting)
            loops.every(LOOK, "the look at left messages", self.look)

    def look(self) -> None:
        """Read what has changed, and tell who is here. Waits for the store."""
        with self._turn:
            try:
                self._look()
            except Unavailable as error:
                if not self._is_failing:
                    log.warning("left messages cannot be read: %s", error)
                self._is_failing = True
            else:
                self._is_failing = False

    def _look(self) -> None:
        if self.table is None or self._runtime is None:
            return
        for _ in range(ROUNDS):
            if self._is_up_to_date():
                break
            news = self._runtime.blocking(self.table.news, self._number, self._after)
            self._number, self._after, self._waiting = news.number, news.after, news.waiting
            self._tell_waiters({one.department for one in news.changed})
            self._tell_users(news.changed)
        if self._waiting:  # a waiter may see others than before
            rules = self._departments.rules
            self._tell_waiters((), is_news=rules is not self._told_by)
            self._told_by = rules

    def _is_up_to_date(self) -> bool:
        if self.table is None or self._runtime is None:
            return True
        is_whole = self._after is None
        return is_whole and self._runtime.blocking(self.table.number) == self._number

    # ---- telling -------------------------------------------------------

    def _tell_waiters(self, touched: Iterable[str], is_news: bool = True) -> None:
        """Send waiters how many wait, where that or a message of *touched* departments changed.

        Without any news only those are looked at whose own departments have changed.
        """
        told: dict[str, _Told] = {}
        seen: dict[tuple[Member, ...], tuple[int, bool]] = {}
        for waiter in self._here(Role.WAITER):
            before, own = self._told.get(waiter.uuid, _NOTHING), waiter.departments
            if not is_news and before.departments == own and waiter.uuid in self._told:
                told[waiter.uuid] = before
                continue
            if own not in seen:
                sight = self.sight(waiter)
                seen[own] = self._count(sight), any(map(sight.covers, touched))
            count, is_touched = seen[own]
            told[waiter.uuid] = _Told(count, own)
            if is_touched or count != before.waiting:
                _send(waiter, _inbox_changed(waiter, count))
        self._told = told

    def _tell_users(self, changed: Iterable[Changed]) -> None:
        """Send users who are here what is new of the answers to them. Waits for the store."""
        answered = {one.key: one.subject for one in changed if one.is_answered}
        if not answered or self.table is None or self._runtime is None:
            return
        subjects = set(answered.values())
        users: dict[str, list[Participant]] = {}
        for user in self._here(Role.USER):
            if user.identity.subject in subjects:
                users.setdefault(user.identity.subject, []).append(user)
        keys = [key for key, subject in answered.items() if subject in users]
        for answer in self._runtime.blocking(self.table.answers, keys):
            if answer.seq > self._answered.get(answer.key, 0):
                for user in users[answered[answer.key]]:
                    _send(user, _message_answered(user, answer))
                self._remember(answer)

    def _remember(self, answer: Answer) -> None:
        self._answered[answer.key] = answer.seq
        while len(self._answered) > MOST_TOLD:
            del self._answered[next(iter(self._answered))]

    def _here(self, role: Role) -> list[Participant]:
        """Participants of *role* with connections here."""
        everybody = list(self._participants.values())
        return [one for one in everybody if one.role is role and one.connections]


def _send(to: Participant, frame: bytes) -> None:
    """Send *frame* to each connection of *to* that speaks version 2."""
    each(to.connections, partial(_put, frame=frame))


def _put(connection: Feed, frame: bytes) -> None:
    if connection.dialect.version > 1:
        connection.put(frame)


def _inbox_changed(waiter: Participant, count: int) -> bytes:
    payload = frames.InboxChangedPayload(count)
    return sealed(frames.InboxChanged(id=codec.new_id(), to=waiter.uuid, payload=payload))


def _message_answered(user: Participant, answer: Answer) -> bytes:
    payload = frames.MessageAnsweredPayload(
        public_id(answer.key), answer.seq, answer.name, answer.text, rfc3339(answer.date)
    )
    return sealed(frames.MessageAnswered(id=codec.new_id(), to=user.uuid, payload=payload))
