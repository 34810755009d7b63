"""One worker of several, and letters in every order: each text is sent once, in its turn.

The other worker is the test: it stores texts and posts letters when it likes.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from services.channels import Channel, ParkedFrames
from services.clock import Clock
from services.conversation.kinds import (
    EVENT,
    RATING,
    TEXT,
    EventPayload,
    RatingPayload,
    Side,
)
from services.conversation.rows import ConversationRow, EntryRow
from services.desk.memory import MemoryDesk
from services.desk.port import (
    Arrival,
    DeskUnavailable,
    Known,
    Matched,
    Moved,
    OpenConversation,
    Parted,
    Place,
    Reason,
    Role,
)
from services.history.opening import open_store
from services.history.port import Batch, StoreError
from services.history.sql import SQLStore
from services.history.writer import Writer
from services.identity import Identity, TokenRole
from services.participants import Participant
from services.room import Room
from services.shared import missed as missing
from services.shared import order
from services.shared.delivery import SharedDelivery
from services.shared.figures import LatestFigures
from services.shared.letter_reader import LetterReader
from services.shared.letters import LEFT, MOVED, NewLogin, Parked, Reached, Said, decode, encode
from services.switchboard import Switchboard
from services.wire.dialect import DIALECTS
from testkit.server import PATIENCE

GRACE = 60.0


class Rounds:
    """A runtime whose next round comes when a test wants it."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], Any]] = deque()
        self._now = 0.0

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        """Run it in `all`."""
        self._calls.append(lambda: function(*args))

    def call_soon(self, function: Callable[[], None]) -> None:
        """Run it in `all`."""
        self._calls.append(function)

    def now(self) -> float:
        """Time passes when a test wants it."""
        return self._now

    def passes(self, seconds: float) -> None:
        """So much of it."""
        self._now += seconds

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """At once."""
        return function(*args)

    def native(self) -> Callable[..., None]:
        """At once, too."""

        def run(function: Callable[[], Any], done: Callable[[BaseException | None], None]) -> None:
            function()
            done(None)

        return run

    def sleep(self, seconds: float) -> None:
        """Others do something meanwhile."""
        if not self._calls:
            raise AssertionError("waits for ever")
        self._calls.popleft()()

    def all(self) -> None:
        """Until nothing is to be done."""
        while self._calls:
            self._calls.popleft()()


class FakeFeed:
    """A feed of version 1: remembers what it is sent."""

    dialect = DIALECTS[1]
    rounds: Rounds

    def __init__(self) -> None:
        self.sent: list[str] = []
        #: texts that wait for the answers to its questions, with their numbers
        self._waiting: list[tuple[str, int]] | None = None
        self._room = Room(())
        self.is_over = False

    def put(self, frame: bytes) -> None:
        """Frames; tests give some as bare bytes."""
        found = re.search(rb'"message":"(.*?)"', frame) or re.search(rb'"type":"(.*?)"', frame)
        self.sent.append((found[1] if found else frame).decode())

    def deliver_parked(self, parked: Any, frame: bytes) -> None:
        """Parked frames."""
        self.put(frame)

    def deliver(self, entries: Any) -> None:
        """Texts."""
        if self._waiting is None:
            self.sent += entries.texts
        else:
            self._waiting += zip(entries.texts, entries.seqs, strict=True)

    def await_answers(self, questions: Any) -> None:
        """As a session does."""
        self._waiting = []
        self._room = Room(questions)
        self.rounds.spawn(self._make_up_for, self._room)

    def _make_up_for(self, room: Room) -> None:
        if self.is_over:
            return
        for parked in room.fill():
            self.put(parked.plain)
        room.is_delivered = True
        waiting, self._waiting = self._waiting or [], None
        last = max(room.sent.values(), default=0)  # there is one conversation
        self.sent += [text for text, seq in waiting if seq > last]

    is_lost = False

    def ask(self) -> None:
        """All has arrived."""

    def take_missed(self) -> list[Any]:
        """It has ended: what it was still to be sent."""
        self.is_over = True
        return [] if self._room.is_delivered else self._room.give_up()

    def acknowledge(self, entries: Any) -> None: ...

    def deliver_late(self, entries: Any) -> None: ...

    def open_conversation(self, channel: Any, frame: Any) -> None: ...

    def close_conversation(self, conversation: Any, frame: Any) -> None: ...

    def welcome(self, participant: Any, arrival: Any) -> None:
        """It may be in doubt what has arrived."""
        participant.doubtful = (*participant.doubtful, self)

    def pop_pending_request(self, kind: Any) -> Any: ...

    def fail(self) -> None: ...

    def replace(self) -> None:
        """By a newer login."""
        self.sent.append("replaced")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLStore]:
    """An empty history."""
    with closing(open_store(f"sqlite:///{tmp_path / 'csapp.db'}")) as store:
        store.migrate()
        yield store


class Told(MemoryDesk):
    """Arrivals have besides what a test gives them."""

    about: ClassVar[dict[str, Any]] = {}

    def arrive(self, *given: Any, **named: Any) -> Arrival:
        return replace(super().arrive(*given, **named), **self.about)


