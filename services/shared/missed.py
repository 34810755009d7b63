"""What a participant of version 1 has missed, as it is found out: `handover.py` says how."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..conversation.kinds import kind_of
from ..participants import SIDES, Channel, Owed, ParkedFrames, Participant
from ..room import farthest, merged
from .conversation import SharedConversation
from .letters import Parked
from .order import Order

#: s that the word of another worker is waited for. An unanswered ping takes two of them
#: (`unconfirmed.VERDICT`)
PATIENCE = 4.0

#: so often at most: again only if letters may have been lost meanwhile
ROUNDS = 3

#: a worker's, and what it is about: `Parked.about`
Word = tuple[str, int]


class Finder(Protocol):
    """What a `Missed` needs of the worker's `Handover`."""

    order: Order
    #: bytes told at once, at most
    most: int
    #: how often letters may have been lost
    doubts: int

    def agree(self, uuid: str, worker: str, told: Mapping[int, int]) -> None:
        """What is numbered higher than *told* both workers tell themselves."""

    def stop_waiting(self, missed: Missed) -> None:
        """No more words are for it."""

    def is_answered(self, missed: Missed) -> None:
        """Its verdict is known."""


class Stretch(NamedTuple):
    """Of a conversation, what may be missing: it is stored, and is not delivered here any more."""

    conversation: SharedConversation
    #: by which the other side speaks
    channel: Channel
    #: up to which number this worker has told it; None: the words of other workers say it
    after: int | None
    #: up to which number it is not delivered here; None: `SharedTalk.began`, once that is known
    last: int | None
    #: all that is stored by now: it is over
    is_over: bool = False


class Missed:
    """What *person* has missed, which has come here: a `Question` to the workers *awaited*.

    *owed* is known here; *stretches* are read from the history.
    """

    stays = True

    def __init__(
        self, handover: Finder, person: Participant, owed: Sequence[Owed],
        stretches: Sequence[Stretch], awaited: Iterable[Word] = (),
        hints: Iterable[tuple[str, int]] = (),
    ) -> None:  # fmt: skip
        self._handover = handover
        self.uuid = person.uuid
        self._owed, self._stretches = owed, stretches
        #: words that have not come
        self.awaited = set(awaited)
        self._workers = {worker for worker, _ in self.awaited}
        #: (worker, talk) of those that may give a hint
        self._hinting = set(hints)
        self._words: list[Parked] = []
        self._hints: dict[int, int] = {}
        self._doubts = handover.doubts
        self._enough = threading.Event()
        self._finding = threading.Lock()
        self._found: list[ParkedFrames] | None = None
        self.told: dict[int, int] = {}

    def take(self, worker: str, word: Parked) -> None:
        """The *word* of a worker."""
        self.awaited.discard((worker, word.about))
        self._words.append(word)
        self._look()

    def hint(self, worker: str, conversation: int, away: int | None) -> None:
        """So far it was told of *talk* when it was away, as a worker of the other side knows."""
        self._hinting.discard((worker, conversation))
        if away is not None:
            self._hints[conversation] = min(away, self._hints.get(conversation, away))
        self._look()

    def _look(self) -> None:
        if not self.awaited and not self._hinting:
            self._enough.set()

    def verdict(self) -> list[ParkedFrames]:
        """All of it, in order. Waits for the words and for the store."""
        with self._finding:
            if self._found is None:
                self._wait()
                self._handover.stop_waiting(self)  # what comes from now on comes late
                self._found = self._find()
                self._handover.is_answered(self)
                for worker in self._workers:
                    self._handover.agree(self.uuid, worker, self.told)
        return self._found

    @property
    def is_guessed(self) -> bool:
        """No word has come."""
        return bool(self.awaited) and not self._words

    def withdraw(self) -> list[Owed]:
        """All of it, which may be found out later."""
        return [self]

    def _wait(self) -> None:
        self._look()
        for _ in range(ROUNDS):
            if self._enough.wait(PATIENCE) or self._doubts == self._handover.doubts:
                break
            self._doubts = self._handover.doubts

    def _find(self) -> list[ParkedFrames]:
        words = sorted(
            self._words, key=lambda one: max((kept.last for kept in one.kept), default=0)
        )
        found = merged(
            [in_full(self._owed, self.told), *([*word.kept, *word.live] for word in words)]
        )
        for word in words:
            farthest(self.told, word.told)
        room = self._handover.most - sum(len(kept.plain) for kept in found)
        for stretch in self._stretches:
            for kept in self._read(stretch):
                room -= len(kept.plain)
                if room < 0:
                    break
                found.append(kept)
        return found

    def _read(self, stretch: Stretch) -> Iterable[ParkedFrames]:
        """What is stored of it and was not told."""
        conversation, channel, order = stretch.conversation, stretch.channel, self._handover.order
        key = conversation.row.key
        order.reach(conversation, self.told.get(key, 0))
        order.catch_up(conversation)
        last = conversation.began if stretch.last is None else stretch.last
        if stretch.is_over:
            last = conversation.last_seq
        after = self._begin(stretch, last)
        farthest(self.told, {key: max(after, last)})
        for row in order.read(conversation, after, last):
            if row.side == SIDES[channel.sender.role]:
                text = kind_of(row.kind).text_for_version_1(row.body, row.data)
                if text is not None:
                    yield ParkedFrames(channel.texts([text]), b"", key, row.seq, row.seq)

    def _begin(self, stretch: Stretch, last: int) -> int:
        """Up to which number it was told, or that nobody knows."""
        conversation = stretch.conversation
        known = [stretch.after] if stretch.after is not None else []
        if conversation.row.key in self.told:
            known.append(self.told[conversation.row.key])
        if known:
            return max(known)
        offered = conversation.offered.get(SIDES[stretch.channel.sender.role])
        hints = [] if offered is None else [offered - 1]
        if conversation.row.key in self._hints:
            hints.append(self._hints[conversation.row.key])
        return min(hints, default=last)


def in_full(owed: Iterable[Owed], told: dict[int, int]) -> list[ParkedFrames]:
    """*owed*, each thing once and in order. Waits where some of it is to be found out.

    What comes after that may have been told elsewhere: *told* says how far, and grows.
    """
    found: list[list[ParkedFrames]] = [[]]
    for one in owed:
        if not isinstance(one, ParkedFrames):
            found += [one.verdict(), []]
            farthest(told, one.told)
        elif not one.conversation or one.last > told.get(one.conversation, 0):
            found[-1].append(one)
    return merged(found)
