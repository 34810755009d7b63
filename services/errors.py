"""The roots of the errors that csapp raises on purpose.

    CSAppError
    ├── SettingsError    a setting cannot be used; stops the start
    ├── IdentityError    what a host or a token says of somebody cannot be used
    ├── Unavailable      not now: the database, Redis or the secret cannot be used
    └── wire.codes       what a client is sent: Refusal (an `error` frame),
                         Farewell (a close code), HTTPRefusal (an HTTP error)

`blueprints/refusals.py` answers a request with 503 for `Unavailable`, and `Session._handle` a
frame with `unavailable`; what a feed stores or reads by itself has answers of its own
(`BaseFeed.not_stored`, `HistoryFeed._insist`). Any other error that reaches the end of a request
or a session is a bug (HTTP 500, close 1011).
"""

from __future__ import annotations


class CSAppError(Exception):
    """Root of all errors raised on purpose."""


class Unavailable(CSAppError):
    """Not now: something that csapp needs cannot be used. Trying again later may help.

    The text of an error is for the log. Clients see `public_reason`.
    """

    #: what clients may know: no address, path or user of a database
    public_reason: str = "something that the chat needs cannot be used"

    @property
    def advice(self) -> str:
        """`message` of the answer to a client."""
        return f"{self.public_reason}; try again in a moment"


def named(error: BaseException) -> str:
    """*error* for the log: one of csapp in its words, any other by its type.

    The words of other packages may quote what people have written.
    """
    return str(error) if isinstance(error, CSAppError) else type(error).__name__


class SettingsError(CSAppError):
    """A setting has a value that cannot be used. It stops the start."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key}={value!r} cannot be used: {allowed}")
        #: the Flask config key, `CSAPP_…`
        self.key = key
        #: the value as it was given
        self.value = value
        #: what is allowed, in words
        self.allowed = allowed


class IdentityError(CSAppError, ValueError):
    """What is said of somebody cannot be used; names the field, and says no word of it."""
