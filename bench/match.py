"""What a match, and a return with a ticket, cost the desk, alone, at growing sizes."""

from __future__ import annotations

import random
import statistics
import time

from services.desk.memory import MemoryDesk
from services.desk.port import Department, Member, Role, Route, Rules

SIZES = [(10, 100), (100, 1000), (1000, 10_000), (10_000, 100_000)]
MATCHES = 2000

#: departments of a site, and of each of its waiters; compared at the largest size
SITES = [(0, 0), (200, 1), (200, 3)]
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


def department_cost(rounds: int) -> dict[str, float]:
    """The same at the largest size, by departments of the site and of each waiter."""
    costs: dict[tuple[int, int], list[float]] = {site: [] for site in SITES}
    for _ in range(rounds):
        for site in SITES:
            costs[site].append(_one(*SIZES[-1], *site))
    return {
        f"{there} departments, each waiter in {each}": statistics.median(costs[there, each])
        for there, each in SITES
    }


def _one(waiters: int, queued: int, departments: int = 0, memberships: int = 0) -> float:
    desk = MemoryDesk(capacity=5, max_queue=10**9, grace=20, now=time.monotonic)
    keys = [f"d{number}" for number in range(departments)]
    desk.configure(Rules(1, {key: Department(key) for key in keys}))
    for number in range(waiters):
        some = tuple(Member(keys[(number + 7 * one) % departments]) for one in range(memberships))
        desk.arrive(Role.WAITER, f"w{number}", f"w{number}", departments=some)
        desk.ready(f"w{number}")
    for number in range(waiters * 5 + queued):
        desk.arrive(Role.USER, f"u{number}", f"u{number}")
        desk.connect(f"u{number}", route=Route(keys[number % departments] if keys else ""))
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
