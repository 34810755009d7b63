"""Visitors who write nothing more are warned, and their conversations end (*Idle*)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.clock import Clock
from services.conversation.conversation import Conversation
from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow, EntryRow
from services.desk.port import Reason, Role
from services.history.opening import open_store
from services.identity import Identity
from services.idle import Idle
from services.participants import Participant, Phase
from services.roster import join
from services.settings import Settings, SettingsError
from services.wire.dialect import DIALECTS
from testkit import Client, LiveServer

from .idle_host import GUNICORN, THREADS, look, passes
from .probe import next_frame
from .three_ways import ONE_PROCESS, Come, coming, serving
from .wall_clock_host import set_clock

WARN, CLOSE = 60, 300  # s


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    set_clock(tmp_path / "clock", time.time())
    url = f"sqlite:///{tmp_path}/csapp.db"
    with closing(open_store(url)) as store:
        store.migrate()
    return {
        "CSAPP_DATABASE_URL": url,
        "CSAPP_IDLE_WARN": str(WARN),
        "CSAPP_IDLE_CLOSE": str(CLOSE),
        "CSAPP_HEARTBEAT": "3600",
        "CSAPP_AUTH_TIMEOUT": "3600",
        "CSAPP_GRACE": "3600",
        "WALL_CLOCK_FILE": str(tmp_path / "clock"),
    }


@pytest.fixture(params=ONE_PROCESS)
def server(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[LiveServer]:
    with serving(request.param, env, (GUNICORN, THREADS)) as (started, _):
        yield started


@pytest.fixture
def come() -> Iterator[Come]:
    """Opens clients, and closes all of them."""
    with coming() as come:
        yield come


def meet(come: Come, here: LiveServer, there: LiveServer) -> tuple[Client, Client, str]:
    """Ann here is served by Ada there; what Ann's UUID is."""
    ada = come(there, "waiter", "ada")
    ada.say("ready")
    next_frame(ada, "ready")
    ann = come(here, "user", "ann")
    ann.say("connect")
    next_frame(ann, "connect_success")
    return ann, ada, str(next_frame(ada, "new_connection")["payload"]["uuid"])


def writes(ada: Client, uuid: str) -> None:
    ada.say("message_text", {"message": "Did that help?"}, to=uuid)
    next_frame(ada, "message_text_success")


def ends(ann: Client, ada: Client) -> None:
    for client in (ann, ada):
        assert next_frame(client, "disconnected")["payload"] == {"reason": "idle"}


def hears_nothing_more(client: Client) -> None:
    """*client* was sent neither a warning nor an end before the answer to what it asks now."""
    asked = client.say("get_info")
    while True:
        for frame in client.receive_all():
            assert frame["type"] not in ("idle", "disconnected"), frame
            if frame.get("reply_id") == asked:
                return


def test_who_does_not_answer_is_warned_and_then_it_is_over(server, come):
    ann, ada, uuid = meet(come, server, server)
    writes(ada, uuid)
    passes(WARN, server)
    left = next_frame(ann, "idle")
    assert left["payload"]["seconds"] == CLOSE - WARN
    assert left["conversation"]
    passes(CLOSE - WARN, server)
    ends(ann, ada)
    events = next_frame(ann, "event", payload_what="ended")["payload"]
    assert events["reason"] == "idle"


def test_whoever_answers_goes_on(server, come):
    ann, ada, uuid = meet(come, server, server)
    writes(ada, uuid)
    passes(WARN, server)
    next_frame(ann, "idle")
    ann.say("message_text", {"message": "I am trying"})
    next_frame(ann, "message_text_success")
    passes(2 * CLOSE, server)  # it is the waiter who is silent
    hears_nothing_more(ann)
    writes(ada, uuid)
    passes(WARN, server)
    next_frame(ann, "idle")


