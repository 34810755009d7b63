"""What may stand in a conversation: each kind of entry is declared here, once.

From a declaration follow the frame with which a client writes such an entry, its
receipt, the frame that the others get, its row, its item in a history, what of it
is searched and exported, and what version 1 is sent instead. A text, of which
there are many, takes the fast lane (`session.py`, `codec.py`) and is the first of
these kinds nevertheless.

Source: docs/protocol.md, *Entries*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import msgspec

from ..wire import entries, frames


class Side(IntEnum):
    """Who has written an entry, as stored."""

    USER = 1
    WAITER = 2
    SERVER = 3


class Track(StrEnum):
    """Who reads an entry, and which number counts it."""

    #: both sides; by `seq`
    PUBLIC = "public"
    #: waiters only; by `n`, beside the `seq` behind which it stands
    STAFF = "staff"


#: what clients are shown of an entry: the fields of its kind's payload
Payload = Mapping[str, Any]


class Body(NamedTuple):
    """An entry's payload, as stored."""

    #: what people wrote: it is what is searched
    words: str
    #: all else, as a JSON object; None: a text that is nothing but its words
    data: str | None


def _nothing(payload: Payload) -> None:
    """Version 1 is sent nothing of it."""


def _no_link(file: str) -> str:
    """Nobody knows under which address the receiver has reached this server."""
    return ""


@dataclass(frozen=True)
class Kind:
    """One kind of entry."""

    #: as stored; never given to another kind
    number: int
    #: its type on the wire
    name: str
    #: what it holds; what a client sends is checked against it, or against `sent`
    payload: type[frames.ClientStruct]
    #: the field of the payload that people write in words; "": there is none
    words: str
    #: the sides that may write it; the server writes what none may
    writers: frozenset[Side]
    #: the text of the `message_text` that version 1 gets instead; None: it gets nothing
    version_1_text: Callable[[Payload], str | None] = _nothing
    #: all that it says, for people; None: a line for each field besides the words
    shown_as: Callable[[Payload], str] | None = None
    #: the type of the frame with which it is written; "": its own name
    written_by: str = ""
    #: it may be written after the end as well; then `conversation` of the payload says of which
    after_end: bool = False
    #: the type of a frame that the other side gets behind it, with its payload; "": there is none
    followed_by: str = ""
    #: what a client sends, where the server knows the rest of the payload; None: all of it
    sent: type[frames.ClientStruct] | None = None
    #: its payload names a `file`: version 1 gets a link to it, behind the text
    has_link: bool = False
    #: one of the staff track names its `conversation` in the payload, and version 1 knows none
    track: Track = Track.PUBLIC

    @property
    def names_conversation(self) -> bool:
        """The payload of its frame may hold `conversation`, which says of which it is."""
        return self.after_end or self.track is Track.STAFF

    @property
    def request(self) -> str:
        """The type of the frame with which a client writes it."""
        return self.written_by or self.name

    @cached_property
    def frame(self) -> type[frames.ClientFrame]:
        """The frame with which a client writes it."""
        sent = self.sent or self.payload
        routed = entries.routed(sent) if self.names_conversation else sent
        return _FRAMES.get(self.name) or entries.request(self.request, routed)

    @cached_property
    def pushed(self) -> Callable[..., frames.ServerFrame2]:
        """The frame that shows it to its readers, and to the writer's other connections."""
        return _PUSHED.get(self.name) or entries.pushed(self.name, _SHOWN[self.track])

    @cached_property
    def receipt(self) -> Callable[..., frames.ServerFrame2]:
        """The frame that says that it is stored."""
        return entries.receipt(f"{self.request}_success", _RECEIPT[self.track])

    @cached_property
    def announcement(self) -> Callable[..., frames.ServerFrame2] | None:
        """The frame that the other side gets behind it."""
        return entries.pushed(self.followed_by) if self.followed_by else None

    def body(self, payload: msgspec.Struct) -> Body:
        """*payload* as it is stored."""
        fields = msgspec.to_builtins(payload)
        if self.names_conversation:
            fields.pop("conversation", None)
        words = fields.pop(self.words, "")
        if not fields and (self is TEXT or self.track is Track.STAFF):
            return Body(words, None)
        return Body(words, msgspec.json.encode(fields).decode())

    def text_for_version_1(
        self, words: str, data: str | None, link: Callable[[str], str] = _no_link
    ) -> str | None:
        """The text that version 1 is sent instead; None: it is sent nothing.

        *link* returns the address of a file.
        """
        if self is TEXT and data is None:
            return words
        payload = self.payload_of(words, data)
        text = self.version_1_text(payload)
        if text is None or not self.has_link:
            return text
        return f"{text} {link(payload.get('file', ''))}".strip()

    def as_text(self, words: str, data: str | None) -> str:
        """All that it says, for people."""
        if data is None or self is TEXT:
            return words
        if self.shown_as is not None:
            return self.shown_as(self.payload_of(words, data))
        fields = {**self.payload_of(words, data)}
        fields.pop(self.words, None)
        return "\n".join([*(f"{name}: {value}" for name, value in fields.items()), words]).strip()

    def payload_of(self, words: str, data: str | None) -> Payload:
        """What clients are shown of what is stored; nothing of a kind that is not known here."""
        if self is UNKNOWN:
            return {}
        fields: dict[str, Any] = {} if data is None else msgspec.json.decode(data)
        return {self.words: words, **fields} if self.words else fields


