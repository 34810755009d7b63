"""What operators' machines read at `GET /metrics`, in Prometheus' text format.

Rules of this file:

1. Nothing is counted that can be read: figures, connections and backlogs are
   looked at when somebody asks, and cost nothing until then.
2. Nothing here stands in the way of a message: what a message adds to is a
   whole number of its own session. Histograms count matches and ticks only.
3. The values of labels come from closed lists, never from a client, and no
   name, token or address is among them.

The families are made at the moment of reading, in a registry of each
application's own: prometheus_client's ready-made counters would share their
values between applications, and with the host's, where the host collects from
several processes.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .desk.port import ANYWHERE, Desk, Event, Figures, Matched, Parted, Reason, Role, Route
from .timers import TICK
from .wire.codes import CloseCode, ErrorCode

#: upper bounds in s: a person's patience; the loop's punctuality; the desk's work
WAITS = (0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MATCHES = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.01, 0.1, 1)

#: what the newest lag is the worst of
LAG_WINDOW = 1.0  # s

#: Prometheus's text format, which the library calls by another name in each version
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"

CODES = frozenset(map(int, CloseCode))

#: what can be asked over HTTP: WebSockets; tokens and sign-ins; the desk's figures; and so on.
#: Not the addresses of operators: their 503 is an answer.
DOORS = ("sockets", "auth", "api", "canned", "search", "files", "kit", "widget", "console")

#: statuses of refusals; those of the first line are shown from the start
LOADED = (408, 429, 503)
STATUSES = frozenset((400, 401, 403, 404, 405, 409, 413, 415, 422, 426, 500, *LOADED))

#: what becomes of files that have come whole: `files.errors.Code`, or the host's check has failed
OUTCOMES = ("kept", "too_large", "type", "image", "refused", "failed")

Key = TypeVar("Key", bound=Hashable)


# ---- what is counted while it happens ----------------------------------


class Tally(Generic[Key]):
    """How often each of *keys*, and whatever else turns up, has happened."""

    def __init__(self, *keys: Key) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(keys, 0)

    def add(self, key: Key) -> None:
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1

    def read(self) -> dict[Key, int]:
        with self._lock:
            return dict(self._counts)


class Histogram:
    """How many values lay below each of *bounds*, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._lock = threading.Lock()
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Bounds with how many values are at or below them, and the sum of all."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, accumulate(counts), strict=True)), total


class LoopLag:
    """How late the wheel's ticks come: what everything else in the loop waits as well."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: float | None = None
        self._recent = deque([0.0], maxlen=round(LAG_WINDOW / TICK))
        self.all = Histogram(LAGS)

    def tick(self) -> None:
        """A tick is here."""
        now = self._now()
        if self._due is not None:
            late = max(0.0, now - self._due)
            self._recent.append(late)
            self.all.observe(late)
        self._due = now + TICK

    @property
    def worst(self) -> float:
        """The latest tick of the last second, one that is still overdue included."""
        overdue = 0.0 if self._due is None else self._now() - self._due
        return max(overdue, *self._recent.copy())


class Meters:
    """What one server must count while it happens. *now* counts seconds, monotonic."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.lag = LoopLag(now)
        self.waits = Histogram(WAITS)
        self.matching = Histogram(MATCHES)
        self.errors = Tally(*ErrorCode)
        self.mails = Tally("sent", "given_up")
        self.files = Tally(*OUTCOMES)
        #: bytes of files that were kept
        self.file_bytes = 0
        self._lock = threading.Lock()
        self._closes = Tally(*((str(int(code)), "server") for code in CloseCode))
        self._refusals = Tally(*((door, str(status)) for door in DOORS for status in LOADED))

    def finished(self, outcome: str, size: int) -> None:
        """What has become of a file that has come whole; *size*: bytes of one that is kept."""
        self.files.add(outcome)
        with self._lock:
            self.file_bytes += size

    def refused(self, door: str, status: int) -> None:
        """A request at *door*, one of `DOORS`, is answered with *status*."""
        self._refusals.add((door, str(status) if status in STATUSES else "other"))

    def refusals(self) -> dict[tuple[str, str], int]:
        """How many requests were refused, by door and status."""
        return self._refusals.read()

    def closed(self, code: int, by: str) -> None:
        """A connection has ended with *code*; *by* is its `ended_by`.

        A client may close with any of four thousand codes: those that are not
        ours are one.
        """
        self._closes.add((str(code) if code in CODES else "other", by or "line"))

    def closes(self) -> dict[tuple[str, str], int]:
        """How many connections have ended, by code and by whom."""
        return self._closes.read()


