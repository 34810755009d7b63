"""Desk, delivery and switchboard put together: for one worker, or for one of several."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .answers import asks_for_answers
from .bounds import Bounds
from .clock import Clock
from .delivery import LocalDelivery
from .departments import Departments
from .desk.memory import MemoryDesk
from .desk.port import DeskUnavailable
from .errors import Unavailable
from .files.uploads import Files
from .history.sql import SQLStore
from .history.visit_care import settle
from .history.writer import Writer
from .identity import Tokens
from .metrics import MeasuredDesk, Meters
from .runtime import Runtime
from .settings import Settings
from .standings import lost_waiters, used_tickets
from .switchboard import Switchboard
from .timers import TICK, Wheel

if TYPE_CHECKING:
    from .desk.mailbox import Mailbox
    from .desk.redis import RedisDesk
    from .shared.delivery import SharedDelivery
    from .shared.figures import LatestFigures

TICKS_A_SECOND = round(1 / TICK)

#: s between two looks at how long the queue of a shared desk is
LOOK = 1.0

#: s between two looks for visits that a killed worker has left open, and how old they are at least
SETTLE = 600.0
LEFT_OPEN = 3600.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a desk, its switchboard and the background are made of."""

    settings: Settings
    runtime: Runtime
    wheel: Wheel
    #: None: conversations are stored nowhere
    store: SQLStore | None
    writer: Writer | None
    tokens: Tokens
    meters: Meters
    bounds: Bounds
    clock: Clock
    departments: Departments
    is_draining: Callable[[], bool]
    #: None: no files are sent
    files: Files | None


class Shared(NamedTuple):
    """The switchboard of one of several workers, its desk, and its mailbox."""

    switchboard: Switchboard
    desk: RedisDesk
    mailbox: Mailbox


def own_desk(parts: Parts) -> Switchboard:
    """For one worker: the desk is in its memory. Waits for the store."""
    settings, store = parts.settings, parts.store
    desk = MemoryDesk(
        capacity=settings.max_users_per_waiter,
        max_queue=settings.max_queue,
        grace=settings.grace + TICK,  # the time of the wheel is up to a tick late
        away=settings.away + TICK,
        answer_within=settings.answer_within and settings.answer_within + TICK,
        places=parts.bounds.places,
        now=parts.wheel.lived,
    )
    measured = MeasuredDesk(desk, parts.meters)
    delivery = LocalDelivery(settings.outbox_bytes, store, parts.writer, clock=parts.clock)
    desk.configure(parts.departments.rules)
    switchboard = Switchboard(
        measured, delivery, parts.tokens.sign_ticket, clock=parts.clock,
        departments=parts.departments, answer_within=settings.answer_within,
    )  # fmt: skip
    if parts.runtime.name == "threads":
        switchboard.guard_threads()
    if store is not None:
        _restore(parts, store, desk, switchboard)
    _tick(parts, desk, switchboard)
    return switchboard


def _restore(parts: Parts, store: SQLStore, desk: MemoryDesk, switchboard: Switchboard) -> None:
    """Go on with what an earlier process has left in *store*. Waits."""
    blocking = parts.runtime.blocking
    rows = blocking(store.open_conversations)
    duties = blocking(store.duties)
    lost = blocking(lost_waiters, store, rows)
    keys = [row.key for row in rows if row.waiter] if switchboard.asks_for_answers() else []
    answered = blocking(store.answered, keys)
    switchboard.restore(rows, duties, lost, answered)
    desk.void(blocking(used_tickets, store, time.time()))
    blocking(settle, store, parts.clock.ms())  # what a killed process has left


def _tick(parts: Parts, desk: MemoryDesk, switchboard: Switchboard) -> None:
    """Let time pass on *desk*, with the wheel."""
    ticks = itertools.count()

    def tick() -> None:
        if not parts.is_draining():  # the next process waits for those who are absent
            desk.tick()
        switchboard.carry_out()
        if next(ticks) % TICKS_A_SECOND == 0:
            switchboard.update_queue_status()
            switchboard.write_missing_events()

    parts.wheel.every_tick(tick, "the desk's ticks")


def share_desk(parts: Parts) -> Shared:
    """For one of several workers: the desk is in Redis. Raises `Unavailable`."""
    from .desk.mailbox import Mailbox  # redis is not loaded where one worker is enough
    from .desk.redis import RedisDesk
    from .shared.figures import LatestFigures
    from .shared.ledger import Ledger
    from .shared.letter_reader import LetterReader

    settings, runtime = parts.settings, parts.runtime
    worker = f"{os.getpid()}-{secrets.token_hex(6)}"
    desk = RedisDesk(
        settings.redis_url or "",
        worker=worker,
        capacity=settings.max_users_per_waiter,
        max_queue=settings.max_queue,
        grace=settings.grace,
        away=settings.away,
        answer_within=settings.answer_within,
        places=parts.bounds.places,
    )
    measured = MeasuredDesk(desk, parts.meters)
    latest = LatestFigures(measured)
    delivery = _shared_delivery(parts, worker, latest, measured)
    switchboard = Switchboard(
        measured, delivery, parts.tokens.sign_ticket, clock=parts.clock, figures=latest,
        departments=parts.departments, answer_within=settings.answer_within,
        spawn=runtime.spawn,
    )  # fmt: skip
    reader = LetterReader(switchboard, delivery)
    mailbox = Mailbox(desk, reader.read, switchboard.carry_out, delivery.doubt)
    delivery.connect(mailbox)
    desk.remember_by(delivery.remembered)
    try:
        desk.configure(parts.departments.rules)
        latest.look()
        switchboard.update_queue_status()
    except Unavailable:
        desk.close()
        raise
    mailbox.start(runtime, parts.wheel.loops)
    parts.bounds.share(Ledger(desk, parts.bounds.held, runtime.spawn))
    _look_after_shared(parts, switchboard, delivery, latest)
    return Shared(switchboard, desk, mailbox)


def _shared_delivery(
    parts: Parts, worker: str, latest: LatestFigures, desk: MeasuredDesk
) -> SharedDelivery:
    from .shared.delivery import SharedDelivery

    settings, store, writer = parts.settings, parts.store, parts.writer
    assert store is not None  # noqa: S101  # the settings demand a store with Redis
    assert writer is not None  # noqa: S101
    return SharedDelivery(
        settings.outbox_bytes, store, writer, latest, worker=worker, runtime=parts.runtime,
        clock=parts.clock,
        asks_for_answers=partial(asks_for_answers, settings.answer_within, parts.departments),
        workers_of=desk.workers,
    )  # fmt: skip


def _look_after_shared(
    parts: Parts, switchboard: Switchboard, delivery: SharedDelivery, latest: LatestFigures
) -> None:
    """Start the loops that a shared desk needs."""
    loops, settings = parts.wheel.loops, parts.settings

    def look() -> None:
        switchboard.write_missing_events()
        delivery.forget_ended()
        with contextlib.suppress(DeskUnavailable):  # the desk has logged it
            if latest.look():
                delivery.doubt()
            switchboard.update_queue_status()

    def settle_visits() -> None:
        now = parts.clock.ms()
        lasts = settings.grace + settings.away + LEFT_OPEN
        with contextlib.suppress(Unavailable):  # the writer says so
            parts.runtime.blocking(settle, parts.store, now, now - round(lasts * 1000))

    loops.start("the search for lost letters", delivery.check_doubted)
    loops.every(LOOK, "the look at the queue", look)
    loops.every(SETTLE, "the look for visits that were left open", settle_visits)
