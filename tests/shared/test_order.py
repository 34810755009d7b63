"""One worker of several, and letters in every order: each text is told once, in its turn.

The other worker is the test: it stores texts and posts letters when it likes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.clock import Clock
from services.desk.memory import MemoryDesk
from services.desk.port import Arrival, Known, Moved, Role
from services.history.port import Batch, Kind, Message, Side
from services.history.sql import SQLStore, open_store
from services.history.writer import Writer
from services.identity import Identity, TokenRole
from services.participants import Kept
from services.shared import order
from services.shared.letters import NewLogin, Parked, Reached, Said, decode, encode
from services.shared.switchboard import SharedSwitchboard
from services.wire.dialect import DIALECTS
from testkit.server import PATIENCE

GRACE = 60.0


class Rounds:
    """A runtime whose next round comes when a test wants it."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], Any]] = deque()

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        """Run it in `all`."""
        self._calls.append(lambda: function(*args))

    def call_soon(self, function: Callable[[], None]) -> None:
        """Run it in `all`."""
        self._calls.append(function)

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
        """Nobody else would do anything meanwhile."""
        raise AssertionError("waits for ever")

    def all(self) -> None:
        """Until nothing is to be done."""
        while self._calls:
            self._calls.popleft()()


class Ear:
    """A socket of version 1: remembers what it is told."""

    dialect = DIALECTS[1]

    def __init__(self) -> None:
        self.told: list[str] = []

    def put(self, frame: bytes) -> None:
        """Parked frames: tests give them as bare words."""
        self.told.append(frame.decode())

    def bring(self, kept: Any, frame: bytes) -> None:
        """Parked frames."""
        self.put(frame)

    def hear(self, spoken: Any) -> None:
        """Texts."""
        self.told += spoken.texts

    def stored(self, spoken: Any) -> None: ...

    def meet(self, line: Any, frame: Any) -> None: ...

    def part(self, talk: Any, frame: Any) -> None: ...

    def welcome(self, participant: Any, arrival: Any) -> None: ...

    def take_question(self) -> None: ...

    def fail(self) -> None: ...

    def replace(self) -> None:
        """By a newer login."""
        self.told.append("replaced")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLStore]:
    """An empty history."""
    with closing(open_store(f"sqlite:///{tmp_path / 'csapp.db'}")) as store:
        store.migrate()
        yield store


class Numbered(MemoryDesk):
    """Arrivals have the number that a test gives them."""

    came = 0

    def arrive(
        self, role: Role, subject: str, uuid: str, name: str = "", address: str = ""
    ) -> Arrival:
        return replace(super().arrive(role, subject, uuid, name, address), came=self.came)


