"""Error codes and close codes, each defined once (`docs/reference.md` repeats them)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any, Self

from ..errors import CSAppError


class ErrorCode(StrEnum):
    """`payload.code` of an `error` frame, and `code` of an HTTP error."""

    INVALID_JSON = "invalid_json"
    INVALID_MESSAGE = "invalid_message"
    UNKNOWN_TYPE = "unknown_type"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported_type"
    INVALID_FILE = "invalid_file"
    REFUSED = "refused"
    NO_SUCH_FILE = "no_such_file"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_TOKEN = "invalid_token"
    EXPIRED_TOKEN = "expired_token"
    FORBIDDEN = "forbidden"
    NOT_CONNECTED = "not_connected"
    NO_SUCH_USER = "no_such_user"
    NOT_READY = "not_ready"
    FULL = "full"
    CLAIMED = "claimed"
    ID_CONFLICT = "id_conflict"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


#: frames that break the protocol: ten in a minute close the connection (4400)
MALFORMED = frozenset({ErrorCode.INVALID_JSON, ErrorCode.INVALID_MESSAGE, ErrorCode.UNKNOWN_TYPE})


class CloseCode(IntEnum):
    """WebSocket close codes that csapp sends or understands."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005  # never sent: a close frame without a code
    ABNORMAL = 1006  # never sent: the connection ended without a close frame
    INVALID_UTF8 = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    RESTART = 1012
    FULL = 1013
    BAD_FRAMES = 4400
    UNAUTHENTICATED = 4401
    WRONG_ROLE = 4403
    TIMEOUT = 4408
    REPLACED = 4409
    BANNED = 4410
    SLOW_CONSUMER = 4413
    RATE = 4429


#: closes after which a client connects again; after any other it stops and says why
RECONNECT = frozenset(
    {
        CloseCode.GOING_AWAY,
        CloseCode.ABNORMAL,
        CloseCode.INTERNAL_ERROR,
        CloseCode.RESTART,
        CloseCode.FULL,
        CloseCode.TIMEOUT,
        CloseCode.SLOW_CONSUMER,
    }
)

#: closes by which a participant leaves on purpose; any other starts the grace period
DELIBERATE = frozenset({CloseCode.NORMAL, CloseCode.NO_STATUS})


#: s after which a client that was refused over HTTP, with 429 or 503, may try again
RETRY_AFTER = 5


class Refusal(CSAppError):
    """A frame is answered with `error`; the connection goes on."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        reply_id: str | None = None,
        *,
        is_bad: bool = True,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        #: a frame that is refused with one of `MALFORMED` counts among the bad ones of its
        #: connection; False: what a person has filled in or chosen, and may do better
        self.is_bad = is_bad
        #: what is wrong, in words a developer can act on
        self.message = message
        #: the `id` of the refused frame, where it could be read
        self.reply_id = reply_id
        #: further fields of `frames.ErrorPayload`, or others than `code` usually has
        self.details: Mapping[str, Any] = details or {}


class HTTPRefusal(CSAppError):
    """An HTTP request is answered with *status* and `{"code", "message"}`.

    Also the request that would open a WebSocket. `blueprints/refusals.py` makes the answer.
    """

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        retry_after: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        #: what is wrong, in words a developer can act on
        self.message = message
        self.headers = dict(headers or {})
        #: further fields of the answer
        self.details: Mapping[str, Any] = details or {}
        if retry_after is not None:  # s
            self.headers["Retry-After"] = str(retry_after)

    @classmethod
    def not_now(cls, message: str) -> Self:
        """503: something is missing or full, and will be there again soon."""
        return cls(503, ErrorCode.UNAVAILABLE, message, retry_after=RETRY_AFTER)

    @classmethod
    def too_many(cls, message: str, retry_after: int = RETRY_AFTER) -> Self:
        """429: whoever asks has asked too often. It may ask again in *retry_after* seconds."""
        return cls(429, ErrorCode.RATE_LIMITED, message, retry_after=retry_after)


class Farewell(CSAppError):
    """The connection is closed with a code."""

    def __init__(self, code: CloseCode, reason: str = "") -> None:
        super().__init__(f"{int(code)} {reason}")
        self.code = code
        self.reason = reason
