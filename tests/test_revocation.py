"""Revoked logins and subjects: known at once here, within a look elsewhere, forgotten in time."""

from __future__ import annotations

import logging

import pytest

from services.history.opening import open_store
from services.history.port import StoreError
from services.identity import Identity, TokenRole
from services.revocation import (
    ANONYMOUS_LOGINS,
    FIRST,
    FORGET,
    HOUR,
    LOOK,
    SLICE,
    WEEK,
    Revocations,
    date,
)
from services.settings import MAX_LIFETIME
from services.timers import TICK, Wheel

ANN = Identity("ann", "Ann", TokenRole.USER, "login-1")
START = 1_800_000_000_000  # ms


class Hand:
    """A runtime that does everything at once, and a wall clock moved by hand."""

    name = "hand"

    def __init__(self) -> None:
        self.ms = START
        self.off_the_loop = 0
        self.wheel = Wheel(self)
        self.wheel._running = True  # nobody ticks it but `live`

    def spawn(self, function, *args) -> None:
        function(*args)

    def blocking(self, function, *args):
        self.off_the_loop += 1
        return function(*args)

    def sleep(self, seconds: float) -> None:
        pass

    def now(self) -> float:
        return self.ms / 1000

    def live(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.ms += round(TICK * 1000)
            self.wheel.tick()


class Stub:
    """What `Revocations` asks of a store."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str, int]] = []
        self.down = False
        self.asked: list[int] = []

    def revoke(self, *, sid="", subject="", now) -> None:
        if self.down:
            raise StoreError("no line")
        self.rows.append((len(self.rows) + 1, sid, subject, now))

    def revoked(self, after, since=0, limit=1 << 31):
        if self.down:
            raise StoreError("no line")
        self.asked.append(after)
        return sorted(row for row in self.rows if row[0] > after and row[3] >= since)[:limit]

    def is_revoked(self, sid, subject, signed):
        if self.down:
            raise StoreError("no line")
        return any(
            (one and one == sid) or (who and who == subject and at >= signed)
            for _, one, who, at in self.rows
        )

    def prune_revoked(self, *, sids, subjects):
        self.rows = [
            row for row in self.rows if row[3] >= (sids if row[1] else subjects)
        ]  # fmt: skip
        return False


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture(params=["stub", "sqlite"])
def store(request, tmp_path):
    if request.param == "stub":
        yield Stub()
        return
    real = open_store(f"sqlite:///{tmp_path}/csapp.db")
    real.migrate()
    yield real
    real.close()


def revocations(hand: Hand, store) -> tuple[Revocations, list[tuple[str, str, int]]]:
    closed: list[tuple[str, str, int]] = []
    return Revocations(store, hand, hand.wheel, closed.extend, now=hand.now), closed


def started(hand: Hand, store) -> tuple[Revocations, list[tuple[str, str, int]]]:
    made, closed = revocations(hand, store)
    made.start()
    return made, closed


def test_a_login_is_revoked_whenever_it_was_signed(hand, store):
    store.revoke(sid="login-1", now=START)
    one, _ = started(hand, store)
    assert one.is_revoked(ANN, START - 1)
    assert one.is_revoked(ANN, START + 1)
    assert not one.is_revoked(Identity("ann", sid="login-2"), START - 1), "another login"


def test_a_subject_is_revoked_until_that_moment(hand, store):
    store.revoke(subject="ann", now=START)
    one, _ = started(hand, store)
    assert one.is_revoked(ANN, START)
    assert not one.is_revoked(ANN, START + 1), "signed in again"
    assert not one.is_revoked(Identity("bob"), START)


def test_what_could_not_be_told_is_told_at_the_next_look(hand, store):
    closed = []

    def close(news) -> None:
        if not closed:
            closed.append("failed")
            raise OSError("planted")
        closed.extend(news)

    made = Revocations(store, hand, hand.wheel, close, now=hand.now)
    made.start()
    store.revoke(sid="login-1", now=hand.ms)
    hand.live(LOOK + 3 * TICK)
    assert hand.wheel.loops.trouble == "the look at revocations fails: OSError"
    assert made.is_revoked(ANN, START)
    hand.live(LOOK + 3 * TICK)
    assert [one[0] for one in closed[1:]] == ["login-1"]
    assert hand.wheel.loops.trouble == ""


def test_an_earlier_word_about_a_subject_takes_nothing_back(hand, store):
    store.revoke(subject="ann", now=START)
    store.revoke(subject="ann", now=START - 500)
    one, closed = started(hand, store)
    assert one.is_revoked(ANN, START)
    assert closed == [("", "ann", START)]


def test_no_login_and_no_subject_mean_nobody(hand, store):
    store.revoke(sid="login-9", now=START)
    store.revoke(subject="zoe", now=START)
    one, _ = started(hand, store)
    assert not one.is_revoked(Identity("ann", sid=""), START)


def test_what_another_process_revokes_is_heard_within_a_look_and_once(hand, store):
    one, closed = started(hand, store)
    store.revoke(sid="login-1", now=hand.ms)
    store.revoke(subject="bob", now=START + 7)
    assert not one.is_revoked(ANN, START)
    hand.live(LOOK + 3 * TICK)
    assert one.is_revoked(ANN, START)
    assert closed == [("login-1", "", START), ("", "bob", START + 7)]
    hand.live(60)
    assert len(closed) == 2
    store.revoke(sid="login-2", now=hand.ms)
    hand.live(LOOK + 3 * TICK)
    assert closed[2:] == [("login-2", "", START + 62_300)]


def test_what_is_revoked_here_holds_at_once_and_elsewhere_soon(hand, store):
    one, closed = started(hand, store)
    other, elsewhere = started(hand, store)
    one.revoke(sid="login-1", at=hand.ms)
    assert one.is_revoked(ANN, START)
    assert closed == [("login-1", "", START)]
    hand.live(LOOK + 3 * TICK)
    assert other.is_revoked(ANN, START)
    assert closed == elsewhere == [("login-1", "", START)]
    assert LOOK + 3 * TICK < 5, "s within which a socket is closed elsewhere"


def test_the_loop_never_asks_the_store_itself(hand, store):
    one, _ = started(hand, store)
    assert hand.off_the_loop == 1
    assert not one.is_revoked(ANN, START)
    hand.live(10)
    one.revoke(sid="login-1", at=hand.ms)
    looks = hand.off_the_loop - 2
    assert looks in (4, 5)


def test_a_number_that_appears_late_is_not_missed(hand):
    store = Stub()
    store.rows = [(number, f"old-{number}", "", START) for number in range(1, 301)]
    one, closed = started(hand, store)
    store.rows.append((302, "login-2", "", START))
    hand.live(LOOK + 3 * TICK)
    store.rows.append((301, "login-1", "", START))  # begun before, committed after
    hand.live(LOOK + 3 * TICK)
    assert one.is_revoked(ANN, START)
    assert len(closed) == 302
    assert store.asked[1] == 200, "not everything again"
    hand.live(60)
    assert store.asked[-1] == 302


def test_a_great_number_is_read_in_slices_and_what_is_worth_nothing_not_at_all(hand):
    store = Stub()
    store.rows = [(n, f"old-{n}", "", START - WEEK - 1) for n in range(1, 10_001)]
    store.rows += [(n, f"login-{n}", "", START) for n in range(10_001, 10_002 + 2 * SLICE)]
    one, closed = started(hand, store)
    assert hand.off_the_loop == 3
    assert len(closed) == len(one._sids) == 2 * SLICE + 1
    assert one.loaded


def test_nobody_slips_in_while_it_is_read(hand, store):
    """The first connection does not wait for a million rows, and is judged all the same."""
    store.revoke(sid="login-1", now=START)
    store.revoke(subject="bob", now=START)
    later = []
    hand.spawn = lambda function, *args: later.append((function, args))
    one, closed = started(hand, store)
    assert not one.loaded
    assert one.is_revoked(ANN, START)
    assert one.is_revoked(Identity("bob", sid="b"), START)
    assert not one.is_revoked(Identity("bob", sid="b"), START + 1)
    assert not one.is_revoked(Identity("zoe", sid="z"), START)
    assert (closed, hand.off_the_loop) == ([], 4)
    for function, args in later:
        function(*args)
    assert one.loaded
    assert one.is_revoked(ANN, START)
    assert hand.off_the_loop == 5


def test_news_are_told_once_for_each_slice(hand):
    """Whoever hears of them looks at every connection."""
    store, calls = Stub(), []
    store.rows = [(n, f"login-{n}", "", START) for n in range(1, 101)]
    Revocations(store, hand, hand.wheel, calls.append, now=hand.now).start()
    assert [len(news) for news in calls] == [100]
    hand.live(10)
    assert len(calls) == 1


def test_a_store_that_is_down_is_survived_and_read_again(hand, caplog):
    caplog.set_level(logging.INFO, "csapp")
    store = Stub()
    store.revoke(sid="login-1", now=START)
    store.down = True
    one, closed = started(hand, store)
    assert not one.loaded
    with pytest.raises(StoreError):
        one.is_revoked(ANN, START)
    hand.live(10)
    store.down = False
    hand.live(LOOK + 3 * TICK)
    assert one.loaded
    assert one.is_revoked(ANN, START)
    assert closed == [("login-1", "", START)], "whoever slipped in meanwhile"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "not each time"


def test_a_bug_of_the_store_does_not_end_the_looking(hand, monkeypatch):
    store = Stub()
    one, _ = started(hand, store)
    with monkeypatch.context() as broken:
        broken.setattr(store, "revoked", lambda after: [("no", "row")])
        hand.live(5)
    store.revoke(sid="login-1", now=START)
    hand.live(LOOK + 3 * TICK)
    assert one.is_revoked(ANN, START)


def test_revoking_while_the_store_is_down_holds_here_and_is_reported(hand):
    store = Stub()
    one, closed = started(hand, store)
    store.down = True
    with pytest.raises(StoreError):
        one.revoke(sid="login-1", at=START)
    assert one.is_revoked(ANN, START)
    assert closed == [("login-1", "", START)]


def test_without_a_store_this_process_remembers(hand):
    one, closed = started(hand, None)
    one.revoke(subject="ann", at=START)
    one.revoke(sid="short", at=date(START))
    hand.live(10)
    assert one.loaded
    assert one.is_revoked(ANN, START)
    assert closed == [("", "ann", START), ("short", "", date(START))]
    hand.ms += WEEK
    hand.live((FORGET + 2) * (LOOK + 2 * TICK))
    assert set(one._sids) == set()
    assert one.is_revoked(ANN, START), "nobody else could be asked"
    assert hand.off_the_loop == 0


def test_anonymous_logins_are_remembered_here_and_not_for_ever(hand, store):
    one, closed = started(hand, store)
    for n in range(ANONYMOUS_LOGINS + 5):
        one.shut(f"anonymous-{n}", date(START + HOUR))
    assert len(one._sids) == ANONYMOUS_LOGINS
    assert not one.is_revoked(Identity("x", sid="anonymous-4"), START)
    assert one.is_revoked(Identity("x", sid="anonymous-5"), START)
    assert len(closed) == ANONYMOUS_LOGINS + 5
    assert list(store.revoked(0)) == []


def test_logins_are_forgotten_when_their_tokens_have_run_out(hand):
    store = Stub()
    one, _ = started(hand, store)
    one.revoke(sid="short", at=date(START + HOUR))
    one.revoke(sid="long", at=date(START + 3 * WEEK))
    one.revoke(subject="ann", at=START)
    hand.ms += HOUR
    hand.live((FORGET + 2) * (LOOK + 2 * TICK))
    assert set(one._sids) == {"short", "long"}, "clocks may differ"
    hand.ms += HOUR
    hand.live((FORGET + 2) * (LOOK + 2 * TICK))
    assert set(one._sids) == {"long"}
    assert [row[1:3] for row in store.rows] == [("long", ""), ("", "ann")], "removed from there"
    later, _ = started(hand, store)
    assert set(later._sids) == {"long"}
    hand.ms += 3 * WEEK
    hand.live((FORGET + 2) * (LOOK + 2 * TICK))
    assert one._sids == one._subjects == {}
    assert [row[1:3] for row in store.rows] == [("", "ann")]
    assert one.is_revoked(ANN, START), "however long its token lives"
    assert not one.is_revoked(ANN, START + 1)
    hand.ms += MAX_LIFETIME * 1000
    hand.live((FORGET + 2) * (LOOK + 2 * TICK))
    assert store.rows == []


def test_the_first_removal_comes_soon_after_the_start(hand, store):
    """A process that is restarted every day would otherwise never do it."""
    store.revoke(sid="old", now=START - WEEK - 1)
    store.revoke(sid="new", now=START)
    started(hand, store)
    hand.live((FIRST + 2) * (LOOK + 2 * TICK))
    assert [row[1] for row in store.revoked(0)] == ["new"]


def test_it_stops(hand):
    store = Stub()
    one, _ = started(hand, store)
    one.stop()
    hand.live(10)
    assert len(store.asked) == 1
