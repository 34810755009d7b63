"""What a participant of version 1 has missed when it comes to another worker.

Version 2 says in `resume` what it has seen; version 1 cannot. Rules of this file:

1. One worker speaks for a participant: it has sockets of it, or was the last that had any. So
   it knows how far the participant was told of each conversation, and what its sockets have
   swallowed.
2. When another worker gets its first socket of the participant, each worker that speaks for the
   participant sends its word there (`Parked`), also when there is nothing to tell. A worker
   that loses its last socket while other workers have some sends its word to them. When one
   more socket comes to a worker that has some, the other workers are asked for their word.
3. Whatever is meant for the new socket waits for the words, and for what is read from the
   history: from where a word ends to where this worker's own deliveries begin. A word that does
   not come is waited for as long as PATIENCE says; then nobody knows, and what was stored when
   the participant came counts as told.
4. What is found goes the way of what an older socket of the same worker has missed (`room.py`):
   a still newer socket, here or on another worker, gets all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from weakref import ref

from ..desk.port import Arrival
from ..participants import SIDES, Channel, Owed, ParkedFrames, Participant, Question
from ..room import farthest, key, merged
from ..runtime import Runtime
from .conversation import SharedConversation
from .letters import LEFT, MOVED, Letter, Parked, Reached
from .missed import Missed, Stretch, Word, in_full
from .order import Order


class Handover:
    """What the worker *worker* and others pass on when somebody moves. *most*: bytes told at once.

    *send* lets workers have a letter; *speaks* says whether somebody is known here.
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
        #: those whose words have not all come, the oldest first, as long as anybody needs them
        self._unanswered: list[ref[Missed]] = []
        #: by UUIDs: up to which numbers it counted as told, because no word came in time
        self._guessed: dict[str, dict[int, int]] = {}
        #: by UUIDs and workers, from `agree`: up to these numbers one of them hands over the rest
        self._both: dict[str, dict[str, dict[int, int]]] = {}
        #: by UUIDs: words of workers that have lost the last socket, and have not come
        self._leaving: dict[str, set[Word]] = {}
        #: … that came before the desk's news of that
        self._early: dict[str, set[Word]] = {}

    # ---- where it comes ------------------------------------------------

    def receive(self, person: Participant, arrival: Arrival) -> Question | None:
        """What has *person* missed, which comes here by one more socket? None: nothing."""
        spoke = arrival.place is None  # this worker speaks for it, or nobody did
        workers = arrival.elsewhere or tuple(filter(None, (arrival.home,)))
        about = LEFT - arrival.came if spoke else MOVED
        if spoke and arrival.elsewhere:  # they are not told that it comes
            self._send(arrival.elsewhere, Parked(person.uuid, [], about, asks=True))
        awaited = {(worker, about) for worker in workers} | self._leaving.pop(person.uuid, set())
        hints: list[tuple[str, int]] = []
        if arrival.place is not None and not workers:
            hints = [
                (worker, chatting.talk)
                for chatting in arrival.place.chats
                for worker in chatting.other.workers
                if worker != self._worker
            ]
        stretches = []
        for conversation in conversations_of_participant(person):
            told, hint = (
                conversation.told.pop(person.role, None),
                conversation.away.pop(person.role, None),
            )
            if person.connections:
                told = conversation.last_seq
            if channel := _line_to(person, conversation):
                conversation.offered.pop(SIDES[channel.sender.role], None)
                after = (
                    (None if conversation.fresh else told) if spoke else None if workers else hint
                )
                stretches.append(
                    Stretch(
                        conversation,
                        channel,
                        after,
                        None if conversation.fresh else conversation.last_seq,
                    )
                )
        owed = _taken_from(person)
        if not awaited and not hints and not owed and not any(map(_may_miss, stretches)):
            return None
        return self._missed(person, owed if spoke else (), stretches, awaited, hints)

    def _missed(
        self, person: Participant, owed: Sequence[Owed], stretches: Sequence[Stretch],
        awaited: Iterable[Word], hints: Iterable[tuple[str, int]] = (),
    ) -> Missed:  # fmt: skip
        missed = Missed(self, person, owed, stretches, awaited, hints)
        self._unanswered.append(ref(missed))
        return missed

    @property
    def unanswered(self) -> list[Missed]:
        """Those whose words have not all come, the oldest first."""
        found = [one for known in tuple(self._unanswered) if (one := known()) is not None]
        if len(found) < len(self._unanswered):
            self._unanswered = [ref(one) for one in found]
        return found

    def take(self, worker: str, word: Parked) -> bool:
        """*worker* has sent its word; False if nobody waits for it."""
        for missed in self.unanswered:
            if missed.uuid == word.uuid and (worker, word.about) in missed.awaited:
                missed.take(worker, word)
                return True
        return False

    def take_over(self, worker: str, word: Parked, person: Participant) -> list[Owed]:
        """The word of *worker*, for which no new socket waits: what is owed to *person* by now.

        With a socket here: what its newest one is to be told, late. Where both workers have
        told the same, it is not owed.
        """
        if (worker, word.about) in self._leaving.get(word.uuid, ()):
            self._leaving[word.uuid].remove((worker, word.about))
        elif word.about > MOVED:
            self._early.setdefault(word.uuid, set()).add((worker, word.about))
        begun = self._both.get(word.uuid, {}).get(worker, {})
        own = {key(one): one for one in _taken_from(person)}
        told = {} if person.connections else self._told(person)

        def is_missed(kept: ParkedFrames) -> bool:
            """It was handed over before both began to tell, or was not told here either."""
            if kept.last <= begun.get(kept.conversation, kept.last) or key(kept) in own:
                return True
            return kept.last > told.get(kept.conversation, kept.last)

        kept = [one for one in word.kept if is_missed(one)]
        if person.connections:
            if person.connections[-1].dialect.version > 1:
                return [*kept]
            guessed = self._guessed.pop(person.uuid, {}) if word.about <= MOVED else {}
            late = [
                Stretch(
                    conversation,
                    channel,
                    word.told[conversation.row.key],
                    guessed[conversation.row.key],
                )
                for conversation in conversations_of_participant(person)
                if conversation.row.key in guessed.keys() & word.told.keys()
                and (channel := _line_to(person, conversation))
            ]
            return [Missed(self, person, kept, late)] if kept or late else []
        for conversation in conversations_of_participant(person):
            seq = word.told.get(conversation.row.key, 0)
            conversation.told[person.role] = max(seq, conversation.told.get(person.role, 0))
        live = [one for one in word.live if is_missed(one)]
        left = [
            one
            for one in own.values()
            if not isinstance(one, ParkedFrames)
            or not one.conversation
            or one.last > word.told.get(one.conversation, 0)
        ]
        return merged([kept, merged([live, left])])

    def _told(self, person: Participant) -> dict[int, int]:
        """Up to which number it was told of its talks, as far as that is known here."""
        found: dict[int, int] = {}
        for conversation in conversations_of_participant(person):
            if not conversation.fresh and person.connections:
                found[conversation.row.key] = conversation.last_seq
            elif not conversation.fresh and person.role in conversation.told:
                found[conversation.row.key] = conversation.told[person.role]
        return found

    def expect(self, uuid: str, workers: Iterable[str], decision: int) -> None:
        """The participant *uuid* is here, and *workers* have lost its last socket: they say so."""
        words = {(worker, decision) for worker in workers}
        early = self._early.get(uuid, set())
        self._leaving.setdefault(uuid, set()).update(words - early)
        early -= words

    def forget(self, uuid: str) -> None:
        """Nobody here speaks for it any more."""
        self._leaving.pop(uuid, None)
        self._early.pop(uuid, None)
        self._both.pop(uuid, None)
        self._guessed.pop(uuid, None)

    def hint(self, worker: str, reached: Reached) -> None:
        """*worker*, of the other side, says how far somebody was told who was away."""
        for missed in self.unanswered:
            if missed.uuid == reached.uuid:
                missed.hint(worker, reached.conversation, reached.away)

    def stop_waiting(self, missed: Missed) -> None:
        """Nothing is waited for any more."""
        self._unanswered = [ref(one) for one in self.unanswered if one is not missed]

    def is_answered(self, missed: Missed) -> None:
        """Its verdict is known."""
        if missed.is_guessed and self._speaks(missed.uuid):
            self._guessed[missed.uuid] = missed.told
        else:
            self._guessed.pop(missed.uuid, None)

    # ---- where it was --------------------------------------------------

    def give(
        self,
        person: Participant,
        workers: Collection[str],
        about: int = MOVED,
        *,
        leaves: bool = False,
    ) -> None:
        """*workers* have sockets of *person*, for whom this one speaks: let them have its word.

        *leaves*: they have had them before this one lost the last of its own.
        """
        fresh = [
            conversation
            for conversation in conversations_of_participant(person)
            if conversation.fresh
        ]
        questions = [one for connection in person.doubtful if (one := connection.ask()) is not None]
        owed = [*_taken_from(person), *questions]
        expected = self._leaving.get(person.uuid, set())
        if about < LEFT:  # whoever asks says later, if at all, that it has lost its last socket
            expected = {one for one in expected if one[0] not in workers}
        if expected:
            self._leaving[person.uuid] = self._leaving[person.uuid] - expected
            owed.append(self._missed(person, (), (), expected))
        word = Parked(person.uuid, [], about, self._told(person))
        if fresh or not all(isinstance(one, ParkedFrames) for one in owed):
            self._runtime.spawn(self._find, workers, word, owed, fresh, leaves)
        else:
            _fill(word, owed, leaves)
            self._say(word, workers)

    def _say(self, word: Parked, workers: Iterable[str]) -> None:
        for worker in workers:
            self.agree(word.uuid, worker, word.told)
        self._send(workers, word)

    def agree(self, uuid: str, worker: str, told: Mapping[int, int]) -> None:
        """From the numbers above *told*, by talks, both workers deliver to their own sockets."""
        if self._speaks(uuid):
            self._both.setdefault(uuid, {})[worker] = {**told}

    def _find(
        self, workers: Iterable[str], word: Parked, owed: Sequence[Owed],
        fresh: Iterable[SharedConversation], leaves: bool,
    ) -> None:  # fmt: skip
        _fill(word, owed, leaves)
        for conversation in fresh:
            self.order.catch_up(conversation)
            farthest(word.told, {conversation.row.key: conversation.began})
        self._say(word, workers)

    def rest(
        self, person: Participant, conversation: SharedConversation, *, is_over: bool
    ) -> Question | None:
        """What *person*, who is away, has missed of *talk*, which ends or loses its waiter now."""
        told, channel = conversation.told.get(person.role), _line_to(person, conversation)
        if told is None or channel is None or conversation.fresh:
            return None
        conversation.told[person.role] = max(told, conversation.end)
        return Missed(
            self, person, (), [Stretch(conversation, channel, told, conversation.end, is_over)]
        )


