"""How a request is denied."""

from __future__ import annotations

from typing import Any

from flask import Response

from services.errors import CSAppError
from services.wire.codes import ErrorCode

from .answers import problem


class Denied(CSAppError):
    """The answer to a request that is refused."""

    def __init__(
        self, status: int, code: ErrorCode, message: str, headers: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.response = problem(status, code, message, headers)


def denied(error: Denied) -> Response:
    """For `Blueprint.register_error_handler`."""
    return error.response
