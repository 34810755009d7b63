"""Bodies that may take long, as long as something comes: uploads.

A body of any other request has seconds (`request_limits.py`). A file comes from a phone in a
tunnel as well; but a sender that stands still, or sends a byte now and then, is cut off.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from services.bounds import BODY_TIME, UPLOAD_PAUSE, UPLOAD_SLOWEST, UPLOAD_TIME
from services.timers import Timer
from services.wire.codes import ErrorCode, HTTPRefusal

from .request_limits import OPEN, OpenRequest, limit_body

#: s between two looks whether something comes
LOOK = 2.0

#: bytes of a body that are read though it is refused: a sender that is cut off while it sends
#: sees no answer
SKIPPED = 1 << 20


class SlowBody:
    """The body of *incoming*, of at most *most* bytes. A context manager.

    At the end of the context what is left of a body is skipped, if it is not too much and comes
    within `BODY_TIME`.
    """

    def __init__(self, incoming: Request, most: int) -> None:
        limit_body(incoming, most)
        self._incoming = incoming
        self._most = most
        self._request: OpenRequest | None = incoming.environ.get(OPEN)
        self._timer: Timer | None = None
        self._came = 0  # bytes
        self._asked = 0  # bytes that are being read; most of them may have come
        self._waited = 0.0  # s for the sender
        self._since: float | None = None  # when this has begun to wait, while it does
        self._skips: float | None = None  # when this has begun to skip the rest
        self._is_over = False
        #: the sender was too slow, and is cut off
        self.is_late = False

    def __enter__(self) -> Self:
        self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        skipped, self._skips = 0, self._lived()
        with contextlib.suppress(HTTPRefusal):
            while not self._is_over and skipped < SKIPPED:
                skipped += len(self.read(SKIPPED >> 4))
        if self._timer is not None:
            self._timer.cancel()
        if self._is_over and self._request is not None:
            self._request.body_is_read()

    def read(self, most: int) -> bytes:
        """At most *most* bytes; none where the body ends, also too early. Waits.

        Raises `HTTPRefusal` (413).
        """
        if self._is_over:
            return b""
        self._asked = most
        self._since = begun = self._lived()
        try:
            data = self._incoming.stream.read(most)
        except RequestEntityTooLarge:
            what = f"the body: at most {self._most:,} bytes"
            raise HTTPRefusal(413, ErrorCode.TOO_LARGE, what) from None
        except Exception:  # each web server has errors of its own for a sender that is gone
            data = b""
        finally:
            self._since = None
            self._waited += self._lived() - begun
        self._came += len(data)
        self._is_over = not data
        return data

    def _lived(self) -> float:
        return 0.0 if self._request is None else self._request.lived()

    def _look(self) -> None:
        """Cut the sender off if it is too slow; look again later."""
        if self._request is None:  # a test client sends all at once
            return
        pause = 0.0 if self._since is None else self._lived() - self._since
        waited = self._waited + pause
        is_slow = self._came + self._asked < waited * UPLOAD_SLOWEST
        skips = self._skips is not None and self._lived() - self._skips > BODY_TIME
        if skips or pause > UPLOAD_PAUSE or (waited > UPLOAD_TIME and is_slow):
            self.is_late = True
            self._request.cut_body()
        else:
            self._timer = self._request.after(LOOK, self._look)