class Worker:
    """A worker with ann and ada in a chat; `elsewhere` is what the other one does."""

    def __init__(self, store: SQLStore) -> None:
        self.store = store
        self.rounds = Rounds()
        runtime: Any = self.rounds
        writer = Writer(store, runtime, lambda: 1.7e9)
        desk = Numbered(capacity=5, max_queue=5, grace=GRACE, now=lambda: 0.0)
        self.post = SimpleNamespace(letters=[])
        self.post.post = lambda *letter: self.post.letters.append(letter)
        self.switchboard = SharedSwitchboard(
            desk, 1 << 20, store, writer, lambda *_: "", worker="here", runtime=runtime
        )
        self.switchboard.connect(self.post)
        self.ann, self.ada = Ear(), Ear()
        self.enter(Role.WAITER, "ada", self.ada)
        self.enter(Role.USER, "ann", self.ann)
        desk.ready("uuid-ada")
        desk.connect("uuid-ann", None, Clock().new_key())
        self.switchboard.carry_out()
        self.user = self.switchboard._participants["uuid-ann"]
        talk: Any = self.user.talk
        self.talk = talk
        self.key = talk.record.key
        self.rounds.all()

    def enter(self, role: Role, name: str, ear: Ear, sid: str = "") -> None:
        """*name* comes over a socket of this worker, with the login *sid*."""
        identity = Identity(name, name, TokenRole(role), sid)
        self.switchboard.enter(role, identity, f"uuid-{name}", ear)

    def leave(self, ear: Ear) -> None:
        """Ann loses the line of *ear*."""
        self.switchboard.exit(self.user, ear, deliberate=False)

    def moved(self, *workers: str) -> None:
        """The desk says on which workers ann is."""
        self._moved(Known("uuid-ann", Role.USER, "ann", "ann", workers))

    def _moved(self, known: Known) -> None:
        self.switchboard._act([Moved(known.uuid, people=(known,))])
        self.rounds.all()

    def signs_in(self, sid: str, came: int) -> Ear:
        """Ada does so here, as the desk's arrival of this number; her login here before is over."""
        ear = Ear()
        self.switchboard.desk.came = came
        self.enter(Role.WAITER, "ada", ear, sid)
        return ear

    def ada_moved(self, *workers: str) -> None:
        """The desk says on which workers ada is."""
        self._moved(Known("uuid-ada", Role.WAITER, "ada", "ada", workers))

    def posted(self) -> list[Any]:
        """The letters to the other worker since the last look."""
        self.rounds.all()
        letters = [one for _, piece in self.post.letters for one in decode(piece)]
        self.post.letters.clear()
        return letters

    def stores(self, *texts: str) -> range:
        """The other worker stores texts of ada's, and has not told of them; their numbers."""
        first = self.store.ends([self.key])[self.key] + 1
        rows = [
            Message(self.key, first + i, Side.WAITER, "ada", None, Kind.TEXT, text, 1)
            for i, text in enumerate(texts)
        ]
        self.store.commit(Batch(messages=rows))
        return range(first, first + len(texts))

    def said(self, seqs: range, *texts: str) -> None:
        """A letter with them comes."""
        self.hears(Said(self.key, Side.WAITER, "ada", 1, seqs[0], list(texts)))

    def parked(self, seqs: range, text: str) -> None:
        """A letter comes: they were kept for ann there."""
        self.hears(Parked("uuid-ann", [Kept(text.encode(), b"", self.key, seqs[0], seqs[-1])]))

    def hears(self, *letters: Any) -> None:
        """Letters come, and what follows from them is done."""
        self.switchboard.heard("there", [encode(list(letters))])
        self.rounds.all()


@pytest.fixture
def worker(store: SQLStore) -> Worker:
    return Worker(store)


def test_what_comes_early_waits_for_what_is_missing(worker):
    worker.stores("one", "two")
    three = worker.stores("three")
    worker.said(three, "three")
    assert worker.ann.told == ["one", "two", "three"]


def test_what_comes_twice_is_told_once(worker):
    both = worker.stores("one", "two")
    worker.said(both[:1], "one")
    worker.said(both, "one", "two")
    worker.said(both, "one", "two")
    assert worker.ann.told == ["one", "two"]


def test_what_was_told_of_in_a_letter_that_is_lost_is_read(worker):
    worker.stores("one")
    worker.hears(Reached(worker.key, 1))
    assert worker.ann.told == ["one"]
    worker.stores("two")
    worker.switchboard.check_all()
    worker.rounds.all()
    assert worker.ann.told == ["one", "two"]


def test_what_waits_for_a_gap_has_a_bound_and_the_rest_is_read(worker, monkeypatch):
    monkeypatch.setattr(order, "MOST_HELD", 10_000)
    texts = [f"text {number}" for number in range(500)]
    seqs = worker.stores(*texts)
    letters = [
        Said(worker.key, Side.WAITER, "ada", 1, seq, [text])
        for seq, text in zip(seqs, texts, strict=True)
    ]
    worker.switchboard.heard("there", [encode(letters[1:])])
    assert 10_000 < worker.switchboard.held < 11_000
    worker.rounds.all()
    assert worker.ann.told == texts
    assert worker.switchboard.held == 0


@pytest.mark.parametrize("reached_first", [True, False])
def test_what_was_kept_elsewhere_and_is_read_here_is_told_once(worker, reached_first):
    one = worker.stores("one")
    letters = [
        Reached(worker.key, 1),
        Parked("uuid-ann", [Kept(b"one", b"", worker.key, 1, 1)]),
    ]
    for letter in letters if reached_first else letters[::-1]:
        worker.hears(letter)
    worker.said(one, "one")
    assert worker.ann.told == ["one"]


def test_what_passed_here_while_she_was_elsewhere_is_told_from_what_was_kept(worker):
    worker.leave(worker.ann)
    worker.moved("there")
    worker.moved()  # and lost her line there
    one = worker.stores("one")
    worker.said(one, "one")  # for ada, who is here
    back = Ear()
    worker.enter(Role.USER, "ann", back)
    worker.rounds.all()
    worker.parked(one, "one")
    two = worker.stores("two")
    worker.said(two, "two")
    assert back.told == ["one", "two"]