class Worker:
    """A worker with ann and ada in a chat; `elsewhere` is what the other one does."""

    def __init__(self, store: SQLStore) -> None:
        self.store = store
        self.rounds = Rounds()
        runtime: Any = self.rounds
        writer = Writer(store, runtime, lambda: 1.7e9)
        desk = Told(capacity=5, max_queue=5, grace=GRACE, now=lambda: 0.0)
        self.post = SimpleNamespace(letters=[])
        self.post.post = lambda *letter: self.post.letters.append(letter)
        self.figures = LatestFigures(desk)
        self.delivery = SharedDelivery(
            1 << 20, store, writer, self.figures, worker="here", runtime=runtime,
            workers_of=self.workers_of,
        )  # fmt: skip
        self.switchboard = Switchboard(desk, self.delivery, figures=self.figures)
        self.inbox = LetterReader(self.switchboard, self.delivery)
        self.delivery.connect(self.post)
        self.desk_is_away = False
        self.ann, self.ada = FakeFeed(), FakeFeed()
        self.enter(Role.WAITER, "ada", self.ada)
        self.enter(Role.USER, "ann", self.ann)
        desk.ready("uuid-ada")
        desk.connect("uuid-ann", None, Clock().new_key())
        self.switchboard.carry_out()
        self.user = self.switchboard._participants["uuid-ann"]
        conversation: Any = self.user.conversation
        self.conversation = conversation
        self.key = conversation.row.key
        self.rounds.all()

    def workers_of(self, uuid: str) -> tuple[str, ...]:
        """What the desk knows: where somebody is whom this worker does not know any more."""
        if self.desk_is_away:
            raise DeskUnavailable
        return (f"where {uuid} is",)

    def enter(self, role: Role, name: str, feed: FakeFeed, sid: str = "") -> None:
        """*name* comes by a connection of this worker, with the login *sid*."""
        feed.rounds = self.rounds
        identity = Identity(name, name, TokenRole(role), sid)
        self.switchboard.enter(role, identity, f"uuid-{name}", feed)

    def comes(
        self, feed: FakeFeed, *elsewhere: str, home: str = "", ada: tuple[str, ...] = ()
    ) -> None:
        """Ann comes, who is known *elsewhere*, or was last at *home*; *ada*: where ada is, too."""
        known = Known("uuid-ada", Role.WAITER, "ada", "ada", ("here", *ada))
        place = Place((OpenConversation(known, self.key),), self.key, begun=True)
        self.switchboard.desk.about = {"place": place, "elsewhere": elsewhere, "home": home}
        self.enter(Role.USER, "ann", feed)
        self.switchboard.desk.about = {}

    def is_new_to(self) -> None:
        """Nothing is known here of the conversation, as when both have just come."""
        self.conversation.behind = self.conversation.fresh = True

    def report(self, sent: int | None, *missed: str, about: int = MOVED, live: Any = ()) -> None:
        """The other worker reports up to which `seq` ann was sent, and the last that she missed."""
        last = sent or 0
        some = [
            ParkedFrames(text.encode(), b"", self.key, seq, seq)
            for seq, text in enumerate(missed, last - len(missed) + 1)
        ]
        numbers = {} if sent is None else {self.key: sent}
        self.receives(Parked("uuid-ann", some, about, numbers, list(live)))

    def leave(self, feed: FakeFeed) -> None:
        """Ann loses the connection of *feed*."""
        self.switchboard.exit(self.user, feed, deliberate=False)

    def moved(self, *workers: str) -> None:
        """The desk says on which workers ann is."""
        self._moved(Known("uuid-ann", Role.USER, "ann", "ann", workers))

    def moved_event(self, *workers: str, number: int) -> list[Moved]:
        """The same, as the desk's decision of this *number*."""
        known = Known("uuid-ann", Role.USER, "ann", "ann", workers)
        events = [Moved("uuid-ann", people=(known,), number=number)]
        self.switchboard._act([*events])
        return events

    def _moved(self, known: Known) -> None:
        self.switchboard._act([Moved(known.uuid, people=(known,))])
        self.rounds.all()

    def signs_in(self, sid: str, came: int) -> FakeFeed:
        """Ada does so here, as the desk's arrival of this number; her login here before is over."""
        feed = FakeFeed()
        self.switchboard.desk.about = {"came": came}
        self.enter(Role.WAITER, "ada", feed, sid)
        return feed

    def ada_moved(self, *workers: str) -> None:
        """The desk says on which workers ada is."""
        self._moved(Known("uuid-ada", Role.WAITER, "ada", "ada", workers))

    def posted(self) -> list[Any]:
        """The letters to the other worker since the last look."""
        self.rounds.all()
        letters = [one for _, piece in self.post.letters for one in decode(piece)]
        self.post.letters.clear()
        return letters

    def stores(self, *texts: str, author: str = "ada") -> range:
        """The other worker stores texts of *author*, and sends no letter yet; their numbers."""
        first = self.store.ends([self.key])[self.key] + 1
        rows = [
            EntryRow(self.key, first + i, Side.WAITER, author, None, TEXT.number, text, 1)
            for i, text in enumerate(texts)
        ]
        self.store.commit(Batch(entries=rows))
        return range(first, first + len(texts))

    def said(self, seqs: range, *texts: str) -> None:
        """A letter with them comes."""
        self.receives(Said(self.key, Side.WAITER, "ada", 1, seqs[0], list(texts)))

    def parked(self, seqs: range, text: str) -> None:
        """A letter comes: they were parked for ann there."""
        self.receives(
            Parked("uuid-ann", [ParkedFrames(text.encode(), b"", self.key, seqs[0], seqs[-1])])
        )

    def receives(self, *letters: Any) -> None:
        """Letters come, and what follows from them is done."""
        self.inbox.read("there", [encode(list(letters))])
        waiting = self.delivery.handover.unanswered
        if not any(one.awaited for one in waiting):  # it would not wait for long
            self.rounds.all()


