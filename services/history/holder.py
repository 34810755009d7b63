"""What the file of a lock says of the process that holds it, or held it last.

    process 4711, leaving
    server 4700 81532 alone
    next 4712 81590

The second line names the process that started the holder (under gunicorn: the one
that starts all workers), when that began, and how the lock is held. The third one
names what else that had started when the holder left: the next worker, or the
server that takes its place (gunicorn's USR2).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .processes import Process, find, lineage, siblings, starter

#: what a holder that is about to end adds to its line
_LEAVING = ", leaving"

_ALONE, _SHARED = "alone", "shared"

#: bytes of such a file that are read
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Holder:
    """Who serves a database."""

    #: such as `process 4711`
    name: str
    #: together with others, over Redis
    shared: bool


@dataclass(frozen=True, slots=True)
class LastHolder:
    """Who holds a lock, or held it last, by its own words."""

    #: such as `process 4711`
    name: str = "another process"
    leaves: bool = False
    #: the process that started it; None: nobody knows
    server: Process | None = None
    shared: bool = False
    #: who may take its place
    heirs: tuple[Process, ...] = ()

    @classmethod
    def ours(cls, *, leaves: bool, shared: bool) -> LastHolder:
        """What this process says of itself."""
        heirs = tuple(siblings()) if leaves else ()
        return cls(f"process {os.getpid()}", leaves, starter(), shared, heirs)

    @classmethod
    def read(cls, descriptor: int) -> LastHolder:
        """What is in an open file; what cannot be read says nothing."""
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
        """Let an open file say this and nothing else. Raises `OSError`.

        Who reads it meanwhile reads this or what it said before: a successor that read
        nothing would take nobody's place.
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
        """Whether what started the holder, or an heir, has started this process, or is it."""
        return not {self.server, *self.heirs}.isdisjoint(lineage())

    def comes_before_us(self, shared: bool) -> bool:
        """Whether the lock, which is free, is to go to another worker of the holder's server.

        Whoever holds it *shared* needs no turn after others that shared it.
        """
        if (shared and self.shared) or self.is_of_our_server():
            return False
        return any(one.lives() for one in (self.server, *self.heirs) if one is not None)

    def is_about_to_end(self) -> bool:
        """Whether the holder says so; or has ended, and another process only looks at the lock."""
        if self.leaves or not self.is_of_our_server():
            return self.leaves
        number = self.name.rpartition(" ")[2]
        return number.isdecimal() and find(int(number)) is None


def _processes(line: str, kind: str) -> list[Process]:
    """Those that a line of *kind* names."""
    first, *words = line.split() or [""]
    if first != kind:
        return []
    numbers = [int(word) for word in words if word.isdecimal()]
    return [Process(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
