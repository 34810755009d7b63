"""Letters between workers: each at most once, in order; what is lost is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Condition
from types import SimpleNamespace
from typing import TypeVar

import pytest
import redis

from services.desk import mailbox as mailboxes
from services.desk.mailbox import BLOCK, Mailbox
from services.desk.port import DeskUnavailable, Matched, Queued, Role
from services.desk.redis import RedisDesk
from services.threads import ThreadRuntime
from testkit.proxy import TO_CLIENT, FaultProxy
from testkit.redis import RedisServer

from .crew import desk_name

PATIENCE = 30.0  # s until a wait for something that must happen is given up
IMPATIENT = 0.5  # s that a worker waits for a Redis that will not answer

T = TypeVar("T")


class Worker:
    """A worker of a desk that notes what it receives."""

    def __init__(self, name: str, url: str, desk: str, timeout: float) -> None:
        self.name = name
        self.desk = RedisDesk(
            url, desk=desk, worker=name, capacity=5, max_queue=100, grace=20.0, timeout=timeout
        )
        self.mailbox = Mailbox(self.desk, self._receive, self._note_events, self._miss, timeout)
        self.letters: list[tuple[str, bytes]] = []
        self.batches = 0
        self.gaps = 0
        self.events: list[object] = []
        self.changed = Condition()
        self.desk.figures()  # joins

    def _receive(self, sender: str, letters: list[bytes]) -> None:
        with self.changed:
            self.letters += [(sender, letter) for letter in letters]
            self.batches += 1
            self.changed.notify_all()

    def _note_events(self) -> None:
        with self.changed:
            self.events += self.desk.take_events()
            self.changed.notify_all()

    def _miss(self) -> None:
        with self.changed:
            self.gaps += 1
            self.changed.notify_all()

    def lose_patience(self, timeout: float) -> None:
        """From now on, wait so long for an answer of Redis."""
        for client in (self.desk._calls.client, self.mailbox._reads, self.mailbox._writes):
            seconds = timeout + (BLOCK if client is self.mailbox._reads else 0.0)
            pool = client.connection_pool
            pool.connection_kwargs["socket_timeout"] = seconds
            for connection in pool._available_connections:
                connection.socket_timeout = seconds
                connection._sock.settimeout(seconds)

    def read(self) -> None:
        """All that is in the mailbox, by hand."""
        place = None
        while place != self.desk.mailbox_read:
            place = self.desk.mailbox_read
            self.mailbox.read(None)

    def start(self) -> None:
        """Let its loops run."""
        self.mailbox.start(ThreadRuntime())

    def comes_to(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds, which something that it hears brings about."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE)


@pytest.fixture
def hired() -> Iterator[Callable[..., Worker]]:
    """`hired(url, name, …)`: workers of one desk, who go in the end."""
    desk = desk_name()
    with ExitStack() as stack:

        def hire(url: str, name: str, timeout: float = PATIENCE) -> Worker:
            worker = Worker(name, url, desk, timeout)
            stack.callback(worker.mailbox.close)
            return worker

        yield hire


@pytest.fixture
def pair(redis_server: RedisServer, hired: Callable[..., Worker]) -> tuple[Worker, Worker]:
    return hired(redis_server.url, "a"), hired(redis_server.url, "b")


def post(sender: Worker, receiver: Worker, *letters: str) -> None:
    """These letters are in the mailbox."""
    for letter in letters:
        sender.mailbox.post(receiver.name, letter.encode())
    sender.mailbox.settle()


def heard(worker: Worker) -> list[str]:
    return [letter.decode() for _, letter in worker.letters]


def box(worker: Worker) -> str:
    return f"{worker.desk.prefix}box:{worker.name}"


# ---- letters ------------------------------------------------------------


def test_letters_come_in_order_and_in_batches(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    texts = [str(number) for number in range(1_000)]
    post(a, b, *texts)
    b.read()
    assert heard(b) == texts
    assert b.letters[0][0] == "a"
    assert b.batches == 2
    assert b.gaps == 0
    b.read()
    assert heard(b) == texts, "each of them once"


def test_letters_wake_the_loops(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    a.start()
    b.start()
    a.mailbox.post("b", b"hello")
    b.comes_to(lambda: heard(b) == ["hello"])
    b.mailbox.post("a", b"hello yourself")
    a.comes_to(lambda: heard(a) == ["hello yourself"])
    b.desk.arrive(Role.USER, "ann", "Ann", "Ann A.")
    b.desk.connect("Ann")
    a.desk.arrive(Role.WAITER, "wanda", "Wanda", "Wanda W.")
    a.desk.ready("Wanda")
    b.comes_to(lambda: b.events == [Queued("Ann", 0), Matched("Ann", "Wanda")])
    match = b.events[1]
    assert isinstance(match, Matched)
    assert [(one.name, one.workers) for one in match.people] == [
        ("Ann A.", ("b",)),
        ("Wanda W.", ("a",)),
    ]
    assert (a.gaps, b.gaps) == (0, 0)


def test_all_that_is_posted_in_one_round_goes_in_one_pipeline(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    client = redis.Redis.from_url(a.desk.url, protocol=2)
    before = client.info("stats")["total_reads_processed"]
    post(a, b, *map(str, range(200)))
    reads = client.info("stats")["total_reads_processed"] - before
    client.close()
    assert reads < 20


def test_letters_for_a_worker_that_is_gone_go_nowhere(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    b.desk.close()
    post(a, b, "hello")
    client = redis.Redis.from_url(a.desk.url, protocol=2)
    assert not client.exists(box(b))
    client.close()
    assert a.mailbox._numbers == {}


def test_a_mailbox_nobody_reads_stays_bounded(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    for _ in range(3):
        post(a, b, *map(str, range(5_000)))
    client = redis.Redis.from_url(a.desk.url, protocol=2)
    assert client.xlen(box(b)) <= mailboxes.MOST_LETTERS + 200
    client.close()
    b.read()
    assert b.gaps == 1, "it knows that it has missed some"
    assert heard(b)[-1] == "4999"


def test_a_letter_taken_out_is_noticed_once(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    post(a, b, "one", "two", "three", "four")
    client = redis.Redis.from_url(a.desk.url, protocol=2)
    places = [place for place, _ in client.xrange(box(b))]
    client.xdel(box(b), places[2])  # after the first, which begins the mailbox
    client.close()
    b.read()
    assert heard(b) == ["one", "three", "four"]
    assert b.gaps == 1


def test_a_first_letter_that_is_lost_is_noticed(pair: tuple[Worker, Worker]) -> None:
    a, b = pair
    post(a, b, "one", "two")
    client = redis.Redis.from_url(a.desk.url, protocol=2)
    client.xdel(box(b), client.xrange(box(b))[1][0])
    client.close()
    b.read()
    assert heard(b) == ["two"]
    assert b.gaps == 1


# ---- a bad connection ---------------------------------------------------


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[FaultProxy]:
    around = SimpleNamespace(
        port=redis_server.port, tls=None, url=redis_server.url, ws_url="", token=None
    )
    with FaultProxy(around) as proxy:
        yield proxy


def test_letters_sent_twice_are_heard_once(
    redis_server: RedisServer, proxy: FaultProxy, hired: Callable[..., Worker]
) -> None:
    b = hired(redis_server.url, "b")
    a = hired(proxy.url, "a", IMPATIENT)
    post(a, b, "one")
    proxy.black_hole(TO_CLIENT)  # what is sent arrives, the answers do not
    post(a, b, "two", "three")
    proxy.heal()
    proxy.reset()
    post(a, b, "four")
    client = redis.Redis.from_url(redis_server.url, protocol=2)
    assert client.xlen(box(b)) == 1 + 1 + 2 + 2 + 1, "two and three are there twice"
    client.close()
    b.read()
    assert heard(b) == ["one", "two", "three", "four"]
    assert b.gaps == 0


def test_what_waits_is_bounded_and_its_loss_is_noticed(
    redis_server: RedisServer, proxy: FaultProxy, hired: Callable[..., Worker]
) -> None:
    b = hired(redis_server.url, "b")
    a = hired(proxy.url, "a")
    post(a, b, "one")
    proxy.refuse()
    proxy.reset()
    post(a, b, "two")
    for number in range(3 * mailboxes.MOST_WAITING):
        a.mailbox.post("b", b"x" * (number % 100))
        assert len(a.mailbox._waiting) <= mailboxes.MOST_WAITING
    for _ in range(20):
        a.mailbox.post("b", b"x" * (1 << 20))
        assert a.mailbox._bytes <= mailboxes.MOST_BYTES
    proxy.heal()
    post(a, b, "last")
    b.read()
    assert heard(b)[:2] == ["one", "two"]
    assert len(heard(b)) < 20
    assert b.gaps == 1
    post(a, b, "three")
    b.read()
    assert heard(b)[-1] == "three"
    assert b.gaps == 1


# ---- Redis fails --------------------------------------------------------


def test_after_a_flush_everybody_is_where_they_were(
    own_server: RedisServer, hired: Callable[..., Worker]
) -> None:
    a, b = hired(own_server.url, "a"), hired(own_server.url, "b")
    for worker in (a, b):
        worker.start()
    people(a, b)
    before = a.desk.figures()
    own_server.flush()
    for worker in (a, b):
        worker.comes_to(lambda worker=worker: worker.gaps == 1)
    assert same(a.desk.figures(), before)
    a.mailbox.post("b", b"hello")
    b.comes_to(lambda: heard(b) == ["hello"])
    assert b.desk.part("Ann", "Wanda", "Ann")
    a.comes_to(lambda: any(getattr(event, "gone", "") == "Ann" for event in a.events))
    assert (a.gaps, b.gaps) == (1, 1)


@pytest.mark.parametrize("how", ["restart", "pause"])
def test_redis_comes_back_and_everybody_is_where_they_were(
    own_server: RedisServer, hired: Callable[..., Worker], how: str
) -> None:
    a, b = (hired(own_server.url, name) for name in "ab")
    people(a, b)
    before = a.desk.figures()
    for worker in (a, b):
        worker.lose_patience(IMPATIENT)
        worker.start()
    known = {worker: worker.gaps for worker in (a, b)}
    if how == "restart":
        own_server.restart()
    else:
        with own_server.paused():
            for worker in (a, b):
                worker.desk.drop("nobody")  # waits for an answer, in vain
    for worker in (a, b):
        worker.comes_to(lambda worker=worker: worker.gaps > known[worker])
    assert same(patiently(a, b, a.desk.figures), before)
    a.mailbox.post("b", b"hello")
    b.comes_to(lambda: heard(b) == ["hello"])


def patiently(a: Worker, b: Worker, asks: Callable[[], T]) -> T:
    """What *asks* returns; a busy machine may keep a worker longer than it is ready to wait."""
    for _ in range(100):
        try:
            return asks()
        except DeskUnavailable:
            for worker in (a, b):
                worker.desk.tick()
    raise AssertionError("Redis does not come back")


def people(a: Worker, b: Worker) -> None:
    """Ann on *b* talks with Wanda on *a*; Bob on *a* waits."""
    a.desk.arrive(Role.WAITER, "wanda", "Wanda", "Wanda")
    a.desk.ready("Wanda", 1)
    b.desk.arrive(Role.USER, "ann", "Ann", "Ann")
    b.desk.connect("Ann", conversation=7)
    a.desk.arrive(Role.USER, "bob", "Bob", "Bob")
    a.desk.connect("Bob", conversation=8)
    assert a.desk.figures().queue_length == 1


def same(figures: object, before: object) -> bool:
    """But for how long the first has waited, which begins anew."""
    return repr(figures).split("longest")[0] == repr(before).split("longest")[0]
