"""What a participant of version 1 has missed when it comes to another worker.

Version 2 says in `resume` what it has seen; version 1 cannot. Rules of this file:

1. One worker speaks for a participant: it has connections of it, or had the last one. So that
   worker knows up to which `seq` the participant was sent each conversation, and what its
   connections were given that has not arrived.
2. When another worker gets its first connection of the participant, each worker that speaks for
   the participant sends a report there (`Parked`), also when nothing was missed. A worker that
   loses its last connection of the participant, while other workers have some, sends its report
   to them. When a worker that has some gets one more, it asks the other workers for reports.
3. Whatever is meant for the new connection waits for the reports, and for what is read from the
   history: from where a report ends to where this worker's own deliveries begin. The worker
   waits for a report as long as `PATIENCE` says. After that nobody knows what was missed, and
   what was stored when the participant came counts as sent.
4. What is found goes the same way as what an older connection of the same worker has missed
   (`room.py`): a still newer connection, here or on another worker, gets all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from weakref import ref

from ..channels import Channel, ParkedFrames
from ..desk.port import Arrival
from ..participants import SIDES, Owed, Participant, Question
from ..room import farthest, key, merged
from ..runtime import Runtime
from .conversation import SharedConversation
from .letters import LEFT, MOVED, Letter, Parked, Reached
from .missed import Missed, ReportKey, Stretch, in_full
from .order import Order


class Handover:
    """What *worker* and other workers pass on when a participant moves.

    *most*: bytes sent at once. *send* lets workers have a letter; *speaks* says whether the
    participant with a UUID is known here.
    """

    def __init__(
        self, worker: str, order: Order, runtime: Runtime,
        send: Callable[[Iterable[str], Letter], None], most: int,
        speaks: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self.order = order
        self.most = most
        self._worker = worker
        self._runtime = runtime
        self._send = send
        self._speaks = speaks
        #: how often letters may have been lost
        self.doubts = 0
        #: the `Missed` whose reports have not all come, the oldest first, as long as they are used
        self._unanswered: list[ref[Missed]] = []
        #: by UUID and conversation: what counts as sent, where no report came in time
        self._guessed: dict[str, dict[int, int]] = {}
        #: by UUID, worker and conversation, from `agree`: above this `seq` both workers deliver
        self._both: dict[str, dict[str, dict[int, int]]] = {}
        #: by UUID: the reports that have not come, of workers that have lost their last connection
        self._leaving: dict[str, set[ReportKey]] = {}
        #: by UUID: such reports that came before the desk said so
        self._early: dict[str, set[ReportKey]] = {}

    # ---- on the worker where the participant comes ---------------------

    def receive(self, participant: Participant, arrival: Arrival) -> Question | None:
        """What *participant*, which comes by one more connection, may have missed, if anything."""
        spoke = arrival.place is None  # this worker has spoken for it, or no worker has
        workers = arrival.elsewhere or tuple(filter(None, (arrival.home,)))
        about = LEFT - arrival.came if spoke else MOVED
        if spoke and arrival.elsewhere:  # the desk sends them no event
            self._send(arrival.elsewhere, Parked(participant.uuid, [], about, asks=True))
        awaited = {(worker, about) for worker in workers} | self._leaving.pop(
            participant.uuid, set()
        )
        hints: list[tuple[str, int]] = []
        if arrival.place is not None and not workers:
            hints = [
                (worker, ongoing.conversation)
                for ongoing in arrival.place.conversations
                for worker in ongoing.other.workers
                if worker != self._worker
            ]
        stretches = []
        for conversation in conversations_of_participant(participant):
            sent = conversation.sent.pop(participant.role, None)
            hint = conversation.away.pop(participant.role, None)
            if participant.connections:
                sent = conversation.last_seq
            if channel := _channel_to(participant, conversation):
                conversation.offered.pop(SIDES[channel.sender.role], None)
                after = (
                    (None if conversation.fresh else sent) if spoke else None if workers else hint
                )
                stretches.append(
                    Stretch(
                        conversation,
                        channel,
                        after,
                        None if conversation.fresh else conversation.last_seq,
                    )
                )
        owed = _taken_from(participant)
        if not awaited and not hints and not owed and not any(map(_may_miss, stretches)):
            return None
        return self._missed(participant, owed if spoke else (), stretches, awaited, hints)

    def _missed(
        self, participant: Participant, owed: Sequence[Owed], stretches: Sequence[Stretch],
        awaited: Iterable[ReportKey], hints: Iterable[tuple[str, int]] = (),
    ) -> Missed:  # fmt: skip
        missed = Missed(self, participant, owed, stretches, awaited, hints)
        self._unanswered.append(ref(missed))
        return missed

    @property
    def unanswered(self) -> list[Missed]:
        """The `Missed` whose reports have not all come, the oldest first."""
        found = [one for known in tuple(self._unanswered) if (one := known()) is not None]
        if len(found) < len(self._unanswered):
            self._unanswered = [ref(one) for one in found]
        return found

    def take(self, worker: str, report: Parked) -> bool:
        """Take a report of *worker*; False: no connection waits for it."""
        for missed in self.unanswered:
            if missed.uuid == report.uuid and (worker, report.about) in missed.awaited:
                missed.take(worker, report)
                return True
        return False

    def take_over(self, worker: str, report: Parked, participant: Participant) -> list[Owed]:
        """Take a report of *worker* for which no connection waits: what *participant* is owed.

        Where *participant* has a connection here, its newest one is sent that, late. What both
        workers have sent is not owed.
        """
        if (worker, report.about) in self._leaving.get(report.uuid, ()):
            self._leaving[report.uuid].remove((worker, report.about))
        elif report.about > MOVED:
            self._early.setdefault(report.uuid, set()).add((worker, report.about))
        begun = self._both.get(report.uuid, {}).get(worker, {})
        own = {key(one): one for one in _taken_from(participant)}
        sent = {} if participant.connections else self._sent(participant)

        def is_missed(parked: ParkedFrames) -> bool:
            """It comes from before both workers delivered, or was not sent here either."""
            if parked.last <= begun.get(parked.conversation, parked.last) or key(parked) in own:
                return True
            return parked.last > sent.get(parked.conversation, parked.last)

        missed: list[Owed] = [one for one in report.frames if is_missed(one)]
        if participant.connections:
            if participant.connections[-1].dialect.version > 1:
                return missed
            guessed = self._guessed.pop(participant.uuid, {}) if report.about <= MOVED else {}
            late = [
                Stretch(
                    conversation,
                    channel,
                    report.sent[conversation.row.key],
                    guessed[conversation.row.key],
                )
                for conversation in conversations_of_participant(participant)
                if conversation.row.key in guessed.keys() & report.sent.keys()
                and (channel := _channel_to(participant, conversation))
            ]
            return [Missed(self, participant, missed, late)] if missed or late else []
        for conversation in conversations_of_participant(participant):
            seq = report.sent.get(conversation.row.key, 0)
            conversation.sent[participant.role] = max(
                seq, conversation.sent.get(participant.role, 0)
            )
        live = [one for one in report.live if is_missed(one)]
        left = [
            one
            for one in own.values()
            if not isinstance(one, ParkedFrames)
            or not one.conversation
            or one.last > report.sent.get(one.conversation, 0)
        ]
        return merged([missed, merged([live, left])])

    def _sent(self, participant: Participant) -> dict[int, int]:
        """By conversation: up to which `seq` *participant* was sent it, as far as is known here."""
        found: dict[int, int] = {}
        for conversation in conversations_of_participant(participant):
            if not conversation.fresh and participant.connections:
                found[conversation.row.key] = conversation.last_seq
            elif not conversation.fresh and participant.role in conversation.sent:
                found[conversation.row.key] = conversation.sent[participant.role]
        return found

    def expect(self, uuid: str, workers: Iterable[str], decision: int) -> None:
        """*workers* have lost their last connection of *uuid*, which is here: they will report."""
        reports = {(worker, decision) for worker in workers}
        early = self._early.get(uuid, set())
        self._leaving.setdefault(uuid, set()).update(reports - early)
        early -= reports

    def forget(self, uuid: str) -> None:
        """This worker does not speak for the participant *uuid* any more."""
        self._leaving.pop(uuid, None)
        self._early.pop(uuid, None)
        self._both.pop(uuid, None)
        self._guessed.pop(uuid, None)

    def hint(self, worker: str, reached: Reached) -> None:
        """A worker of the other side says up to which `seq` an absent participant was sent."""
        for missed in self.unanswered:
            if missed.uuid == reached.uuid:
                missed.hint(worker, reached.conversation, reached.away)

    def stop_waiting(self, missed: Missed) -> None:
        """*missed* waits for no more reports."""
        self._unanswered = [ref(one) for one in self.unanswered if one is not missed]

    def is_answered(self, missed: Missed) -> None:
        """It is known what *missed* is about."""
        if missed.is_guessed and self._speaks(missed.uuid):
            self._guessed[missed.uuid] = missed.sent
        else:
            self._guessed.pop(missed.uuid, None)

    # ---- on the worker where the participant was -----------------------

    def give(
        self,
        participant: Participant,
        workers: Collection[str],
        about: int = MOVED,
        *,
        leaves: bool = False,
    ) -> None:
        """Send *workers*, which have connections of *participant*, the report of this worker.

        *leaves*: they had connections before this worker has lost its last one.
        """
        fresh = [
            conversation
            for conversation in conversations_of_participant(participant)
            if conversation.fresh
        ]
        questions = [
            one for connection in participant.doubtful if (one := connection.ask()) is not None
        ]
        owed = [*_taken_from(participant), *questions]
        expected = self._leaving.get(participant.uuid, set())
        if about < LEFT:  # a worker that asks reports later, if at all
            expected = {one for one in expected if one[0] not in workers}
        if expected:
            self._leaving[participant.uuid] = self._leaving[participant.uuid] - expected
            owed.append(self._missed(participant, (), (), expected))
        report = Parked(participant.uuid, [], about, self._sent(participant))
        if fresh or not all(isinstance(one, ParkedFrames) for one in owed):
            self._runtime.spawn(self._find, workers, report, owed, fresh, leaves)
        else:
            _fill(report, owed, leaves)
            self._send_report(report, workers)

    def _send_report(self, report: Parked, workers: Iterable[str]) -> None:
        for worker in workers:
            self.agree(report.uuid, worker, report.sent)
        self._send(workers, report)

    def agree(self, uuid: str, worker: str, sent: Mapping[int, int]) -> None:
        """Above *sent*, a `seq` by conversation, both workers deliver to their own connections."""
        if self._speaks(uuid):
            self._both.setdefault(uuid, {})[worker] = {**sent}

    def _find(
        self, workers: Iterable[str], report: Parked, owed: Sequence[Owed],
        fresh: Iterable[SharedConversation], leaves: bool,
    ) -> None:  # fmt: skip
        _fill(report, owed, leaves)
        for conversation in fresh:
            self.order.catch_up(conversation)
            farthest(report.sent, {conversation.row.key: conversation.began})
        self._send_report(report, workers)

    def rest(
        self, participant: Participant, conversation: SharedConversation, *, is_over: bool
    ) -> Question | None:
        """What *participant*, which is away, has missed of *conversation* before its end."""
        sent = conversation.sent.get(participant.role)
        channel = _channel_to(participant, conversation)
        if sent is None or channel is None or conversation.fresh:
            return None
        conversation.sent[participant.role] = max(sent, conversation.end)
        return Missed(
            self, participant, (), [Stretch(conversation, channel, sent, conversation.end, is_over)]
        )


def _fill(report: Parked, owed: Sequence[Owed], leaves: bool) -> None:
    """Put into *report* what is *owed*. Waits for what is still to be found out."""
    sent: dict[int, int] = {}
    if leaves:
        report.frames = in_full([one for one in owed if not isinstance(one, ParkedFrames)], sent)
        report.live = in_full([one for one in owed if isinstance(one, ParkedFrames)], sent)
    else:
        report.frames = in_full(owed, sent)
    farthest(report.sent, sent)


def conversations_of_participant(participant: Participant) -> list[SharedConversation]:
    """The conversations of *participant* that several workers may write to."""
    conversations = {
        id(conversation): conversation
        for conversation in (
            participant.conversation,
            *(one.conversation for one in participant.all_channels),
        )
    }
    return [
        conversation
        for conversation in conversations.values()
        if isinstance(conversation, SharedConversation)
    ]


def _channel_to(participant: Participant, conversation: SharedConversation) -> Channel | None:
    """The channel of *conversation* to *participant*."""
    return next(
        (channel for channel in conversation.channels.values() if channel.to is participant), None
    )


def _taken_from(participant: Participant) -> list[Owed]:
    owed = [*participant.parked]
    participant.parked.clear()
    participant.parked_bytes = 0
    return owed


def _may_miss(stretch: Stretch) -> bool:
    after, last = stretch.after, stretch.last
    return after is not None and (last is None or after < last)
