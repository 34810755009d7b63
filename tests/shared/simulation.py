"""Two workers over one store, in one thread: a seed decides what happens next.

`Switchboard`, `SharedDelivery`, `Order`, `Writer`, `Session` and `HistoryFeed` are real, and
so are the clients (`testkit`). What is between them stands still until chance
picks it: rounds of a worker's loop, calls of the store (also those in the
middle of a commit), answers of the desk, letters between workers, frames on
connections, and what breaks: connections, workers, letters.
"""

from __future__ import annotations

import itertools
import json
import random
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

from greenlet import GreenletExit, getcurrent, greenlet
from simple_websocket import ConnectionClosed

from services import room, roster, switchboard, unconfirmed
from services.bounds import Bounds
from services.clock import Clock
from services.desk.port import Role
from services.feeds import base
from services.history.writer import Writer
from services.house import House
from services.identity import Identity, TokenRole, Tokens
from services.liveness import Liveness
from services.metrics import Meters
from services.session import Session
from services.settings import Settings
from services.shared import missed
from services.shared.delivery import SharedDelivery
from services.shared.figures import LatestFigures
from services.shared.letter_reader import LetterReader
from services.switchboard import Switchboard
from services.wire.codes import CloseCode
from testkit.checker import Anomaly, Conversation, Truth, check
from testkit.eager import EagerManners
from testkit.entries import item
from testkit.journal import Journal
from testkit.v2 import Manners
from tests.fuzz.letter import unframed

from .scripted_desk import ScriptedDesk, SharedState
from .shelf import Shelf

#: steps until everybody has everything
PATIENCE = 100_000

#: s that a step takes: what was refused is soon sent again
STEP = 0.005

SETTINGS = Settings(secret_key=("a key of the simulation",), message_rate=0.0)
TOKENS = Tokens(SETTINGS.secret_key, 86_400)
NOBODY: Any = SimpleNamespace(
    is_revoked=lambda identity, signed: False, is_known=lambda identity, signed: False
)

GoOn = Callable[[], Any]


class Hub:
    """What runs in greenlets; each waits until somebody calls what its *wake* was given."""

    def __init__(self) -> None:
        self.over = False
        self._main = getcurrent()
        self._all: list[greenlet] = []

    def run(self, function: Callable[..., Any], *args: Any) -> None:
        """Begin *function*; returns when it waits or has ended."""
        one = greenlet(function, parent=self._main)
        self._all.append(one)
        one.switch(*args)

    def wait(self, wake: Callable[[GoOn], Any]) -> None:
        """Wait; *wake* gets what lets this go on."""
        if self.over:
            raise GreenletExit
        wake(getcurrent().switch)
        self._main.switch()
        if self.over:
            raise GreenletExit

    def end(self) -> None:
        """Whatever waits ends where it is."""
        self.over = True
        for one in self._all:
            while one:
                one.throw(GreenletExit)


