"""What a match, and a return with a ticket, cost the desk, alone, at growing sizes."""

from __future__ import annotations

import random
import statistics
import time

from services.desk.memory import MemoryDesk
from services.desk.port import Role

SIZES = [(10, 100), (100, 1000), (1000, 10_000), (10_000, 100_000)]
MATCHES = 2000
RETURNS = [1000, 10_000, 100_000]


def match_cost(rounds: int) -> dict[str, float]:
    """Median µs a match (a conversation ends, the next user is served) by size of the desk."""
    costs: dict[tuple[int, int], list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:  # interleaved: the machine may be quicker at one time than at another
            costs[size].append(_one(*size))
    return {
        f"{waiters:,} waiters, {queued:,} queued": statistics.median(costs[waiters, queued])
        for waiters, queued in SIZES
    }


def _one(waiters: int, queued: int) -> float:
    desk = MemoryDesk(capacity=5, max_queue=10**9, grace=20, now=time.monotonic)
    for number in range(waiters):
        desk.arrive(Role.WAITER, f"w{number}", f"w{number}")
        desk.ready(f"w{number}")
    for number in range(waiters * 5 + queued):
        desk.arrive(Role.USER, f"u{number}", f"u{number}")
        desk.connect(f"u{number}")
    served = {event.user: event.waiter for event in desk.take_events() if hasattr(event, "waiter")}
    ending = list(served.items())[: min(MATCHES, queued, len(served))]
    begun = time.perf_counter()
    for user, waiter in ending:
        desk.part(user, waiter, user)
        desk.take_events()
    return (time.perf_counter() - begun) / len(ending) * 1e6


def return_cost(rounds: int) -> dict[str, float]:
    """Median µs for each of so many who come back with their tickets after a restart."""
    return {
        f"{many:,} queued": statistics.median(_return(many) for _ in range(rounds))
        for many in RETURNS
    }


def _return(many: int) -> float:
    desk = MemoryDesk(capacity=5, max_queue=10**9, grace=20, now=time.monotonic)
    tickets = list(range(1, many + 1))
    random.Random(many).shuffle(tickets)
    for ticket in tickets:
        desk.arrive(Role.USER, f"u{ticket}", f"u{ticket}")
    begun = time.perf_counter()
    for ticket in tickets:
        desk.connect(f"u{ticket}", ticket)
    return (time.perf_counter() - begun) / many * 1e6