class MeasuredDesk:
    """*desk* with a watch in its hand: a desk that takes down times."""

    def __init__(self, desk: Desk, meters: Meters) -> None:
        self._desk = desk
        self._meters = meters
        self.arrive = desk.arrive
        self.restore = desk.restore
        self.unready = desk.unready
        self.capacity = desk.capacity
        self.ticket = desk.ticket
        self.part = desk.part
        self.withdraw = desk.withdraw
        self.leave = desk.leave
        self.drop = desk.drop
        self.answered = desk.answered
        self.tick = desk.tick
        self.location = desk.location
        self.figures = desk.figures
        self.team = desk.team
        self.workers = desk.workers
        self.waiting = desk.waiting
        self.assign = desk.assign
        self.is_void = desk.is_void
        self.configure = desk.configure
        self.department = desk.department
        self.take = desk.take
        self.transfer = desk.transfer
        self.colleagues = desk.colleagues
        self.freeze = desk.freeze
        self.explain = desk.explain

    def connect(
        self,
        user: str,
        ticket: int | None = None,
        conversation: int = 0,
        *,
        question: str | None = None,
        page: str = "",
        fields: str = "",
        route: Route = ANYWHERE,
    ) -> int:
        began = time.perf_counter()
        try:
            return self._desk.connect(
                user, ticket, conversation, question=question, page=page, fields=fields,
                route=route,
            )  # fmt: skip
        finally:
            self._meters.matching.observe(time.perf_counter() - began)

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        began = time.perf_counter()
        try:
            self._desk.ready(waiter, capacity)
        finally:
            self._meters.matching.observe(time.perf_counter() - began)

    def take_events(self) -> list[Event]:
        events = self._desk.take_events()
        handed_over = ""  # a user who has gone from waiter to waiter, and has not waited
        for event in events:
            if type(event) is Matched and event.is_recorder:  # of several workers one counts it
                if event.user != handed_over:
                    self._meters.waits.observe(event.waited)
            elif type(event) is Parted and event.reason is Reason.TRANSFERRED:
                handed_over = event.user
                continue
            handed_over = ""
        return events


_: type[Desk] = MeasuredDesk


# ---- what is read when somebody asks -----------------------------------


@dataclass(frozen=True, slots=True)
class Readings:
    """How a server stands at one moment; the totals are since its start."""

    connections: Mapping[Role, int]
    received: int
    relayed: int
    #: bytes that readers have not taken, or that wait for them until the history can be read
    outbox_bytes: int
    desk: Figures
    #: commits of the history, texts in them, texts that wait; None without a history
    history: tuple[int, int, int] | None = None
    #: entries can be stored
    available: bool = True
    #: mails that wait in the database
    mails: int = 0


class Metrics:
    """One application's metrics. *read* is asked at each reading."""

    def __init__(self, meters: Meters, read: Callable[[], Readings]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_ChatCollector(meters, read))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    #: of what `exposition` returns; every version of Prometheus reads it
    content_type = TEXT_FORMAT

    def exposition(self) -> bytes:
        """All metrics as they are now."""
        return generate_latest(self._registry)