def test_a_waiter_who_has_not_written_yet_ends_nothing(server, come):
    ann, ada, uuid = meet(come, server, server)
    ann.say("message_text", {"message": "Hello?"})
    next_frame(ada, "message_text")
    passes(2 * CLOSE, server)
    hears_nothing_more(ann)
    writes(ada, uuid)
    passes(WARN, server)
    next_frame(ann, "idle")


def test_over_workers_and_on_either_side(env, come):
    with serving("two workers", env, (GUNICORN, THREADS)) as (one, other):
        ann, ada, uuid = meet(come, one, other)
        writes(ada, uuid)
        next_frame(ann, "message_text")
        passes(WARN, one, other)
        next_frame(ann, "idle")
        passes(CLOSE - WARN, one, other)
        ends(ann, ada)


def test_after_a_restart_the_silence_begins_anew(env, come):
    with LiveServer.gunicorn(GUNICORN, env) as server:
        ann, ada, uuid = meet(come, server, server)
        writes(ada, uuid)
        passes(WARN, server)
        next_frame(ann, "idle")
        port = server.port
    set_clock(Path(env["WALL_CLOCK_FILE"]), time.time() + 2 * CLOSE)
    with LiveServer.gunicorn(GUNICORN, env, port=port) as server:
        ann, ada = come(server, "user", "ann"), come(server, "waiter", "ada")
        assert next_frame(ann, "connect_success")["payload"]["resumed"]
        look(server)
        hears_nothing_more(ann)
        passes(WARN, server)
        next_frame(ann, "idle")
        passes(CLOSE - WARN, server)
        ends(ann, ada)


# ---- one look after the other ---------------------------------------------------


class Site:
    """Ada serves Ann, and has written last; nothing here waits, and both clocks stand still."""

    def __init__(self, warn: float = WARN, close: float = CLOSE) -> None:
        self.time, self.wall = 1000.0, 1_700_000_000.0
        self.writer, self.frames, self.parted = SimpleNamespace(available=True), [], []
        self.asked = 0
        self.word = Side.WAITER
        self.ann = Participant("ann", Role.USER, Identity("ann"))
        ada = Participant("ada", Role.WAITER, Identity("ada"))
        opened = round(self.wall * 1000)
        row = ConversationRow(1, "ann", "ann", opened=opened, last_seq=2, last_date=opened)
        self.conversation = Conversation(row)
        join(self.ann, ada, self.conversation)
        self.ann.conversation, self.ann.phase = self.conversation, Phase.SERVED
        self.dialect = DIALECTS[2]
        self.ann.hold((self,))  # type: ignore[arg-type]
        roster = SimpleNamespace(participants={"ann": self.ann, "ada": ada})
        switchboard: Any = SimpleNamespace(
            clock=Clock(lambda: self.wall), writer=self.writer, carry_out=lambda: None,
            delivery=SimpleNamespace(roster=roster), desk=SimpleNamespace(part=self.part),
        )  # fmt: skip
        runtime: Any = SimpleNamespace(blocking=lambda function, *given: function(*given))
        store: Any = SimpleNamespace(last_words=self.last_words)
        self.idle = Idle(switchboard, store, runtime, warn, close, lambda: self.time)
        self.idle.look()

    def put(self, frame: bytes) -> None:
        self.frames.append(frame)

    def part(self, *given: object) -> None:
        self.parted.append(given)

    def last_words(self, keys: list[int]) -> dict[int, EntryRow]:
        self.asked += 1
        row = self.conversation.row
        seq = self.conversation.last_seq
        return {1: EntryRow(1, seq, self.word, "", None, 1, "", row.last_date)}

    def passes(self, seconds: float, *, wall: float | None = None) -> None:
        """So many *seconds* pass, *wall* of the wall clock; then it looks."""
        self.time += seconds
        self.wall += seconds if wall is None else wall
        self.idle.look()

    def writes(self, side: Side) -> None:
        self.word = side
        self.conversation.given = self.conversation.last_seq = self.conversation.last_seq + 1
        self.conversation.row.last_date = round(self.wall * 1000)

    @property
    def warnings(self) -> int:
        return len(self.frames)


