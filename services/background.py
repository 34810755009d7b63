"""What a server does by itself, in loops, while its connections go on.

The loops of the desk itself are in `assembly.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from .assembly import Parts
from .clock import KEY_BITS
from .database import sweep_daily
from .errors import Unavailable
from .files.sweeping import LOOK as FILES_LOOK
from .files.sweeping import Sweeper
from .history.indexer import LOOK as INDEX_LOOK
from .history.indexer import Indexer
from .history.left_messages import LeftMessageTable
from .history.mail import MailTable, Wanted
from .history.serving import BEAT
from .history.sql import SQLStore
from .idle import LOOK as IDLE_LOOK
from .idle import Idle
from .left_messages import LeftMessages
from .liveness import Liveness
from .mail import Mailing
from .other_servers import OtherServers
from .queue_words import LOOK as WORDS_LOOK
from .revocation import News, Revocations
from .switchboard import Switchboard
from .waits import LATELY, LATEST

#: s between two looks at how long conversations have lasted
LEARN = 60.0


class Background(NamedTuple):
    """What sessions and the server ask of what runs in the background."""

    revocations: Revocations
    liveness: Liveness
    left_messages: LeftMessages
    #: None: this server sends no mails
    mailing: Mailing | None


def look_at_other_servers(parts: Parts) -> OtherServers | None:
    """Say in PostgreSQL that this server is there, and look for others. Waits."""
    store = parts.store
    if store is None or store.name != "postgresql":
        return None
    others = OtherServers(store, parts.runtime, shared=bool(parts.settings.redis_url))
    others.turn()
    parts.wheel.loops.every(BEAT, "the look at other servers", others.turn)
    return others


def start(
    parts: Parts,
    switchboard: Switchboard,
    has_time: Callable[[], bool],
    sign_out: Callable[[Sequence[News]], None],
) -> Background:
    """Start all loops that remain once there is a desk. Waits. Raises `Unavailable`.

    *has_time*: the store has nothing else to do. *sign_out* closes what a revocation ends.
    """
    settings, runtime, wheel, store = parts.settings, parts.runtime, parts.wheel, parts.store
    if store is not None:
        indexer = Indexer(store, runtime, has_time)
        wheel.loops.every(INDEX_LOOK, "the search index", indexer.turn)
        if settings.retention_days:
            sweep_daily(store, settings.retention_days, runtime, wheel, parts.files)
    parts.departments.start(wheel.loops, switchboard.apply_departments)
    if store is not None:
        _start_looks(parts, switchboard, store)
    if parts.files is not None:
        sweeper = Sweeper(parts.files, runtime)
        wheel.loops.every(FILES_LOOK, "the look for files that nothing names", sweeper.turn)
    left_messages = _start_left_messages(parts, switchboard)
    mailing = _start_mailing(parts)
    revocations = Revocations(store, runtime, wheel, sign_out)
    revocations.start()
    liveness = Liveness(switchboard, runtime, settings.frozen)
    wheel.loops.every(liveness.pause, "the look at waiters' pages", liveness.look)
    return Background(revocations, liveness, left_messages, mailing)


def _start_looks(parts: Parts, switchboard: Switchboard, store: SQLStore) -> None:
    """Look, again and again, at how long conversations last, and who hears nothing. Waits."""
    settings, wheel = parts.settings, parts.wheel
    learn = partial(_learn, parts, switchboard, store)
    learn()
    wheel.loops.every(LEARN, "the look at how long conversations last", learn)
    if settings.idle_close:
        times = settings.idle_warn, settings.idle_close
        idle = Idle(switchboard, store, parts.runtime, *times, wheel.lived)
        wheel.loops.every(IDLE_LOOK, "the look at who is idle", idle.look)
    look = switchboard.queue_words.look
    wheel.loops.every(WORDS_LOOK, "the look at what the site says in the queue", look)


def _learn(parts: Parts, switchboard: Switchboard, store: SQLStore) -> None:
    """Let *switchboard* know how long conversations have lasted lately. Waits."""
    after = (parts.clock.ms() - LATELY * 1000) << KEY_BITS
    with contextlib.suppress(Unavailable):  # the writer says so
        switchboard.learn(parts.runtime.blocking(store.lasted, after, LATEST))


def _start_left_messages(parts: Parts, switchboard: Switchboard) -> LeftMessages:
    """What visitors leave, where anything is stored. Waits."""
    store, settings = parts.store, parts.settings
    if store is None:
        return LeftMessages()
    has_mail = bool(settings.smtp_url)
    wanted = Wanted(has_mail and bool(settings.mail_to), has_mail)
    left_messages = LeftMessages(
        LeftMessageTable(store, wanted), parts.runtime, parts.departments,
        switchboard.delivery.roster.participants,
    )  # fmt: skip
    left_messages.start(parts.wheel.loops)
    return left_messages


def _start_mailing(parts: Parts) -> Mailing | None:
    """The mails about what visitors leave, where a mail server is set."""
    store, settings = parts.store, parts.settings
    if store is None or not settings.smtp_url:
        return None
    mailing = Mailing(
        MailTable(store), settings, parts.runtime, parts.clock, parts.meters, parts.is_draining,
        parts.departments,
    )  # fmt: skip
    mailing.start(parts.wheel.loops)
    return mailing
