"""`app.extensions["csapp"]`: the state of the chat in one application, which each door is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from flask import Blueprint, Flask, Request
from jinja2 import Environment

from services.files.uploads import Check
from services.history.opening import own_store, prepare
from services.history.sql import SQLStore
from services.identity import Identity
from services.security_log import Event, security
from services.server import ChatServer

from .demo.waiters import WAITERS

#: the passwords of the demo's waiters
PUBLIC = frozenset(waiter.password for waiter in WAITERS)

#: what a host's callback may return
Who = Identity | str | None


@dataclass(slots=True)
class Callbacks:
    """The callbacks of a host application."""

    #: who asks; None: it knows nobody
    visitor: Callable[[Request], Who] | None = None
    waiter: Callable[[Request], Who] | None = None
    #: why a file is not taken; None: it takes all
    file: Check | None = None


#: the names of our blueprints begin with this
OURS = "csapp_"


class Blueprints(Collection[Blueprint]):
    """The blueprints of the chat, which have the same names in all of *apps*.

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
    #: the `CSApp`. Signals hold its methods weakly, so this reference keeps it alive.
    owner: object = None
    #: passwords that everybody can read in the source; only the demo accepts them
    public_passwords: frozenset[str] = PUBLIC
    #: the blueprints of the chat in this application
    doors: tuple[Blueprint, ...] = ()
    #: the environment for our templates (`answers.rendered`), made at first use
    templates: Environment | None = None

    @property
    def has_store(self) -> bool:
        """Whether there is a database: without one there are no accounts."""
        return self.server.settings.database_url != "off"

    def store(self) -> SQLStore:
        """The database, ready for use by a command. The server has another one, `server.store`.

        Blocks. Raises `StoreError`.
        """
        store = self.open_store()
        prepare(store, self.server.settings)
        return store

    def open_store(self) -> SQLStore:
        """The database as it is: its tables may be missing or old. Raises `StoreError`."""
        return own_store(self.server.settings)

    def revoke(self, subject: str, by: str) -> None:
        """Revoke all tokens of *subject* that were signed until now. Waits. Raises `StoreError`.

        A process whose server has not started (it serves pages, or runs a command) only writes
        the revocation into the database. Workers that serve connections read it within 2 s.
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
