"""A fuzzer's bytes, read as choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Takes bytes off *data*; it never runs out: after the end all of them are 0."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def more(self) -> bool:
        return self.at < len(self.data)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def take(self, count: int) -> bytes:
        """The next *count* bytes, fewer at the end."""
        self.at += count
        return self.data[self.at - count : self.at]

    def one_of(self, those: Sequence[T]) -> T:
        return those[self.byte() % len(those)]