class World:
    """Workers, clients, and what is between them; `step` does one thing."""

    def __init__(
        self, seed: int, *, users: int = 2, manners: type[Manners] = EagerManners,
        transfers: bool = False,
    ) -> None:  # fmt: skip
        self.random = random.Random(seed)
        self.hub = Hub()
        self.now = 1000.0
        self.shelf = Shelf()
        self.journal = Journal()
        self.desk = SharedState(self.random)
        self.clock = _Clock(lambda: self.now)
        #: whose code runs
        self.running: Worker | None = None
        self.log: list[str] = []
        self._names = itertools.count(1)
        self.workers: list[Worker] = []
        for _ in range(2):
            self.boot()
        self.clients = [Client(self, Role.WAITER, "ada", manners)]
        self.clients += [Client(self, Role.USER, f"ann{i}", manners) for i in range(users)]
        self.clients += [Client(self, Role.USER, "ann0", Manners, device="2")]
        #: a second waiter is there, and both hand users over
        self.transfers = transfers
        if transfers:
            self.clients.append(Client(self, Role.WAITER, "bea", manners))
        self._said = itertools.count(1)

    def boot(self) -> None:
        """One more worker."""
        self.workers.append(Worker(self, f"w{next(self._names)}"))

    @property
    def here(self) -> Worker:
        """Whose code runs now."""
        if self.hub.over:
            raise GreenletExit
        assert self.running is not None
        return self.running

    # ---- what happens --------------------------------------------------

    def step(self) -> bool:
        """One thing that was begun goes on. False: everything waits for somebody."""
        self.now += STEP
        steps: list[Callable[[], bool]] = []
        for worker in self.workers:
            steps += [worker.turn] * 6 + [worker.work] * 3 + [worker.answer] * 3
            steps += [worker.read] * 2 + [worker.wake]
        for client in self.clients:
            steps += [client.arrive, client.arrive, client.receive, client.receive, client.back]
            steps += [client.due]
        if self.desk.queue:
            steps.append(self._match_next)
        self.random.shuffle(steps)
        return any(step() for step in steps)

    def _match_next(self) -> bool:
        waiting = len(self.desk.queue)
        self.desk.match_next()
        return len(self.desk.queue) < waiting

    def disturb(self) -> None:
        """Somebody speaks, or hands a user over, or something breaks."""
        if self.transfers and self.random.random() < 0.15:
            self._transfer()
            return
        dice = self.random.random()
        client = self.random.choice(self.clients)
        if dice < 0.7:
            for _ in range(self.random.randint(1, 12)):
                client.say(f"{client.manners.name} {next(self._said)}")
        elif dice < 0.85:
            client.lose()
        elif dice < 0.9:
            client.do(client.manners.repeat())
        elif dice < 0.94:
            self.random.choice(self.workers).lose_letters()
        elif dice < 0.97:
            self.kill(self.random.choice(self.workers))
        else:
            self.random.choice(self.workers).drain()

    def _transfer(self) -> None:
        """A waiter hands one of its users to the other one, or to whoever is free next."""
        waiters = [one for one in self.clients if one.role is Role.WAITER]
        giver, taker = self.random.sample(waiters, 2)
        giver.do(giver.manners.transfer_any(self.random, taker.manners.uuid))

    def kill(self, worker: Worker) -> None:
        """SIGKILL: what it has not written is gone; another one comes."""
        self.log.append(f"{worker.name} is killed")
        worker.kill()
        self.workers.remove(worker)
        if sum(not one.draining for one in self.workers) < 2:
            self.boot()

    def play(self, disturbances: int) -> None:
        """Live, and then come to rest. Raises `AssertionError` where that does not happen."""
        for _ in range(disturbances):
            self.disturb()
            for _ in range(self.random.choice([1, 5, 20, 100])):
                self.step()
        for _ in range(PATIENCE):
            busy = self.step()
            if not busy and self._at_rest():
                return
        states = [f"{c.manners.name}: {_state(c.manners)}" for c in self.clients]
        raise AssertionError("\n".join(["it does not come to rest", *states, *self.log]))

    def _at_rest(self) -> bool:
        ends = {f"{key:x}": len(rows) for key, rows in self.shelf.rows.items()}
        return all(
            client.manners.settled
            and all(
                c.handed or (c.last_seq or 0) >= ends.get(c.name, 0)
                for c in client.manners.conversations.values()
            )
            for client in self.clients
        )

    # ---- judgement -----------------------------------------------------

    @property
    def truth(self) -> Truth:
        """What is stored."""
        return {
            f"{key:x}": Conversation(
                {
                    *(c.manners.sub for c in self.clients if c.role is Role.WAITER),
                    *(one.author for one in rows),
                    self.shelf.conversations[key].user_subject,
                },
                [item(one) for one in rows],
            )
            for key, rows in self.shelf.rows.items()
        }

    def judge(self) -> list[str]:
        """What went wrong."""
        found: list[Anomaly] = check(self.journal, self.truth)
        problems = [one for client in self.clients for one in client.manners.problems]
        return [*map(str, found), *problems, *self._wrongly_served(), *self.log_of_failures]

    def _wrongly_served(self) -> list[str]:
        """Conversations that several waiters think to serve, or none."""

        def here(role: Role) -> list[tuple[str, str]]:
            manners = [client.manners for client in self.clients if client.role is role]
            return [(c.name, m.sub) for m in manners for c in m.conversations.values() if c.here]

        waiters = [name for name, _ in here(Role.WAITER)]
        names = {name for name, _ in here(Role.USER)}
        return [f"{waiters.count(one)} serve {one}" for one in names if waiters.count(one) != 1]

    @property
    def log_of_failures(self) -> list[str]:
        """What the server logged as a bug."""
        return [one for one in self.log if one.startswith("!")]