def test_where_nothing_is_known_yet_what_was_kept_comes_first_and_once(worker):
    worker.talk.behind = worker.talk.fresh = True  # as when both have just come
    one, two = worker.stores("one"), worker.stores("two")
    worker.parked(one, "one")
    worker.said(two, "two")
    assert worker.ann.told == ["one", "two"]


def test_what_was_found_stored_before_its_letter_came_is_told_once(worker):
    """A look at the history is quicker than a letter: it is no word that she was told."""
    worker.talk.behind = worker.talk.fresh = True  # as when she has just come
    one, two = worker.stores("one"), worker.stores("two")
    worker.parked(one, "one")
    worker.switchboard.catch_up(worker.talk)
    for _ in range(2):
        worker.said(two, "two")
    three = worker.stores("three")
    worker.said(three, "three")
    assert worker.ann.told == ["one", "two", "three"]


def test_letters_of_several_workers_may_overtake_one_another(worker):
    """Ann's own last text, of the worker that she has left, and ada's, of another one."""
    worker.talk.behind = worker.talk.fresh = True
    one = worker.stores("one")
    own = Message(worker.key, 2, Side.USER, "ann", None, Kind.TEXT, "own", 1)
    worker.store.commit(Batch(messages=[own]))
    worker.switchboard.catch_up(worker.talk)
    worker.hears(Said(worker.key, Side.USER, "ann", 1, 2, ["own"]))
    worker.said(one, "one")
    assert worker.ann.told == ["one"]


@pytest.mark.parametrize("side", [Side.WAITER, Side.USER])
def test_version_2_has_it_in_its_page_of_the_history(worker, side):
    """Its letter, waiting for a turn behind later ones, would cut the page short."""
    worker.ann.dialect = DIALECTS[2]
    worker.talk.behind = worker.talk.fresh = True
    one = worker.stores("one")
    worker.switchboard.catch_up(worker.talk)
    worker.hears(Said(worker.key, side, "ada", 1, one[0], ["one"]))
    assert worker.ann.told == []


@pytest.mark.parametrize("letter_first", [True, False])
def test_what_a_dead_connection_swallowed_and_a_letter_brings_is_told_once(worker, letter_first):
    worker.talk.behind = worker.talk.fresh = True
    one = worker.stores("one")
    worker.switchboard.catch_up(worker.talk)
    ways = [lambda: worker.said(one, "one"), lambda: worker.parked(one, "one")]
    for bring in ways if letter_first else ways[::-1]:
        bring()
    assert worker.ann.told == ["one"]


def test_what_was_found_stored_and_is_kept_elsewhere_waits_for_it(worker):
    worker.talk.behind = worker.talk.fresh = True
    one = worker.stores("one")
    worker.switchboard.catch_up(worker.talk)
    worker.hears(Said(worker.key, Side.WAITER, "ada", 1, one[0], ["one"], kept=True))
    worker.parked(one, "one")
    assert worker.ann.told == ["one"]


def test_what_comes_for_somebody_who_is_being_let_in_waits_for_her(worker, monkeypatch):
    """The worker where it was kept knows of her before the desk's answer has come here."""
    letter = encode([Parked("uuid-eve", [Kept(b"one", b"")])])
    handled, eve, arrive = threading.Event(), Ear(), worker.switchboard.desk.arrive

    def hear() -> None:
        worker.switchboard.heard("there", [letter])
        handled.set()

    reader = threading.Thread(target=hear)

    def answer_late(*about: Any) -> Arrival:
        arrival = arrive(*about)
        newcomer = worker.switchboard._newcomer
        wait = newcomer.wait
        monkeypatch.setattr(newcomer, "wait", lambda: handled.set() or wait())
        reader.start()
        assert handled.wait(PATIENCE)
        return arrival

    monkeypatch.setattr(worker.switchboard.desk, "arrive", answer_late)
    worker.enter(Role.USER, "eve", eve)
    reader.join(PATIENCE)
    assert eve.told == ["one"]


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

        worker.switchboard._newcomer = SimpleNamespace(wait=wait)

    come()
    letters = [encode([Reached(number, 1), Reached(number + 1, 1)]) for number in (1, 3)]
    worker.switchboard.heard("there", letters)
    assert len(known) == 1