def test_a_visitor_is_warned_once_and_gets_the_time_that_it_was_told():
    site = Site()
    site.passes(WARN - 1)
    assert (site.warnings, site.asked) == (0, 0)
    site.passes(1)
    site.passes(CLOSE - WARN - 1)
    assert (site.warnings, site.parted, site.asked) == (1, [], 1)
    site.passes(1)
    assert site.parted == [("ann", "ada", "ann", Reason.IDLE)]


def test_whoever_was_not_looked_at_in_time_is_warned_first():
    site = Site()
    site.passes(10 * CLOSE)
    assert (site.warnings, site.parted) == (1, [])
    site.passes(CLOSE - WARN)
    assert site.parted


def test_without_a_warning_it_ends_in_time():
    site = Site(warn=0)
    site.passes(CLOSE - 1)
    assert not site.parted
    site.passes(1)
    assert (site.warnings, len(site.parted)) == (0, 1)


@pytest.mark.parametrize("warn", [0, WARN])
@pytest.mark.parametrize("step", [10 * CLOSE, -10 * CLOSE])
def test_a_wall_clock_that_is_set_changes_nothing(warn: float, step: float):
    site = Site(warn=warn)
    site.passes(2, wall=step)
    assert (site.warnings, site.parted) == (0, [])
    site.passes((warn or CLOSE) - 2)
    assert site.warnings + len(site.parted) == 1


def test_a_conversation_that_comes_here_is_no_older_than_the_clock_that_was_set():
    site = Site(warn=0)
    site.ann.phase = Phase.QUEUED
    site.passes(CLOSE)
    site.passes(1, wall=10 * CLOSE)
    site.ann.phase = Phase.SERVED
    site.passes(1)
    assert not site.parted
    site.passes(CLOSE - 1)
    assert site.parted


def test_a_conversation_that_comes_here_is_as_old_as_its_last_entry():
    site = Site(warn=0)
    site.ann.phase = Phase.QUEUED
    site.passes(1)
    site.passes(CLOSE - 2)
    site.ann.phase = Phase.SERVED
    site.passes(0)
    assert not site.parted
    site.passes(1)
    assert site.parted


def test_the_time_in_which_nobody_could_write_does_not_count():
    site = Site()
    site.passes(WARN)
    site.writer.available = False
    site.passes(10 * CLOSE)
    assert (site.warnings, site.parted) == (1, [])
    site.writer.available = True
    site.passes(1)
    assert (site.warnings, site.parted) == (1, [])
    site.passes(WARN)
    assert (site.warnings, site.parted) == (2, [])


@pytest.mark.parametrize("side", [Side.USER, Side.WAITER])
def test_what_either_side_writes_begins_the_time_anew(side: Side):
    site = Site()
    site.passes(WARN)
    site.writes(side)
    site.passes(CLOSE - WARN)
    assert (site.warnings, site.parted) == (1, [])
    site.passes(WARN)
    assert (site.warnings, site.parted) == (2 if side is Side.WAITER else 1, [])


def test_what_is_on_its_way_to_the_database_ends_the_silence():
    site = Site()
    site.passes(WARN)
    site.conversation.given += 1
    site.passes(CLOSE)
    assert not site.parted


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"CSAPP_IDLE_WARN": "60"}, "CSAPP_IDLE_WARN"),
        ({"CSAPP_IDLE_WARN": "60", "CSAPP_IDLE_CLOSE": "60"}, "CSAPP_IDLE_WARN"),
        ({"CSAPP_IDLE_CLOSE": "60", "CSAPP_DATABASE_URL": "off"}, "CSAPP_IDLE_CLOSE"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        Settings.load({**given, "CSAPP_SECRET_KEY": "a key of enough letters for this test"})
