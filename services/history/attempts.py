"""How often a password may be tried, and from which addresses an account is used.

Both are counted in the database, which all workers and machines share. Unknown browsers
choose what is counted, so no key shows what was typed: a key is a mark
(`Tokens.mark`). Everything here blocks and is called from native threads only.

A row of `attempt` is a leaky bucket: *until* is the moment at which it will be empty,
and each attempt moves it on by `PAUSE`.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable

import sqlalchemy as sa

from .port import StoreError
from .slices import reading, writing
from .sql import SQLStore
from .tables import attempt, familiar

PAUSE = 6.0  # s between two attempts, when those of `BURST` are used up
BURST = 10  # attempts at once

#: addresses that are remembered of one account: an office, a home, a phone
ADDRESSES = 10

#: ms after which an address that was not used is forgotten
STALE = 90 * 86_400_000

#: one of so many attempts deletes the rows whose buckets are empty
SWEEP = 50

_TAKE = sa.text(
    """
    INSERT INTO attempt (key, until) VALUES (:key, :now + :pause)
    ON CONFLICT (key) DO UPDATE SET until = :pause + CASE
        WHEN attempt.until < :now OR attempt.until > :now + :most THEN :now
        ELSE attempt.until END
    WHERE attempt.until <= :now + :most - :pause OR attempt.until > :now + :most
    RETURNING until
    """
)


class Attempts:
    """What *store* knows of attempts. *now* is the wall clock in s, which machines share.

    All methods raise `StoreError` while it is down.
    """

    def __init__(self, store: SQLStore, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def take(self, key: str) -> bool:
        """Whether one more attempt at *key* is within the limit; then it is counted.

        A clock that was set back refuses nobody for longer than before.
        """
        now, pause = self._ms(), int(PAUSE * 1000)
        if random.randrange(SWEEP) == 0:  # noqa: S311
            with contextlib.suppress(StoreError):
                self._sweep(now)
        values = {"key": key, "now": now, "pause": pause, "most": BURST * pause}
        with writing(self._store) as connection:
            return connection.execute(_TAKE, values).first() is not None

    def give_back(self, key: str) -> None:
        """Count one attempt at *key* less: the password was right."""
        query = sa.update(attempt).where(attempt.c.key == key)
        with writing(self._store) as connection:
            connection.execute(query.values(until=attempt.c.until - int(PAUSE * 1000)))

    def _sweep(self, now: int) -> None:
        with writing(self._store) as connection:
            connection.execute(sa.delete(attempt).where(attempt.c.until < now))

    # ---- from which addresses ------------------------------------------

    def is_familiar(self, name: str, address: str) -> bool:
        """Whether the account of *name* was used from *address* (a mark) lately."""
        here = familiar.c.name == name, familiar.c.address == address
        query = sa.select(familiar.c.seen).where(*here, familiar.c.seen > self._ms() - STALE)
        with reading(self._store) as connection:
            return connection.execute(query).first() is not None

    def remember(self, name: str, address: str) -> None:
        """Remember *address*, from which *name* signs in; of too many, forget the oldest."""
        mine = familiar.c.name == name
        newest = sa.select(familiar.c.address).where(mine).order_by(familiar.c.seen.desc())
        with writing(self._store) as connection:
            connection.execute(sa.delete(familiar).where(mine, familiar.c.address == address))
            values = {"name": name, "address": address, "seen": self._ms()}
            connection.execute(sa.insert(familiar).values(values))
            recent = connection.execute(newest.limit(ADDRESSES)).scalars().all()
            connection.execute(sa.delete(familiar).where(mine, familiar.c.address.not_in(recent)))

    def _ms(self) -> int:
        return int(self._now() * 1000)
