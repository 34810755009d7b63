"""What docs/operations.md says of restarts with one worker, tried: with a database, and without."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import closing

import pytest

from services.conversation.rows import ConversationRow
from services.history.opening import open_store
from services.history.port import Batch, Duty, InUse, StoreError
from services.history.sql import SQLStore
from services.server import ChatServer
from services.settings import Settings
from services.switchboard import Switchboard
from services.timers import TICK, Wheel
from testkit import Client, LiveServer
from testkit.server import SECRET

from . import probe
from .clocked import GUNICORN, let_pass
from .probe import come_back, next_frame

Restart = Callable[[LiveServer], LiveServer]


def come(server: LiveServer, role: str, sub: str, version: int) -> Client:
    """Somebody who tries again while the server is not there."""
    client = come_back(server, role)
    token = server.token(role, sub, sub.title())
    client.say("auth", {"token": token} if version == 1 else {"token": token, "version": 2})
    return client


@pytest.mark.parametrize("version", [1, 2])
def test_with_a_database_a_reload_is_a_pause(tmp_path, version):
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db",
        "CSAPP_MAX_USERS_PER_WAITER": "1",
    }
    with LiveServer.gunicorn(env=env) as server:
        ada, ann = come(server, "waiter", "ada", version), come(server, "user", "ann", version)
        ada.say("ready")
        ann.say("connect")
        before = next_frame(ann, "connect_success")["payload"]["uuid"]
        line = [come(server, "user", name, version) for name in ("bob", "cid")]
        tickets = []
        for user in line:
            user.say("connect")
            tickets.append(next_frame(user, "connect_queue")["payload"].get("ticket"))
        server.signal(signal.SIGHUP)
        for client in (ada, ann, *line):
            assert client.closed() == 1012
        # cid is back first
        cid, bob = come(server, "user", "cid", version), come(server, "user", "bob", version)
        if version == 2:  # tickets keep the order
            cid.say("connect", {"ticket": tickets[1]})
            bob.say("connect", {"ticket": tickets[0]})
            assert next_frame(bob, "connect_queue")["payload"]["location"] == 0
        else:  # the line is made anew, by those who come
            cid.say("connect")
            assert next_frame(cid, "connect_queue")["payload"]["location"] == 0
            bob.say("connect")
            assert next_frame(bob, "connect_queue")["payload"]["location"] == 1
        ann, ada = come(server, "user", "ann", version), come(server, "waiter", "ada", version)
        if version == 1:
            ann.say("connect")
        assert next_frame(ann, "connect_success")["payload"]["uuid"] == before
        next_frame(ada, "new_connection")
        # she is ready without saying so: when her visitor goes, the next one comes
        ann.say("disconnect")
        assert next_frame(ada, "disconnected")
        first = bob if version == 2 else cid
        next_frame(first, "connect_success")
        for client in (ada, ann, bob, cid):
            client.drop()


def test_without_a_database_a_reload_ends_everything():
    with LiveServer.gunicorn() as server:
        ada, ann = come(server, "waiter", "ada", 2), come(server, "user", "ann", 2)
        ada.say("ready")
        ann.say("connect")
        next_frame(ann, "connect_success")
        server.signal(signal.SIGHUP)
        for client in (ada, ann):
            assert client.closed() == 1012
        ada, ann = come(server, "waiter", "ada", 2), come(server, "user", "ann", 2)
        ann.say("connect")
        assert next_frame(ann, "connect_queue")["payload"]["location"] == 0
        assert json.loads(server.get("/v1/status"))["waiters_ready"] == 0
        ada.say("ready")
        next_frame(ann, "connect_success")
        for client in (ada, ann):
            client.drop()


@pytest.mark.parametrize("draining", [True, False])
def test_row31_who_waits_for_a_slow_reader_ends_no_conversation_of_the_next_process(
    tmp_path, draining
):
    """However long that takes: whoever is away is waited for by the next process."""
    settings = Settings(
        secret_key=(SECRET,), database_url=f"sqlite:///{tmp_path}/csapp.db", grace=1.0
    )
    with closing(open_store(settings.database_url)) as store:
        store.migrate()
        chat = ConversationRow(
            7, "uuid-ann", "ann", waiter="uuid-ada", waiter_subject="ada", opened=1
        )
        store.commit(Batch(conversations=[chat], duties=[Duty("ada", "uuid-ada", True, 5)]))
        server = ChatServer(settings)
        wheel = server.house.wheel
        if draining:
            server.drain()
        for _ in range(int(10 * settings.grace / TICK)):
            wheel.tick()
        while not server.settled:  # everything is stored
            pass
        found = store.conversation(7)
        assert found is not None
        assert (found.ended is None) == draining
        assert [duty.ready for duty in store.duties()] == [draining]
        server.close()


def test_an_event_that_waits_for_the_database_is_stored_before_the_server_ends(
    tmp_path, monkeypatch
):
    """Here: that a conversation has ended, which was found open beside a newer one."""
    settings = Settings(secret_key=(SECRET,), database_url=f"sqlite:///{tmp_path}/csapp.db")
    with closing(open_store(settings.database_url)) as store:
        store.migrate()
        rows = [ConversationRow(key, "uuid-ann", "ann", opened=1) for key in (7, 8)]
        store.commit(Batch(conversations=rows))
        errors, commit = [StoreError("it is locked")], SQLStore.commit

        def commit_later(store: SQLStore, batch: Batch) -> None:
            if errors:
                raise errors.pop()
            commit(store, batch)

        monkeypatch.setattr(SQLStore, "commit", commit_later)
        monkeypatch.setattr(Wheel, "start", lambda wheel: None)  # time passes when the test says so
        server = ChatServer(settings)
        wheel, writer = server.house.wheel, server._writer
        assert writer is not None
        probe.until(lambda: writer.commits and writer.idle)
        assert store.conversation(7).ended is not None
        server.drain()
        assert not server.settled, "the event is not stored yet"
        for _ in range(2 * round(1 / TICK)):
            wheel.tick()
        probe.until(lambda: server.settled)
        (event,) = store.entries(7)
        assert json.loads(event.data) == {"what": "ended"}
        server.close()


def test_a_server_that_ends_closes_the_database_though_events_wait_for_it(tmp_path, monkeypatch):
    """They could be stored no more: nothing is written after this."""
    settings = Settings(secret_key=(SECRET,), database_url=f"sqlite:///{tmp_path}/csapp.db")
    with closing(open_store(settings.database_url)) as store:
        store.migrate()
        monkeypatch.setattr(Switchboard, "events_wait", True)
        server = ChatServer(settings)
        assert server.house is not None
        with pytest.raises(InUse):
            store.hold(shared=False)
        server.drain()
        assert not server.settled
        server.close()
        store.hold(shared=False)


@pytest.mark.parametrize(("who", "what"), [("ada", "returned"), ("eve", "joined")])
def test_after_a_restart_a_waiter_who_was_lost_before_it_returns(tmp_path, who, what):
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/csapp.db", "CSAPP_HEARTBEAT": "3600"}
    with LiveServer.gunicorn(GUNICORN, env=env) as server:
        ada, ann = come(server, "waiter", "ada", 2), come(server, "user", "ann", 2)
        ada.say("ready")
        ann.say("connect")
        assert next_frame(ann, "event")["payload"]["what"] == "joined"
        ada.drop()
        next_frame(ann, "presence")
        let_pass(server, 20)
        assert next_frame(ann, "event")["payload"] == {
            "what": "left",
            "name": "Ada",
            "reason": "lost",
        }
        server.signal(signal.SIGHUP)
        assert ann.closed() == 1012
        ann, waiter = come(server, "user", "ann", 2), come(server, "waiter", who, 2)
        waiter.say("ready")
        event = next_frame(ann, "event")
        assert (event["seq"], event["payload"]) == (3, {"what": what, "name": who.title()})
