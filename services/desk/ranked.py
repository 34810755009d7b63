"""Entries in order, of which each knows its rank."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice

#: entries of a block; one with twice as many is cut in two
BLOCK = 512

#: a number, and the user who has it
Entry = tuple[int, str]


class Ranked:
    """Adding, removing, finding the first one and telling a rank look at a few entries only.

    The entries lie in blocks. A block is found by halving, an entry within it
    too; what is left is done in C on at most `2 * BLOCK` of them. A rank adds
    up the lengths of the blocks before it: 200 numbers in a queue of 100,000.
    """

    __slots__ = ("_blocks", "_lasts")

    def __init__(self) -> None:
        self._blocks: list[list[Entry]] = []  # none of them is empty
        self._lasts: list[Entry] = []  # the last entry of each

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def __iter__(self) -> Iterator[Entry]:
        for block in self._blocks:
            yield from block

    def add(self, entry: Entry) -> None:
        """Put *entry*, which is not there yet, in its place."""
        at = bisect_left(self._lasts, entry)
        if at == len(self._blocks):  # behind all others, as most of them
            if not self._blocks:
                self._blocks.append([])
                self._lasts.append(entry)
            at -= at > 0
            self._blocks[at].append(entry)
            self._lasts[at] = entry
        else:
            insort(self._blocks[at], entry)
        if len(self._blocks[at]) > 2 * BLOCK:
            self._cut(at)

    def remove(self, entry: Entry) -> None:
        """Remove *entry*, which is there."""
        at, block = 0, self._blocks[0]
        if block[0] is entry:  # mostly
            del block[0]
        else:
            at = bisect_left(self._lasts, entry)
            block = self._blocks[at]
            del block[bisect_left(block, entry)]
        if len(block) < BLOCK // 4 and len(self._blocks) > 1:
            self._join(min(at, len(self._blocks) - 2))
        elif block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at]

    def _cut(self, at: int) -> None:
        block = self._blocks[at]
        self._blocks[at : at + 1] = [block[:BLOCK], block[BLOCK:]]
        self._lasts.insert(at, block[BLOCK - 1])

    def _join(self, at: int) -> None:
        """Put a block and the next one together, so that there are never many small ones."""
        both = self._blocks[at] + self._blocks[at + 1]
        self._blocks[at : at + 2] = [both]
        self._lasts[at : at + 2] = [both[-1]]
        if len(both) > 2 * BLOCK:
            self._cut(at)

    def first(self) -> Entry | None:
        """The lowest one; None where there is none."""
        return self._blocks[0][0] if self._blocks else None

    def rank(self, number: int) -> int:
        """How many have lower numbers than *number*."""
        before = (number,)
        at = bisect_left(self._lasts, before)
        rank = sum(map(len, islice(self._blocks, at)))
        return rank + bisect_left(self._blocks[at], before) if at < len(self._blocks) else rank

    def since(self, rank: int) -> Iterator[Entry]:
        """All but the first *rank* entries."""
        for block in self._blocks:
            if rank < len(block):
                yield from islice(block, rank, None) if rank else block
            rank = max(0, rank - len(block))
