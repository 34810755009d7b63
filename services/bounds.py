"""What an address and a participant may hold and spend: every bound on strangers, in one place.

Bounds by address are there against one machine that takes what is everybody's;
they leave room for an office behind one address. They all follow from
`CSAPP_CONNECTIONS_PER_IP`, and 0 lifts them. Bounds by participant are there
against many connections that ask for the same again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from .limits import KeyedBuckets, KeyedCounts


class Rate(NamedTuple):
    """So many a second, and so many at once."""

    a_second: float
    at_once: float


# ---- by address, where it may hold 100 connections ----------------------------

#: places in the queue and in chats: an office
PLACES = 50

#: HTTP requests under way: their bodies come, or their answers are taken
REQUESTS = 50

#: connections opened: all of them come back twice in a row, then one after the other
HANDSHAKES = Rate(20.0, 200.0)

#: tokens handed out
TOKENS = Rate(1.0, 30.0)

# ---- by participant -----------------------------------------------------------

#: connections at once: browser tabs
TABS = 20

#: questions to the history: each conversation that is resumed is one, and each page
QUESTIONS = Rate(10.0, 300.0)

#: bytes of history: a waiter's morning at once, and then as fast as anybody reads
HISTORY = Rate(262_144.0, 8_388_608.0)

#: bytes of history that one `auth` is answered with: half of what may wait for a slow reader
RESUME = 524_288

#: bytes of files, once there are any
UPLOADS = Rate(1_048_576.0, 104_857_600.0)

# ---- by all strangers together, in one worker --------------------------------

#: sign-ins from a browser and an address that are not known for the account: each is a row in
#: the database, whose commits are needed for what is said, and a hash
SIGN_INS = Rate(5.0, 50.0)

# ---- by anybody ---------------------------------------------------------------

#: s that the body of a request may take, and its answer
BODY_TIME = 5.0
ANSWER_TIME = 10.0

#: s that a stranger who has said nothing keeps a place without a connection: a page that is
#: loaded again
STRANGER_GRACE = 5.0

#: of so many seats one is kept for somebody who is away and has said nothing, though others wait
SEATS_KEPT = 10

#: s that a ticket keeps a place in line, from when it was told last: a server that is mended
TICKET_LIFETIME = 7200.0

#: tickets that are void, remembered until they would have run out anyway
MOST_VOID = 100_000


def share(most: int, connections: int) -> int:
    """*most* for an address that may hold so many *connections*.

    No more than it has connections, and half as many as these where that is more.
    0: no bound.
    """
    return max(min(connections, most), connections // 2)


class Bounds:
    """The bounds of one process. *connections*: how many one address may hold; 0: no bound."""

    def __init__(self, connections: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._by_address = bool(connections)
        more = max(1.0, connections / 100)
        self._handshakes = KeyedBuckets(
            HANDSHAKES.a_second * more, HANDSHAKES.at_once * more, clock
        )
        self._tokens = KeyedBuckets(*TOKENS, clock)
        #: places in the queue and in chats for one address
        self.places = share(PLACES, connections)
        #: HTTP requests under way, by address
        self.requests = KeyedCounts(share(REQUESTS, connections))
        #: connections, by participant
        self.tabs = KeyedCounts(TABS)
        #: questions to the history, and bytes of it, by participant
        self.questions = KeyedBuckets(*QUESTIONS, clock)
        self.history = KeyedBuckets(*HISTORY, clock)
        #: bytes of files, by participant
        self.uploads = KeyedBuckets(*UPLOADS, clock)

    def may_connect(self, address: str) -> bool:
        """Whether *address* may open one more connection now."""
        return self._is_free(address) or self._handshakes.take(address)

    def may_have_token(self, address: str) -> bool:
        """Whether *address* may be given one more token now."""
        return self._is_free(address) or self._tokens.take(address)

    def _is_free(self, address: str) -> bool:
        """An address that is not known would be everybody's."""
        return not (self._by_address and address)


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
        """Of messages with texts of *sizes* bytes so many may be sent: one, if anything is left."""
        rest = self._rest
        spent = count = 0
        for size in sizes:
            if spent + size + self.ROW > rest and (count or rest <= 0):
                break
            spent += size + self.ROW
            count += 1
        self._left -= spent
        self._history.charge(self._participant, spent)
        return count
