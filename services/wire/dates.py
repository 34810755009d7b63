"""Dates as version 2 and the exports write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(milliseconds: int) -> str:
    """*milliseconds* since 1970 in RFC 3339: UTC, with milliseconds."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # nobody's clock; but an export does not fail for it
        return f"{milliseconds} ms"
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