@contextmanager
def simulated(seed: int, **options: Any) -> Iterator[World]:
    """A world whose threads are greenlets of its hub."""
    world = World.__new__(World)
    threading = SimpleNamespace(Event=lambda: _Event(world), Lock=lambda: _Lock(world))
    log = SimpleNamespace(
        exception=lambda *args: world.log.append(f"! {args}\n{traceback.format_exc()}"),
        error=lambda *args: world.log.append(f"! {args}"),
        warning=lambda *args: None,
    )
    with (
        mock.patch.object(base, "threading", threading),
        mock.patch.object(switchboard, "threading", threading),
        mock.patch.object(roster, "threading", threading),
        mock.patch.object(missed, "threading", threading),
        mock.patch.object(room, "threading", threading),
        mock.patch.object(unconfirmed, "threading", threading),
        mock.patch("services.history.writer.log", log),
        mock.patch("services.history.committer.log", log),
        mock.patch("services.switchboard.log", log),
        mock.patch("services.session.log", log),
        mock.patch("services.feeds.turns.log", log),
        mock.patch("services.shared.letter_reader.log", log),
        mock.patch("services.shared.order.log", log),
    ):
        world.__init__(seed, **options)  # type: ignore[misc]
        try:
            yield world
        finally:
            world.hub.end()


class _Clock(Clock):
    """Names conversations without chance."""

    def new_key(self) -> int:
        """Short ones."""
        self._last = max(self._last + 1, 0xC0)
        return self._last

    def look(self) -> None:
        """Nobody sets it back."""


class _Event:
    """A `threading.Event`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set = False
        self._waiting: list[tuple[Worker, GoOn]] = []

    def clear(self) -> None:
        """As there."""
        self._set = False

    def set(self) -> None:
        """As there: whoever waits goes on in a later round."""
        self._set = True
        waiting, self._waiting = self._waiting, []
        for worker, go_on in waiting:
            worker.loop.append(go_on)

    def wait(self, timeout: float | None = None) -> bool:
        """As there; time does not run out."""
        worker = self._world.here
        while not self._set:
            self._world.hub.wait(lambda go_on: self._waiting.append((worker, go_on)))
        return True


class _Lock:
    """A `threading.Lock`, which others wait for in a greenlet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held = False
        self._waiting: deque[tuple[Worker, GoOn]] = deque()

    def __enter__(self) -> None:
        worker = self._world.here
        while self._held:
            self._world.hub.wait(lambda go_on: self._waiting.append((worker, go_on)))
        self._held = True

    def __exit__(self, *error: object) -> None:
        self._held = False
        if self._waiting:
            worker, go_on = self._waiting.popleft()
            worker.loop.append(go_on)