def _fill(word: Parked, owed: Sequence[Owed], leaves: bool) -> None:
    """Put into *word* what is *owed*. Waits where some of it is to be found out."""
    told: dict[int, int] = {}
    if leaves:
        word.kept = in_full([one for one in owed if not isinstance(one, ParkedFrames)], told)
        word.live = in_full([one for one in owed if isinstance(one, ParkedFrames)], told)
    else:
        word.kept = in_full(owed, told)
    farthest(word.told, told)


def conversations_of_participant(person: Participant) -> list[SharedConversation]:
    """Its conversations that several workers may write to."""
    conversations = {
        id(conversation): conversation
        for conversation in (
            person.conversation,
            *(one.conversation for one in person.all_channels),
        )
    }
    return [
        conversation
        for conversation in conversations.values()
        if isinstance(conversation, SharedConversation)
    ]


def _line_to(person: Participant, conversation: SharedConversation) -> Channel | None:
    """By which the other side speaks to it."""
    return next(
        (channel for channel in conversation.channels.values() if channel.to is person), None
    )


def _taken_from(person: Participant) -> list[Owed]:
    owed = [*person.parked]
    person.parked.clear()
    person.parked_bytes = 0
    return owed


def _may_miss(stretch: Stretch) -> bool:
    after, last = stretch.after, stretch.last
    return after is not None and (last is None or after < last)
