"""What frames are made of, and payloads that several of them carry, in one direction or both."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

#: Some databases cannot keep NUL. In texts and ids it is looked for where they are passed on.
NO_NUL = r"\A[^\x00]*\Z"

#: `id` as a client chooses it
ClientId = Annotated[str, Meta(min_length=1, max_length=64)]


class ClientStruct(Struct, forbid_unknown_fields=True, gc=False):
    """Read in one go when it holds nothing unknown; see `codec` for what happens else.

    Frames hold strings only, so no cycle can run through them and the garbage
    collector need not look at them (`gc=False`).
    """


#: `seq` of a message, or of none yet
Seq = Annotated[int, Meta(ge=0, le=1 << 53)]

#: a conversation's id
Conversation = Annotated[str, Meta(min_length=1, max_length=32)]


class ClientFrame(ClientStruct, tag_field="type"):
    """What all frames from clients share. `to` is read from waiters only."""

    id: ClientId | UnsetType = UNSET
    to: str | None = None

    @property
    def reply_id(self) -> str | None:
        return None if self.id is UNSET else self.id


class ServerFrame(Struct, tag_field="type", omit_defaults=True, kw_only=True, gc=False):
    """`id` and `to` are always there; `from` and `reply_id` only where they mean something."""

    id: str
    to: str
    from_: str | UnsetType = field(name="from", default=UNSET)
    reply_id: str | UnsetType = UNSET


class ServerFrame2(ServerFrame, kw_only=True):
    """`conversation`, `seq` and `date` stand in frames that belong to a conversation or entry."""

    conversation: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    date: str | UnsetType = UNSET


class StaffFrame(ServerFrame2, kw_only=True):
    """Shows a waiter an entry of the staff track; it stands behind the entry `seq` = `after`."""

    n: int
    after: int
    #: the subject of the waiter who wrote it
    author: str


class TextPayload(ClientStruct):
    message: str


#: names one choice of a question
ChoiceId = Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NUL)]


class ChosenTextPayload(TextPayload):
    """A text; with `choice` it answers a question that offers choices."""

    choice: ChoiceId | UnsetType = UNSET


class EmptyPayload(ClientStruct):
    """`null`, `{}` or nothing: what is in it is ignored."""


class UuidPayload(Struct, gc=False):
    uuid: str


class OnPayload(ClientStruct):
    on: bool


class SeqPayload(ClientStruct):
    seq: Seq


class ConversationPayload(ClientStruct):
    conversation: Conversation
