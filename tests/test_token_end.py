"""A connection lives as long as its token, and on with a newer one."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from services.delivery import LocalDelivery
from services.desk.memory import MemoryDesk
from services.desk.port import Role
from services.house import House
from services.identity import Identity, TokenRole, Tokens
from services.liveness import Liveness
from services.metrics import Meters
from services.session import Session
from services.settings import Settings
from services.switchboard import Switchboard
from services.timers import TICK, Wheel
from services.wire.codec import Decoder
from services.wire.codes import CloseCode, Farewell
from services.wire.frames import Auth
from testkit import Client, LiveServer
from testkit.client import assert_quiet

from .clocked import GUNICORN, THREADS, let_pass
from .probe import next_frame

SECRET = "a-secret-of-these-tests-only"
HOUR = 3600.0
LIFE = 60.0  # s that a token of the real server lasts: nobody waits for its end


class World:
    """A server without sockets, and its two clocks: one that may jump, and one that may not."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 50.0
        runtime: Any = SimpleNamespace(
            name="hand", now=lambda: self.steady, spawn=lambda *_: None, sleep=lambda _: None
        )
        self.wheel = Wheel(runtime)
        self.tokens = Tokens([SECRET], 12 * HOUR, now=lambda: self.wall)
        desk = MemoryDesk(capacity=5, max_queue=10, grace=20, now=self.wheel.lived)
        #: what is revoked while a token is looked up
        self.revoked: set[str] = set()
        revocations: Any = SimpleNamespace(
            is_revoked=lambda identity, signed: False,
            is_known=lambda identity, signed: identity.subject in self.revoked,
        )
        settings = Settings(secret_key=(SECRET,))
        switchboard, meters = Switchboard(desk, LocalDelivery(1 << 20)), Meters(runtime.now)
        self.house = House(
            settings, runtime, self.wheel, self.tokens, switchboard, meters, revocations,
            Liveness(switchboard, runtime, settings.frozen),
        )  # fmt: skip

    def connect(self, lifetime: float, version: int = 1, sub: str = "ann") -> Connection:
        connection = Connection()
        session = Session(connection, Role.USER, self.house)  # type: ignore[arg-type]
        connection.session = session
        self.show(connection, lifetime, version, sub)
        return connection

    def show(
        self, connection: Connection, lifetime: float, version: int = 1, sub: str = "ann"
    ) -> None:
        token = self.tokens.sign(Identity(sub, "", TokenRole.USER, "login-1"), lifetime)
        asked: dict[str, Any] = {"type": "auth", "id": "a-1", "payload": {"token": token}}
        if version > 1:
            asked["payload"]["version"] = version
        connection.session._handle(Decoder(Auth).decode_batch([json.dumps(asked).encode()]))

    def live(self, seconds: float, lost: float = 0.0) -> None:
        """Both clocks go on; the wheel loses *lost* of each second."""
        ticks = round(seconds / TICK)
        for _ in range(ticks):
            self.wall += TICK
            self.steady += TICK
            if (self.steady * lost) % 1 + TICK * lost < 1:
                self.wheel.tick()


class Connection:
    """Stands where a WebSocket would."""

    def __init__(self) -> None:
        self.session: Any = None
        self.code: int | None = None
        self.reason = ""
        self.address = "127.0.0.1"
        self.language = ""
        self.site = ""
        self.sent: list[dict[str, Any]] = []

    def put(self, data: bytes) -> None:
        self.sent.append(json.loads(data[data.index(b'{"') :]))

    put_and_remember = put

    def close(self, code: int, reason: str = "") -> None:
        self.code = self.code or code
        self.reason = self.reason or reason

    def told(self, type_: str) -> list[dict[str, Any]]:
        return [frame for frame in self.sent if frame["type"] == type_]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("lifetime", [3, 61, 600, 12 * HOUR])
def test_a_connection_ends_with_its_token_not_before(world: World, version: int, lifetime: float):
    connection = world.connect(lifetime, version)
    world.live(lifetime - 1.5)  # itsdangerous counts in whole seconds
    assert connection.code is None
    world.live(2)
    assert connection.code == CloseCode.UNAUTHENTICATED
    assert connection.reason == "the token has run out"
    assert world.wheel._slots == {} or not any(world.wheel._slots.values()), "nothing is left"


def test_it_ends_in_time_where_the_wheel_is_late(world: World):
    connection = world.connect(HOUR)
    world.live(HOUR - 1.5, lost=0.2)
    assert connection.code is None
    world.live(4, lost=0.2)
    assert connection.code == CloseCode.UNAUTHENTICATED


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_is_set_changes_nothing(world: World, jump: float):
    connection = world.connect(600)
    world.live(100)
    world.wall += jump
    world.live(480)
    assert connection.code is None
    world.live(25)
    assert connection.code == CloseCode.UNAUTHENTICATED


def test_ten_thousand_cost_some_looks_a_minute_and_leave_nothing(world: World):
    connections = [world.connect(12 * HOUR, sub=f"user-{n}") for n in range(1000)]
    armed, after = [], world.wheel.after
    world.wheel.after = lambda *due: (armed.append(due), after(*due))[1]  # type: ignore[method-assign]
    world.live(HOUR)
    assert len(armed) <= 61 * len(connections)
    assert len(world.wheel._slots) <= 600 + 3, "of a minute, however long the tokens live"
    for connection in connections:
        connection.session.feed.admission.close()
    assert world.wheel._slots == {}


