"""Of which type a file is, by what it holds. Its name says nothing."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

import puremagic

from ..file_places import is_allowed
from .errors import Rejected

#: bytes from the beginning by which most types are known
HEAD = 65_536
CHUNK = 262_144

UNKNOWN = "application/octet-stream"
HTML, SVG, XML, SCRIPT = "text/html", "image/svg+xml", "application/xml", "text/x-script"

_IMAGES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)

#: what browsers look for where nobody has told them the type, anywhere near the beginning
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<svg[\s>/:]", re.IGNORECASE), SVG),
    (
        re.compile(
            r"<(!doctype\s+html|html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p|"
            r"img|object|embed|form|meta|link|base)[\s>/]",
            re.IGNORECASE,
        ),
        HTML,
    ),
    (re.compile(r"\A\s*<(\?xml|!--|!doctype|!entity)", re.IGNORECASE), XML),
    (re.compile(r"\A\s*(#!|<\?php|<%|<\?=)", re.IGNORECASE), SCRIPT),
)
#: characters from the beginning in which markup is looked for
LOOKED_AT = 4096

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


def judge(content: BinaryIO, allowed: tuple[str, ...]) -> str:
    """The type of *content*. Raises `Rejected` where it is none of those that are *allowed*."""
    found = types_of(content)
    for mime in found:
        if is_allowed(mime, allowed):
            return mime
    raise Rejected("type", f"files of this type ({found[0]}) cannot be sent")


def types_of(content: BinaryIO) -> list[str]:
    """The MIME type of *content*; of what nobody knows `application/octet-stream`.

    What holds other files, as an archive or a document does, may be called by several types.
    """
    content.seek(0)
    head = content.read(HEAD)
    for pattern, mime in _IMAGES:
        if pattern.match(head):
            return [mime]
    if head.startswith(b"%PDF-"):
        return ["application/pdf"]
    if _is_text(content):
        return [_type_of_text(head)]
    return _magic(content)


def _is_text(content: BinaryIO) -> bool:
    """Strict UTF-8 without control characters, to the end."""
    content.seek(0)
    decode = codecs.getincrementaldecoder("utf-8")("strict").decode
    try:
        while some := content.read(CHUNK):
            if _CONTROLS.search(decode(some)):
                return False
        decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _type_of_text(head: bytes) -> str:
    text = head.decode("utf-8", "ignore").removeprefix("\ufeff")[:LOOKED_AT]
    for pattern, mime in _MARKUP:
        if pattern.search(text):
            return mime
    if text.startswith(r"{\rtf"):
        return "application/rtf"
    if text.startswith("%!PS"):
        return "application/postscript"
    return "text/plain"


def _magic(content: BinaryIO) -> list[str]:
    """What `puremagic` makes of it: all types that it is equally sure of."""
    content.seek(0)
    try:
        found = puremagic.magic_stream(content)
    except (puremagic.PureError, ValueError):
        return [UNKNOWN]
    sure = max((one.confidence for one in found), default=0)
    types = dict.fromkeys(one.mime_type.lower() for one in found if one.confidence == sure)
    return [one for one in types if one and one not in _TEXTUAL] or [UNKNOWN]


#: what only text may be called
_TEXTUAL = ("text/plain", HTML, SVG, XML, SCRIPT, "application/javascript", "text/javascript")
