"""What goes to several connections: one that fails costs the others nothing."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from services.channels import ParkedFrames, sealed
from services.conversation.kinds import EVENT, TEXT, EventPayload, Side, What
from services.conversation.rows import ConversationRow, EntryRow
from services.delivery import LocalDelivery
from services.departments import Departments
from services.desk.memory import MemoryDesk
from services.desk.port import DeskUnavailable, Queued, Role, Withdrawn
from services.feeds.base import BaseFeed
from services.handlers import users
from services.history.writer import Writer
from services.identity import Identity, TokenRole
from services.participants import Phase
from services.session import Session
from services.settings import Settings
from services.standings import lost_waiters
from services.switchboard import Switchboard
from services.wire import frames
from services.wire.dialect import DIALECTS

from .fuzz.letter import unframed
from .shared.shelf import Shelf

#: that a conversation has ended, and nobody knows why
ENDED = EVENT.body(EventPayload(What.ENDED)).data

#: that its waiter was lost
LEFT = EVENT.body(EventPayload(What.LEFT, "Ada", "lost")).data


class FakeFeed:
    """A feed that remembers what it is sent, or *breaks* whenever it is sent something."""

    def __init__(self, version: int = 1, *, breaks: bool = False) -> None:
        self.dialect = DIALECTS[version]
        self.breaks = breaks
        self.sent: list[Any] = []
        self.failed = False
        #: what it will have missed when it ends
        self.lost: list[ParkedFrames] = []
        #: whose connection it is
        self.owner: Any = None
        self.is_lost = False
        #: the newer feeds whose texts it holds
        self.heritage: list[Any] = []
        #: the request of its client that waits for an answer
        self.pending: Any = None
        self.in_flight = 0

    def _take(self, *what: Any) -> None:
        if self.breaks:
            raise RuntimeError("planted in a connection")
        self.sent += what

    def put(self, frame: bytes) -> None:
        self._take(frame)

    def put_and_remember(self, frame: bytes) -> None:
        self._take(frame)

    def deliver_parked(self, parked: Any, frame: bytes) -> None:
        self.owner.doubtful = (self,)  # as a session does
        self._take(frame)

    def deliver(self, entries: Any) -> None:
        if entries.kind is TEXT:
            self._take(*entries.texts)

    def acknowledge(self, entries: Any) -> None:
        self._take(("receipt", *entries.seqs))

    def open_conversation(self, channel: Any, frame: Any) -> None:
        self._take(frame.__struct_config__.tag)

    def close_conversation(self, conversation: Any, frame: Any) -> None:
        self._take(frame.__struct_config__.tag)

    def welcome(self, participant: Any, arrival: Any) -> None:
        self.owner = participant

    def pop_pending_request(self, kind: Any) -> Any:
        pending = self.pending
        if not isinstance(pending, kind):
            return None
        self.pending = None
        return pending

    def ask(self) -> Any:
        return self

    def await_answers(self, questions: Any) -> None:
        assert self not in questions, "it would wait for its own word"

    def fail(self) -> None:
        self.failed = True

    def take_missed(self) -> list[ParkedFrames]:
        return self.lost

    def keep_questions(self, questions: Any) -> None:
        self.heritage += questions

    def inherit(self, newer: Any) -> None:
        self.heritage.append(newer)


class Office:
    """A switchboard, with a history or without; `turn` does what is due on its loop."""

    def __init__(self, *, keeps: bool) -> None:
        self._due: deque[Callable[[], Any]] = deque()
        store: Any = Shelf() if keeps else None
        runtime: Any = SimpleNamespace(
            call_soon=self._due.append, native=lambda: self._commit, now=lambda: 0.0
        )
        writer = Writer(store, runtime, lambda: 1.7e9) if keeps else None
        desk = MemoryDesk(capacity=5, max_queue=5, grace=60.0, now=lambda: 0.0)
        self.switchboard = Switchboard(desk, LocalDelivery(1 << 20, store, writer))

    def _commit(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        function()
        self._due.append(lambda: done(None))

    def turn(self) -> None:
        while self._due:
            self._due.popleft()()

    def enter(self, role: Role, name: str, *ears: FakeFeed) -> Any:
        """*name* has these connections; the participant."""
        for ear in ears:
            socket: Any = ear
            identity = Identity(name, name, TokenRole(role), "")
            self.switchboard.enter(role, identity, f"uuid-{name}", socket)
        return self.switchboard._participants[f"uuid-{name}"]

    def meet(self, *ears: FakeFeed, waiter: FakeFeed) -> Any:
        """Ann, with *ears*, is served by ada; ann."""
        self.enter(Role.WAITER, "ada", waiter)
        ann = self.enter(Role.USER, "ann", *ears)
        self.switchboard.desk.ready("uuid-ada")
        self.switchboard.desk.connect("uuid-ann", None, 7)
        self.switchboard.carry_out()
        self.turn()
        return ann


class Tab(FakeFeed):
    """A feed that remembers its frames whole: what a client reads."""

    awaiting_decision = BaseFeed.awaiting_decision

    def put(self, frame: bytes) -> None:
        self._take(*unframed(frame))

    def open_conversation(self, channel: Any, frame: Any) -> None:
        self.put(sealed(frame))

    def close_conversation(self, conversation: Any, frame: Any) -> None:
        self.put(sealed(frame))

    def reply(self, frame: Any, answer: Any) -> None:
        answer.reply_id = frame.id
        self.put(sealed(answer))

    def deliver(self, entries: Any) -> None:
        if self.dialect.version > 1:
            self.put(entries.for_version_2(own=entries.channel.sender is self.owner))

    @property
    def news(self) -> list[tuple[str, str | None]]:
        """The frames since the last look, and which request each answers."""
        sent, self.sent = self.sent, []
        return [(one["type"], one.get("reply_id")) for one in sent if one["type"] != "event"]


BROKEN_FIRST = pytest.mark.parametrize("first", [True, False])


@BROKEN_FIRST
@pytest.mark.parametrize("keeps", [True, False])
def test_row23_a_receiver_that_raises_costs_nobody_else_a_text(first, keeps):
    office = Office(keeps=keeps)
    broken, sound, ada, other = FakeFeed(), FakeFeed(), FakeFeed(2), FakeFeed(2)
    ann = office.meet(*([broken, sound] if first else [sound, broken]), waiter=ada)
    waiter = office.enter(Role.WAITER, "ada", other)
    broken.breaks = True
    sound.sent.clear()
    channel: Any = waiter.channels["uuid-ann"]
    speaker: Any = ada
    assert office.switchboard.say(channel, speaker, ["hello"], ["1"])
    office.turn()
    assert sound.sent == ["hello"], "the second window"
    assert other.sent[-1] == "hello", "the sender's other window"
    assert ada.sent[-1] == ("receipt", 2)
    assert (broken.failed, sound.failed) == (True, False)
    assert ann.conversation.last_seq == 2, "and before it, that the waiter has joined"


@BROKEN_FIRST
def test_row23_nor_where_nothing_is_kept(first):
    office = Office(keeps=False)
    broken, sound, ada = FakeFeed(), FakeFeed(), FakeFeed()
    office.meet(*([broken, sound] if first else [sound, broken]), waiter=ada)
    broken.breaks = True
    channel = office.switchboard._participants["uuid-ada"].channels["uuid-ann"]
    assert office.switchboard.relay(channel, ["hello"])
    assert b'"hello"' in sound.sent[-1]
    assert broken.failed


def test_row23_a_sender_s_window_that_raises_costs_no_receipt():
    office = Office(keeps=True)
    ann, ada, broken = FakeFeed(), FakeFeed(2), FakeFeed(2)
    office.meet(ann, waiter=ada)
    waiter = office.enter(Role.WAITER, "ada", broken)
    broken.breaks = True
    speaker: Any = ada
    office.switchboard.say(waiter.channels["uuid-ann"], speaker, ["hello"], ["1"])
    office.turn()
    assert (ann.sent[-1], ada.sent[-1]) == ("hello", ("receipt", 2))


@BROKEN_FIRST
def test_row23_a_decision_reaches_all_who_can_hear_it(first):
    office = Office(keeps=True)
    broken, sound, ada = FakeFeed(breaks=True), FakeFeed(), FakeFeed()
    office.meet(*([broken, sound] if first else [sound, broken]), waiter=ada)
    assert (sound.sent, ada.sent) == (["connect_success"], ["new_connection"])
    office.switchboard.desk.part("uuid-ann", "uuid-ada", "uuid-ada")
    office.switchboard.carry_out()
    assert sound.sent[-1] == "disconnected"


# ---- what a dead connection has swallowed ----------------------------------


@pytest.mark.parametrize("deliberate", [True, False])
def test_row29_what_the_last_connection_missed_follows_on_return(deliberate):
    office = Office(keeps=True)
    dead, ada = FakeFeed(), FakeFeed()
    ann = office.meet(dead, waiter=ada)
    dead.lost = [ParkedFrames(b"one", b"", 7, 1, 1), ParkedFrames(b"two", b"", 7, 2, 2)]
    ann.doubtful = (dead,)
    socket: Any = dead
    office.switchboard.exit(ann, socket, deliberate=deliberate)
    assert [kept.plain for kept in ann.parked] == ([] if deliberate else [b"one", b"two"])
    if not deliberate:
        channel = office.switchboard._participants["uuid-ada"].channels["uuid-ann"]
        speaker: Any = ada
        office.switchboard.say(channel, speaker, ["three"], None)
        office.turn()
        back = FakeFeed()
        office.enter(Role.USER, "ann", back)
        assert back.sent[:2] == [b"one", b"two"]
        assert b'"three"' in back.sent[2]


def test_row29_what_another_window_has_heard_is_not_told_again():
    office = Office(keeps=True)
    dead, sound, ada = FakeFeed(), FakeFeed(), FakeFeed()
    ann = office.meet(dead, sound, waiter=ada)
    dead.lost = [ParkedFrames(b"one", b"", 7, 1, 1)]
    ann.doubtful = (dead,)
    socket: Any = dead
    office.switchboard.exit(ann, socket, deliberate=False)
    assert not ann.parked


@pytest.mark.parametrize("lost", [True, False])
def test_row29_what_only_a_lost_window_has_heard_is_kept_with_it(lost):
    office = Office(keeps=True)
    dead, back, ada = FakeFeed(), FakeFeed(), FakeFeed()
    ann = office.meet(dead, back, waiter=ada)
    dead.is_lost = lost
    socket: Any = back
    office.switchboard.exit(ann, socket, deliberate=False)
    assert dead.heritage == ([back] if lost else [])
    assert ann.connections == (dead,)


def test_what_a_newer_connection_waited_for_is_kept_by_an_older_one_that_may_be_alive():
    office = Office(keeps=True)
    older, newer, ada = FakeFeed(), FakeFeed(), FakeFeed()
    ann = office.meet(older, newer, waiter=ada)
    ann.doubtful = (newer,)
    word: Any = object()
    newer.lost = [ParkedFrames(b"given to both", b""), word]
    socket: Any = newer
    office.switchboard.exit(ann, socket, deliberate=False)
    assert older.heritage == [word]


def test_with_threads_no_text_is_handed_over_while_somebody_comes():
    """It would go to the old connection alone, which may be dead."""
    office = Office(keeps=True)
    old, ada, new = FakeFeed(), FakeFeed(), FakeFeed()
    office.switchboard.guard_threads()
    ann = office.meet(old, waiter=ada)
    ann.doubtful = (old,)
    channel = office.switchboard._participants["uuid-ada"].channels["uuid-ann"]
    guard: Any = office.switchboard.guard
    speaker = threading.Thread(target=office.switchboard.relay, args=(channel, ["hello"]))
    busy: list[bool] = []

    def come(older: Any) -> None:
        speaker.start()
        probe = threading.Thread(target=lambda: busy.append(not guard.acquire(blocking=False)))
        probe.start()
        probe.join()

    new.await_answers = come  # type: ignore[method-assign]
    office.enter(Role.USER, "ann", new)
    speaker.join()
    assert busy == [True]
    assert b'"hello"' in new.sent[-1]


def test_a_connection_that_is_told_what_was_parked_does_not_wait_for_itself():
    """Its own pong may take long; all of it would be sent twice then."""
    office = Office(keeps=False)
    first, ada = FakeFeed(), FakeFeed()
    ann = office.meet(first, waiter=ada)
    socket: Any = first
    office.switchboard.exit(ann, socket, deliberate=False)
    channel = office.switchboard._participants["uuid-ada"].channels["uuid-ann"]
    assert office.switchboard.relay(channel, ["while you were away"])
    second = FakeFeed()
    office.enter(Role.USER, "ann", second)
    assert len(second.sent) == 1
    assert ann.doubtful == (second,)


def test_a_conversation_that_is_found_open_beside_a_newer_one_gets_its_end():
    office = Office(keeps=True)
    store: Any = office.switchboard.store
    rows = [ConversationRow(key, "uuid-ann", "ann", "Ann", opened=1) for key in (7, 8)]
    office.switchboard.restore(rows, [], {})
    assert office.switchboard.events_wait is False, "the writer has it"
    office.turn()
    (end,) = store.rows[7]
    assert (end.seq, end.side, end.kind, end.data) == (1, Side.SERVER, EVENT.number, ENDED)
    assert rows[0].ended is not None
    assert 8 not in store.rows
    assert rows[1].ended is None


@pytest.mark.parametrize(
    ("who", "last", "what"),
    [
        ("ada", LEFT, "returned"),
        ("eve", LEFT, "joined"),
        ("ada", EVENT.body(EventPayload(What.JOINED)).data, "joined"),
        ("ada", "[", "joined"),  # a start must not fail by it
    ],
)
def test_after_a_restart_nothing_that_is_said_overtakes_the_waiter_s_return(who, last, what):
    """Who was lost is known by then: it is read with the open conversations."""
    office = Office(keeps=True)
    store: Any = office.switchboard.store
    kind, side = EVENT.number, Side.SERVER
    store.rows[7] = [EntryRow(7, 1, side, "ada", None, kind, "", 1, last)]
    rows = [ConversationRow(7, "uuid-ann", "ann", opened=1, last_seq=1)]
    office.switchboard.restore(rows, [], lost_waiters(store, rows))
    ada, ann = FakeFeed(2), FakeFeed(2)
    office.enter(Role.USER, "ann", ann)
    office.enter(Role.WAITER, who, ada)
    office.switchboard.desk.ready(f"uuid-{who}")
    office.switchboard.carry_out()
    speaker: Any = ann
    channel = office.switchboard._participants["uuid-ann"].channel
    assert channel is not None
    assert office.switchboard.say(channel, speaker, ["hello"], ["1"])
    office.turn()
    _, event, text = store.rows[7]
    assert (event.seq, EVENT.payload_of("", event.data)["what"]) == (2, what)
    assert (text.seq, text.body) == (3, "hello")


def test_an_event_that_waits_for_the_database_is_what_a_stop_waits_for():
    office = Office(keeps=True)
    writer: Any = office.switchboard.writer
    rows = [ConversationRow(key, "uuid-ann", "ann", opened=1) for key in (7, 8)]
    writer.available = False
    office.switchboard.restore(rows, [], {})
    office.turn()
    assert office.switchboard.events_wait
    office.switchboard.write_missing_events()
    assert office.switchboard.events_wait, "the database is not back"
    writer.available = True
    office.switchboard.write_missing_events()
    office.turn()
    assert not office.switchboard.events_wait
    assert [one.data for one in office.switchboard.store.rows[7]] == [ENDED]


# ---- leaving the queue -----------------------------------------------------


def house_of(office: Office) -> Any:
    """What a handler uses of the house, on a site without departments."""
    settings = Settings(secret_key=("a" * 40,))
    return SimpleNamespace(
        switchboard=office.switchboard, departments=Departments(), settings=settings
    )


def asks(office: Office, feed: FakeFeed, frame: Any) -> None:
    """The client of *feed* sends *frame*, a `connect` or a `disconnect`."""
    house = house_of(office)
    caller: Any = SimpleNamespace(house=house, feed=feed)
    handler: Any = users.leave if isinstance(frame, frames.Disconnect) else users.connect
    handler(caller, frame, feed.owner)
    office.turn()


def tabs_in_queue(office: Office, version: int = 2) -> tuple[Tab, Tab]:
    """Two tabs of ann, who waits."""
    one, other = Tab(version), Tab(version)
    office.enter(Role.USER, "ann", one, other)
    asks(office, one, frames.Connect(id="ask"))
    assert one.news == [("connect_queue", "ask")]
    assert other.news == [("connect_queue", None)]
    return one, other


def meanwhile(office: Office, call: str, happens: Callable[[], Any], *, first: bool) -> None:
    """Let *happens* be, by another thread, right before or after the next *call* of the desk."""
    desk: Any = office.switchboard.desk
    original = getattr(desk, call)

    def calls(*args: Any, **options: Any) -> Any:
        setattr(desk, call, original)
        if first:
            happens()
        answer = original(*args, **options)
        if not first:
            happens()
        return answer

    setattr(desk, call, calls)


def test_a_position_that_was_decided_before_is_sent_before_the_withdrawal():
    office = Office(keeps=True)
    one, other = tabs_in_queue(office)
    desk: Any = office.switchboard.desk
    desk._events.append(Queued("uuid-ann", 0, 5))  # as a letter that was not read yet
    asks(office, one, frames.Disconnect(id="leave"))
    assert one.news == [("connect_queue", None), ("disconnected", "leave")]
    assert other.news == [("connect_queue", None), ("disconnected", None)]
    assert one.owner.phase is Phase.IDLE


def test_who_asks_again_in_another_tab_while_the_queue_is_left_waits():
    office = Office(keeps=True)
    one, other = tabs_in_queue(office)

    def ask() -> None:
        other.pending = frames.Connect(id="again")
        office.switchboard.desk.connect("uuid-ann")

    meanwhile(office, "withdraw", ask, first=False)
    asks(office, one, frames.Disconnect(id="leave"))
    assert one.news == [("disconnected", "leave"), ("connect_queue", None)]
    assert other.news == [("disconnected", None), ("connect_queue", "again")]
    assert one.owner.phase is Phase.QUEUED


def test_what_another_tab_has_begun_since_does_not_end_with_the_place_in_the_queue():
    office = Office(keeps=True)
    one, _ = tabs_in_queue(office)
    office.enter(Role.WAITER, "ada", Tab(2))

    def meet() -> None:
        office.switchboard.desk.ready("uuid-ada")
        office.switchboard.desk.connect("uuid-ann", None, 7)

    meanwhile(office, "withdraw", meet, first=False)
    asks(office, one, frames.Disconnect(id="leave"))
    assert one.news == [("disconnected", "leave"), ("connect_success", None)]
    assert one.owner.phase is Phase.SERVED


@pytest.mark.parametrize("version", [1, 2])
def test_who_asks_while_another_tab_leaves_the_queue_waits_again(version):
    """Nothing was decided on its question; then there was no position that could be sent."""
    office = Office(keeps=True)
    one, other = tabs_in_queue(office, version)
    left = [("disconnected", "leave")] if version > 1 else []

    def leave() -> None:
        asks(office, one, frames.Disconnect(id="leave"))
        assert one.news == left

    meanwhile(office, "location", leave, first=False)
    asks(office, other, frames.Connect(id="again"))
    assert other.news == [*[(type_, None) for type_, _ in left], ("connect_queue", "again")]


def test_the_end_of_a_conversation_answers_no_connect():
    office = Office(keeps=True)
    ada, one, other = Tab(2), Tab(2), Tab(2)
    office.meet(one, other, waiter=ada)
    assert one.news == other.news == [("connect_success", None)]
    other.pending = again = frames.Connect(id="again")
    asks(office, one, frames.Disconnect(id="leave"))
    assert one.news == [("disconnected", "leave")]
    assert other.news == [("disconnected", None)]
    assert other.pending is again


@pytest.mark.parametrize(
    ("frame", "decision"),
    [(frames.Connect(id="ask"), Queued("uuid-ann", 0, 5)),
     (frames.Disconnect(id="ask"), Withdrawn("uuid-ann"))],
)  # fmt: skip
def test_what_is_decided_after_all_answers_no_request_that_was_refused(frame, decision):
    """The desk could not be reached; whether the change was made was not known."""
    office = Office(keeps=True)
    one, _ = tabs_in_queue(office)
    refused: list[Any] = []

    def away(*_: Any, **__: Any) -> None:
        raise DeskUnavailable("away")

    desk: Any = office.switchboard.desk
    desk.connect = desk.withdraw = away
    house = house_of(office)
    session: Any = SimpleNamespace(
        _bucket=None, feed=one, participant=one.owner, house=house, _refuse=refused.append
    )
    Session._handle(session, [frame])
    (refusal,) = refused
    assert (refusal.code, refusal.reply_id) == ("unavailable", "ask")
    desk._events.append(decision)
    office.switchboard.carry_out()
    assert [reply for _, reply in one.news] == [None]


def test_who_is_found_to_be_in_the_queue_no_more_is_sent_no_reason():
    """This worker was cut off: the user may have been served meanwhile, and nobody has left."""
    office = Office(keeps=True)
    one, _ = tabs_in_queue(office)
    desk: Any = office.switchboard.desk
    desk._events.append(Withdrawn("uuid-ann", is_confided=True))
    office.switchboard.carry_out()
    (frame,) = one.sent
    assert (frame["type"], frame["from"], frame["payload"]) == ("disconnected", "uuid-ann", {})


@pytest.mark.parametrize("keeps", [True, False])
def test_a_conversation_that_was_to_go_on_ends_when_its_user_leaves_the_queue(keeps):
    office = Office(keeps=keeps)
    ada, one, other, plain = Tab(2), Tab(2), Tab(2), Tab(1)
    ann = office.meet(one, other, plain, waiter=ada)
    row = ann.conversation.row
    waiter: Any = office.switchboard._participants["uuid-ada"]
    desk: Any = office.switchboard.desk
    desk._depart("uuid-ada", requeue=True)  # it was lost
    office.switchboard.carry_out()
    office.turn()
    for tab in (one, other, plain):
        assert tab.news[-1] == ("connect_queue", None)
    asks(office, one, frames.Disconnect(id="leave"))
    for tab in (one, other):
        left = next(one for one in tab.sent if one["type"] == "disconnected")
        assert (left["conversation"], left["from"]) == ("7", "uuid-ann")
        assert left["payload"] == {"reason": "left"}
        (event,) = [one for one in tab.sent if one["type"] == "event"]
        assert event["payload"] == {"what": "ended", "name": "ann", "reason": "left"}
    assert one.news == [("disconnected", "leave")]
    assert plain.sent == [], "version 1 is sent nothing"
    assert (row.ended is not None, row.reason) == (True, "left")
    assert (ann.conversation, ann.has_written) == (None, False)
    assert waiter.channels == {}
    if keeps:
        last: Any = office.switchboard.store.rows[7][-1]  # type: ignore[union-attr]
        assert json.loads(last.data) == {"what": "ended", "name": "ann", "reason": "left"}
    desk.connect("uuid-ann", None, 9)
    office.enter(Role.WAITER, "eve", Tab(2))
    desk.ready("uuid-eve")
    office.switchboard.carry_out()
    assert ann.conversation.row.key == 9
