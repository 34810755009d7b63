"""The desk of many workers: its state is in Redis, every change is one Lua script.

Rules of this file:

1. The script that changes the desk also posts the letters (`lua/prelude/`):
   state and notice cannot part. What the caller has itself decided comes back
   as the script's answer, together with every letter that it has not heard
   yet, so that events keep the order of the decisions on every worker.
2. One call at a time and one connection for all of them. Its sockets have
   timeouts; nothing here is ever interrupted from outside.
3. After a failure every call is refused at once, until `tick` has reached
   Redis again. Whether the change was made is not known then.
4. This worker remembers its own people. After a failure, a new connection, or
   a flush it joins again with what it remembers: desk and worker tell each
   other what they do not know.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..errors import CSAppError
from . import letters, port
from .fair_lock import FairLock
from .letters import Remembered, RememberedChat
from .own_people import Own, OwnPeople
from .port import (
    AddressFull,
    Arrival,
    Claim,
    DeskUnavailable,
    Event,
    Face,
    Figures,
    Queue,
    QueueFull,
    Role,
    Standing,
    WaiterFull,
)
from .questions import Question
from .scripts import SCRIPTS, arguments_of
from .vocabulary import Answer, Field, Key, Refusal, Reply, prefix

log = logging.getLogger("csapp.desk")

TIMEOUT = 2.0  # s: an answer takes a millisecond; what takes longer is not there
RESTORE_TIMEOUT = 60.0  # s: a hundred thousand open chats take seconds, once
LEASE = 10.0  # s without a tick until a worker is given up
BEAT = 0.5  # s between two ticks
ATTEMPTS = 4  # at joining, and what it is needed for
RECALLED = 500  # people told of at once: a twentieth of a second in which others wait
RECALLS = 100  # tries at it: a letter in between has to be heard first


def client(url: str, timeout: float, **options: Any) -> redis.Redis:
    """A client that never tries twice: a repeated script would be a second change."""
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **options,
    )


class _NewLine(redis.ConnectionError):
    """The connection is another one than before: what was behind the old one may be gone."""


class RedisDesk:
    """`port.Desk` for all workers that name the same *desk* on the same Redis.

    *worker* is the name of this process and never used again by another. *now*
    (seconds) is for tests; None: Redis's own clock, which all workers share. The
    users of one address hold at most *places* in the queue and in chats; 0: no bound.
    """

    def __init__(  # noqa: PLR0913  # all but the first are named
        self,
        url: str,
        *,
        worker: str,
        capacity: int,
        max_queue: int,
        grace: float,
        desk: str = "main",
        lease: float = LEASE,
        timeout: float = TIMEOUT,
        now: Callable[[], float] | None = None,
        places: int = 0,
    ) -> None:
        self.worker = worker
        self.url = url
        #: before each key
        self.prefix = prefix(desk)
        self._capacity = capacity
        self._places = places
        self._settings: dict[str, str | bytes | int] = {
            "worker": worker,
            "grace": round(grace * 1000),
            "usual_capacity": capacity,
            "max_queue": max_queue,
        }
        self._lease = round(lease * 1000)
        self._now = now
        self._client = client(url, timeout, redis_connect_func=self._connected)
        self._scripts = {name: self._client.register_script(SCRIPTS[name]) for name in SCRIPTS}
        self._turn = FairLock()  # one call at a time, with its answer; first come, first served
        self._away = False
        self._joined = False
        self._joining = False
        self._generation = ""
        #: tells whom a desk that knows nobody is to `restore`; may wait, and raise `CSAppError`
        self.remembered: Callable[[], list[Standing]] | None = None
        #: how often it has joined; more than once: letters may have been lost
        self.joins = 0
        #: how far the mailbox has been read; its reader moves it on
        self.mailbox_read = "0-0"
        self._closed = False
        self._inner = threading.Lock()  # of what follows; never held while anything is waited for
        self._heard = 0
        self._missed = False
        self._events: deque[Event] = deque()
        self._own = OwnPeople(worker)
        self._leaving: set[str] = set()

    @property
    def available(self) -> bool:
        """The last call has reached Redis."""
        return not self._away

    # ---- calls ---------------------------------------------------------

    def _connected(self, connection: Any) -> None:
        connection.on_connect()
        self._joined = False
        if not self._joining:
            raise _NewLine("a new connection")

    def _call(
        self,
        script: str,
        /,
        *,
        settle: Callable[[Any], None] | None = None,
        **told: str | bytes | int,
    ) -> Any:
        """Run a script; its answer. *settle* is called with that before its events count."""
        if self._away:
            raise DeskUnavailable("the desk cannot be reached")
        with self._turn:
            if self._away:
                raise DeskUnavailable("the desk cannot be reached")
            return self._attempt(lambda: self._run(script, told, settle))

    def _attempt(self, work: Callable[[], Any]) -> Any:
        """Do *work*, after joining if need be; `_turn` is held.

        Raises `DeskUnavailable`, and `KeyError` for somebody who is not there.
        """
        if self._closed:
            raise DeskUnavailable("this worker has left the desk")
        for _ in range(ATTEMPTS):
            try:
                if self._missed or not self._joined:
                    self._join()
                found = work()
            except _NewLine:
                continue  # it is joined, which may use a new connection
            except redis.RedisError as error:
                reason = str(error)
                code = reason.partition(" ")[0]
                if code == Refusal.NO_LEASE:  # it was given up, or Redis has lost everything
                    self._joined = False
                elif code == Refusal.NOBODY:
                    raise KeyError(reason) from None
                elif isinstance(error, redis.ResponseError) and not code.isupper():
                    raise  # a fault of ours; what Redis cannot do has a code (OOM, READONLY …)
                else:
                    self._fail(error)
                    raise DeskUnavailable(f"the desk cannot be reached: {reason}") from error
            else:
                if self._away:
                    log.info("the desk is reached again")
                self._away = False
                return found
        self._fail(redis.ConnectionError("it does not let this worker join"))
        raise DeskUnavailable("the desk does not let this worker join")

    def _fail(self, error: Exception) -> None:
        if not self._away:
            log.warning("the desk cannot be reached: %s", error)
        self._away, self._joined = True, False
        self._client.connection_pool.disconnect()

    def _run(
        self,
        name: str,
        told: Mapping[str, str | bytes | int],
        settle: Callable[[Any], None] | None = None,
        run: Callable[..., Any] | None = None,
    ) -> Any:
        """Run a script with what it is *told*, besides what all scripts are told."""
        all_told = {
            **self._settings,
            "heard": self._heard,
            "read": self.mailbox_read,
            "clock": "" if self._now is None else round(self._now() * 1_000_000),
            **told,
        }
        script = run or self._scripts[name]
        args = [all_told[argument] for argument in arguments_of(name)]
        reply = script(keys=[self.prefix + Key.DESK], args=args)
        answer, unread, number, own = (reply[part - 1] for part in Reply)
        with self._inner:
            for count, letter in zip(unread[::2], unread[1::2], strict=True):
                self._hear(int(count), letter)
            if settle is not None:
                settle(answer)
            if own:
                self._hear(int(number), own)
            elif int(number) > self._heard:
                self._missed = True  # the answer of a call that was given up
        return answer

    def _join(self) -> None:
        with self._inner:
            present = letters.pack(self._own.present())
        told: dict[str, str | bytes | int] = {
            "lease": self._lease,
            "generation": self._generation,
            "present": present,
            "new_generation": secrets.token_hex(8),
            "reads": port.READS,
        }
        self._joining = True
        try:
            joined = letters.joined(self._run("join", told, self._settle_join))
        finally:
            self._joining = False
        self._recall(joined.is_lost)
        self._generation = joined.generation  # not before: the rest would not count as lost
        if not joined.is_restored and self.remembered is not None:
            try:
                standings = self.remembered()
            except CSAppError as error:
                raise redis.ConnectionError(f"nobody remembers it: {error}") from error
            self._take_up(standings)  # before anybody comes, who might be among them
        self._joined = True
        for participant in tuple(self._leaving):
            self._run("leave", {"participant": participant})
            self._leaving.discard(participant)

    def _settle_join(self, answer: bytes) -> None:
        joined = letters.joined(answer)
        self._heard = joined.number
        self.mailbox_read = joined.mailbox_start
        self.joins += 1
        self._missed = False

    def _recall(self, is_lost: bool) -> None:
        """Tell the desk of all that are remembered, some at a time."""
        with self._inner:
            uuids = self._own.in_company()
        for first in range(0, len(uuids), RECALLED):
            for _ in range(RECALLS):
                with self._inner:
                    memory = self._own.memory(uuids[first : first + RECALLED])
                if self._run("recall", {"memory": memory, "lost": int(is_lost)}):
                    break
            else:
                raise redis.ConnectionError("there is no end of letters")

    # ---- letters -------------------------------------------------------

    def hear(self, found: Iterable[tuple[int, bytes]]) -> None:
        """Letters of the desk that were in the mailbox, with their numbers."""
        for number, letter in found:
            if number > self._heard + 1:
                with self._turn:  # what comes before may be the answer of a call under way
                    pass
            with self._inner:
                self._hear(number, letter)

    def _hear(self, number: int, letter: bytes) -> None:
        if number <= self._heard:
            return
        self._missed |= number > self._heard + 1
        self._heard = number
        for event in letters.events(letter):
            self._own.hear(event)
            self._events.append(event)

    def take_events(self) -> list[Event]:
        with self._inner:
            events = list(self._events)
            self._events.clear()
            return events

    # ---- coming and going ----------------------------------------------

    def arrive(
        self,
        role: Role,
        subject: str,
        uuid: str,
        name: str = "",
        address: str = "",
        avatar: str = "",
    ) -> Arrival:
        arrivals: list[Arrival] = []

        def settle(answer: bytes) -> None:
            arrival = replace(letters.arrival(answer), earlier=len(self._events))
            arrivals.append(arrival)
            own = self._own.setdefault(arrival.uuid, Own(role, subject, name, self._capacity))
            own.present, own.name, own.elsewhere = True, name, arrival.elsewhere
            own.address, own.avatar = address, avatar
            self._leaving.discard(arrival.uuid)
            if arrival.place is not None:
                own.take(arrival.place)

        self._call(
            "arrive", settle=settle, role=role, subject=subject, uuid=uuid, name=name,
            address=address, avatar=avatar,
        )  # fmt: skip
        return arrivals[0]

    def drop(self, participant: str, claim: Claim = Claim.FULL) -> None:
        with self._inner:
            if own := self._own.get(participant):
                own.present = False
        with contextlib.suppress(DeskUnavailable):  # it is told when this worker joins again
            self._call("drop", participant=participant, claim=claim)

    def leave(self, participant: str) -> None:
        with self._inner:
            if own := self._own.get(participant):
                own.present = False
                self._leaving.add(participant)
        try:
            self._call("leave", participant=participant)
        except DeskUnavailable:
            return  # the desk is told when this worker joins again
        self._leaving.discard(participant)

    def restore(self, standings: list[Standing]) -> None:
        with self._turn:
            self._attempt(lambda: self._take_up(standings))

    def _take_up(self, standings: list[Standing]) -> None:
        talks = {one.uuid: letters.number(one.talk) for one in standings}
        memory = letters.memory(
            [
                Remembered(
                    one.uuid, one.role, one.subject, one.name, one.avatar, own=True,
                    ready=one.ready, capacity=letters.number(one.capacity), talk=talks[one.uuid],
                )
                for one in standings
            ],
            [
                RememberedChat(one.uuid, one.waiter, talks[one.uuid])
                for one in standings
                if one.waiter
            ],
        )  # fmt: skip
        patient = client(self.url, RESTORE_TIMEOUT)
        try:
            run = patient.register_script(SCRIPTS["restore"])
            self._run("restore", {"memory": memory}, run=run)
        finally:
            patient.close()

    # ---- asking and parting --------------------------------------------

    def connect(
        self,
        user: str,
        ticket: int | None = None,
        talk: int = 0,
        *,
        question: str | None = None,
        page: str = "",
    ) -> None:
        def settle(answer: bytes) -> None:
            if not answer and (own := self._own.get(user)):
                own.talk = own.talk or talk
                if not own.chats:
                    own.question = own.question if question is None else question
                    own.page = page or ("" if own.ticket is None else own.page)

        refused = self._call(
            "connect",
            settle=settle,
            user=user,
            ticket="" if ticket is None else ticket,
            talk=letters.number(talk),
            places=self._places,
            question="" if question is None else f"={question}",
            page=page,
        )
        if refused:
            raise AddressFull if refused.decode() == Answer.ADDRESS_FULL else QueueFull

    def ready(self, waiter: str, capacity: int | None = None) -> None:
        def settle(answer: int) -> None:
            if own := self._own.get(waiter):
                own.ready, own.capacity = True, answer

        self._call("ready", settle=settle, waiter=waiter, capacity=capacity or "")

    def unready(self, waiter: str, capacity: int | None = None) -> None:
        def settle(answer: int) -> None:
            if own := self._own.get(waiter):
                own.ready, own.capacity = False, answer

        self._call("unready", settle=settle, waiter=waiter, capacity=capacity or "")

    def part(self, user: str, waiter: str, gone: str) -> bool:
        return bool(self._call("part", user=user, waiter=waiter, gone=gone))

    def take(self, user: str, waiter: str) -> bool:
        answer = self._call("take", user=user, waiter=waiter)
        if answer == Answer.FULL.encode():
            raise WaiterFull
        if answer == Answer.SETTLING.encode():
            raise DeskUnavailable("the desk has lost everything and is told anew who is there")
        return bool(answer)

    def withdraw(self, user: str) -> bool:
        def settle(answer: int) -> None:
            if own := self._own.get(user):
                own.ticket, own.question = None, ""

        return bool(self._call("withdraw", settle=settle, user=user))

    # ---- what others see -----------------------------------------------

    def ticket(self, user: str) -> int:
        own = self._own.get(user)
        if own is not None and own.ticket is not None:
            return own.ticket
        score = self._read("ZSCORE", Key.QUEUE, user)
        if score is None:
            raise KeyError(user)
        return int(float(score))

    def location(self, user: str) -> int:
        own = self._own.get(user)
        if own is not None:
            return own.location
        return int(self._read("HGET", Key.TOLD, user) or 0)

    def capacity(self, waiter: str) -> int:
        own = self._own.get(waiter)
        if own is not None:
            return own.capacity
        found = self._read("HGET", Key.PARTICIPANT + waiter, Field.CAPACITY)
        if found is None:
            raise KeyError(waiter)
        return int(found)

    def _read(self, command: str, key: str, field: str) -> Any:
        if self._away:
            raise DeskUnavailable("the desk cannot be reached")
        with self._turn:
            return self._attempt(
                lambda: self._client.execute_command(command, self.prefix + key, field)
            )

    def count(self, asked: Sequence[Question]) -> list[int]:
        """What strangers hold and spend: 1 for each question, or 0 for what is refused."""
        answers: list[int] = self._call("bounds", asked=letters.pack(asked))
        return answers

    def figures(self) -> Figures:
        return letters.figures(self._call("figures"))

    def waiting(self, most: int) -> Queue:
        return letters.waiting(self._call("waiting", most=most))

    def team(self, most: int) -> list[Face]:
        return letters.team(self._call("team", most=most))

    # ---- time ----------------------------------------------------------

    def tick(self) -> None:
        """Let time pass, renew the lease; while the desk is out of reach, try to reach it."""
        with self._turn, contextlib.suppress(DeskUnavailable):
            self._attempt(lambda: self._run("tick", {"lease": self._lease}))

    def beat(self, told: Callable[[], None]) -> bool:
        """Tick, call *told* when there are events to take; False once the desk is closed."""
        if self._closed:
            return False
        self.tick()
        if self._events:
            told()
        return True

    def close(self) -> None:
        """Give the lease back: who has sockets here is away from now on."""
        with self._turn:
            self._closed = True
            if self._joined and not self._away:
                with contextlib.suppress(redis.RedisError):  # then it runs out by itself
                    self._run("quit", {})
        self._client.close()


_: type[port.Desk] = RedisDesk
