"""Reads a form with one file from a stream, in small pieces: it is never in memory as a whole.

The form is `multipart/form-data`: some short fields, and then one file. Whatever comes, this
raises nothing but `FormError` and `Cut`, and holds a bounded number of bytes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    Data,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    State,
)

from services.errors import CSAppError

#: bytes read at once: gunicorn returns them only when all of them have come, and at 1 KiB a second
#: that has to be soon
READ = 8192
HELD = 65_536  # bytes that wait to be understood: what is read, and the headers of a part
MAX_FIELDS = 8
MAX_VALUE = 1024  # bytes of a field
TAIL = 128  # bytes in which the end of what has come is looked for
MAX_BOUNDARY = 70  # characters (RFC 2046, section 5.1.1)

#: what the parser raises when it is given rubbish
_RUBBISH = (ValueError, TypeError, LookupError, AttributeError, RequestEntityTooLarge)


class FormError(CSAppError):
    """The form cannot be understood; the text says why."""


class Cut(CSAppError):
    """The stream has ended in the middle of the form."""


class FileForm:
    """A form of *content_type* that *read* returns: at most so many bytes, none at the end.

    Call `begin` once, then `content` once.
    """

    def __init__(self, read: Callable[[int], bytes], content_type: str) -> None:
        self._read = read
        boundary = _boundary(content_type)
        self._decoder = MultipartDecoder(boundary, HELD)
        self._half = re.compile(rb"--%s-?[^\S\r\n]*\Z" % re.escape(boundary))
        #: the fields before the file, by their names
        self.fields: dict[str, str] = {}
        #: what the sender calls the file
        self.filename = ""
        #: the file has come to its end
        self.is_whole = False

    def begin(self) -> None:
        """Read the fields. Raises `FormError`: also where no file follows them."""
        while True:
            event = self._next()
            if isinstance(event, File):
                if event.name != "file":
                    raise FormError(f"the part {event.name!r:.50}: only `file` may be a file")
                self.filename = event.filename
                return
            if isinstance(event, Field):
                self._read_field(event)

    def _read_field(self, field: Field) -> None:
        if field.name == "file":
            raise FormError("file: a file name is required")
        if not field.name or field.name in self.fields or len(self.fields) == MAX_FIELDS:
            raise FormError(f"the part {field.name!r:.50}: no name, a second one, or one too many")
        data = b"".join(self._data(MAX_VALUE, field.name))
        try:
            self.fields[field.name] = data.decode()
        except UnicodeDecodeError:
            raise FormError(f"{field.name:.50}: is no text") from None

    def content(self) -> Iterator[bytes]:
        """The bytes of the file, as they come. Raises `Cut` behind the last of them."""
        yield from self._data()
        self.is_whole = True

    def _data(self, most: int | None = None, name: str = "") -> Iterator[bytes]:
        size, more = 0, True
        while more:
            event = self._next()
            if not isinstance(event, Data):
                raise FormError("the body: its parts cannot be told from each other")
            size, more = size + len(event.data), event.more_data
            if most is not None and size > most:
                raise FormError(f"{name:.50}: at most {most} bytes")
            if event.data:
                yield event.data

    def _next(self) -> Event:
        """The next part, or piece of one. Waits for the sender."""
        decoder = self._decoder
        while True:
            try:
                # Half a boundary at the end of what has come: Werkzeug would take the line break
                # before it for a part of the file.
                if not self._half.search(decoder.buffer, max(0, len(decoder.buffer) - TAIL)):
                    event = decoder.next_event()
                    if not isinstance(event, NeedData):
                        return event
                data = self._read(READ)
                if data:
                    decoder.receive_data(data)
            except _RUBBISH:
                raise FormError("the body: it is no proper multipart/form-data") from None
            if not data:
                if decoder.state is State.EPILOGUE:
                    raise FormError("file: is required")
                raise Cut("the body has ended too early")


def _boundary(content_type: str) -> bytes:
    kind, boundary = "", b""
    with contextlib.suppress(*_RUBBISH):
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "").encode("ascii")
    if kind != "multipart/form-data" or not 0 < len(boundary) <= MAX_BOUNDARY:
        raise FormError("Content-Type: multipart/form-data with a boundary is expected")
    return boundary
