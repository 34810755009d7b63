"""The root of every error that csapp raises on purpose.

Errors that travel to a client are `wire.codes.Refusal`; errors that stop the
start are `SettingsError`. Anything else that escapes is a bug (close 1011).
"""

from __future__ import annotations


class CSAppError(Exception):
    """Root of all errors raised on purpose."""


def named(error: BaseException) -> str:
    """*error* for the log: ours in its words, any other by its type.

    The words of others may hold what people have written.
    """
    return str(error) if isinstance(error, CSAppError) else type(error).__name__


class SettingsError(CSAppError):
    """A setting has a value that cannot be used; it stops the start."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key}={value!r} cannot be used: {allowed}")
        #: the Flask config key, `CSAPP_…`
        self.key = key
        #: the offending value as it was given
        self.value = value
        #: what is allowed, in words
        self.allowed = allowed
