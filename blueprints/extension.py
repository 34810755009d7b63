"""What `app.extensions["csapp"]` holds, and how doors reach it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from flask import Blueprint, Flask, Request
from jinja2 import Environment

from services.history.opening import own_store, prepare
from services.history.sql import SQLStore
from services.identity import Identity
from services.security_log import Event, security
from services.server import ChatServer

from .demo.waiters import WAITERS

#: of the demo's waiters
PUBLIC = frozenset(waiter.password for waiter in WAITERS)

#: what a host's callback may return
Who = Identity | str | None


@dataclass(slots=True)
class Callbacks:
    """How a host application says who is who; None: everybody is a stranger."""

    visitor: Callable[[Request], Who] | None = None
    waiter: Callable[[Request], Who] | None = None


#: how the names of our blueprints begin
OURS = "csapp_"


class Blueprints(Collection[Blueprint]):
    """The blueprints of the chat in one of *apps*; in all of them they have the same names.

    `in` takes a name, such as `request.blueprint`, or a blueprint.
    """

    def __init__(self, apps: Collection[Flask]) -> None:
        self._apps = apps

    def __contains__(self, one: object) -> bool:
        name = one.name if isinstance(one, Blueprint) else one
        return isinstance(name, str) and name.startswith(OURS)

    def __iter__(self) -> Iterator[Blueprint]:
        for app in self._apps:
            return iter(app.extensions["csapp"].doors)
        raise RuntimeError("the chat is in no application yet: call chat.init_app(app) first")

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(slots=True)
class Extension:
    """The state of one application."""

    server: ChatServer
    callbacks: Callbacks
    #: the `CSApp`, which lives as long as the application: signals hold its methods weakly
    owner: object = None
    #: passwords that everybody can read in the source: nobody signs in with one, but in the demo
    public_passwords: frozenset[str] = PUBLIC
    #: what hangs in the application
    doors: tuple[Blueprint, ...] = ()
    #: the templates of the application, and ours
    templates: Environment | None = None

    @property
    def has_store(self) -> bool:
        """Whether there is a database: without one there are no accounts."""
        return self.server.settings.database_url != "off"

    def store(self) -> SQLStore:
        """The database, ready for use by a command; a server has its own (`server.store`).

        Blocks. Raises `StoreError`.
        """
        store = self.open_store()
        prepare(store, self.server.settings)
        return store

    def open_store(self) -> SQLStore:
        """The database as it is found: perhaps without its tables. Raises `StoreError`."""
        return own_store(self.server.settings)

    def revoke(self, subject: str, by: str) -> None:
        """Make all that *subject* was given until now worthless. Waits. Raises `StoreError`.

        A process in which no chat runs (pages, a command) only writes it down: the
        workers that serve chats read it within 2 s.
        """
        now = int(time.time() * 1000)
        if self.server.started or not self.has_store:
            self.server.house.revocations.revoke(subject=subject, at=now)
        else:
            store = self.store()
            try:
                store.revoke(subject=subject, now=now)
            finally:
                store.close()
        security.record(Event.REVOKED, subject=subject, by=by)