class Worker:
    """One process."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.alive = True
        self.draining = False
        #: rounds of its loop, in order
        self.loop: deque[GoOn] = deque()
        #: threads in the middle of something with the store
        self.threads: list[GoOn] = []
        #: calls of the desk under way
        self.calls: list[GoOn] = []
        self.sleepers: list[GoOn] = []
        #: letters of others, in order
        self.mailbox: deque[tuple[str, Any]] = deque()
        self._reading = False
        self._native: set[Any] = set()
        self.connections: list[SimulatedConnection] = []
        world.running = self
        runtime: Any = self
        store: Any = _Slow(self)
        self.writer = Writer(store, runtime, lambda: world.now)
        self.desk = ScriptedDesk(world.desk, self)
        desk: Any = self.desk
        figures = LatestFigures(desk)
        self.delivery = SharedDelivery(
            1 << 20, store, self.writer, figures, worker=name, runtime=runtime, clock=world.clock
        )
        self.switchboard = Switchboard(
            desk, self.delivery, lambda *_: "ticket", clock=world.clock, figures=figures
        )
        self.inbox = LetterReader(self.switchboard, self.delivery)
        self.delivery.connect(self)
        figures.look()  # so it writes events
        wheel: Any = SimpleNamespace(after=self._after)
        meters = Meters(lambda: world.now)
        liveness = Liveness(self.switchboard, runtime, SETTINGS.frozen)
        self.house = House(
            SETTINGS, runtime, wheel, TOKENS, self.switchboard, meters, NOBODY, liveness, Bounds(0)
        )

    # ---- a `Runtime` ---------------------------------------------------

    def now(self) -> float:
        """s."""
        return self.world.now

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        """In a later round."""
        self.loop.append(partial(self.world.hub.run, function, *args))

    def call_soon(self, function: Callable[[], None]) -> None:
        """In a later round."""
        self.loop.append(function)

    def _after(self, seconds: float, function: GoOn) -> Any:
        """Chance decides when a dead connection has had its time; other timers do not end."""
        timer = SimpleNamespace(is_over=False)
        timer.cancel = lambda: setattr(timer, "is_over", True)

        def end() -> None:
            if not timer.is_over:
                function()

        if seconds == unconfirmed.ANSWER_TIME:
            self.sleepers.append(end)
        return timer

    def aside(self, function: Callable[..., Any], *args: Any) -> None:
        """Nothing that matters."""

    def sleep(self, seconds: float) -> None:
        """Until chance wakes it."""
        self.world.hub.wait(self.sleepers.append)

    def blocking(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """In a thread, whose calls of the store take their time."""
        found: list[Any] = []

        def wake(go_on: GoOn) -> None:
            def done(error: BaseException | None) -> None:
                found.append(error)
                go_on()

            self._thread(lambda: found.append(function(*args, **options)), done)

        self.world.hub.wait(wake)
        *values, error = found
        if error is not None:
            raise error
        return values[0]

    def native(self) -> Callable[[GoOn, Callable[[BaseException | None], None]], None]:
        """The same, for the writer."""
        return self._thread

    def _thread(self, function: GoOn, done: Callable[[BaseException | None], None]) -> None:
        def run() -> None:
            self._native.add(getcurrent())
            error = None
            try:
                function()
            except GreenletExit:
                raise
            except BaseException as found:
                error = found
            self.loop.append(partial(done, error))

        self.threads.append(partial(self.world.hub.run, run))

    def asks_store(self) -> None:
        """A call of the store takes its time, in a thread."""
        if getcurrent() in self._native:
            self.world.hub.wait(self.threads.append)

    # ---- the way to others ---------------------------------------------

    def post(self, worker: str, letter: bytes) -> None:
        """As a mailbox does."""
        for one in self.world.workers:
            if one.name == worker:
                one.mailbox.append((self.name, letter))

    def lose_letters(self) -> None:
        """Those of others on their way here; it notices, and looks everything up."""
        of_desk = [one for one in self.mailbox if one[0] == "#"]
        self.mailbox.clear()
        self.mailbox.extend(of_desk)
        self.spawn(self.delivery.check_all)

    # ---- steps: whether there was anything to do -----------------------

    def _run(self, what: GoOn) -> bool:
        self.world.running = self
        what()
        self.world.running = None
        return True

    def turn(self) -> bool:
        """A call of its loop."""
        return bool(self.loop) and self._run(self.loop.popleft())

    def work(self) -> bool:
        """A thread goes on."""
        return bool(self.threads) and self._run(self._any(self.threads))

    def answer(self) -> bool:
        """The desk is reached, or has answered."""
        return bool(self.calls) and self._run(self._any(self.calls))

    def wake(self) -> bool:
        """Somebody has slept enough."""
        return bool(self.sleepers) and self._run(self._any(self.sleepers))

    def _any(self, some: list[GoOn]) -> GoOn:
        return some.pop(self.world.random.randrange(len(some)))

    def read(self) -> bool:
        """A letter comes."""
        if self._reading or not self.mailbox:
            return False
        sender, letter = self.mailbox[0]
        if sender == "#" and self.desk.calling:
            return False  # the answer comes before it
        self.mailbox.popleft()
        if sender == "#":
            self.desk.receive(letter)
            what: GoOn = self.switchboard.carry_out
        else:
            what = partial(self.inbox.read, sender, [letter])
        self._reading = True
        return self._run(partial(self.world.hub.run, self._read, what))

    def _read(self, what: GoOn) -> None:
        try:
            what()
        finally:
            self._reading = False

    # ---- its end -------------------------------------------------------

    def drain(self) -> None:
        """SIGHUP: its clients are sent away, and it goes on until all is stored."""
        if self.draining:
            return
        self.world.log.append(f"{self.name} drains")
        self.draining = True
        self.world.boot()
        self.world.running = self
        for connection in list(self.connections):
            connection.close(CloseCode.RESTART)
        self.world.running = None

    def kill(self) -> None:
        """It is no more; the desk finds out by itself."""
        self.alive = False
        for queue in (self.loop, self.threads, self.calls, self.sleepers, self.mailbox):
            queue.clear()
        for connection in self.connections:
            connection.cut()
        self.world.desk.retire(self.name)


class _Slow:
    """The store, as a thread of *worker* asks it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.name = "shelf"

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._worker.world.shelf, name)

        def ask(*args: Any, **options: Any) -> Any:
            self._worker.asks_store()
            return method(*args, **options)

        return ask


