"""The wall clock is set back: dates and the names of conversations go on nevertheless."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.clock import KEY_BITS, Clock
from services.conversation.conversation import Conversation
from services.conversation.entries import Entries
from services.conversation.kinds import TEXT, Side
from services.conversation.rows import ConversationRow, EntryRow
from services.history.opening import open_store
from services.history.writer import Writer
from testkit import Client, LiveServer
from testkit.redis import RedisServer

from .history.test_writer import Loop, Store
from .probe import next_frame

NOW = 1_800_000_000.0  # s


class Hand:
    """The hand of a clock, which a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


# ---- names -----------------------------------------------------------------


def test_names_ascend_while_the_clock_goes_back(hand: Hand):
    clock = Clock(hand)
    keys = [clock.new_key() for _ in range(100)]
    hand.at -= 30
    keys += [clock.new_key() for _ in range(100)]
    hand.at += 60
    keys += [clock.new_key() for _ in range(100)]
    assert keys == sorted(set(keys))
    assert keys[-1] >> KEY_BITS == pytest.approx(hand.at * 1000, abs=200)


def test_names_come_after_those_of_others(hand: Hand):
    other, clock = Clock(hand), Clock(hand)
    hand.at += 5
    clock.heed(key := other.new_key())
    hand.at -= 30
    assert clock.new_key() > key


def test_a_worker_that_names_nothing_remembers_how_late_it_was(hand: Hand):
    other, clock = Clock(hand), Clock(hand)
    key = other.new_key()
    hand.at += 0.1
    clock.look()
    hand.at -= 30
    assert clock.new_key() > key


def test_a_clock_that_once_was_far_ahead_spoils_names_only(hand: Hand):
    clock = Clock(hand)
    hand.at += 10 * 365 * 86_400
    early = clock.new_key()
    hand.at = NOW
    late = clock.new_key()
    assert late > early
    assert clock.opened(late) == int(NOW * 1000)


# ---- dates -----------------------------------------------------------------


def say(
    writer: Writer, loop: Loop, conversation: Conversation, ids: list[str] | None = None
) -> Entries:
    """Something that is said on *talk*, once it is stored."""
    said = Entries(conversation, Side.USER, "ann", ["hello"], ids, lambda _: None)
    assert writer.say(said)
    loop.turn()
    assert said.stored
    return said


def dates(store: Store) -> list[int]:
    return [one.date for _, one in sorted(store.rows.items())]


def test_a_date_never_falls(hand: Hand):
    store, loop = Store(), Loop()
    writer = Writer(store, loop, hand)  # type: ignore[arg-type]
    conversation, other = (
        Conversation(ConversationRow(1, "uuid", "ann")),
        Conversation(ConversationRow(2, "uuid", "bob")),
    )
    first = say(writer, loop, conversation).date
    hand.at -= 30
    assert say(writer, loop, conversation).date == first
    assert say(writer, loop, other).date == first - 30_000, "only the conversation itself counts"
    hand.at += 60
    assert say(writer, loop, conversation).date == first + 30_000


def test_nor_does_it_after_a_restart(hand: Hand):
    last = int(NOW * 1000) + 30_000
    store, loop = Store(), Loop()
    writer = Writer(store, loop, hand)  # type: ignore[arg-type]
    conversation = Conversation(
        ConversationRow(1, "uuid", "ann", opened=last - 9, last_seq=4, last_date=last)
    )
    assert say(writer, loop, conversation).date == last
    new = Conversation(ConversationRow(2, "uuid", "ann", opened=last))
    assert say(writer, loop, new).date == last, "nothing is said before its conversation begins"


def _of_another_worker(store: Store, seq: int, date: int) -> None:
    store.rows[1, seq] = EntryRow(1, seq, Side.WAITER, "bob", None, 1, "hi", date)


def test_another_workers_clock_is_ahead_and_it_was_faster(hand: Hand):
    store, loop = Store(), Loop()
    writer = Writer(store, loop, hand)  # type: ignore[arg-type]
    conversation = Conversation(ConversationRow(1, "uuid", "ann"))
    say(writer, loop, conversation, ["a"])
    ahead = int(NOW * 1000) + 30_000
    _of_another_worker(store, 2, ahead)
    say(writer, loop, conversation, ["b"])
    assert dates(store) == [ahead - 30_000, ahead, ahead]


def test_another_workers_clock_is_ahead_and_only_its_number_is_known(hand: Hand):
    store, loop = Store(), Loop()
    writer = Writer(store, loop, hand)  # type: ignore[arg-type]
    conversation = Conversation(ConversationRow(1, "uuid", "ann"))
    say(writer, loop, conversation)
    ahead = int(NOW * 1000) + 30_000
    _of_another_worker(store, 2, ahead)
    conversation.record_stored(2)
    conversation.take_back()
    say(writer, loop, conversation)
    assert dates(store) == [ahead - 30_000, ahead, ahead]
    assert say(writer, loop, conversation).date == ahead


