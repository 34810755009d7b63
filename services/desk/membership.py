"""How a worker joins a shared desk, and what worker and desk then hand over.

A worker remembers its own participants (`own_people.py`). It joins at the
start, and again after a failure, a new connection, a missing letter or a flush:
then desk and worker hand over what the other does not know. The first worker hands a desk
that knows nobody over what the history remembers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import redis

from ..errors import CSAppError
from . import letters
from .calls import Arguments, Calls
from .letters import Remembered, RememberedConversation
from .port import READS, Rules
from .received import Received
from .redis_client import client
from .scripts import SCRIPTS
from .standing import Standing

RESTORE_TIMEOUT = 60.0  # s: a hundred thousand open conversations take seconds, once
RECALLED = 500  # participants in one call of `recall`: others wait 50 ms for it
RECALLS = 100  # tries at one such call: a letter that comes in between has to be read first


class Membership:
    """The membership of one worker. *lease* and *away*, as of `RedisDesk`, in ms."""

    def __init__(
        self, url: str, calls: Calls, received: Received, lease: int, away: int = 0
    ) -> None:
        self._url = url
        self._calls = calls
        self._received = received
        self._lease = lease
        self._away = away
        self._generation = ""
        #: returns whom a desk that knows nobody is to take up; may wait, and raise `CSAppError`
        self.remembered: Callable[[], list[Standing]] | None = None
        #: how often the worker has joined; more than once: letters may have been lost
        self.joins = 0
        #: participants who have left while the desk could not be reached
        self.leaving: set[str] = set()
        #: the departments, as the worker knows them
        self.rules: Rules | None = None
        #: the desk has them too, or later ones
        self.is_configured = False
        #: waiters who belong elsewhere since the desk could not be reached: to which departments
        self.assigning: dict[str, bytes] = {}
        calls.join = self._join

    def _join(self) -> None:
        with self._received.lock:
            present = letters.pack(self._received.own.present())
        arguments: Arguments = {
            "lease": self._lease,
            "generation": self._generation,
            "present": present,
            "new_generation": secrets.token_hex(8),
            "reads": READS,
        }
        joined = letters.joined(self._calls.run_join(arguments, self._settle))
        self.is_configured = False
        self.configure()  # before anybody is handed over who waits in one of them
        self._recall(joined.is_lost)
        self._generation = joined.generation  # not before: the rest would not count as lost
        if not joined.is_restored and self.remembered is not None:
            try:
                standings = self.remembered()
            except CSAppError as error:
                raise redis.ConnectionError(f"nobody remembers it: {error}") from error
            self.take_up(standings)  # before anybody comes, who might be among them
        self._calls.is_joined = True
        for participant in tuple(self.leaving):
            self._calls.run("leave", {"participant": participant})
            self.leaving.discard(participant)
        for waiter, departments in tuple(self.assigning.items()):
            self._calls.run("assign", {"waiter": waiter, "departments": departments})
            self.assigning.pop(waiter, None)

    def configure(self) -> None:
        """Hand the departments over, unless the desk has them. `Calls.turn` is held."""
        if self.rules is None or self.is_configured:
            return
        arguments: Arguments = {
            "number": self.rules.number,
            "rules": letters.rules(self.rules),
        }
        self.is_configured = bool(self._calls.run("configure", arguments))

    def _settle(self, answer: bytes) -> None:
        joined = letters.joined(answer)
        self._received.begin(joined.number, joined.mailbox_start)
        self.joins += 1

    def _recall(self, is_lost: bool) -> None:
        """Hand over to the desk all that this worker remembers, some participants at a time."""
        with self._received.lock:
            uuids = self._received.own.in_company()
        for first in range(0, len(uuids), RECALLED):
            for _ in range(RECALLS):
                with self._received.lock:
                    memory = self._received.own.memory(uuids[first : first + RECALLED])
                if self._calls.run("recall", {"memory": memory, "lost": int(is_lost)}):
                    break
            else:
                raise redis.ConnectionError("there is no end of letters")

    def take_up(self, standings: list[Standing]) -> None:
        """Hand the *standings* of before over to a desk that knows nobody. `Calls.turn` is held."""
        conversations = {one.uuid: letters.number(one.conversation) for one in standings}
        memory = letters.memory(
            [
                Remembered(
                    one.uuid, one.role, one.subject, one.name, one.avatar, own=True,
                    ready=one.ready, capacity=letters.number(one.capacity),
                    conversation=conversations[one.uuid],
                    department=one.department, asked=one.department,
                    sleep=letters.number(self._away) if one.may_sleep else "",
                )
                for one in standings
            ],
            [
                RememberedConversation(
                    one.uuid, one.waiter, conversations[one.uuid], one.answered
                )
                for one in standings
                if one.waiter
            ],
        )  # fmt: skip
        patient = client(self._url, RESTORE_TIMEOUT)
        try:
            script = patient.register_script(SCRIPTS["restore"])
            self._calls.run("restore", {"memory": memory}, run=script)
        finally:
            patient.close()
