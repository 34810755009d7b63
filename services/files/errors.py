"""Why a file is not taken."""

from __future__ import annotations

from typing import Literal

from ..errors import CSAppError, Unavailable

Code = Literal["too_large", "type", "image", "refused"]


class Rejected(CSAppError):
    """The file is not taken, and nothing of it is left; the message is for its author."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        #: `too_large` (413), `type` (415: not one of those that may be sent), `image` (422: it
        #: cannot be decoded, or is too big to be), `refused` (422: the host does not want it)
        self.code: Code = code
        self.message = message


class Moved(CSAppError):
    """Another request was faster: the upload has come as far as *received*."""

    def __init__(self, received: int) -> None:
        super().__init__(f"the upload has come as far as {received}")
        self.received = received


class Unknown(CSAppError):
    """The upload is gone: cancelled, swept, or its conversation was erased."""


class CheckFailed(Unavailable):
    """The host's check of a file has failed; nothing of the file is left."""

    public_reason = "files cannot be checked"
