"""Which feed a connection has: chosen at `auth`, once."""

from __future__ import annotations

from ..admission import Admission
from ..house import House
from ..transport.connection import Connection
from ..wire import frames
from .base import BaseFeed
from .history import HistoryFeed
from .plain import PlainFeed
from .unstored import UnstoredPlainFeed, UnstoredTranscriptFeed

#: by the version that the client speaks, and by whether this server has a history
_FEEDS: dict[tuple[int, bool], type[BaseFeed]] = {
    (1, True): PlainFeed,
    (1, False): UnstoredPlainFeed,
    (2, True): HistoryFeed,
    (2, False): UnstoredTranscriptFeed,
}


def choose_feed(
    connection: Connection, house: House, admission: Admission, uuid: str,
    auth: frames.Auth | None = None,
) -> BaseFeed:  # fmt: skip
    """The feed of *connection* for the version of *auth*; version 1 before `auth`."""
    version = 1 if auth is None else auth.payload.version
    chosen = _FEEDS[version, house.switchboard.store is not None]
    return chosen(connection, house, admission, uuid, auth)
