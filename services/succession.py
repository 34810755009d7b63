"""A new worker takes over the database of the one in whose place it has come."""

from __future__ import annotations

from .errors import Unavailable
from .history.opening import own_store
from .history.port import StoreError
from .server import ChatServer
from .starting import START_AGAIN

#: s between two looks whether the former worker makes room
LOOK = 0.05


def take_over(server: ChatServer) -> None:
    """Start *server* as soon as the former worker of this web server makes room. Waits.

    A server starts when somebody asks it. At a reload at night that would be too late: who
    waits for the same database, and is asked by its health check, would have taken it.
    """
    settings = server.settings
    if settings.database_url == "off" or settings.redis_url:  # nobody has to make room
        return
    try:
        store = own_store(settings)
    except StoreError:  # each request is refused with it
        return
    runtime = server.runtime
    while not (server.started or server.draining):
        last = store.last_holder()
        if not last.is_of_our_server():
            break
        if not last.is_about_to_end():
            runtime.sleep(LOOK)
            continue
        try:
            server.house  # noqa: B018  # it starts
        except Unavailable:
            runtime.sleep(START_AGAIN)
    store.close()
