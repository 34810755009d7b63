"""Departments that come, change and go while people talk: what an operator does with commands."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing

from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store

KEYS = ("care", "sales")


class ChangingDepartments:
    """Those of the site whose history is in *database*; *waiters* are members of all of them.

    So nobody waits for ever, whatever changes.
    """

    def __init__(self, database: str, waiters: Sequence[str], chance: random.Random) -> None:
        self._database = database
        self._waiters = waiters
        self._chance = chance
        self._keys: set[str] = set()

    def change(self) -> None:
        """One change, or a few that an operator makes one after the other."""
        key, dice = self._chance.choice(KEYS), self._chance.random()
        with closing(open_store(self._database)) as store:
            tables = DepartmentTables(store)
            if key not in self._keys:
                tables.add(key)
                self._keys.add(key)
                self._assign_all(tables)
            elif dice < 1 / 4:
                tables.remove(key)
                self._keys.remove(key)
            elif dice < 1 / 2:
                self._assign_all(tables)
            else:
                tables.change(key, self._anything(key))

    def _anything(self, key: str) -> Change:
        others = [None, "", *(one for one in sorted(self._keys) if one > key)]  # none goes round
        return Change(
            enabled=self._chance.random() < 2 / 3,
            overflow=Overflow(self._chance.choice(others), self._chance.choice([0, 1])),
            answer_within=self._chance.choice([0, 3600]),
        )

    def _assign_all(self, tables: DepartmentTables) -> None:
        for waiter in self._waiters:
            keys = ["", *sorted(self._keys)]
            tables.assign(waiter, {one: self._chance.randrange(10) for one in keys})
