"""Users and waiters write at random, the server is killed at random moments, a checker judges.

1. *Live*: everybody says numbered texts, as many at a time as a window lets.
   After a random number of events (some while people are still coming back)
   the worker, or the whole server, is killed. Now and then a connection drops,
   somebody asks for its conversation once more, a waiter hands a user to another one or to a
   department, or departments come, change and go.
2. *Quiet*: nobody says anything new; everybody comes back and gets rid of what
   is in the outbox.
3. *Judgement*: the history as the store holds it, and as each device reads it
   with `get_history`, against the journal.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, Self

from services.conversation.kinds import Side
from services.conversation.rows import ConversationRow
from services.history.opening import open_store
from services.history.port import Store
from testkit.checker import Anomaly, Conversation, Truth, check, count, story
from testkit.device import Device
from testkit.eager import EagerManners
from testkit.entries import item
from testkit.journal import Acknowledged, Item, Journal, Left, Page, Sent
from testkit.server import PATIENCE
from testkit.v1 import PlainManners
from testkit.v2 import Manners

from .departments import KEYS, ChangingDepartments
from .victim import CAPACITY

WINDOW = 32  # texts of one device that may be without a receipt
AT_ONCE = 24  # texts that one says at once, at most
MOMENTS = 2000  # events at most between two kills
TRANSFERS = 0.2  # how likely a waiter hands a user over, at each step
CHANGES = 0.05  # … departments change
STORM = 100  # … where the kill is to meet people who are coming back
PADDING = " 数" * 100


class Stage(Protocol):
    """Where it is played: a server or several, and whatever they need; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    @property
    def ws_url(self) -> str:
        """Where to connect now."""

    def token(self, role: str, sub: str) -> str:
        """One that is accepted there."""

    def strike(self, chance: random.Random) -> str:
        """Kill something; says what."""

    def settle(self) -> list[str]:
        """Nothing more is done to it. What was wrong, whatever clients have seen."""

    @property
    def log(self) -> str:
        """All that was ever written."""


