"""Calls of the desk's scripts, one at a time and over one connection.

The connection has timeouts, so no call waits for ever.
After a failure every call is refused at once, until one that `attempt` makes for
a tick has reached Redis again. Whether the change was made is not known then.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import redis

from .fair_lock import FairLock
from .port import DeskUnavailable
from .received import Received
from .redis_client import client
from .scripts import SCRIPTS, arguments_of
from .vocabulary import Key, Refusal, Reply

log = logging.getLogger("csapp.desk")

ATTEMPTS = 4  # at a call that has to join first

#: the arguments of a script, by their names in `vocabulary.py`
Arguments = Mapping[str, str | bytes | int]


class _NewConnection(redis.ConnectionError):
    """Redis was reached over a new connection: it may be another Redis, or an emptied one."""


class Calls:
    """The calls of one worker. *always*: what each script gets besides its own arguments.

    *now* counts seconds on the clock of a test; None: Redis's own clock counts.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        received: Received,
        always: Arguments,
        *,
        timeout: float,
        now: Callable[[], float] | None,
    ) -> None:
        self._prefix = prefix
        self._received = received
        self._always = always
        self._now = now
        self.client = client(url, timeout, redis_connect_func=self._connected)
        self._scripts = {name: self.client.register_script(SCRIPTS[name]) for name in SCRIPTS}
        #: held during a call and its answer: one call at a time, first come, first served
        self.turn = FairLock()
        #: the last call has not reached Redis
        self.is_away = False
        #: the worker holds a lease, and its connection is the one that it has joined over
        self.is_joined = False
        self._is_joining = False
        self.is_closed = False
        #: how the worker joins; `turn` is held
        self.join: Callable[[], None] = lambda: None

    def _connected(self, connection: Any) -> None:
        connection.on_connect()
        self.is_joined = False
        if not self._is_joining:
            raise _NewConnection("a new connection")

    def call(
        self, script: str, arguments: Arguments, settle: Callable[[Any], None] | None = None
    ) -> Any:
        """Run a script; its answer. *settle* is called with that before its events count.

        Raises `DeskUnavailable`, and `KeyError` for a participant that is not there.
        """
        return self.in_turn(lambda: self.run(script, arguments, settle))

    def read(self, command: str, key: str, field: str) -> Any:
        """What Redis answers to *command*. Raises `DeskUnavailable`."""
        return self.in_turn(lambda: self.client.execute_command(command, self._prefix + key, field))

    def in_turn(self, work: Callable[[], Any]) -> Any:
        """Do *work* when it is its turn, unless Redis is away."""
        if self.is_away:
            raise DeskUnavailable("the desk cannot be reached")
        with self.turn:
            if self.is_away:
                raise DeskUnavailable("the desk cannot be reached")
            return self.attempt(work)

    def attempt(self, work: Callable[[], Any]) -> Any:
        """Do *work*, after joining if need be, also while Redis is away; `turn` is held.

        Raises `DeskUnavailable`, and `KeyError` for a participant that is not there.
        """
        if self.is_closed:
            raise DeskUnavailable("this worker has left the desk")
        for _ in range(ATTEMPTS):
            try:
                if self._received.is_behind or not self.is_joined:
                    self.join()
                found = work()
            except _NewConnection:
                continue  # it is joined, which may use a new connection
            except redis.RedisError as error:
                self._judge(error)
            else:
                if self.is_away:
                    log.info("the desk is reached again")
                self.is_away = False
                return found
        self._fail(redis.ConnectionError("it does not let this worker join"))
        raise DeskUnavailable("the desk does not let this worker join")

    def _judge(self, error: redis.RedisError) -> None:
        """Return where one more attempt may help; otherwise raise what *error* means."""
        reason = str(error)
        code = reason.partition(" ")[0]
        if code == Refusal.NO_LEASE:  # it was given up, or Redis has lost everything
            self.is_joined = False
        elif code == Refusal.NOBODY:
            raise KeyError(reason) from None
        elif isinstance(error, redis.ResponseError) and not code.isupper():
            raise error  # a fault of ours; what Redis cannot do has a code (OOM, READONLY …)
        else:
            self._fail(error)
            raise DeskUnavailable(f"the desk cannot be reached: {reason}") from error

    def _fail(self, error: Exception) -> None:
        if not self.is_away:
            log.warning("the desk cannot be reached: %s", error)
        self.is_away, self.is_joined = True, False
        self.client.connection_pool.disconnect()

    def run(
        self,
        script: str,
        arguments: Arguments,
        settle: Callable[[Any], None] | None = None,
        run: Callable[..., Any] | None = None,
    ) -> Any:
        """Run a script with *arguments*; its answer. `turn` is held.

        *run* is the script on another connection. Raises `redis.RedisError`.
        """
        received = self._received
        all_arguments = {
            **self._always,
            "heard": received.number,
            "read": received.mailbox_read,
            "clock": "" if self._now is None else round(self._now() * 1_000_000),
            **arguments,
        }
        args = [all_arguments[argument] for argument in arguments_of(script)]
        reply = (run or self._scripts[script])(keys=[self._prefix + Key.DESK], args=args)
        answer, unread, number, own = (reply[part - 1] for part in Reply)
        with received.lock:
            for count, letter in zip(unread[::2], unread[1::2], strict=True):
                received.take(int(count), letter)
            if settle is not None:
                settle(answer)
            if own:
                received.take(int(number), own)
            else:
                received.expect(int(number))  # it may be the answer of a call that was given up
        return answer

    def run_join(self, arguments: Arguments, settle: Callable[[Any], None]) -> bytes:
        """Run `join`, for which alone a new connection is no failure."""
        self._is_joining = True
        try:
            answer: bytes = self.run("join", arguments, settle)
            return answer
        finally:
            self._is_joining = False

    def close(self) -> None:
        """Give the lease back, and refuse all calls from now on."""
        with self.turn:
            self.is_closed = True
            if self.is_joined and not self.is_away:
                with contextlib.suppress(redis.RedisError):  # then it runs out by itself
                    self.run("quit", {})
        self.client.close()