_FRAMES: dict[str, type[frames.ClientFrame]] = {"message_text": frames.MessageText}
_PUSHED: dict[str, type[frames.ServerFrame2]] = {"message_text": frames.Text2}

_SHOWN = {Track.PUBLIC: frames.ServerFrame2, Track.STAFF: frames.StaffFrame}
_RECEIPT = {Track.PUBLIC: frames.ReceiptPayload, Track.STAFF: frames.StaffReceiptPayload}

_BOTH = frozenset((Side.USER, Side.WAITER))

TEXT = Kind(
    number=1,
    name="message_text",
    payload=frames.ChosenTextPayload,
    words="message",
    writers=_BOTH,
    version_1_text=lambda payload: str(payload["message"]),
)


def words_data(what: str) -> str:
    """`data` of a text that the site says by itself; *what* it is stands in its payload."""
    return msgspec.json.encode({"words": what}).decode()


class What(StrEnum):
    """What an `event` says."""

    #: a waiter serves the user from now on
    JOINED = "joined"
    #: … the same waiter as before
    RETURNED = "returned"
    #: the waiter was lost; the user waits to be served again
    LEFT = "left"
    #: the waiter has handed the user over; another one serves it, or it waits for one
    TRANSFERRED = "transferred"
    #: the conversation is over
    ENDED = "ended"


class EventPayload(frames.ClientStruct, omit_defaults=True):
    """What has happened. *name*: of the side that it is about; *reason*: as in `disconnected`."""

    what: str
    name: str = ""
    reason: str = ""


EVENT = Kind(2, "event", EventPayload, words="", writers=frozenset())


class RatingPayload(frames.ClientStruct):
    """What a visitor thinks of a conversation, in stars and in words."""

    rate: Annotated[int, msgspec.Meta(ge=1, le=5)]
    comment: str = ""


#: of several in one conversation the last one counts
RATING = Kind(
    3, "rating", RatingPayload, words="comment", writers=frozenset((Side.USER,)),
    written_by="rate", after_end=True, followed_by="rate_user_success",
)  # fmt: skip


class NotePayload(frames.ClientStruct):
    """What waiters write about a conversation for each other."""

    text: str


NOTE = Kind(
    4, "note", NotePayload, words="text", writers=frozenset((Side.WAITER,)), track=Track.STAFF
)


class SentFile(frames.ClientStruct):
    """A file that its sender has uploaded, by its id."""

    file: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class FilePayload(frames.ClientStruct, omit_defaults=True):
    """A file of a conversation, as all are shown it; *width* and *height* of an image."""

    file: str
    name: str
    #: bytes
    size: int
    mime: str
    width: int | msgspec.UnsetType = msgspec.UNSET
    height: int | msgspec.UnsetType = msgspec.UNSET


def _name(payload: Payload) -> str:
    return str(payload["name"])


IMAGE = Kind(
    5, "message_image", FilePayload, words="name", writers=_BOTH, version_1_text=_name,
    sent=SentFile, has_link=True,
)  # fmt: skip

FILE = Kind(
    6, "message_file", FilePayload, words="name", writers=_BOTH, version_1_text=_name,
    sent=SentFile, has_link=True,
)  # fmt: skip


class OneChoice(frames.ClientStruct):
    """One of the choices that a waiter offers."""

    id: frames.ChoiceId
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=frames.NO_NUL)]


class ChoicePayload(frames.ClientStruct):
    """A text, and the choices that it offers; a visitor's text with `choice` answers it."""

    message: str
    choices: Annotated[list[OneChoice], msgspec.Meta(min_length=2, max_length=10)]


def _numbered(payload: Payload) -> str:
    """The text, and below it the choices by number."""
    choices = enumerate(payload.get("choices", ()), 1)
    return "\n".join([payload["message"], *(f"{n}. {one['text']}" for n, one in choices)])


CHOICE = Kind(
    7, "message_choice", ChoicePayload, words="message", writers=frozenset((Side.WAITER,)),
    version_1_text=_numbered, shown_as=_numbered,
)  # fmt: skip

#: every kind; clients keep the entries of kinds that they do not know
KINDS = (TEXT, EVENT, RATING, NOTE, IMAGE, FILE, CHOICE)

#: stands for kinds that a later version has stored
UNKNOWN = Kind(0, "unknown", frames.EmptyPayload, "", frozenset())

#: by the frame with which it is written
KIND_OF = {kind.frame: kind for kind in KINDS if kind.writers}


def requests(side: Side) -> list[type[frames.ClientFrame]]:
    """The frames with which *side* writes entries."""
    return [kind.frame for kind in KINDS if side in kind.writers]


_BY_NUMBER = {kind.number: kind for kind in KINDS}


def kind_of(number: int) -> Kind:
    """The kind that is stored as *number*."""
    return _BY_NUMBER.get(number, UNKNOWN)
