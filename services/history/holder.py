"""What the file of a lock says about the process that holds it, or held it last.

    process 4711, leaving
    server 4700 81532 alone
    next 4712 81590

The second row names the process that started the holder (under gunicorn: the one
that starts all workers), when that process began, and how the lock is held. The third
row names the other processes that it had started when the holder left: the next worker,
or the server that takes its place (gunicorn's USR2).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .processes import Process, find, lineage, siblings, starter

#: what a holder that is about to end adds to its name
_LEAVING = ", leaving"

_ALONE, _SHARED = "alone", "shared"

#: bytes of such a file that are read
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that serves a database."""

    #: such as `process 4711`
    name: str
    #: together with others, over Redis
    shared: bool


@dataclass(frozen=True, slots=True)
class LastHolder:
    """The process that holds a lock, or held it last, as its file says."""

    #: such as `process 4711`
    name: str = "another process"
    leaves: bool = False
    #: the process that started it; None: nobody knows
    server: Process | None = None
    shared: bool = False
    #: the processes that may take its place
    heirs: tuple[Process, ...] = ()

    @classmethod
    def ours(cls, *, leaves: bool, shared: bool) -> LastHolder:
        """What this process writes about itself."""
        heirs = tuple(siblings()) if leaves else ()
        return cls(f"process {os.getpid()}", leaves, starter(), shared, heirs)

    @classmethod
    def read(cls, descriptor: int) -> LastHolder:
        """What an open file says; of a file that cannot be read: nothing."""
        try:
            text = os.pread(descriptor, _LONGEST, 0).decode()
        except (OSError, UnicodeDecodeError):
            return cls()
        first, second, third, *_ = [*text.split("\n"), "", "", ""]
        name = first.strip().removesuffix(_LEAVING)
        if not name:
            return cls()
        leaves = first.strip() != name
        servers, heirs = _processes(second, "server"), _processes(third, "next")
        how = second.endswith(f" {_SHARED}")
        return cls(name, leaves, servers[0] if servers else None, how, tuple(heirs))

    def write(self, descriptor: int) -> None:
        """Write this into an open file, in the place of all else. Raises `OSError`.

        A process that reads it meanwhile reads this or what was there before: a successor
        that read nothing would not know whose place it takes.
        """
        text = f"{self.name}{_LEAVING if self.leaves else ''}\n"
        if self.server is not None:
            how = _SHARED if self.shared else _ALONE
            text += f"server {self.server.number} {self.server.began} {how}\n"
        if self.heirs:
            text += f"next {' '.join(f'{one.number} {one.began}' for one in self.heirs)}\n"
        former = os.fstat(descriptor).st_size
        os.pwrite(descriptor, text.encode().ljust(former, b"\n"), 0)

    @property
    def server_number(self) -> int:
        """The number of the process that started it; 0: nobody knows."""
        return self.server.number if self.server is not None else 0

    def is_of_our_server(self) -> bool:
        """Whether this process is, or was started by, the holder's server or one of its heirs."""
        return not {self.server, *self.heirs}.isdisjoint(lineage())

    def comes_before_us(self, shared: bool) -> bool:
        """Whether the lock, which is free, is to go to another worker of the holder's server.

        A process that takes it *shared* need not wait for others that shared it.
        """
        if (shared and self.shared) or self.is_of_our_server():
            return False
        return any(one.lives() for one in (self.server, *self.heirs) if one is not None)

    def is_about_to_end(self) -> bool:
        """Whether the holder says so; or has ended while another process only looks at the lock."""
        if self.leaves or not self.is_of_our_server():
            return self.leaves
        number = self.name.rpartition(" ")[2]
        return number.isdecimal() and find(int(number)) is None


def _processes(row: str, kind: str) -> list[Process]:
    """The processes that a row of *kind* names."""
    first, *texts = row.split() or [""]
    if first != kind:
        return []
    numbers = [int(text) for text in texts if text.isdecimal()]
    return [Process(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
