"""Which pieces of an upload make the whole.

The key of a piece says where it begins and how long it is: `piece/<id>/<offset>-<length>`. A
request may die after it has stored a piece and before it has counted that; the client then sends
those bytes again, maybe in pieces of other lengths. So there may be pieces that overlap, and all
of them are the same bytes of one file.
"""

from __future__ import annotations

from collections.abc import Iterable


def key_of(file: str, offset: int, length: int) -> str:
    """The key of a piece."""
    return f"piece/{file}/{offset:015}-{length}"


def chain(keys: Iterable[str], size: int) -> list[str]:
    """The keys of pieces that, one behind the other, make *size* bytes; none: they do not."""
    after: dict[int, list[tuple[int, str]]] = {}
    for key in keys:
        offset, _, length = key.rpartition("/")[2].partition("-")
        after.setdefault(int(offset), []).append((int(offset) + int(length), key))
    ways: dict[int, tuple[int, str]] = {}  # from where, and by which piece, one gets there
    for start in sorted(after):
        if start == 0 or start in ways:
            for end, key in after[start]:
                ways.setdefault(end, (start, key))
    found: list[str] = []
    place = size
    while place:
        if place not in ways:
            return []
        place, key = ways[place]
        found.append(key)
    return found[::-1]