@pytest.fixture
def worker(store: SQLStore, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(missing, "PATIENCE", 0.0)  # reports that a test waits for come before
    return Worker(store)


def test_what_comes_early_waits_for_what_is_missing(worker):
    worker.stores("one", "two")
    three = worker.stores("three")
    worker.said(three, "three")
    assert worker.ann.sent == ["one", "two", "three"]


def test_what_comes_twice_is_sent_once(worker):
    both = worker.stores("one", "two")
    worker.said(both[:1], "one")
    worker.said(both, "one", "two")
    worker.said(both, "one", "two")
    assert worker.ann.sent == ["one", "two"]


def test_what_was_in_a_letter_that_is_lost_is_read(worker):
    worker.stores("one")
    worker.receives(Reached(worker.key, 1))
    assert worker.ann.sent == ["one"]
    worker.stores("two")
    worker.delivery.check_all()
    worker.rounds.all()
    assert worker.ann.sent == ["one", "two"]


def test_what_waits_for_a_gap_has_a_bound_and_the_rest_is_read(worker, monkeypatch):
    monkeypatch.setattr(order, "MOST_HELD", 10_000)
    texts = [f"text {number}" for number in range(500)]
    seqs = worker.stores(*texts)
    letters = [
        Said(worker.key, Side.WAITER, "ada", 1, seq, [text])
        for seq, text in zip(seqs, texts, strict=True)
    ]
    worker.inbox.read("there", [encode(letters[1:])])
    assert 10_000 < worker.switchboard.held < 11_000
    worker.rounds.all()
    assert worker.ann.sent == texts
    assert worker.switchboard.held == 0


def test_what_passed_here_while_she_was_elsewhere_is_read(worker):
    worker.leave(worker.ann)
    worker.moved("there")
    worker.moved()  # and lost her connection there
    one = worker.stores("one")
    worker.said(one, "one")  # for ada, who is here
    back = FakeFeed()
    worker.comes(back, home="there")
    worker.report(0)
    two = worker.stores("two")
    worker.said(two, "two")
    assert back.sent == ["one", "two"]


def test_last_words_of_an_earlier_waiter_reach_the_worker_of_the_next_one(worker):
    """The worker of the earlier one, bea, knows where ann is, and not that ada serves her."""
    worker.ada_moved("there")
    worker.posted()
    (seq,) = worker.stores("I ask Ada", author="bea")
    said = Said(worker.key, Side.WAITER, "bea", 1, seq, ["I ask Ada"])
    worker.inbox.read("of bea", [encode([said])])
    assert Reached(worker.key, seq) in worker.posted()
    worker.inbox.read("there", [encode([said])])
    assert worker.posted() == []


def test_of_what_she_has_missed_each_text_names_its_own_writer(worker):
    """Bea served her before ada does: for version 1 she is nobody by now."""
    frames: list[bytes] = []
    worker.leave(worker.ann)
    worker.moved("there")
    worker.moved()
    seqs = worker.stores("I ask Ada", author="bea")
    worker.receives(Said(worker.key, Side.WAITER, "bea", 1, seqs[0], ["I ask Ada"]))
    worker.said(worker.stores("I am Ada"), "I am Ada")
    back = FakeFeed()
    back.put = frames.append
    worker.comes(back, home="there")
    worker.report(0)
    writers = [(re.search(rb'"from":"(.*?)"', one) or [b"", b"?"])[1] for one in frames]
    assert writers == [b"", b"uuid-ada"]


def test_what_is_written_meanwhile_waits_for_the_report_of_the_other_worker(worker):
    """The report says what she was sent; what a dead connection there has lost comes first."""
    worker.leave(worker.ann)
    worker.moved("there")
    one, two, three = worker.stores("one"), worker.stores("two"), worker.stores("three")
    back = FakeFeed()
    worker.comes(back, "there")
    letters = [Said(worker.key, Side.WAITER, "ada", 1, three[0], ["three"])]
    worker.inbox.read("there", [encode(letters)])
    assert back.sent == []
    worker.report(two[0], "one", "two")
    worker.said(one, "one")
    assert back.sent == ["one", "two", "three"]


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("sent", [0, 1, 2, 3])
def test_what_was_sent_elsewhere_is_not_sent_again_and_all_else_is(worker, sent, is_new):
    """Its letters went where she was, and a look at the history finds them."""
    worker.leave(worker.ann)
    worker.moved("there")
    worker.stores("one", "two")
    if is_new:
        worker.is_new_to()
    back = FakeFeed()
    worker.comes(back, "there")
    worker.said(worker.stores("three"), "three")
    worker.receives(Reached(worker.key, 2))
    worker.report(sent)
    assert back.sent == ["one", "two", "three"][sent:]


def test_letters_that_cannot_be_read_count_as_lost(worker):
    worker.stores("one")
    worker.inbox.read("there", [b"\xc1"])
    worker.delivery.check_doubted()  # it would wait for ever
    worker.rounds.all()
    assert worker.ann.sent == ["one"]


def test_what_was_found_stored_before_its_letter_came_is_sent_once(worker):
    """A look at the history is quicker than a letter: it does not say what she was sent."""
    worker.leave(worker.ann)
    worker.moved("there")
    worker.is_new_to()
    worker.stores("one")
    two = worker.stores("two")
    back = FakeFeed()
    worker.comes(back, "there")
    worker.report(1, "one")
    for _ in range(2):
        worker.said(two, "two")
    three = worker.stores("three")
    worker.said(three, "three")
    assert back.sent == ["one", "two", "three"]


def test_letters_of_several_workers_may_overtake_one_another(worker):
    """Ann's own last text, of the worker that she has left, and ada's, of another one."""
    worker.leave(worker.ann)
    worker.moved("there")
    worker.is_new_to()
    one = worker.stores("one")
    own = EntryRow(worker.key, 2, Side.USER, "ann", None, TEXT.number, "own", 1)
    worker.store.commit(Batch(entries=[own]))
    back = FakeFeed()
    worker.comes(back, "there")
    worker.receives(Said(worker.key, Side.USER, "ann", 1, 2, ["own"]))
    worker.said(one, "one")
    worker.report(0)
    assert back.sent == ["one"]


@pytest.mark.parametrize("side", [Side.WAITER, Side.USER])
def test_version_2_has_it_in_its_page_of_the_history(worker, side):
    """Its letter, waiting for a turn behind later ones, would cut the page short."""
    worker.ann.dialect = DIALECTS[2]
    worker.conversation.behind = worker.conversation.fresh = True
    one = worker.stores("one")
    worker.switchboard.catch_up(worker.conversation)
    worker.receives(Said(worker.key, side, "ada", 1, one[0], ["one"]))
    assert worker.ann.sent == []


@pytest.mark.parametrize("letter_first", [True, False])
def test_what_a_dead_connection_lost_and_a_letter_brings_is_sent_once(worker, letter_first):
    worker.leave(worker.ann)
    worker.moved("there")
    worker.is_new_to()
    one = worker.stores("one")
    back = FakeFeed()
    worker.comes(back, "there")
    ways = [lambda: worker.said(one, "one"), lambda: worker.report(1, "one")]
    for bring in ways if letter_first else ways[::-1]:
        bring()
    assert back.sent == ["one"]


def test_what_comes_for_somebody_who_is_being_let_in_waits_for_her(worker, monkeypatch):
    """The worker where it was parked knows of her before the desk's answer has come here."""
    letter = encode([Parked("uuid-eve", [ParkedFrames(b"one", b"")])])
    handled, eve, arrive = threading.Event(), FakeFeed(), worker.switchboard.desk.arrive

    def hear() -> None:
        worker.inbox.read("there", [letter])
        handled.set()

    reader = threading.Thread(target=hear)

    def answer_late(*about: Any) -> Arrival:
        arrival = arrive(*about)
        newcomer = worker.switchboard.newcomer
        wait = newcomer.wait
        monkeypatch.setattr(newcomer, "wait", lambda: handled.set() or wait())
        reader.start()
        assert handled.wait(PATIENCE)
        return arrival

    monkeypatch.setattr(worker.switchboard.desk, "arrive", answer_late)
    worker.enter(Role.USER, "eve", eve)
    reader.join(PATIENCE)
    worker.rounds.all()
    assert eve.sent == ["one"]


def test_letters_wait_for_one_who_comes_and_not_for_all_who_come_after_her(worker):
    """Others cannot have written about these yet; and there may be no end of them."""
    known: list[set[Any]] = []

    def come() -> None:
        newcomer: set[Any] = set()

        def wait() -> None:
            if not newcomer:
                newcomer.add("known")
                known.append(newcomer)
                come()

        worker.switchboard.newcomer = SimpleNamespace(wait=wait)

    come()
    letters = [encode([Reached(number, 1), Reached(number + 1, 1)]) for number in (1, 3)]
    worker.inbox.read("there", letters)
    assert len(known) == 1


def test_where_she_comes_back_it_is_known_how_far_she_was_sent_it(worker):
    worker.said(worker.stores("one"), "one")
    worker.leave(worker.ann)
    worker.said(worker.stores("two"), "two")
    worker.moved("there")
    ((addressee, letter),) = worker.post.letters
    assert addressee == "there"
    assert decode(letter) == [
        Parked("uuid-ann", [], MOVED, {worker.key: 1}),
        Reached(worker.key, 2, "uuid-ann"),
    ]


@pytest.mark.parametrize("answers", [True, False])
def test_what_a_dead_connection_has_lost_goes_where_she_comes_back(worker, answers):
    lost = ParkedFrames(b"one", b"", worker.key, 1, 1)
    question = SimpleNamespace(answer=lambda: [] if answers else [lost], sent={})
    worker.ann.ask = lambda: question
    worker.user.doubtful = (worker.ann,)
    worker.said(worker.stores("one"), "one")
    worker.moved("here", "there")
    reports = [one for one in worker.posted() if isinstance(one, Parked)]
    assert reports == [Parked("uuid-ann", [] if answers else [lost], MOVED, {worker.key: 1})]


def test_what_she_is_sent_has_no_gaps_and_ends_with_what_was_decided(worker):
    worker.leave(worker.ann)
    large = "x" * (600 << 10)
    for text in (large, large, "small"):
        worker.said(worker.stores(text), text)
    channel = worker.switchboard._participants["uuid-ada"].channels["uuid-ann"]
    assert not worker.switchboard.say(channel, worker.ada, ["more"], None), "too much at once"
    worker.switchboard.desk.part("uuid-ann", "uuid-ada", "uuid-ada")
    worker.switchboard.carry_out()
    back = FakeFeed()
    worker.enter(Role.USER, "ann", back)
    worker.rounds.all()
    assert back.sent == [large, "disconnected"]


def test_what_fails_once_does_not_stop_a_conversation(worker, monkeypatch):
    one = worker.stores("one")
    with monkeypatch.context() as broken:
        broken.setattr(worker.store, "entries", lambda *_, **__: 1 / 0)
        broken.setattr(worker.rounds, "sleep", lambda _: broken.undo())
        worker.said(worker.stores("two"), "two")
    worker.said(one, "one")
    assert worker.ann.sent == ["one", "two"]


def test_with_threads_nobody_goes_between_a_text_that_counts_as_delivered_and_its_telling(worker):
    """It would be sent to nobody, neither now nor on return."""
    worker.switchboard.guard_threads()
    guard: Any = worker.switchboard.guard
    order_, hand_out, busy = worker.delivery.order, worker.delivery.order._hand_out, []

    def probe() -> None:
        busy.append(not guard.acquire(blocking=False))

    def look(entries: Any) -> None:
        thread = threading.Thread(target=probe)
        thread.start()
        thread.join()
        hand_out(entries)

    order_._hand_out = look
    worker.said(worker.stores("one"), "one")
    assert busy == [True]
    assert worker.ann.sent == ["one"]


# ---- what is said while somebody moves ----------------------------------


def away(worker: Worker, *texts: str) -> FakeFeed:
    """Ann goes to the other worker, where these are stored; what she comes back with."""
    worker.leave(worker.ann)
    worker.moved("there")
    worker.posted()
    if texts:
        worker.stores(*texts)
    return FakeFeed()


def test_a_worker_that_is_no_more_is_not_waited_for_for_ever(worker):
    """Nobody knows how far she was sent it: what was stored when she came counts as sent."""
    back = away(worker, "one")
    worker.receives(Reached(worker.key, 1))
    worker.comes(back, "there")
    worker.said(worker.stores("two"), "two")
    worker.rounds.all()
    assert back.sent == ["two"]


def test_what_comes_too_late_is_sent_all_the_same(worker):
    back = away(worker, "one", "two")
    worker.receives(Reached(worker.key, 2))
    worker.comes(back, "there")
    worker.rounds.all()
    worker.report(2, "one", "two")
    assert back.sent == ["one", "two"]


def test_what_comes_too_late_while_the_history_is_read_is_sent(worker, monkeypatch):
    """Time has been up for a moment."""
    back = away(worker, "one")
    worker.receives(Reached(worker.key, 1))
    worker.comes(back, home="there")
    catch_up = worker.delivery.order.catch_up

    def come_meanwhile(conversation: Any) -> None:
        monkeypatch.undo()
        worker.report(1, "one")
        catch_up(conversation)

    (missed,) = worker.delivery.handover.unanswered
    stop = worker.delivery.handover.stop_waiting

    def begin(one: Any) -> None:
        stop(one)
        if one is missed:
            monkeypatch.setattr(worker.delivery.order, "catch_up", come_meanwhile)

    monkeypatch.setattr(worker.delivery.handover, "stop_waiting", begin)
    worker.rounds.all()
    assert back.sent == ["one"]


def test_what_comes_too_late_may_say_that_more_was_not_sent(worker):
    """The database was away there for longer than the report was waited for."""
    back = away(worker, "one", "two")
    worker.receives(Reached(worker.key, 2))
    worker.comes(back, home="there")
    worker.rounds.all()
    worker.report(0)
    assert back.sent == ["one", "two"]


@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_worker_of_the_version_before_has_parked_for_her_is_sent(worker, is_new):
    """It is replaced just now, and sends no report."""
    back = away(worker, "one")
    if is_new:
        worker.is_new_to()
    else:
        worker.receives(Reached(worker.key, 1))
    worker.comes(back, home="there")
    worker.parked(range(1, 2), "one")
    worker.rounds.all()
    assert back.sent == ["one"]


def test_what_a_third_worker_passes_on_is_delivered_also_in_a_conversation_that_is_over(worker):
    back = away(worker, "one")
    worker.receives(Reached(worker.key, 1))
    worker.comes(back, home="there")
    worker.rounds.all()
    some = [
        ParkedFrames(b"last words", b"", worker.key - 1, 3, 3),
        ParkedFrames(b"disconnected", b""),
        ParkedFrames(b"one", b"", worker.key, 1, 1),
    ]
    worker.inbox.read("a third one", [encode([Parked("uuid-ann", some, 5)])])
    worker.rounds.all()
    assert back.sent == ["last words", "disconnected", "one"]


def test_a_waiter_who_has_signed_in_elsewhere_was_sent_what_was_delivered_here(worker):
    own = EntryRow(worker.key, 1, Side.USER, "ann", None, TEXT.number, "one", 1)
    worker.store.commit(Batch(entries=[own]))
    worker.receives(Said(worker.key, Side.USER, "ann", 1, 1, ["one"]))
    worker.posted()
    worker.receives(NewLogin("uuid-ada", "C", 2))
    worker.ada_moved("there")
    (report,) = (one for one in worker.posted() if isinstance(one, Parked))
    assert report.sent == {worker.key: 1}


def test_what_the_desk_decided_is_not_lost_with_news_of_where_she_was(worker):
    worker.leave(worker.ann)
    worker.user.parked.append(ParkedFrames(b"frame", b""))
    worker.user.elsewhere = ("lost",)
    worker.moved_event("there", number=9)
    (report,) = (one for one in worker.posted() if isinstance(one, Parked))
    assert [parked.plain for parked in report.frames] == [b"frame"]


def test_what_a_dead_connection_here_has_lost_is_no_report_of_another_worker(worker):
    """Two more connections come and go; the second one waits for the report of a worker."""
    worker.moved("here", "there")
    worker.moved_event("here", number=5)
    worker.said(worker.stores("one"), "one")
    lost = [ParkedFrames(b"one", b"", worker.key, 1, 1)]
    question = SimpleNamespace(stays=False, sent={}, answer=lambda: lost, withdraw=lambda: lost)
    worker.ann.ask = lambda: question
    second = FakeFeed()
    second.ask = lambda: None
    worker.enter(Role.USER, "ann", second)
    worker.leave(worker.ann)
    worker.leave(second)
    worker.rounds.all()
    worker.report(0, about=5)
    third = FakeFeed()
    worker.enter(Role.USER, "ann", third)
    worker.rounds.all()
    assert third.sent == ["one"]


def test_a_waiter_with_many_visitors_is_forgotten(worker):
    """In one go: each of them is asked for by itself."""
    switchboard = worker.switchboard
    ada = switchboard._participants["uuid-ada"]
    for number in range(1000):
        identity = Identity(f"u{number}", "", TokenRole.USER)
        user = Participant(f"uuid-u{number}", Role.USER, identity)
        user.here = False
        switchboard._participants[user.uuid] = user
        user.conversation = worker.delivery.whereabouts.known_conversation(user, 10_000 + number)
        worker.delivery.join(user, ada, user.conversation)
    ada.here = False
    worker.delivery.whereabouts.forget(ada)
    assert {*switchboard._participants} == {"uuid-ada", "uuid-ann"}


@pytest.mark.parametrize("is_lost", [True, False])
def test_where_letters_were_lost_the_report_is_waited_for_once_more(worker, monkeypatch, is_lost):
    back = away(worker)
    worker.comes(back, "there")
    (missed,) = worker.delivery.handover.unanswered
    tries: list[float] = []

    def wait(seconds: float) -> bool:
        tries.append(seconds)
        if is_lost and len(tries) == 1:
            worker.delivery.doubt()
        return False

    monkeypatch.setattr(missed, "_enough", SimpleNamespace(wait=wait))
    worker.rounds.all()
    assert len(tries) == (2 if is_lost else 1)


def test_where_nobody_knows_letters_that_come_here_say_what_is_for_here(worker):
    """The worker where she was is no more; where it was said, it is known that she is here."""
    back = away(worker)
    worker.is_new_to()
    worker.comes(back, "there")
    two = worker.stores("one", "two")[1:]
    worker.delivery.order.catch_up(worker.conversation)
    worker.delivery.order.take(Said(worker.key, Side.WAITER, "ada", 1, two[0], ["two"]))
    worker.rounds.all()
    assert back.sent == ["two"]


@pytest.mark.parametrize("is_ada_here", [True, False])
def test_where_the_other_side_is_it_is_known_how_far_she_was_sent_it_when_she_went(
    worker, is_ada_here
):
    """The worker where she was is no more."""
    worker.said(worker.stores("one"), "one")
    back = away(worker)
    worker.moved()
    worker.said(worker.stores("two"), "two")
    worker.comes(back, ada=() if is_ada_here else ("there",))
    if not is_ada_here:
        worker.receives(Reached(worker.key, 2, "uuid-ann", 1))
    worker.rounds.all()
    assert back.sent == ["two"]


def test_where_she_comes_back_the_worker_of_the_other_side_says_how_far_she_was_sent_it(worker):
    worker.said(worker.stores("one"), "one")
    away(worker)
    worker.moved()
    worker.said(worker.stores("two"), "two")
    worker.moved("elsewhere")
    assert worker.posted() == [Reached(worker.key, 2, "uuid-ann", 1)]
    worker.moved("elsewhere", "a third one")
    assert worker.posted() == [Reached(worker.key, 2, "uuid-ann")]


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_what_is_still_to_be_sent_follows_her_over_several_workers(worker, is_asked_for):
    """She was not here for long enough to be sent it."""
    back = away(worker, "one", "two")
    worker.comes(back, home="there")
    worker.leave(back)
    if is_asked_for:
        worker.receives(Parked("uuid-ann", [], 7, asks=True))
    worker.moved_event("elsewhere", number=8)
    worker.report(1, "one")
    reports = [one for one in worker.posted() if isinstance(one, Parked) and one.frames]
    assert len(reports) == 1
    assert (reports[0].about, reports[0].sent) == (7 if is_asked_for else MOVED, {worker.key: 1})
    assert [parked.first for parked in reports[0].frames] == [1]
    assert back.sent == []


def test_a_worker_that_is_asked_for_somebody_unknown_has_nothing(worker):
    worker.receives(Parked("uuid-eve", [], 7, asks=True))
    assert worker.posted() == [Parked("uuid-eve", [], 7)]


def test_one_more_connection_asks_the_workers_that_have_others(worker):
    """Both of those may be dead, and one of them was to be sent what another one had missed."""
    second = FakeFeed()
    worker.switchboard.desk.about = {"elsewhere": ("there",), "came": 7}
    worker.enter(Role.USER, "ann", second)
    assert worker.post.letters == []
    worker.delivery.outgoing.send_off("there")
    ((_, letter),) = worker.post.letters
    assert decode(letter) == [Parked("uuid-ann", [], LEFT - 7, asks=True)]
    worker.said(worker.stores("one"), "one")
    worker.receives(Parked("uuid-ann", [ParkedFrames(b"older", b"")], LEFT - 7))
    assert worker.ann.sent == ["one"]
    assert second.sent == ["older", "one"]


def test_whoever_asks_is_answered_though_it_is_leaving_by_now(worker):
    """It would wait for the answer, and this worker for its report."""
    worker.moved("here", "there")
    worker.posted()
    worker.moved_event("here", number=5)
    worker.receives(Parked("uuid-ann", [], LEFT - 7, asks=True))
    assert Parked("uuid-ann", [], LEFT - 7, {worker.key: 0}) in worker.posted()


def test_whoever_loses_the_last_connection_says_so_where_others_are(worker):
    """What it was still to be sent is nowhere else; what others were sent as well is `live`."""
    worker.moved("here", "there")
    worker.posted()
    owed = SimpleNamespace(
        answer=lambda: [ParkedFrames(b"old", b"", worker.key, 1, 1)], sent={worker.key: 2}
    )
    some = [
        ParkedFrames(text, b"", worker.key, seq, seq) for seq, text in ((2, b"told"), (3, b"live"))
    ]
    worker.ann.take_missed = lambda: [owed, *some]
    worker.user.doubtful = (worker.ann,)
    worker.leave(worker.ann)
    (event,) = worker.moved_event("there", number=5)
    (report,) = (one for one in worker.posted() if isinstance(one, Parked))
    assert report.about == event.number
    assert [parked.plain for parked in report.frames] == [b"old"]
    assert [parked.plain for parked in report.live] == [b"live"]


@pytest.mark.parametrize("letter_first", [True, False])
def test_a_connection_that_comes_then_waits_for_what_the_leaving_one_was_to_tell(
    worker, letter_first
):
    worker.said(worker.stores("one"), "one")
    worker.moved("here", "there")  # the report: she was sent one, or her dead connection was
    worker.ann.sent.clear()
    steps = [
        lambda: worker.moved_event("here", number=5),
        lambda: worker.report(1, "one", about=5),
    ]
    for step in steps if letter_first else steps[:1]:
        step()
    second = FakeFeed()
    worker.enter(Role.USER, "ann", second)
    assert bool(worker.delivery.handover.unanswered) is not letter_first
    if not letter_first:
        steps[1]()
    assert (worker.ann.sent, second.sent) == ((["one"], []) if letter_first else ([], ["one"]))


def test_two_dead_connections_on_two_workers_miss_the_same_once(worker):
    """The desk does not know of the other one's end when this one ends."""
    worker.moved("here", "there")
    lost = [
        ParkedFrames(text, b"", worker.key, seq, seq) for seq, text in ((1, b"one"), (2, b"two"))
    ]
    worker.ann.take_missed = lambda: lost
    worker.user.doubtful = (worker.ann,)
    for text in ("one", "two"):
        worker.said(worker.stores(text), text)
    worker.leave(worker.ann)
    worker.moved_event("here", number=5)
    worker.report(1, about=5, live=[lost[0]])  # the other one was sent no more than that
    back = FakeFeed()
    worker.enter(Role.USER, "ann", back)
    worker.rounds.all()
    assert back.sent == ["one", "two"]


@pytest.mark.parametrize("has_left", [True, False])
def test_what_was_sent_here_is_not_sent_again_because_the_other_worker_has_read_it(
    worker, has_left
):
    """It looked at the history a moment after it had asked, and was not there for long enough."""
    worker.said(worker.stores("one"), "one")
    worker.moved("here", "there")  # the report: she was sent one
    worker.said(worker.stores("two"), "two")
    assert worker.ann.sent == ["one", "two"]
    if has_left:
        worker.leave(worker.ann)
    worker.moved_event("here", number=5)
    worker.report(3, "two", "three", about=5)
    worker.said(worker.stores("three"), "three")
    back = worker.ann
    if has_left:
        back = FakeFeed()
        worker.enter(Role.USER, "ann", back)
        worker.rounds.all()
    assert back.sent == (["three"] if has_left else ["one", "two", "three"])


def test_where_nothing_was_delivered_yet_all_that_is_stored_counts_as_sent(worker):
    """Nobody knows better, and she has moved on before the history was looked at."""
    away(worker, "one", "two")
    worker.is_new_to()
    worker.comes(FakeFeed())
    worker.moved_event("here", "elsewhere", number=5)
    reports = [one for one in worker.posted() if isinstance(one, Parked)]
    assert reports == [Parked("uuid-ann", [], MOVED, {worker.key: 2})]


def test_a_report_that_finds_nobody_goes_back_once(worker):
    letter = Parked("uuid-eve", [ParkedFrames(b"one", b"")], 5)
    worker.receives(letter)
    assert worker.posted() == [Parked("uuid-eve", letter.frames)]
    worker.receives(Parked("uuid-eve", letter.frames))
    assert worker.posted() == []


def test_the_end_of_a_conversation_is_sent_after_what_was_written_before_it(worker):
    worker.leave(worker.ann)
    worker.said(worker.stores("one"), "one")
    worker.stores("on its way")
    worker.switchboard.desk.part("uuid-ann", "uuid-ada", "uuid-ada")
    worker.receives(Reached(worker.key, 2))
    worker.switchboard.carry_out()
    back = FakeFeed()
    worker.enter(Role.USER, "ann", back)
    worker.rounds.all()
    assert back.sent == ["one", "on its way", "disconnected"]


def test_news_of_before_she_left_do_not_say_that_another_worker_speaks_for_her(worker):
    """The desk sends her back here as to a worker that knows her and her waiter."""
    worker.moved("here", "there")
    worker.leave(worker.ann)
    worker.moved("here", "there")
    assert worker.user.here
    worker.moved("there")
    assert not worker.user.here


def test_a_conversation_of_which_nobody_is_here_is_forgotten_though_its_waiter_has_others(worker):
    """As an old one it would be read to its end, and sent to whoever comes back."""
    worker.enter(Role.USER, "eve", FakeFeed())
    worker.switchboard.desk.connect("uuid-eve", None, Clock().new_key())
    worker.switchboard.carry_out()
    away(worker)
    assert len(worker.delivery.order.conversations) == 2
    ada = worker.switchboard._participants["uuid-ada"]
    worker.ada_moved("here", "there")
    worker.switchboard.exit(ada, worker.ada, deliberate=False)
    worker.ada_moved("there")
    (key,) = worker.delivery.order.conversations
    assert key != worker.key
    assert "uuid-ann" not in worker.switchboard._participants
    assert "uuid-ada" in worker.switchboard._participants


# ---- logins --------------------------------------------------------------


def test_of_two_logins_that_cross_the_newer_one_stays(worker):
    older = worker.signs_in("B", 1)
    worker.receives(NewLogin("uuid-ada", "C", 2))
    assert older.sent == ["replaced"]
    newer = worker.signs_in("D", 3)
    worker.receives(NewLogin("uuid-ada", "C", 2))
    assert newer.sent == []


def test_an_older_login_elsewhere_learns_of_the_newer_one(worker):
    """The letter that did so before was lost."""
    worker.signs_in("C", 2)
    worker.ada_moved("here", "there")
    logins = [one for one in worker.posted() if isinstance(one, NewLogin)]
    assert logins == [NewLogin("uuid-ada", "C", 2)]
    worker.receives(NewLogin("uuid-ada", "B", 1))
    assert worker.posted() == [NewLogin("uuid-ada", "C", 2)]
    worker.receives(NewLogin("uuid-ada", "C", 4))
    worker.receives(NewLogin("uuid-ada", "B", 3))
    assert worker.posted() == [NewLogin("uuid-ada", "C", 4)], "it has come back there"


# ---- what the desk decides, as entries --------------------------------------


def ended(**fields: Any) -> Parted:
    """Ada has ended the chat, as another worker has decided it."""
    return Parted(user="uuid-ann", waiter="uuid-ada", gone="uuid-ada", number=9, **fields)


def stored(worker: Worker) -> list[tuple[str, str | None]]:
    """The events in the history: what each says, and its client id."""
    rows = [row for row in worker.store.entries(worker.key) if row.kind == EVENT.number]
    return [(json.loads(row.data or "")["what"], row.client_id) for row in rows]


@pytest.mark.parametrize("is_confided", [False, True])
def test_an_event_that_its_recorder_does_not_write_another_worker_does(worker, is_confided):
    worker.figures.look()  # all workers can read events
    worker.switchboard._act([ended(is_recorder=False, is_confided=is_confided)])
    worker.rounds.all()
    assert stored(worker) == []
    worker.rounds.passes(60.0)
    worker.switchboard.write_missing_events()
    worker.rounds.all()
    assert stored(worker) == ([] if is_confided else [("ended", "decision:9")])


@pytest.mark.parametrize("is_away", [False, True])
def test_an_event_that_is_written_after_both_have_moved_on_follows_them(worker, is_away):
    worker.figures.look()
    worker.switchboard._act([ended(is_recorder=False)])
    worker.leave(worker.ann)
    worker.moved("there")
    worker.switchboard.exit(worker.user.former.to, worker.ada, deliberate=False)
    worker.ada_moved("there")
    worker.posted()
    worker.rounds.passes(60.0)
    worker.desk_is_away = is_away
    worker.switchboard.write_missing_events()
    worker.rounds.spawn(lambda: setattr(worker, "desk_is_away", False))
    worker.rounds.all()
    assert stored(worker) == [("ended", "decision:9")]
    assert "where uuid-ann is" in {to for to, _ in worker.post.letters}


def test_an_event_that_is_stored_late_is_not_for_a_waiter_who_has_handed_the_user_over(worker):
    """Ann has come anew meanwhile, by another channel."""
    events = worker.delivery._events._entries
    ada = worker.user.channel.to
    events.write(events.new(Channel(ada, worker.user, worker.conversation), EventPayload("joined")))
    worker.comes(FakeFeed())
    handed = Parted(
        "uuid-ann", "uuid-ada", "uuid-ada", Reason.TRANSFERRED, requeued=True,
        conversation=worker.key, number=20, is_recorder=False,
    )  # fmt: skip
    worker.switchboard._act([handed])
    worker.ada.sent.clear()
    worker.rounds.all()
    assert stored(worker) == [("joined", None)]
    assert worker.ada.sent == []


def test_an_event_of_whom_this_worker_has_forgotten_follows_them(worker):
    """Ann, who was handed over and is not here, and her conversation are forgotten meanwhile."""
    worker.figures.look()
    worker.leave(worker.ann)
    worker.moved_event("there", number=19)
    handed = Parted(
        "uuid-ann", "uuid-ada", "uuid-ada", Reason.TRANSFERRED, requeued=True,
        conversation=worker.key, number=20, is_recorder=False,
    )  # fmt: skip
    worker.switchboard._act([handed])
    worker.posted()
    assert worker.key not in worker.delivery.order.conversations
    worker.rounds.passes(60.0)
    worker.switchboard.write_missing_events()
    worker.rounds.all()
    assert stored(worker)[-1] == ("transferred", "decision:20")
    assert "where uuid-ann is" in {to for to, _ in worker.post.letters}


def joins_another(worker: Worker, number: int) -> None:
    """Ada serves bob, who has waited; another worker was to record that, and has not."""
    bob = waits_again(worker)
    worker.rounds.all()
    worker.switchboard._act(
        [Matched(bob.uuid, "uuid-ada", conversation=77, number=number, is_recorder=False)]
    )
    worker.rounds.all()
    assert worker.store.conversation(77).waiter_subject is None
    worker.rounds.passes(60.0)


def loses_ada(worker: Worker, number: int) -> None:
    """Bob waits again, since ada was lost; another worker was to record that, and has not."""
    lost = Parted(
        "uuid-bob", "uuid-ada", "uuid-ada", Reason.LOST, requeued=True, conversation=77,
        number=number, is_recorder=False,
    )  # fmt: skip
    worker.switchboard._act([lost])
    worker.rounds.passes(60.0)


def writes_missing(worker: Worker) -> str | None:
    """The worker writes what others have not: who serves bob in the history then."""
    worker.switchboard.write_missing_events()
    worker.rounds.all()
    return worker.store.conversation(77).waiter_subject


def test_who_writes_an_event_for_its_recorder_saves_who_serves(worker):
    joins_another(worker, 9)
    assert writes_missing(worker) == "ada"
    loses_ada(worker, 10)
    assert writes_missing(worker) is None
    assert not worker.switchboard.events_wait


def test_of_two_decisions_that_nobody_has_recorded_the_later_one_is_saved(worker):
    joins_another(worker, 9)
    read = worker.store.last_events

    def parts_meanwhile(keys: list[int]) -> dict[int, EntryRow]:
        worker.store.last_events = read
        found = read(keys)
        loses_ada(worker, 10)
        worker.switchboard.write_missing_events()
        return found

    worker.store.last_events = parts_meanwhile
    writes_missing(worker)
    assert worker.switchboard.events_wait
    assert writes_missing(worker) is None
    assert not worker.switchboard.events_wait


LATER = EntryRow(
    77, 2, Side.SERVER, "ada", "decision:10", EVENT.number, "", 2,
    EVENT.body(EventPayload("left", "ada", "lost")).data,
)  # fmt: skip


@pytest.mark.parametrize("last", [{77: LATER}, {}], ids=["later", "erased"])
def test_who_serves_is_not_saved_over_what_came_after_it(worker, last):
    """The letter of a later decision may still be on the way; its recorder has saved the row."""
    joins_another(worker, 9)
    worker.store.last_events = lambda keys: last
    assert writes_missing(worker) is None
    assert not worker.switchboard.events_wait


@pytest.mark.parametrize(
    ("since", "server"), [(8, "ada"), (9, "ada"), (10, None)], ids=["before", "then", "after"]
)
def test_who_serves_is_saved_where_somebody_comes_whose_former_worker_may_not_have_saved_it(
    worker, since, server
):
    """Ada has served bob *since* another decision, that she was lost; or it was that which came."""
    data = EVENT.body(EventPayload("left", "ada", "lost")).data
    left = EntryRow(
        77, 1, Side.SERVER, "ada", f"decision:{since}", EVENT.number, "", 1, data
    )  # fmt: skip
    row = ConversationRow(77, "uuid-bob", "bob", opened=1)
    worker.store.commit(Batch([row], entries=[left], has_data=True))
    ada = Known("uuid-ada", Role.WAITER, "ada", "ada", ("there",))
    place = Place((OpenConversation(ada, 77),), 77, begun=True, number=9)
    worker.switchboard.desk.about = {"place": place}
    worker.enter(Role.USER, "bob", FakeFeed())
    worker.switchboard.desk.about = {}
    assert writes_missing(worker) == server
    assert worker.store.conversation(77).waiter_name == (server or "")


def test_who_serves_is_saved_as_soon_as_the_history_can_be_read(worker):
    joins_another(worker, 9)
    read = worker.store.last_events

    def fail(keys: list[int]) -> None:
        worker.store.last_events = read
        raise StoreError("it is locked")

    worker.store.last_events = fail
    assert writes_missing(worker) is None
    assert worker.switchboard.events_wait, "a stop waits for it"
    assert writes_missing(worker) == "ada"
    assert not worker.switchboard.events_wait


def test_an_event_that_a_letter_was_about_is_not_written_again(worker):
    worker.figures.look()
    worker.switchboard._act([ended(is_recorder=False)])
    seq = worker.conversation.last_seq + 1
    data = EVENT.body(EventPayload("ended")).data
    message = EntryRow(worker.key, seq, Side.SERVER, "ada", "decision:9", EVENT.number, "", 9, data)
    worker.store.commit(Batch(entries=[message], has_data=True))
    worker.receives(
        Said(worker.key, Side.SERVER, "ada", 9, seq, [""], ids=["decision:9"],
             kind=EVENT.number, data=data)
    )  # fmt: skip
    worker.rounds.passes(60.0)
    worker.switchboard.write_missing_events()
    worker.rounds.all()
    assert stored(worker) == [("ended", "decision:9")]


def test_a_stop_waits_for_an_event_that_nobody_has_written_yet(worker):
    worker.figures.look()
    worker.switchboard._act([ended(is_recorder=False)])
    worker.rounds.all()
    assert worker.switchboard.events_wait
    worker.rounds.passes(60.0)
    worker.switchboard.write_missing_events()
    worker.rounds.all()
    assert not worker.switchboard.events_wait


def test_of_workers_that_close_the_same_conversation_at_the_start_one_writes_its_end(worker):
    rows = [ConversationRow(key, "uuid-eve", "eve", opened=1) for key in (91, 92)]
    worker.store.open_conversations = lambda: rows
    ends = partial(worker.store.entries, 91)
    for _ in range(2):
        worker.switchboard.delivery.remembered()
        worker.switchboard.write_missing_events()
        worker.rounds.all()
        assert not ends(), "a worker that shares the desk may not be able to read it"
    assert not worker.switchboard.events_wait, "a stop would wait until that worker has gone"
    worker.figures.look()
    assert worker.switchboard.events_wait
    worker.switchboard.write_missing_events()
    worker.rounds.all()
    (end,) = ends()
    assert (end.seq, end.kind, end.data) == (1, EVENT.number, '{"what":"ended"}')
    assert not worker.switchboard.events_wait


def waits_again(worker: Worker) -> Participant:
    """Bob comes, who waits to be served again since another worker has seen that ada was lost."""
    data = EVENT.body(EventPayload("left", "ada", "lost")).data
    events = [EntryRow(77, 1, Side.SERVER, "ada", None, EVENT.number, "", 1, data)]
    row = ConversationRow(77, "uuid-bob", "bob", opened=1)
    worker.store.commit(Batch([row], entries=events, has_data=True))
    worker.figures.look()
    worker.switchboard.desk.about = {"place": Place((), 77, begun=True, ticket=1)}
    worker.enter(Role.USER, "bob", FakeFeed())
    worker.switchboard.desk.about = {}
    return worker.switchboard._participants["uuid-bob"]


def joins_and_hears(worker: Worker, user: Participant) -> list[tuple[int, str]]:
    """Ada serves *user*, who writes at once; what is stored then: each `seq`, and what it says."""
    matched = Matched(user=user.uuid, waiter="uuid-ada", number=9, conversation=77)
    worker.switchboard._act([matched])
    feed: Any = user.connections[0]
    assert worker.switchboard.say(user.channel, feed, ["hello"], ["1"])
    worker.rounds.all()
    rows = worker.store.entries(77)
    return [(row.seq, json.loads(row.data)["what"] if row.data else row.body) for row in rows]


def test_who_was_lost_is_known_when_a_waiter_joins_a_user_who_has_waited_here(worker):
    user = waits_again(worker)
    worker.rounds.all()
    worker.store.last_events = None  # nothing is read any more
    assert joins_and_hears(worker, user) == [(1, "left"), (2, "returned"), (3, "hello")]


def test_where_it_has_to_be_read_then_a_text_may_stand_before_it(worker):
    user = waits_again(worker)
    assert joins_and_hears(worker, user) == [(1, "left"), (2, "hello"), (3, "returned")]


def test_what_a_visitor_of_another_worker_has_filled_in_is_stored_with_its_waiter(worker):
    """The waiter is shown what is stored, and this worker may be the first to store."""
    known = Known("uuid-bob", Role.USER, "bob", "", ("there",))
    matched = Matched(
        "uuid-bob", "uuid-ada", conversation=77, page="https://s.example/",
        fields='{"name":"Bob"}', people=(known,),
    )  # fmt: skip
    worker.switchboard._act([matched])
    worker.rounds.all()
    row = worker.store.conversation(77)
    assert (row.page, row.fields, row.user_name) == (matched.page, matched.fields, "Bob")


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_conversation_that_has_gone_on_elsewhere_does_not_begin_anew(worker, has_begun):
    """Another worker tells a desk of it that has lost everything, when its user is here already."""
    event = EntryRow(77, 1, Side.USER, "bob", None, TEXT.number, "hello", 1)
    row = ConversationRow(77, "uuid-bob", "bob", opened=1)
    if has_begun:
        worker.store.commit(Batch([row], entries=[event]))
    worker.enter(Role.USER, "bob", FakeFeed())
    matched = Matched("uuid-bob", "uuid-ada", conversation=77, has_begun=has_begun)
    worker.switchboard._act([matched])
    bob = worker.switchboard._participants["uuid-bob"]
    assert bob.conversation.behind is has_begun
    worker.delivery.order.catch_up(bob.conversation)
    assert bob.conversation.last_seq == has_begun


def test_what_an_earlier_worker_would_take_for_a_text_is_not_written(worker):
    channel = worker.user.channel
    data = RATING.body(RatingPayload(5)).data
    rate = partial(worker.switchboard.say, channel, worker.ann, ["Fine"], ["1"], RATING, data)
    assert not rate(), "some worker cannot read it"
    worker.figures.look()
    assert rate()


def test_a_kind_of_a_later_version_is_sent_to_nobody_and_counts(worker):
    entries: list[Any] = []
    worker.ann.deliver = entries.append
    worker.receives(
        Said(worker.key, Side.WAITER, "ada", 9, 1, ["for colleagues"], kind=99, data=None),
        Said(worker.key, Side.WAITER, "ada", 9, 2, ["one"]),
    )
    worker.rounds.all()
    assert worker.conversation.last_seq == 2
    first, last = entries
    assert (first.for_version_1(), b"for colleagues" in first.for_version_2()) == (b"", False)
    assert b"one" in last.for_version_1()
