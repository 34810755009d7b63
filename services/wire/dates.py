"""Dates as version 2 and the exports write them, and as requests name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(said: str) -> int:
    """The moment that *said* names in RFC 3339, with its time zone, in ms since 1970.

    Raises `ValueError`.
    """
    moment = datetime.fromisoformat(said)
    if moment.tzinfo is None:
        raise ValueError("a time zone is missing")
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def rfc3339(milliseconds: int) -> str:
    """*milliseconds* since 1970 in RFC 3339: UTC, with milliseconds."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # nobody's clock; but an export does not fail for it
        return f"{milliseconds} ms"
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