@pytest.mark.parametrize("version", [1, 2])
def test_a_newer_token_prolongs_it(world: World, version: int):
    connection = world.connect(10, version)
    world.live(5)
    before = len(connection.sent)
    world.show(connection, 30, version)
    assert len(connection.sent) - before == (0 if version == 1 else 1), "no welcome again"
    world.live(28)
    assert connection.code is None
    world.live(4)
    assert connection.code == CloseCode.UNAUTHENTICATED


def test_version_2_is_told_how_long(world: World):
    connection = world.connect(10, 2)
    world.live(5)
    world.show(connection, 30, 2)
    first, second = connection.told("auth_success")
    assert 9 <= first["payload"]["expires_in"] <= 10
    assert 29 <= second["payload"]["expires_in"] <= 30
    assert second["reply_id"] == "a-1"
    assert second["payload"]["uuid"] == first["payload"]["uuid"] == second["to"]


def test_an_older_token_takes_nothing_away(world: World):
    connection = world.connect(100, 2)
    world.live(5)
    world.show(connection, 10, 2)
    assert connection.told("auth_success")[-1]["payload"]["expires_in"] >= 94
    world.live(80)
    assert connection.code is None


def test_a_connection_that_has_ended_is_looked_at_no_more(world: World):
    connection = world.connect(HOUR)
    connection.code = CloseCode.NORMAL
    connection.session.feed.admission.await_end()
    world.live(61)
    assert not any(world.wheel._slots.values())


@pytest.mark.parametrize("version", [1, 2])
def test_who_is_signed_out_while_its_token_is_looked_up_is_not_let_in(world: World, version: int):
    """Its connection could not be found yet, so nobody has closed it."""
    world.revoked.add("ann")
    with pytest.raises(Farewell) as refused:
        world.connect(100, version)
    assert refused.value.code == CloseCode.UNAUTHENTICATED
    standing = world.connect(100, version, sub="bob")
    world.revoked.add("bob")
    with pytest.raises(Farewell):
        world.show(standing, 100, version, sub="bob")


# ---- a real server ------------------------------------------------------------


@pytest.fixture(scope="module", params=["gunicorn", "flask"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('end')}/csapp.db",
        "CSAPP_HEARTBEAT": "3600",
    }
    ways = {
        "gunicorn": lambda: LiveServer.gunicorn(GUNICORN, env),
        "flask": lambda: LiveServer.flask(THREADS, env),
    }
    with ways[request.param]() as running:
        yield running


def entered(server: LiveServer, role: str, sub: str, version: int, token: str = "") -> Client:
    client = Client(server, role)
    payload = {"token": token or server.token(role, sub, lifetime=LIFE)}
    client.say("auth", payload if version == 1 else {**payload, "version": 2})
    if version == 2:
        while client.receive()["type"] != "auth_success":
            pass
    return client


def settled(client: Client) -> list[str]:
    """The types of the frames on their way."""
    return [frame["type"] for frame in client.receive_all()]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("role", ["user", "waiter"])
def test_the_connection_of_a_token_ends_with_it_unless_it_shows_another(
    server: LiveServer, role: str, version: int
):
    other = f"{role}-{version}-other"
    renewed = entered(server, role, f"{role}-{version}", version)
    left = entered(server, role, other, version)
    settled(renewed)
    settled(left)  # its token was looked at, too
    asked = renewed.say("auth", {"token": server.token(role, f"{role}-{version}", lifetime=HOUR)})
    if version == 2:
        answer = renewed.receive()
        assert (answer["type"], answer["reply_id"]) == ("auth_success", asked)
        assert LIFE < answer["payload"]["expires_in"] <= HOUR
    assert settled(renewed) == [], "it was looked at"
    let_pass(server, LIFE)
    assert left.closed() == CloseCode.UNAUTHENTICATED
    assert_quiet(renewed)
    renewed.leave()


def test_another_subject_role_or_login_that_was_signed_out_is_refused_and_the_conversation_goes_on(
    server: LiveServer,
):
    signed_out = server.token("user", "ann")
    server.post("/v1/waiter/logout", Authorization=f"Bearer {signed_out}")
    bad = {
        server.token("user", "bob"): "forbidden",
        server.token("waiter", "ann"): "forbidden",
        server.token("user", "ann", lifetime=-5): "expired_token",
        signed_out: "invalid_token",
    }
    with (
        entered(server, "user", "ann", 2, server.token("user", "ann")) as ann,
        entered(server, "waiter", "ada", 2, server.token("waiter", "ada")) as ada,
    ):
        settled(ada)
        ada.say("ready")
        settled(ada)
        ann.say("connect")
        told = settled(ann)
        assert told[:2] == ["connect_success", "message_history"]
        heard = settled(ada)
        for client, seen in ((ann, told), (ada, heard)):
            if "event" not in seen:  # it is stored first
                next_frame(client, "event")
        for token, code in bad.items():
            asked = ann.say("auth", {"token": token, "version": 2})
            answer = ann.receive()
            assert (answer["type"], answer["reply_id"]) == ("error", asked)
            assert answer["payload"]["code"] == code
        ann.say("auth", {"token": server.token("user", "ann"), "version": 2, "resume": {}})
        assert ann.receive()["type"] == "auth_success"
        ann.text("still here")
        assert settled(ann) == ["message_text_success"], "nothing is told again"
        assert settled(ada) == ["message_text"]