# ---- whole servers ---------------------------------------------------------


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """`serve("a")` starts a server whose clock is set by `set_clock`."""
    with ExitStack() as stack:

        def serve(name: str, **env: str) -> LiveServer:
            url = f"sqlite:///{tmp_path / 'csapp.db'}"
            env = {
                "CSAPP_DATABASE_URL": url, "CLOCK_FILE": str(tmp_path / name),
                "CSAPP_MESSAGE_RATE": "0", **env,
            }  # fmt: skip
            return stack.enter_context(LiveServer.gunicorn("tests.clock_host:app", env=env))

        yield serve


def _come(server: LiveServer, role: str, sub: str) -> Client:
    client = Client(server, role)
    client.say("auth", {"token": server.token(role, sub), "version": 2})
    next_frame(client, "auth_success")
    return client


def _say(client: Client, **fields: str) -> None:
    frame = {"type": "message_text", "id": str(uuid.uuid4()), "payload": {"message": "hello"}}
    client.send(json.dumps(frame | fields))
    next_frame(client, "message_text_success")


def _kept(folder: Path) -> list[EntryRow]:
    """All texts that are stored, in order of chat and `seq`."""
    store = open_store(f"sqlite:///{folder / 'csapp.db'}")
    chats = [*store.conversations_of(Side.USER, "ann"), *store.conversations_of(Side.USER, "bob")]
    entries = [one for chat in chats for one in store.entries(chat.key)]
    store.close()
    return [one for one in entries if one.kind == TEXT.number]


def _chat(server: LiveServer, waiter: Client, sub: str) -> tuple[Client, str, str]:
    """A visitor who is served; its UUID, and the name of the conversation."""
    user = _come(server, "user", sub)
    user.say("connect")
    name = next_frame(user, "connect_success")["payload"]["conversation"]
    while (met := next_frame(waiter, "new_connection")["payload"])["conversation"] != name:
        pass  # one that was there before
    return user, met["uuid"], name


def test_a_server_whose_clock_is_set_back_and_that_is_started_anew(
    serve: Callable[..., LiveServer], tmp_path: Path
):
    with serve("clock") as server:
        waiter = _come(server, "waiter", "wim")
        waiter.say("ready")
        user, *_, first = _chat(server, waiter, "ann")
        _say(user)
        (tmp_path / "clock").write_text("-30")
        _say(user)
        *_, second = _chat(server, waiter, "bob")
        server.stop()
    with serve("clock") as server:
        waiter = _come(server, "waiter", "wim")
        waiter.say("ready")
        user = _come(server, "user", "ann")
        next_frame(user, "connect_success")
        _say(user)
        *_, third = _chat(server, waiter, "cyd")
    kept = _kept(tmp_path)
    assert len(kept) == 3
    assert [one.date for one in kept] == sorted(one.date for one in kept)
    keys = [int(name, 16) for name in (first, second, third)]
    assert keys == sorted(keys)


def test_two_workers_whose_clocks_differ(serve: Callable[..., LiveServer], tmp_path: Path):
    with RedisServer() as redis:
        env = {"CSAPP_REDIS_URL": redis.url}
        one, other = serve("one", **env), serve("other", **env)
        (tmp_path / "one").write_text("-30")
        waiter = _come(one, "waiter", "wim")
        waiter.say("ready")
        user, to, _ = _chat(other, waiter, "ann")
        for _ in range(3):
            _say(user)
            next_frame(waiter, "message_text")
            _say(waiter, to=to)
            next_frame(user, "message_text")
        for client in (user, waiter):
            client.drop()
        one.quit()
        other.quit()
    kept = _kept(tmp_path)
    assert len(kept) == 6
    assert [one.date for one in kept] == sorted(one.date for one in kept)


def test_names_over_two_workers_of_which_one_has_not_heard_of_the_others_conversation(
    serve: Callable[..., LiveServer], tmp_path: Path
):
    with RedisServer() as redis:
        env = {"CSAPP_REDIS_URL": redis.url}
        (tmp_path / "late").write_text("-30")
        early, late = serve("early", **env), serve("late", **env)
        waiter = _come(early, "waiter", "wim")
        waiter.say("ready")
        _come(late, "user", "eve")  # it knows by now what was stored before
        *_, first = _chat(early, waiter, "ann")
        *_, second = _chat(late, waiter, "bob")
        *_, third = _chat(early, waiter, "cyd")
        keys = [int(name, 16) for name in (first, second, third)]
        assert keys == sorted(set(keys))
        early.quit()
        late.quit()
