"""Looks at an image before a decoder does: what would keep that busy for hours, or is larger
than it says.

Rules of this file:

1. Nothing is decoded here: only the marks are read that say what follows.
2. What is broken is left to the decoder, which refuses it.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from .errors import Rejected

#: passes over all pixels that a JPEG may ask for; cameras and pages make ten
MAX_SCANS = 100

#: blocks of metadata of one JPEG: Pillow joins them, and copies what it has each time
MAX_BLOCKS = 100

CHUNK = 262_144

_SCAN = re.compile(
    rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)"  # its length, and how many colours
)
_BLOCK = re.compile(rb"\xff\xe1..Exif\0\0", re.DOTALL)
_LONGEST = 10  # bytes of the longest match


def check_jpeg(content: BinaryIO) -> None:
    """Raise `Rejected` for a JPEG that draws its pixels too often, or has too many blocks."""
    scans = blocks = 0
    content.seek(0)
    held = b""
    while some := content.read(CHUNK):
        held += some
        scans += len(_SCAN.findall(held))
        blocks += len(_BLOCK.findall(held))
        if scans > MAX_SCANS or blocks > MAX_BLOCKS:
            raise Rejected("image", "the image is made of too many parts")
        held = _rest(held)


def _rest(held: bytes) -> bytes:
    """The end of *held*, in which a mark may have begun; no mark is in it as a whole."""
    tail = held[1 - _LONGEST :]
    found = [one.end() for mark in (_SCAN, _BLOCK) for one in mark.finditer(tail)]
    return tail[max(found, default=0) :]


def canvas_of(content: BinaryIO) -> tuple[int, int]:
    """The width and height that all frames of a GIF need: a frame may be larger than the first.

    Nothing of it, where it is cut off, counts.
    """
    content.seek(0)
    head = content.read(13)
    if len(head) < 13:
        return 0, 0
    width, height, flags = struct.unpack("<HHB", head[6:11])
    _skip_palette(content, flags)
    while (mark := content.read(1)) not in (b"", b";"):
        if mark == b"!":
            content.read(1)
            _skip_blocks(content)
        elif mark == b",":
            frame = content.read(9)
            if len(frame) < 9:
                break
            left, top, wide, high, flags = struct.unpack("<HHHHB", frame)
            width, height = max(width, left + wide), max(height, top + high)
            _skip_palette(content, flags)
            content.read(1)
            _skip_blocks(content)
    return width, height


def _skip_palette(content: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        content.read(3 << (flags & 7) + 1)


def _skip_blocks(content: BinaryIO) -> None:
    """Read on behind a row of blocks, each with its length in front, and one that is empty."""
    while (size := content.read(1)) not in (b"", b"\0"):
        content.read(size[0])
