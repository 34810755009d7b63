"""Counters and token buckets: how much one connection, one address and one worker may use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial


class TokenBucket:
    """Allows *rate* units a second, *burst* at once. Refilled by *clock*, which is monotonic."""

    __slots__ = ("_clock", "_last", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._left = burst
        self._last = clock()

    def take(self, count: int = 1) -> bool:
        """Take *count* units and return True; or take none and return False."""
        now = self._clock()
        self._left = min(self.burst, self._left + (now - self._last) * self.rate)
        self._last = now
        if self._left < count:
            return False
        self._left -= count
        return True

    def charge(self, count: float) -> None:
        """Take *count* units even if fewer are left: the bucket then has a debt."""
        self.take(0)
        self._left -= count

    @property
    def left(self) -> float:
        """The units that were left after the last `take` or `charge`."""
        return self._left

    @property
    def full(self) -> bool:
        """The bucket is full again, so it can be dropped and made anew at the next use."""
        return self._left + (self._clock() - self._last) * self.rate >= self.burst


class KeyedBuckets:
    """One token bucket for each key (an address). Full ones are dropped from time to time."""

    #: number of buckets from which on the full ones are dropped, as soon as the oldest one is full
    SWEEP_AT = 10_000
    #: number at which the older half is forgotten though it is not full
    MOST = 100_000

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._make = partial(TokenBucket, rate, burst, clock)
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    def take(self, key: str, count: int = 1) -> bool:
        """Take *count* units of *key* and return True; or take none and return False."""
        with self._lock:
            return self._bucket(key).take(count)

    def charge(self, key: str, count: float) -> None:
        """Take *count* units of *key* even if fewer are left."""
        with self._lock:
            self._bucket(key).charge(count)

    def left(self, key: str) -> float:
        """The units that *key* may take now."""
        with self._lock:
            bucket = self._bucket(key)
            bucket.charge(0)
            return bucket.left

    def pause(self, key: str, count: int = 1) -> float:
        """After how many seconds *key* may take the next *count* units."""
        with self._lock:
            bucket = self._bucket(key)
            bucket.charge(0)
            return max(0.0, count - bucket.left) / bucket.rate

    def _bucket(self, key: str) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            count = len(self._buckets)
            if count >= self.MOST or (count >= self.SWEEP_AT and self._oldest.full):
                self._sweep()
            bucket = self._buckets[key] = self._make()
        return bucket

    @property
    def _oldest(self) -> TokenBucket:
        return next(iter(self._buckets.values()))

    def _sweep(self) -> None:
        left = [(key, bucket) for key, bucket in self._buckets.items() if not bucket.full]
        self._buckets = dict(left[-self.MOST // 2 :])


class KeyedCounts:
    """How many each key (an address, a participant) holds: at most *most*; 0: no bound.

    What has no key (an unknown address) has no bound either.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    def enter(self, key: str) -> bool:
        """Count one more of *key* in; False, and nothing happens, when it holds too many."""
        with self._lock:
            held = self._held.get(key, 0)
            if self._most and key and held >= self._most:
                return False
            self._held[key] = held + 1
            return True

    def leave(self, key: str) -> None:
        """Count one of *key* out that was counted in."""
        with self._lock:
            _less(self._held, key)

    def of(self, key: str) -> int:
        """How many *key* holds."""
        return self._held.get(key, 0)

    def held(self) -> dict[str, int]:
        """How many each key holds."""
        with self._lock:
            return dict(self._held)


class ConnectionCount:
    """Open connections: in all, and from each address."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._by_address: dict[str, int] = {}
        self._expected: dict[str, int] = {}
        self._lock = threading.Lock()
        self.total = 0

    def refusal(self, address: str) -> str:
        """Why no connection from *address* may come in: `full`, `address`, or `""` if it may.

        An unknown address (of a Unix socket) has no limit of its own.
        """
        if self.total >= self._most:
            return "full"
        mine = self._by_address.get(address, 0) + self._expected.get(address, 0)
        if self._most_per_address and address and mine >= self._most_per_address:
            return "address"
        return ""

    def expect(self, address: str) -> str:
        """Reserve a place for a connection, unless it is refused. Returns the refusal."""
        with self._lock:
            refusal = self.refusal(address)
            if not refusal:
                self._expected[address] = self._expected.get(address, 0) + 1
            return refusal

    def give_up(self, address: str) -> None:
        """Free a reserved place: its connection does not come."""
        with self._lock:
            _less(self._expected, address)

    def held(self) -> dict[str, int]:
        """How many connections each address has, reserved places included."""
        with self._lock:
            addresses = self._by_address.keys() | self._expected.keys()
            return {
                one: self._by_address.get(one, 0) + self._expected.get(one, 0) for one in addresses
            }

    def enter_expected(self, address: str) -> None:
        """Count a connection for which a place was reserved."""
        with self._lock:
            _less(self._expected, address)
            self._by_address[address] = self._by_address.get(address, 0) + 1
            self.total += 1

    def enter(self, address: str) -> str:
        """Count a connection, unless it is refused. Returns the refusal."""
        with self._lock:
            refusal = self.refusal(address)
            if not refusal:
                self._by_address[address] = self._by_address.get(address, 0) + 1
                self.total += 1
            return refusal

    def leave(self, address: str) -> None:
        """Count a connection no more."""
        with self._lock:
            self.total -= 1
            _less(self._by_address, address)


def _less(counts: dict[str, int], key: str) -> None:
    """Lower the count of *key* by one."""
    left = counts.get(key, 0) - 1
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)