def test_what_this_worker_keeps_goes_where_she_comes_back(worker):
    worker.leave(worker.ann)
    one = worker.stores("one")
    worker.said(one, "one")
    worker.moved("there")
    ((addressee, letter),) = worker.post.letters
    parked, reached = decode(letter)
    assert addressee == "there"
    assert [(kept.talk, kept.first, kept.last) for kept in parked.kept] == [(worker.key, 1, 1)]
    assert b"one" in parked.kept[0].plain
    assert reached == Reached(worker.key, 1)


@pytest.mark.parametrize("answers", [True, False])
def test_what_a_dead_connection_has_swallowed_goes_where_she_comes_back(worker, answers):
    swallowed = Kept(b"one", b"", worker.key, 1, 1)
    question = SimpleNamespace(verdict=lambda: [] if answers else [swallowed])
    worker.ann.ask = lambda: question
    worker.user.doubtful = (worker.ann,)
    worker.moved("here", "there")
    parked = [one for one in worker.posted() if isinstance(one, Parked)]
    assert parked == ([] if answers else [Parked("uuid-ann", [swallowed])])


def test_what_is_kept_has_no_gaps_and_ends_with_what_was_decided(worker):
    worker.leave(worker.ann)
    large = "x" * (600 << 10)
    for text in (large, large, "small"):
        worker.said(worker.stores(text), text)
    assert [kept.first for kept in worker.user.parked] == [1]
    line = worker.switchboard._participants["uuid-ada"].lines["uuid-ann"]
    assert not worker.switchboard.say(line, worker.ada, ["more"], None), "it could not be kept"
    worker.switchboard.desk.part("uuid-ann", "uuid-ada", "uuid-ada")
    worker.switchboard.carry_out()
    assert b"disconnected" in worker.user.parked[-1].plain


def test_what_fails_once_does_not_stop_a_conversation(worker, monkeypatch):
    one = worker.stores("one")
    with monkeypatch.context() as broken:
        broken.setattr(worker.store, "messages", lambda *_, **__: 1 / 0)
        broken.setattr(worker.rounds, "sleep", lambda _: broken.undo())
        worker.said(worker.stores("two"), "two")
    worker.said(one, "one")
    assert worker.ann.told == ["one", "two"]


# ---- logins --------------------------------------------------------------


def test_of_two_logins_that_cross_the_newer_one_stays(worker):
    older = worker.signs_in("B", 1)
    worker.hears(NewLogin("uuid-ada", "C", 2))
    assert older.told == ["replaced"]
    newer = worker.signs_in("D", 3)
    worker.hears(NewLogin("uuid-ada", "C", 2))
    assert newer.told == []


def test_an_older_login_elsewhere_is_told_of_the_newer_one(worker):
    """The letter that did so before was lost."""
    worker.signs_in("C", 2)
    worker.ada_moved("here", "there")
    assert worker.posted() == [NewLogin("uuid-ada", "C", 2)]
    worker.hears(NewLogin("uuid-ada", "B", 1))
    assert worker.posted() == [NewLogin("uuid-ada", "C", 2)]
    worker.hears(NewLogin("uuid-ada", "C", 4))
    worker.hears(NewLogin("uuid-ada", "B", 3))
    assert worker.posted() == [NewLogin("uuid-ada", "C", 4)], "it has come back there"


def test_what_is_said_here_while_she_is_away_everywhere_is_kept_here(worker):
    worker.leave(worker.ann)
    worker.moved("there")
    worker.moved()
    line = worker.switchboard._participants["uuid-ada"].lines["uuid-ann"]
    worker.switchboard.say(line, worker.ada, ["mine"], None)
    worker.rounds.all()
    assert [kept.first for kept in worker.user.parked] == [1]


def test_what_another_worker_keeps_is_not_kept_here_besides(worker):
    worker.leave(worker.ann)
    one = worker.stores("one")
    worker.hears(Said(worker.key, Side.WAITER, "ada", 1, one[0], ["one"], kept=True))
    assert not worker.user.parked


def test_what_was_kept_and_comes_behind_newer_ones_is_not_told_any_more(worker):
    worker.leave(worker.ann)
    worker.moved("there")
    worker.moved()
    both = worker.stores("one"), worker.stores("two")
    for seqs, text in zip(both, ("one", "two"), strict=True):
        worker.said(seqs, text)
    back = Ear()
    worker.enter(Role.USER, "ann", back)
    worker.rounds.all()
    worker.parked(both[1], "two")
    worker.parked(both[0], "one")
    assert back.told == ["two"]