class SimulatedConnection:
    """Stands where a `Connection` would."""

    def __init__(self, worker: Worker, role: Role) -> None:
        self.worker = worker
        self.code: int | None = None
        self.ended_by = ""
        self.address = "here"
        self.language = ""
        self.site = ""
        self.received = self.sent = self.backlog = 0
        #: sent by the client, and on its way
        self.up: deque[Any] = deque()
        #: … and not read by the session yet
        self.arrived: list[bytes] = []
        #: sent by the server
        self.down: deque[Any] = deque()
        #: the client has lost it, and the server has not noticed yet
        self.lost = False
        self._waiting: GoOn | None = None
        self._take: Callable[[list[bytes]], list[bytes]] | None = None
        worker.connections.append(self)
        connection: Any = self
        session = Session(connection, role, worker.house)
        worker.spawn(session.run)

    # ---- what a session uses -------------------------------------------

    def put(self, data: bytes) -> None:
        """Never waits."""
        if self.code is None:
            self.down.extend(unframed(data))

    put_and_remember = put

    def take_in_passing(self, take: Callable[[list[bytes]], list[bytes]]) -> None:
        """As there."""
        self._take = take

    def receive_batch(self) -> list[bytes]:
        """As there."""
        while self.code is None:
            if self.arrived:
                batch, self.arrived = self.arrived, []
                return batch
            self.worker.world.hub.wait(self._wait)
        raise ConnectionClosed(self.code)

    def _wait(self, go_on: GoOn) -> None:
        self._waiting = go_on

    def close(self, code: int = 1000, reason: str = "") -> None:
        """As there."""
        self._end(int(code), "server")

    def _end(self, code: int, by: str) -> None:
        if self.code is None:
            self.code, self.ended_by = code, by
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None:
            go_on, self._waiting = self._waiting, None
            self.worker.loop.append(go_on)

    # ---- what the world does with it -----------------------------------

    def arrive(self, count: int) -> None:
        """So many frames of the client are here."""
        some = [self.up.popleft() for _ in range(min(count, len(self.up)))]
        if self.code is not None:
            return
        self.arrived += [json.dumps(one).encode() for one in some]
        self.received += len(some)
        if self._waiting is not None and self._take is not None:
            self.arrived = self._take(self.arrived)
            if self.arrived:
                self._wake()

    def notice(self) -> None:
        """The server finds that it is lost."""
        self._end(int(CloseCode.ABNORMAL), "network")

    def cut(self) -> None:
        """The worker is gone."""
        self.code = self.code or int(CloseCode.ABNORMAL)
        self.up.clear()