@dataclass
class Report:
    """What came of it."""

    kills: int
    seconds: float
    #: messages of version 2: version 1 is not promised that any arrives
    sent: int
    acknowledged: int
    #: how often a client was sent that its user is handed over
    transfers: int
    anomalies: list[Anomaly]
    #: what the clients stumbled over
    problems: list[str]
    #: an anomaly with the events that it is about
    stories: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Every promise was kept, and there was something to promise."""
        return not self.anomalies and not self.problems and self.acknowledged > 0

    def __str__(self) -> str:
        found = ", ".join(f"{number} {kind}" for kind, number in count(self.anomalies).items())
        return (
            f"{self.kills} kills: {self.sent} sent, {self.acknowledged} acknowledged,"
            f" {self.transfers} handed over, {found}"
            f" ({self.seconds:.0f} s)"
        )


@dataclass
class Scenario:
    """One run; *database* is what the *stage* keeps its history in."""

    stage: Stage
    database: str
    kills: int
    seed: int = 0
    users: int = 6
    #: the last user speaks version 1
    version_1: bool = True
    #: waiters hand users over
    transfers: bool = False
    #: departments come, change and go
    departments: bool = False
    #: how the others behave, but for second devices
    hurried: type[Manners] = EagerManners

    def run(self) -> Report:
        """Play it."""
        began = time.monotonic()
        self.random = random.Random(self.seed)
        self.journal = Journal()
        self._said = 0
        self._site: ChangingDepartments | None = None
        store = open_store(self.database)
        store.migrate()  # for PostgreSQL it is the operator's job
        store.close()
        with ExitStack() as stack:
            stack.enter_context(self.stage)
            self.devices = self._gather(stack)
            if self.departments:
                waiters = [one.manners.sub for one in self.devices if one.manners.role == "waiter"]
                self._site = ChangingDepartments(self.database, waiters, self.random)
            for _ in range(self.kills):
                self._live()
                self.stage.strike(self.random)
            problems = self.stage.settle() + self._quiet() + self._told_in_the_end()
            anomalies = check(*self._whole_truth())
            problems += [one for device in self.devices for one in device.problems]
            return self._report(began, anomalies, problems)

    # ---- the play ------------------------------------------------------

    def _gather(self, stack: ExitStack) -> list[Device]:
        """A waiter for two users and one more, so that there are seats to hand users to.

        Every third user has two devices, and a polite second one.
        """
        devices: list[Device] = []

        def come(
            role: str, sub: str, device: str = "1", manners: type[Manners] = Manners
        ) -> Device:
            one = Device(
                self.stage, role, sub, self.journal, device=device, manners=manners,
                seed=self.random.randrange(1 << 32),
            )  # fmt: skip
            stack.callback(one.drop)
            devices.append(one)
            return one

        for number in range((self.users + 1) // 2):
            come("waiter", f"waiter-{number}", manners=self.hurried)
        for number in range(self.users):
            last = number == self.users - 1
            manners = PlainManners if last and self.version_1 else self.hurried
            user = come("user", f"user-{number}", manners=manners)
            self._assert_served(user)
            if number % 3 == 0:
                come("user", f"user-{number}", "2")
        for device in devices:
            self._assert_served(device)
        if self.transfers:
            spare = come("waiter", "waiter-spare", manners=self.hurried)
            assert spare.wait(lambda manners: manners.answered)
        return devices

    def _assert_served(self, device: Device) -> None:
        if not device.wait(is_served):
            raise AssertionError(f"{device.name}: {device.look(_state)}\n{self.stage.log}")

    def _live(self) -> None:
        moment = self.random.choice([STORM, MOMENTS, MOMENTS])
        end = len(self.journal) + self.random.randrange(moment)
        patience = time.monotonic() + PATIENCE
        while len(self.journal) < end and time.monotonic() < patience:
            self._say()
            if self.random.random() < 0.02:
                self.random.choice(self.devices).lose()
            if self.random.random() < 0.02:
                self.random.choice(self.devices).do(lambda manners: manners.repeat())
            if self.transfers and self.random.random() < TRANSFERS:
                self._transfer()
            if self._site is not None and self.random.random() < CHANGES:
                self._site.change()
            step = self.random.randint(1, 20)
            self.journal.wait_for_length(min(end, len(self.journal) + step), 0.05)

    def _transfer(self) -> None:
        """A waiter hands one of its users to another waiter, or to whoever is free next."""
        waiters = [one for one in self.devices if one.manners.role == "waiter"]
        giver, taker = self.random.sample(waiters, 2)
        uuid = taker.look(lambda manners: manners.uuid)
        departments = ("",) if self._site is None else ("", *KEYS)
        giver.do(lambda manners: manners.transfer_any(self.random, uuid, departments))

    def _say(self) -> None:
        device = self.random.choice(self.devices)
        for _ in range(self.random.randint(1, AT_ONCE)):
            if device.look(lambda manners: manners.pending) >= WINDOW:
                return
            self._said += 1
            padding = PADDING[: self.random.choice([0, 0, 10, 300])]
            conversations = device.look(
                lambda manners: [c.name for c in manners.conversations.values() if not c.handed]
            )
            if not conversations:
                return
            device.say(f"{device.name} {self._said}{padding}", self.random.choice(conversations))

    # ---- the end -------------------------------------------------------

    def _quiet(self) -> list[str]:
        """Everybody is back and has said all, and has heard it; else what is missing."""
        end = time.monotonic() + PATIENCE
        restless = [
            f"{device.name} does not come to rest: {device.look(_state)}"
            for device in self.devices
            if not device.wait(lambda manners: manners.settled, end - time.monotonic())
        ]
        ends: dict[str, int] = {}
        for device in self.devices:
            for name, seq in device.look(_ends).items():
                ends[name] = max(seq, ends.get(name, 0))

        def heard(manners: Manners) -> bool:
            return all(seq >= ends[name] for name, seq in _ends(manners).items())

        return restless + [
            f"{device.name} has heard {device.look(_ends)} of {ends}"
            for device in self.devices
            if not device.wait(heard, end - time.monotonic())
        ]

    def _told_in_the_end(self) -> list[str]:
        """The same as `_told`, when those are back whom a server has sent away meanwhile."""
        end = time.monotonic() + PATIENCE
        while (problems := self._told()) and time.monotonic() < end:
            self.journal.wait_for_length(len(self.journal) + 1, 0.5)
        return problems

    def _told(self) -> list[str]:
        """What clients take for true: one waiter for a user, never too many users for a waiter.

        A desk that has lost everything may have forgotten a handover of just before: then a
        waiter has the user that it has handed over once more, however many it serves.
        """
        problems: list[str] = []
        left = {
            (one.socket.split("#")[0], one.conversation)
            for one in self.journal.events
            if isinstance(one, Left)
        }
        servers: dict[str, set[str]] = {}  # conversation → waiters
        for device in self.devices:
            if not isinstance(device.manners, PlainManners):
                conversations = device.look(
                    lambda manners: [c.name for c in manners.conversations.values() if c.here]
                )
                back = sum((device.name, one) in left for one in conversations)
                if len(conversations) - back > (CAPACITY if device.manners.role == "waiter" else 1):
                    problems.append(f"{device.name} takes part in {conversations}")
                if device.manners.role == "waiter":
                    for conversation in conversations:
                        servers.setdefault(conversation, set()).add(device.manners.sub)
                else:
                    for conversation in conversations:
                        servers.setdefault(conversation, set())
        for conversation, waiters in servers.items():
            if len(waiters) != 1:
                problems.append(f"{sorted(waiters)} serve {conversation}")
        return problems

    def _whole_truth(self) -> tuple[Journal, Truth]:
        """What has happened, and what is stored when everybody has heard all of it.

        What the desk has decided becomes an entry some seconds later where a worker was killed:
        nothing has come while the truth was read, and what comes later does not count.
        """
        end = time.monotonic() + PATIENCE
        while True:
            known = len(self.journal)
            truth = self._truth()
            ends = {name: len(one.items) for name, one in truth.items()}
            heard = [device.look(_ends) for device in self.devices]
            is_over = time.monotonic() > end
            is_whole = known == len(self.journal) and all(
                seq == ends.get(name, seq) for one in heard for name, seq in one.items()
            )
            if is_over or is_whole:
                return self.journal.until(known), truth
            self.journal.wait_for_length(len(self.journal) + 1, 0.5)

    def _truth(self) -> Truth:
        store = open_store(self.database)
        try:
            truth: dict[str, Conversation] = {}
            for sub in sorted(
                {one.manners.sub for one in self.devices if one.manners.role == "user"}
            ):
                for conversation in store.conversations_of(Side.USER, sub):
                    truth[f"{conversation.key:x}"] = self._conversation(store, conversation)
            return truth
        finally:
            store.close()

    def _conversation(self, store: Store, conversation: ConversationRow) -> Conversation:
        rows = store.entries(conversation.key, limit=10_000_000, newest=False)
        items = [*map(item, rows)]
        name = f"{conversation.key:x}"
        sides = {
            conversation.user_subject,
            conversation.waiter_subject or "",
            *(row.author for row in rows),
        }
        views: dict[str, Sequence[Item]] = {}
        for device in self.devices:
            known = device.look(lambda manners: manners.conversations.get(name))
            if known is None:
                continue
            view = device.history(name)
            if view is not None:
                views[device.name] = view
            elif not known.handed:
                device.manners.problems.append(f"it may not read its own conversation {name}")
            if self.transfers and (known.handed or known.here):
                sides.add(device.manners.sub)  # all workers that were to store it may be killed
        return Conversation(sides, items, views, ended=conversation.ended is not None)

    def _report(self, began: float, anomalies: list[Anomaly], problems: list[str]) -> Report:
        events = self.journal.events
        sent = {
            (one.sender, one.client_id)
            for one in events
            if isinstance(one, Sent) and one.conversation
        }
        known = {(one.sender, one.client_id) for one in events if isinstance(one, Acknowledged)}
        for page in events:
            if isinstance(page, Page):
                known |= {(self.journal.who(one.sender), one.client_id or "") for one in page.items}
        stories = [
            "\n    ".join([str(one), *map(str, story(self.journal, one))]) for one in anomalies[:10]
        ]
        seconds = time.monotonic() - began
        transfers = sum(isinstance(one, Left) for one in events)
        return Report(
            self.kills, seconds, len(sent), len(sent & known), transfers, anomalies, problems,
            stories,
        )  # fmt: skip


def is_served(manners: Manners) -> bool:
    return any(conversation.here for conversation in manners.conversations.values())


def _ends(manners: Manners) -> dict[str, int]:
    return {
        conversation.name: conversation.last_seq or 0
        for conversation in manners.conversations.values()
        if not conversation.handed
    }


def _state(manners: Manners) -> str:
    conversations = {
        conversation.name: (conversation.here, len(conversation.outbox))
        for conversation in manners.conversations.values()
    }
    about = f"conversations {conversations}, problems {manners.problems[-3:]}"
    return f"socket {manners.socket or 'none'}, {about}"