class _ChatCollector(Collector):
    """Our own families. `docs/operations.md` has the same list and a test holds it to this one."""

    def __init__(self, meters: Meters, read: Callable[[], Readings]) -> None:
        self._meters = meters
        self._read = read

    def collect(self) -> Iterator[Metric]:
        now = self._read()
        yield from self._lines(now)
        yield from self._desk(now.desk)
        yield from self._history(now)
        yield from self._mails(now)
        yield from self._files()
        yield from self._loop()

    def _lines(self, now: Readings) -> Iterator[Metric]:
        connections = GaugeMetricFamily(
            "csapp_connections", "WebSockets open now.", labels=["role"]
        )
        for role, count in now.connections.items():
            connections.add_metric([role], count)
        yield connections
        closes = CounterMetricFamily(
            "csapp_closes", "Connections that have ended.", labels=["code", "by"]
        )
        for (code, by), count in sorted(self._meters.closes().items()):
            closes.add_metric([code, by], count)
        yield closes
        errors = CounterMetricFamily("csapp_errors", "Error frames sent.", labels=["code"])
        for error, count in self._meters.errors.read().items():
            errors.add_metric([error], count)
        yield errors
        refusals = CounterMetricFamily(
            "csapp_refusals", "HTTP requests refused.", labels=["door", "status"]
        )
        for (door, status), count in sorted(self._meters.refusals().items()):
            refusals.add_metric([door, status], count)
        yield refusals
        yield CounterMetricFamily(
            "csapp_messages_received", "Messages of clients, of any type.", now.received
        )
        yield CounterMetricFamily(
            "csapp_messages_relayed", "Texts passed on to the other side.", now.relayed
        )
        yield GaugeMetricFamily(
            "csapp_outbox_bytes",
            "Bytes that wait for slow readers, or for the history.",
            now.outbox_bytes,
        )

    def _desk(self, desk: Figures) -> Iterator[Metric]:
        yield GaugeMetricFamily("csapp_waiters", "Waiters here or waited for.", desk.waiters)
        yield GaugeMetricFamily(
            "csapp_waiters_ready", "Waiters here who take users.", desk.waiters_ready
        )
        yield GaugeMetricFamily("csapp_users_served", "Users with a waiter.", desk.users_served)
        yield GaugeMetricFamily("csapp_queue_length", "Users in the queue.", desk.queue_length)
        yield GaugeMetricFamily(
            "csapp_queue_longest_wait_seconds",
            "Wait of the first in the queue.",
            desk.longest_wait,
        )
        yield HistogramMetricFamily(
            "csapp_queue_wait_seconds",
            "From joining the queue to being matched; 0 without a queue.",
            *self._meters.waits.read(),
        )
        yield HistogramMetricFamily(
            "csapp_match_seconds",
            "What the desk takes for a connect or a ready.",
            *self._meters.matching.read(),
        )

    def _history(self, now: Readings) -> Iterator[Metric]:
        commits, stored, waiting = now.history or (0, 0, 0)
        yield CounterMetricFamily("csapp_history_commits", "Commits of the history.", commits)
        yield CounterMetricFamily("csapp_history_messages", "Texts stored.", stored)
        yield GaugeMetricFamily("csapp_history_waiting", "Texts that wait to be stored.", waiting)
        yield GaugeMetricFamily(
            "csapp_history_available", "1 while entries can be stored.", float(now.available)
        )

    def _files(self) -> Iterator[Metric]:
        files = CounterMetricFamily(
            "csapp_files", "Files that have come whole, by what became of them.", labels=["outcome"]
        )
        for outcome, count in self._meters.files.read().items():
            files.add_metric([outcome], count)
        yield files
        size = self._meters.file_bytes
        yield CounterMetricFamily("csapp_file_bytes", "Bytes of files that were kept.", size)

    def _mails(self, now: Readings) -> Iterator[Metric]:
        counts = self._meters.mails.read()
        yield GaugeMetricFamily("csapp_mails_waiting", "Mails that wait to be sent.", now.mails)
        yield CounterMetricFamily("csapp_mails_sent", "Mails sent.", counts["sent"])
        yield CounterMetricFamily("csapp_mails_given_up", "Mails given up.", counts["given_up"])

    def _loop(self) -> Iterator[Metric]:
        lag = self._meters.lag
        yield GaugeMetricFamily(
            "csapp_loop_lag_max_seconds", "The latest tick of the last second.", lag.worst
        )
        yield HistogramMetricFamily(
            "csapp_loop_lag_seconds", "How late the ticks of the wheel come.", *lag.all.read()
        )
