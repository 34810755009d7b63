"""Finds out what a participant of version 1 has missed: `handover.py` says how."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..channels import Channel, ParkedFrames
from ..conversation.kinds import kind_of
from ..entries_here import channel_of_author
from ..participants import SIDES, Owed, Participant
from ..room import farthest, merged
from .conversation import SharedConversation
from .letters import Parked
from .order import Order

#: s that this worker waits for the report of another one. An unanswered ping takes two of them
#: (`unconfirmed.ANSWER_TIME`)
PATIENCE = 4.0

#: how often it waits at most: again only if letters may have been lost meanwhile
ROUNDS = 3

#: names a report: the worker that sends it, and why it does (`Parked.about`)
ReportKey = tuple[str, int]


class Finder(Protocol):
    """What a `Missed` needs of the worker's `Handover`."""

    order: Order
    #: bytes sent at once, at most
    most: int
    #: how often letters may have been lost
    doubts: int

    def agree(self, uuid: str, worker: str, sent: Mapping[int, int]) -> None:
        """Above *sent*, a `seq` by conversation, both workers deliver to their own connections."""

    def stop_waiting(self, missed: Missed) -> None:
        """*missed* takes no more reports."""

    def is_answered(self, missed: Missed) -> None:
        """It is known what *missed* is about."""


class Stretch(NamedTuple):
    """The part of a conversation that may be missing: stored, and not delivered here any more."""

    conversation: SharedConversation
    #: the channel to the participant
    channel: Channel
    #: up to which number this worker has sent it; None: reports of other workers say so
    after: int | None
    #: where this worker's own deliveries begin; None: at `SharedConversation.began`, once known
    last: int | None
    #: the conversation is over: the part goes on to its end
    is_over: bool = False


class Missed:
    """What *participant*, which has come here, has missed: a `Question` to other workers.

    *awaited*: the reports that are to come. *owed* is known here; *stretches* are read from the
    history. *hints*: the workers of the other side that may say how far it was sent.
    """

    stays = True

    def __init__(
        self, handover: Finder, participant: Participant, owed: Sequence[Owed],
        stretches: Sequence[Stretch], awaited: Iterable[ReportKey] = (),
        hints: Iterable[tuple[str, int]] = (),
    ) -> None:  # fmt: skip
        self._handover = handover
        self.uuid = participant.uuid
        self._owed, self._stretches = owed, stretches
        #: the reports that have not come
        self.awaited = set(awaited)
        self._workers = {worker for worker, _ in self.awaited}
        #: (worker, key of the conversation) of the hints that have not come
        self._awaited_hints = set(hints)
        self._reports: list[Parked] = []
        self._hints: dict[int, int] = {}
        self._doubts = handover.doubts
        self._enough = threading.Event()
        self._finding = threading.Lock()
        self._found: list[ParkedFrames] | None = None
        #: by conversation: the highest `seq` that the participant was sent, as reports say
        self.sent: dict[int, int] = {}

    def take(self, worker: str, report: Parked) -> None:
        """Take the *report* of *worker*."""
        self.awaited.discard((worker, report.about))
        self._reports.append(report)
        self._look()

    def hint(self, worker: str, conversation: int, away: int | None) -> None:
        """A worker of the other side says up to which `seq` it was sent when it went away."""
        self._awaited_hints.discard((worker, conversation))
        if away is not None:
            self._hints[conversation] = min(away, self._hints.get(conversation, away))
        self._look()

    def _look(self) -> None:
        if not self.awaited and not self._awaited_hints:
            self._enough.set()

    def answer(self) -> list[ParkedFrames]:
        """All that was missed, in order. Waits for the reports and for the store."""
        with self._finding:
            if self._found is None:
                self._wait()
                self._handover.stop_waiting(self)  # what comes from now on comes late
                self._found = self._find()
                self._handover.is_answered(self)
                for worker in self._workers:
                    self._handover.agree(self.uuid, worker, self.sent)
        return self._found

    @property
    def is_guessed(self) -> bool:
        """Whether no report has come, so that nobody knows what was missed."""
        return bool(self.awaited) and not self._reports

    def withdraw(self) -> list[Owed]:
        """This question itself, which may be answered later."""
        return [self]

    def _wait(self) -> None:
        self._look()
        for _ in range(ROUNDS):
            if self._enough.wait(PATIENCE) or self._doubts == self._handover.doubts:
                break
            self._doubts = self._handover.doubts

    def _find(self) -> list[ParkedFrames]:
        reports = sorted(
            self._reports, key=lambda one: max((parked.last for parked in one.frames), default=0)
        )
        found = merged(
            [
                in_full(self._owed, self.sent),
                *([*report.frames, *report.live] for report in reports),
            ]
        )
        for report in reports:
            farthest(self.sent, report.sent)
        room = self._handover.most - sum(len(parked.plain) for parked in found)
        for stretch in self._stretches:
            for parked in self._read(stretch):
                room -= len(parked.plain)
                if room < 0:
                    break
                found.append(parked)
        return found

    def _read(self, stretch: Stretch) -> Iterable[ParkedFrames]:
        """What is stored of *stretch* and was not sent."""
        conversation, channel, order = stretch.conversation, stretch.channel, self._handover.order
        key = conversation.row.key
        order.reach(conversation, self.sent.get(key, 0))
        order.catch_up(conversation)
        last = conversation.began if stretch.last is None else stretch.last
        if stretch.is_over:
            last = conversation.last_seq
        after = self._begin(stretch, last)
        farthest(self.sent, {key: max(after, last)})
        for row in order.read(conversation, after, last):
            if row.side == SIDES[channel.sender.role]:
                text = kind_of(row.kind).text_for_version_1(row.body, row.data, channel.link)
                if text is not None:
                    author = channel_of_author(channel, row.side, row.author)
                    yield ParkedFrames(author.texts([text]), b"", key, row.seq, row.seq)

    def _begin(self, stretch: Stretch, last: int) -> int:
        """The highest `seq` of *stretch* that was sent; what counts as sent where nobody knows."""
        conversation = stretch.conversation
        known = [stretch.after] if stretch.after is not None else []
        if conversation.row.key in self.sent:
            known.append(self.sent[conversation.row.key])
        if known:
            return max(known)
        offered = conversation.offered.get(SIDES[stretch.channel.sender.role])
        hints = [] if offered is None else [offered - 1]
        if conversation.row.key in self._hints:
            hints.append(self._hints[conversation.row.key])
        return min(hints, default=last)


def in_full(owed: Iterable[Owed], sent: dict[int, int]) -> list[ParkedFrames]:
    """*owed*, each frame once and in order. Waits for what is still to be found out.

    *sent* says, by conversation, up to which `seq` the participant was sent; it grows with
    each answer, and what it covers is left out.
    """
    found: list[list[ParkedFrames]] = [[]]
    for one in owed:
        if not isinstance(one, ParkedFrames):
            found += [one.answer(), []]
            farthest(sent, one.sent)
        elif not one.conversation or one.last > sent.get(one.conversation, 0):
            found[-1].append(one)
    return merged(found)
