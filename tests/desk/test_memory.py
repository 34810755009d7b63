"""The desk of one process keeps the promises of every desk, and some of its own."""

from __future__ import annotations

from hypothesis import settings

from services.desk.memory import MemoryDesk
from services.desk.port import Figures, Matched, Role
from services.desk.user_queue import User

from .conformance import GRACE, DeskConformance
from .departments import DepartmentConformance
from .explained import ExplainConformance
from .helpers import Clock, forget_events, returns, time_passes, users_connect, waiters_get_ready
from .patience import PatienceConformance
from .stateful import DeskMachine
from .transfers import TransferConformance


class TestMemoryDesk(
    ExplainConformance,
    PatienceConformance,
    TransferConformance,
    DepartmentConformance,
    DeskConformance,
):
    """The suite of all desks."""

    def make(self, clock: Clock, **settings: float) -> MemoryDesk:
        return MemoryDesk(**settings, now=clock, wall=clock)


class MemoryDeskMachine(DeskMachine):
    """Random lives of all desks."""

    def make(self, clock: Clock, **settings: float) -> MemoryDesk:
        return MemoryDesk(**settings, now=clock, wall=clock)


TestMemoryDeskLives = MemoryDeskMachine.TestCase
TestMemoryDeskLives.settings = settings(max_examples=200, stateful_step_count=50)


# ---- what it keeps -----------------------------------------------------


def entries(desk: MemoryDesk) -> int:
    """How much the desk remembers of whom, all told."""
    kept = (desk._users, desk._waiters, desk._standing, desk._absent, desk._events)
    one = desk._departments.get("")
    queue = (one.queue, one.queue._all, one.queue._present, one.queue._absent, one.pool, one.due)
    return sum(len(one) for one in (*kept, *queue))


def test_nothing_is_kept_of_those_who_have_gone() -> None:
    clock = Clock()
    desk = MemoryDesk(capacity=2, max_queue=10, grace=GRACE, now=clock)
    for day in range(200):
        waiters_get_ready(desk, f"Wanda {day}")
        users_connect(desk, *(f"{name} {day}" for name in ("Ann", "Bob", "Cid", "Dee")))
        desk.drop(f"Cid {day}")
        desk.part(f"Ann {day}", f"Wanda {day}", f"Ann {day}")
        desk.drop(f"Wanda {day}")
        returns(desk, Role.USER, f"Cid {day}")
        desk.withdraw(f"Cid {day}")
        time_passes(desk, clock, GRACE)
        for name in ("Ann", "Bob", "Cid"):
            desk.leave(f"{name} {day}")
        desk.drop(f"Dee {day}")
        time_passes(desk, clock, GRACE)
        forget_events(desk)
        assert desk.figures() == Figures(0, 0, 0, 0, 0.0)
        assert entries(desk) == 0
    assert sum(len(bucket) for bucket in desk._departments.get("").pool._buckets) == 0


def test_a_matched_user_who_asks_again_counts_once() -> None:
    clock = Clock()
    desk = MemoryDesk(capacity=2, max_queue=10, grace=GRACE, now=clock)
    waiters_get_ready(desk, "Wanda")
    users_connect(desk, "Ann")
    for _ in range(100):
        desk.connect("Ann")
        desk.ready("Wanda")
    assert desk.take_events() == [Matched("Ann", "Wanda")]
    assert desk.figures().users_served == 1


class Counted(dict[str, User]):
    """Counts who is looked up."""

    count = 0

    def __getitem__(self, uuid: str) -> User:
        self.count += 1
        return super().__getitem__(uuid)


def test_a_look_at_the_queue_looks_at_so_many_and_no_more() -> None:
    clock = Clock()
    desk = MemoryDesk(capacity=1, max_queue=5000, grace=GRACE, now=clock, wall=clock)
    users_connect(desk, *(f"user {number}" for number in range(5000)))
    desk._users = Counted(desk._users)
    length, users = desk.waiting(50)
    assert (length, len(users), desk._users.count) == (5000, 50, 50)
    assert users[49].uuid == "user 49"