class Client:
    """`Manners` and their connection."""

    def __init__(
        self, world: World, role: Role, sub: str, manners: type[Manners], device: str = "1"
    ) -> None:
        self.world, self.role = world, role
        token = TOKENS.sign(Identity(sub, sub, TokenRole(role), "sid"))
        self.manners = manners(
            role, sub, token, world.journal, device=device, clock=lambda: world.now
        )
        self.connection: SimulatedConnection | None = None
        #: lost, and the worker may not know it
        self._old: list[SimulatedConnection] = []

    def say(self, text: str) -> None:
        """Put it into the outbox."""
        known = list(self.manners.conversations)
        if known:
            self.do(self.manners.say(text, self.world.random.choice(known)))

    def do(self, frames: list[Any]) -> None:
        """Send them."""
        if self.connection is not None:
            self.connection.up.extend(frames)

    def lose(self) -> None:
        """Lose the connection; what is on its way may still arrive."""
        if self.connection is not None:
            self._old.append(self.connection)
            self.connection.lost = True
            self.connection = None
            self.manners.closed(1006)

    # ---- steps ---------------------------------------------------------

    def back(self) -> bool:
        """Connect again, to any worker; or an old worker notices that it is gone."""
        chance = self.world.random
        for connection in self._old:
            if chance.random() < 0.3:
                self._old.remove(connection)
                if connection.worker.alive:
                    connection.worker._run(connection.notice)
                return True
        doors = [one for one in self.world.workers if not one.draining]
        if self.connection is None and doors:
            worker = chance.choice(doors)
            self.world.running = worker
            self.connection = SimulatedConnection(worker, self.role)
            self.world.running = None
            self.do(self.manners.opened())
            return True
        return bool(self._old)

    def arrive(self) -> bool:
        """The server gets some frames."""
        connections = [one for one in (self.connection, *self._old) if one is not None and one.up]
        if not connections:
            return False
        connection = self.world.random.choice(connections)
        if connection.worker.alive:
            count = self.world.random.choice([1, 3, 30])
            connection.worker._run(partial(connection.arrive, count))
        return True

    def receive(self) -> bool:
        """The client gets some frames, or the end."""
        connection = self.connection
        if connection is None:
            return False
        if not connection.down:
            if connection.code is not None:
                self.connection = None
                self.manners.closed(connection.code)
                return True
            return False
        for _ in range(self.world.random.choice([1, 3, 30])):
            if connection.down:
                self.do(self.manners.received(connection.down.popleft()))
        return True

    def due(self) -> bool:
        """What was to be sent again later."""
        at = self.manners.next_due
        if at is None or self.connection is None or not self.manners.socket:
            return False
        self.do(self.manners.due())
        return True


def _state(manners: Manners) -> str:
    known = [
        (c.name, c.here, c.last_seq, list(c.outbox)[:3]) for c in manners.conversations.values()
    ]
    return f"socket {manners.socket or 'none'} answered={manners.answered} {known}"
