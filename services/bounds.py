"""What an address and a participant may hold and spend: every bound on them, in one place.

Bounds by address are there against one machine that takes what is everybody's;
they leave room for an office behind one address. They all follow from
`CSAPP_CONNECTIONS_PER_IP`, and 0 lifts them. Bounds by participant are there
against many connections that ask for the same again and again.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .limits import ConnectionCount, KeyedBuckets, KeyedCounts


class Rate(NamedTuple):
    """So many a second, and so many at once."""

    a_second: float
    at_once: float


# ---- by address, where it may hold 100 connections ----------------------------

#: positions in the queue and seats: an office
PLACES = 50

#: HTTP requests under way: their bodies come, or their answers are taken
REQUESTS = 50

#: connections opened: all of them come back five times in a row; each costs a millisecond
HANDSHAKES = Rate(50.0, 500.0)

#: tokens handed out
TOKENS = Rate(1.0, 30.0)

#: messages left: 20 a day
MESSAGES = Rate(20 / 86_400, 20.0)

# ---- by participant -----------------------------------------------------------

#: another token for one login, in all its tabs
RENEWALS = Rate(0.1, 20.0)

#: logins of one subject that sign out: each is a row in the database
SIGN_OUTS = Rate(0.1, 3.0)

#: searches of one waiter: whoever types asks again and again
SEARCHES = Rate(2.0, 10.0)

#: questions of one waiter about canned replies
CANNED = Rate(5.0, 30.0)

#: connections at once: browser tabs, and those of a colleague who has the same login
TABS = 64

#: questions to the history: each conversation that is resumed is one, and each page
QUESTIONS = Rate(10.0, 300.0)

#: bytes of history: a waiter's morning at once, and then as fast as anybody reads
HISTORY = Rate(262_144.0, 8_388_608.0)

#: bytes of history that one `auth` is answered with: half of what may wait for a slow reader
RESUME = 524_288

#: files that one participant begins to upload
UPLOADS = Rate(0.5, 30.0)

#: how many of the largest files one participant may send in an hour, and one address
FILES_OF_ONE = 20
FILES_OF_ADDRESS = 100

#: uploads of one participant that have not come to their end, and how many of the largest files
#: all may be together that no message of it names yet
UNFINISHED = 5
UNNAMED = 5

# ---- by all unknown browsers together, in one worker -------------------------

#: sign-ins from a browser and an address that are not known for the account: each is a row in
#: the database, whose commits are needed for entries, and a hash
SIGN_INS = Rate(5.0, 50.0)

# ---- by anybody ---------------------------------------------------------------

#: s that the body of a request may take, and its answer
BODY_TIME = 5.0
ANSWER_TIME = 10.0

#: an upload may take longer, as long as something comes: s without a byte after which it is cut
#: off, and bytes that come in a second after so many s, all in all. Nothing is lost by that
UPLOAD_PAUSE = 15.0
UPLOAD_SLOWEST = 1024
UPLOAD_TIME = 30.0

#: s that the desk waits for an absent anonymous user who has written nothing: its page is
#: loaded again
ANONYMOUS_GRACE = 5.0

#: one seat of so many stays with a user who is away and has written nothing, though others wait
SEATS_KEPT = 10

#: s that a ticket is good for a position in the queue, since its last update: a server is mended
TICKET_LIFETIME = 7200.0

#: void tickets that are remembered, until they would have expired anyway
MOST_VOID = 100_000


KIB = 1024


def _in_an_hour(count: float) -> Rate:
    return Rate(count / 3600, count)


def share(most: int, connections: int) -> int:
    """*most* for an address that may hold so many *connections*.

    No more than it has connections, and half as many as these where that is more.
    0: no bound.
    """
    return max(min(connections, most), connections // 2)


class Ledger(Protocol):
    """What addresses and participants hold and spend at all workers (`shared/ledger.py`)."""

    def hold(self, key: str, most: int) -> bool:
        """Hold one more of *key*, unless all workers hold *most* of it. Waits."""

    def release(self, key: str) -> None:
        """Hold one less. Does not wait."""

    def spend(self, key: str, a_second: float, at_once: float) -> bool:
        """Whether one more of *key* is within the rate of all workers together. Waits."""


class Expected:
    """Room that is kept for a connection; freed with this object unless the room is `taken`."""

    __slots__ = ("_address", "_given_up")

    def __init__(self, address: str, given_up: deque[str]) -> None:
        self._address: str | None = address
        self._given_up = given_up

    def taken(self) -> None:
        """The connection is counted in."""
        self._address = None

    def __del__(self) -> None:
        # Whoever frees this object may hold a lock: the next call of `let_in` counts it out.
        if self._address is not None:
            self._given_up.append(self._address)


class Spending:
    """Takings of one kind by address or participant: here, and with a ledger at all workers."""

    def __init__(self, name: str, rate: Rate, clock: Callable[[], float]) -> None:
        self._name = name
        self._rate = rate
        self._here = KeyedBuckets(*rate, clock)
        self.ledger: Ledger | None = None

    def take(self, key: str, count: int = 1) -> bool:
        """Whether *count* more of *key* are within the rate."""
        if not self._here.take(key, count):
            return False
        if self.ledger is None:
            return True
        a_second, at_once = self._rate  # of what costs *count* times as much
        return self.ledger.spend(f"{self._name}:{key}", a_second / count, at_once / count)

    def pause(self, key: str, count: int = 1) -> float:
        """After how many seconds *count* that were refused to *key* may be tried again.

        The ledger does not say how much is missing: *count* at most, where nobody else takes it.
        """
        if self.ledger is None:
            return self._here.pause(key, count)
        return count / self._rate.a_second


class Bounds:
    """The bounds of one process.

    *connections*: how many one address may hold; 0: no bound. *total*: how many
    all of them may hold here. *max_file*: bytes of the largest file that is taken.
    """

    def __init__(
        self,
        connections: int = 0,
        clock: Callable[[], float] = time.monotonic,
        total: int = sys.maxsize,
        max_file: int = 1 << 20,
    ) -> None:
        self._each = connections
        more = max(1.0, connections / 100)
        handshakes = Rate(HANDSHAKES.a_second * more, HANDSHAKES.at_once * more)
        self._handshakes = Spending("handshakes", handshakes, clock)
        self._tokens = Spending("tokens", TOKENS, clock)
        self._messages = Spending("messages", MESSAGES, clock)
        self._uploads = Spending("uploads", UPLOADS, clock)
        largest = -(-max_file // KIB)
        self._files = Spending("files", _in_an_hour(FILES_OF_ONE * largest), clock)
        of_address = _in_an_hour(FILES_OF_ADDRESS * largest * more)
        self._files_of_address = Spending("address_files", of_address, clock)
        self._ledger: Ledger | None = None
        self._given_up: deque[str] = deque()
        #: connections open, by address
        self.connections = ConnectionCount(total, connections)
        #: positions and seats for one address; desks count them
        self.places = share(PLACES, connections)
        #: HTTP requests under way here, by address
        self.requests = KeyedCounts(share(REQUESTS, connections))
        #: connections, by participant
        self._tabs = KeyedCounts(TABS)
        #: questions to the history, by participant
        self.questions = Spending("questions", QUESTIONS, clock)
        #: bytes of history that this process sends, by participant
        self.history = KeyedBuckets(*HISTORY, clock)

    def share(self, ledger: Ledger) -> None:
        """From now on other workers count as well."""
        self._ledger = ledger
        for spending in (
            self._handshakes, self._tokens, self._messages, self.questions, self._uploads,
            self._files, self._files_of_address,
        ):  # fmt: skip
            spending.ledger = ledger

    def held(self) -> dict[str, int]:
        """What the ledger is to know: connections by address, further tabs by participant."""
        found = {}
        if self._each:
            for address, count in self.connections.held().items():
                if address:
                    found[f"connections:{address}"] = count
        for whose, count in self._tabs.held().items():
            if count > 1:
                found[f"tabs:{whose}"] = count - 1
        return found

    # ---- by address ----------------------------------------------------

    def let_in(self, address: str) -> str:
        """Why no connection of *address* may come in: `full`, `address`; or `""`: it is expected.

        Waits for the other workers. `expected` gives the room back if it does not come.
        """
        while self._given_up:
            self._count_out(self._given_up.popleft())
        if refusal := self.connections.expect(address):
            return refusal
        if self._is_free(address):
            return ""
        key = f"connections:{address}"
        if self._ledger is not None and not self._ledger.hold(key, self._each):
            self.connections.give_up(address)
            return "address"
        if not self._handshakes.take(address):
            self._count_out(address)
            return "address"
        return ""

    def expected(self, address: str) -> Expected:
        """The room of a connection that was let in."""
        return Expected(address, self._given_up)

    def _count_out(self, address: str) -> None:
        self.connections.give_up(address)
        self._release(address)

    def leave(self, address: str) -> None:
        """A connection of *address* has ended."""
        self.connections.leave(address)
        self._release(address)

    def _release(self, address: str) -> None:
        if self._ledger is not None and not self._is_free(address):
            self._ledger.release(f"connections:{address}")

    def allow_token(self, address: str) -> bool:
        """Whether *address* may be given one more token now. Waits for the other workers."""
        return self._is_free(address) or self._tokens.take(address)

    def allow_message(self, address: str) -> bool:
        """Whether *address* may leave one more message now. Waits for the other workers."""
        return self._is_free(address) or self._messages.take(address)

    def message_pause(self, address: str) -> float:
        """After how many seconds *address*, to which one was refused, may leave a message again."""
        return self._messages.pause(address)

    def _is_free(self, address: str) -> bool:
        """Whether *address* has no bound: there are none, or nobody knows the address."""
        return not (self._each and address)

    # ---- files ---------------------------------------------------------

    def allow_upload(self, whose: str) -> bool:
        """Whether a participant may begin one more upload now. Waits for the other workers."""
        return self._uploads.take(whose)

    def file_pause(self, whose: str, address: str, size: int) -> float:
        """After how many seconds a participant may send *size* bytes more; 0: now.

        They are counted then, also for *address*. Waits for the other workers.
        """
        count = -(-size // KIB)
        if not self._files.take(whose, count):
            return max(1.0, self._files.pause(whose, count))
        if self._is_free(address) or self._files_of_address.take(address, count):
            return 0
        return max(1.0, self._files_of_address.pause(address, count))

    # ---- by participant ------------------------------------------------

    def open_tab(self, whose: str) -> bool:
        """Count one more connection of a participant in, unless there are too many.

        The ledger does not count the first one here: most participants have no other.
        """
        if not self._tabs.enter(whose):
            return False
        if self._ledger is None or self._tabs.of(whose) == 1:
            return True
        if self._ledger.hold(f"tabs:{whose}", TABS - 1):
            return True
        self._tabs.leave(whose)
        return False

    def close_tab(self, whose: str) -> None:
        """Count out a connection of a participant that was counted in."""
        self._tabs.leave(whose)
        if self._ledger is not None and self._tabs.of(whose):
            self._ledger.release(f"tabs:{whose}")


class Allowance:
    """How much of the past one `auth` of *participant* is answered with."""

    #: bytes of a message beside its text
    ROW = 256

    def __init__(self, bounds: Bounds, participant: str) -> None:
        self._history = bounds.history
        self._participant = participant
        self._left = float(RESUME)

    @property
    def _rest(self) -> float:
        return min(self._left, self._history.left(self._participant))

    def rows(self, most: int) -> int:
        """Messages that are worth asking for, at most *most*; none where nothing is left."""
        rest = self._rest
        return max(1, min(most, int(rest / self.ROW))) if rest > 0 else 0

    def fit(self, sizes: list[int]) -> int:
        """Of messages with texts of *sizes* bytes so many may be sent.

        One at least while this `auth` has something left: a page that is empty and
        not complete would end the reading of whoever asks for one after the other.
        """
        rest = self._rest
        spent = count = 0
        for size in sizes:
            if spent + size + self.ROW > rest and (count or self._left <= 0):
                break
            spent += size + self.ROW
            count += 1
        self._left -= spent
        self._history.charge(self._participant, spent)
        return count
