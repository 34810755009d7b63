"""Many people at one desk at once: real threads, each with people of its own."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

from services.desk.port import Desk, Role, WaiterFull


class Crowd:
    """*users* and *waiters* who come, ask, part and go; in the end all are there."""

    def __init__(self, desk: Desk, users: int, waiters: int) -> None:
        self._desk = desk
        self._people = [
            *((Role.USER, f"user {n}") for n in range(users)),
            *((Role.WAITER, f"waiter {n}") for n in range(waiters)),
        ]
        #: who is here → its UUID; changed by the thread that has it in its care
        self._here: dict[tuple[Role, str], str] = {}
        for role, subject in self._people:
            self._arrive(role, subject, 0)

    def users(self) -> set[str]:
        """The users' UUIDs."""
        return {uuid for (role, _), uuid in self._here.items() if role is Role.USER}

    def rush(self, threads: int, visits: int) -> None:
        """Every thread does *visits* things at random; what goes wrong in one is raised here."""
        start = Barrier(threads)

        def live(number: int) -> None:
            chance = random.Random(number)
            mine = self._people[number::threads]
            start.wait()
            for visit in range(1, visits + 1):
                self._act(*chance.choice(mine), visit, chance)

        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(live, number) for number in range(threads)]:
                done.result()

    def all_ask(self) -> None:
        """Every user wants a waiter and every waiter takes users."""
        for (role, _), uuid in self._here.items():
            self._ask(role, uuid)

    def _act(self, role: Role, subject: str, visit: int, chance: random.Random) -> None:
        me = self._here[role, subject]
        whim = chance.random()
        if whim < 0.1:
            self._desk.leave(me)
            self._arrive(role, subject, visit)
        elif whim < 0.7:
            self._ask(role, me)
        elif whim < 0.8 and role is Role.USER:
            self._desk.withdraw(me)
        elif whim < 0.8:
            for user in self.users():
                with suppress(WaiterFull):
                    self._desk.take(user, me)
        else:
            for (other_role, _), other in self._here.items():
                if other_role is not role:
                    user, waiter = (me, other) if role is Role.USER else (other, me)
                    self._desk.part(user, waiter, me)

    def _ask(self, role: Role, uuid: str) -> None:
        if role is Role.USER:
            self._desk.connect(uuid)
        else:
            self._desk.ready(uuid)

    def _arrive(self, role: Role, subject: str, visit: int) -> None:
        uuid = f"{subject}, visit {visit}"
        assert self._desk.arrive(role, subject, uuid).uuid == uuid
        self._here[role, subject] = uuid
