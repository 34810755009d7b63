"""`ChatServer`: the state of one process, and what the blueprints ask of it."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from . import background, webserver
from . import runtime as runtimes
from .assembly import Parts, own_desk, share_desk
from .bounds import Bounds
from .clock import Clock
from .database import open_to_serve
from .departments import Departments
from .desk.port import Figures, Role
from .file_links import FileLinks
from .files.choose import content_store
from .files.uploads import Files
from .history.departments import DepartmentTables
from .history.files import FileTables
from .history.sql import SQLStore
from .history.tags import canonical_tag
from .history.writer import Writer
from .house import House
from .identity import Tokens
from .last_waiters import LastWaiters
from .loops import Loops
from .mail import Mailing
from .metrics import Meters, Readings
from .origin import client_address, first_language, public_site
from .other_servers import OtherServers
from .revocation import News
from .seldom import Seldom
from .session import Session
from .settings import Settings
from .starting import Start
from .timers import Wheel
from .transport.connection import Connection, Context, Limits
from .transport.outbox import Flusher
from .welcome import Welcome
from .wire.codes import CloseCode, ErrorCode, HTTPRefusal

if TYPE_CHECKING:
    from .desk.mailbox import Mailbox
    from .desk.redis import RedisDesk

log = logging.getLogger("csapp.sockets")

#: key of the WSGI environment: the place that is reserved for the connection of a request
EXPECTED = "csapp.expected"

#: every server of this process; `draining.py` drains them
servers: weakref.WeakSet[ChatServer] = weakref.WeakSet()


@atexit.register
def _shut_stores() -> None:
    """Close the databases in a process that ends without `ChatServer.close` (`flask run`)."""
    for server in list(servers):
        server.shut_store()


#: s over which clients spread their return after a restart
RETURN_SPREAD = 5.0

#: s by which clients may come back later than they were asked to
RETURN_SLACK = 2.0


class ChatServer:
    """State of one process. Threads and greenlets start with the first connection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tokens: Tokens | None = None
        #: what addresses and participants may hold and spend
        self.bounds = Bounds(
            settings.connections_per_ip, total=settings.max_connections, max_file=settings.max_file
        )
        self.draining = False
        self.meters = Meters(time.monotonic)
        self._open: dict[Connection, Session] = {}
        self._open_by_role = dict.fromkeys(Role, 0)
        self._received_before = self._relayed_before = 0  # counts of connections that have ended
        self._lock = threading.Lock()
        self._say = Seldom(log)
        self._starting = Start(self._start)
        self._started: House | None = None
        self._runtime: runtimes.Runtime | None = None
        self._early_wheel: Wheel | None = None
        self._returned_by = 0.0  # on the runtime's clock, while draining
        self._writer: Writer | None = None
        self._shared: RedisDesk | None = None
        self._mailbox: Mailbox | None = None
        self._others: OtherServers | None = None
        self._mailing: Mailing | None = None
        #: what runs in the background, once the server has started
        self.loops: Loops | None = None
        #: where conversations are stored, once the server has started; None: nowhere
        self.store: SQLStore | None = None
        self.clock = Clock()
        #: what visitors are shown before they ask, once the server has started
        self.welcome: Welcome | None = None
        #: pid of the process that has opened the database; 0: it is not open
        self._opened_by = 0
        servers.add(self)

    # ---- starting ------------------------------------------------------

    @property
    def tokens(self) -> Tokens:
        """Signs and verifies tokens. Makes the secret if there is none. Raises `NoSecret`."""
        if self._tokens is None:
            settings = self.settings
            self._tokens = Tokens(
                settings.signing_keys(), settings.token_lifetime, audience=settings.audience
            )
        return self._tokens

    @property
    def house(self) -> House:
        """What all sessions share. Made at first use, which is after any fork.

        Raises `Unavailable` while the secret, the database or Redis cannot be used.
        """
        if self._started is None:
            self._started = self._starting.get()
        return self._started

    @property
    def runtime(self) -> runtimes.Runtime:
        """Greenlets or threads. Found out at first use, which is after any fork."""
        if self._runtime is None:  # made once: each has a thread, and a start may be tried often
            self._runtime = runtimes.current()
        return self._runtime

    @property
    def wheel(self) -> Wheel:
        """Timers. Requests over HTTP need them also while the server cannot start."""
        if self._started is not None:
            return self._started.wheel
        if self._early_wheel is None:
            self._early_wheel = Wheel(self.runtime)
        return self._early_wheel

    def _start(self) -> House:
        runtime, settings = self.runtime, self.settings
        self.loops = Loops(runtime)
        wheel = Wheel(runtime, self.loops)
        self._open_store()
        parts = self._parts(wheel)
        wheel.every_tick(self.clock.look, "the look at the clock")
        wheel.every_tick(self.meters.lag.tick, "the measure of the loop's lag")
        if (worker := webserver.worker()) is not None:
            wheel.every_tick(partial(self._go_with, worker), "the look at the worker")
        if settings.redis_url:
            switchboard, self._shared, self._mailbox = share_desk(parts)
        else:
            switchboard = own_desk(parts)
        wheel.start()
        self.context = _context(parts)
        self._others = background.look_at_other_servers(parts)
        beside = background.start(parts, switchboard, lambda: self._stores_nothing, self.sign_out)
        self._mailing = beside.mailing
        store, departments = self.store, parts.departments
        self.welcome = Welcome(
            settings, switchboard.desk, store, runtime, wheel, self.clock, departments
        )
        return House(
            settings, runtime, wheel, self.tokens, switchboard, self.meters, beside.revocations,
            beside.liveness, self.bounds, departments, LastWaiters(store, runtime),
            left_messages=beside.left_messages, links=FileLinks(settings.signing_keys()),
            files=parts.files,
        )  # fmt: skip

    def _open_store(self) -> None:
        """Open the database, where there is one. Waits. Raises `StoreError`."""
        runtime = self.runtime
        if self.store is None:  # an earlier attempt may have opened it, and failed later
            self.store = open_to_serve(self.settings, runtime)
            self._opened_by = os.getpid() if self.store is not None else 0
        if self.store is not None and self._writer is None:
            self.clock.heed(runtime.blocking(self.store.last_key))
            self._writer = Writer(self.store, runtime, self.clock.now)

    def _parts(self, wheel: Wheel) -> Parts:
        """What desk and background are made of. Waits for the store."""
        tables = DepartmentTables(self.store) if self.store else None
        departments = Departments(tables, self.runtime, self.clock.now)
        departments.read()
        return Parts(
            self.settings, self.runtime, wheel, self.store, self._writer, self.tokens, self.meters,
            self.bounds, self.clock, departments, lambda: self.draining, self._files(),
        )  # fmt: skip

    def _files(self) -> Files | None:
        """What participants send; the folder or bucket is used when the first file comes."""
        contents = content_store(self.settings)
        if self.store is None or contents is None:
            return None
        tables, count = FileTables(self.store), self.meters.finished
        return Files(tables, contents, self.settings, self.clock.ms, count)

    @property
    def _stores_nothing(self) -> bool:
        """The store can be used and the writer is idle: there is time for other work."""
        writer = self._writer
        is_open = self._opened_by and not self.draining
        return bool(is_open and writer is not None and writer.available and writer.idle)

    def sign_out(self, news: Sequence[News]) -> None:
        """Close the connections of this process whose login or subject *news* revokes."""
        logins = {sid for sid, _, _ in news if sid}
        subjects = {subject: at for _, subject, at in news if subject}
        with self._lock:
            found = list(self._open.items())
        for connection, session in found:
            who = session.identity
            if who is None:
                continue
            if who.sid in logins or subjects.get(who.subject, -1) >= session.signed:
                connection.close(CloseCode.UNAUTHENTICATED, "signed out")

    @property
    def started(self) -> bool:
        """This server has reached its database and its desk once."""
        return self._started is not None

    @property
    def can_store(self) -> bool:
        """The store can be used, or there is none."""
        return self._writer is None or self._writer.available

    @property
    def can_reach_desk(self) -> bool:
        """The desk can be reached, or is in the memory of this process."""
        return self._shared is None or self._shared.available

    @property
    def trouble(self) -> str:
        """Which background loop fails, and why; `""`: none."""
        return self.loops.trouble if self.loops is not None else ""

    # ---- connections ---------------------------------------------------

    def admit(self, environ: dict[str, Any], address: str) -> None:
        """Judge a request for a connection from *address* before it is answered.

        Raises `HTTPRefusal`: 503 while draining or when full, 429 for too many from one
        address. Raises `Unavailable` like `house`.
        """
        if self.draining:
            raise HTTPRefusal.not_now("the server restarts")
        self.house  # noqa: B018  # starts the server before the first connection needs it
        refusal = self.bounds.let_in(address)
        if refusal == "address":
            what = "too many connections from this address"
            raise HTTPRefusal.too_many(what)
        if refusal:
            raise HTTPRefusal.not_now("this server is full")
        environ[EXPECTED] = self.bounds.expected(address)

    def check_web_server(self, environ: Mapping[str, Any]) -> None:
        """Raises `HTTPRefusal` (503) under a web server that cannot carry a chat."""
        if what := self.unfit(environ):
            self._say("web server", logging.CRITICAL, "no chat is possible: %s", what)
            raise HTTPRefusal(503, ErrorCode.UNAVAILABLE, what)

    def unfit(self, environ: Mapping[str, Any]) -> str:
        """Why the web server that made *environ* cannot carry a chat; `""` if it can."""
        return webserver.unfit(environ, shared=bool(self.settings.redis_url))

    def accept(self, environ: Mapping[str, Any]) -> Connection:
        """Accept a WebSocket that was admitted, and count it."""
        address = client_address(environ, self.settings.trusted_proxies)
        connection = Connection(environ, self.context, address)
        connection.language = canonical_tag(first_language(environ))
        settings = self.settings
        site = public_site(environ, settings.trusted_proxies, settings.url_prefix)
        connection.site = sys.intern(site)  # mostly the same for all
        environ[EXPECTED].taken()
        self.bounds.connections.enter_expected(address)
        return connection

    def serve(self, connection: Connection, role: Role) -> None:
        """Run the session of *connection*, a user's or a waiter's, until it ends. Waits."""
        if connection.code is not None:
            return
        session = Session(connection, role, self.house)
        self._enter(connection, role, session)
        try:
            session.run()
        finally:
            self._leave(connection, role)

    def _enter(self, connection: Connection, role: Role, session: Session) -> None:
        with self._lock:
            self._open[connection] = session
            self._open_by_role[role] += 1
            count = self._open_by_role[role]
        self.house.runtime.aside(log.info, "connect role=%s open=%d", role, count)
        if self.draining:  # it was accepted while `drain` closed the others
            connection.close(CloseCode.RESTART, "the server restarts")

    def _leave(self, connection: Connection, role: Role) -> None:
        with self._lock:
            self._relayed_before += self._open.pop(connection).relayed
            self._received_before += connection.received
            self.bounds.leave(connection.address)
            self._open_by_role[role] -= 1
            count = self._open_by_role[role]
        code = connection.code or CloseCode.ABNORMAL
        self.meters.closed(code, connection.ended_by)
        self.house.runtime.aside(
            log.info,
            "disconnect role=%s code=%d by=%s seconds=%.1f received=%d sent_bytes=%d open=%d",
            role,
            code,
            connection.ended_by,
            self.house.runtime.now() - connection.opened,
            connection.received,
            connection.sent,
            count,
        )

    def _go_with(self, worker: Any) -> None:
        """Start to drain once gunicorn has stopped its *worker*."""
        if not (worker.alive or self.draining):
            self.runtime.spawn(self.drain)

    def drain(self) -> None:
        """Accept nothing more and close every connection with 1012.

        The reason carries `retry_after=S`, spread out so that clients do not
        all come back at once.
        """
        if self.draining:
            return
        self.draining = True
        if self._started is None:
            return
        if self.store is not None:
            self.store.announce_leaving()
        if self._others is not None:
            self.house.runtime.spawn(self._others.leave)
        self._returned_by = self._started.runtime.now() + RETURN_SPREAD + RETURN_SLACK
        with self._lock:
            going = list(self._open)
        for number, connection in enumerate(going):
            pause = RETURN_SPREAD * (number + 1) / len(going)
            connection.close(CloseCode.RESTART, f"the server restarts; retry_after={pause:.1f}")

    def make_room(self) -> None:
        """While draining: release the database as soon as nothing is written into it any more.

        A slow client may keep this process alive for a while; the next process need not wait.
        """
        if self.store is None or not self.draining or self._open:
            return
        if self._is_all_stored:
            self.store.let_go()

    def close(self) -> None:
        """Give the lease of a shared desk back, and leave the database whole.

        Everything else ends with the process.
        """
        if self._mailbox is not None:
            self._mailbox.close()
        if self._runtime is not None:
            self._runtime.blocking(self.shut_store)

    def shut_store(self) -> None:
        """Close the database, unless something is still being stored. Blocks.

        Events that wait are given up: nothing is written any more by now.
        """
        if self.store is not None and self._is_written and self._opened_by == os.getpid():
            self._opened_by = 0
            if self._others is not None:
                self._others.leave_now()
            self.store.shut()
            self.store.let_go()

    @property
    def _is_all_stored(self) -> bool:
        """Nothing waits for the database: no entry, no row, no event."""
        if not self._is_written:
            return False
        return self._started is None or not self._started.switchboard.events_wait

    @property
    def _is_written(self) -> bool:
        """The writer has stored all that it was given."""
        return self._writer is None or self._writer.idle

    @property
    def unfinished(self) -> int:
        """Connections that are open, or whose last bytes are still being sent."""
        return len(self.context.connections) if self._started else 0

    @property
    def settled(self) -> bool:
        """No connection is left, and everything is stored.

        One of several workers also waits until the participants of version 1 that it speaks
        for have come back to other workers, but not for long: it parks their frames.
        """
        if self.unfinished or not self._is_all_stored:
            return False
        return self._started is None or not (
            self._started.runtime.now() < self._returned_by
            and self._started.switchboard.parks_for_somebody()
        )

    def figures(self) -> Figures:
        """How busy the desk is."""
        return self.house.switchboard.figures()

    def readings(self) -> Readings:
        """The figures for `/metrics`. Looks at every open connection once."""
        desk = self.figures()
        with self._lock:
            received, relayed = self._received_before, self._relayed_before
            waiting = self.house.switchboard.held
            for connection, session in self._open.items():
                received += connection.received
                relayed += session.relayed
                waiting += connection.backlog + session.held
            return Readings(
                dict(self._open_by_role),
                received,
                relayed,
                waiting,
                desk,
                self._writer.figures if self._writer is not None else None,
                self.can_store,
                self._mailing.waiting if self._mailing is not None else 0,
            )


def _context(parts: Parts) -> Context:
    """What connections share."""
    settings = parts.settings
    limits = Limits(
        max_frame=settings.max_frame,
        outbox_bytes=settings.outbox_bytes,
        outbox_seconds=settings.outbox_seconds,
        heartbeat=settings.heartbeat,
    )
    return Context(parts.runtime, Flusher(parts.runtime, parts.wheel.lived), parts.wheel, limits)
