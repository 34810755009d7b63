"""Every frame that may travel, typed, for each direction and role.

`wire/` knows nobody: it does not know who is connected or what a frame leads
to. Clients' frames are decoded into the unions at the bottom of each section;
the server's frames are built here and nowhere else. The rule of version 1: a
frame of this file carries no type, payload key or field that the founding
document does not list.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

#: `id` as a client chooses it
ClientId = Annotated[str, Meta(min_length=1, max_length=64)]


# ---- client → server -------------------------------------------------------


class ClientStruct(Struct, forbid_unknown_fields=True, gc=False):
    """Read in one go when it holds nothing unknown; see `codec` for what happens else.

    Frames hold strings only, so no cycle can run through them and the garbage
    collector need not look at them (`gc=False`).
    """


class TokenPayload(ClientStruct):
    token: str


class TextPayload(ClientStruct):
    message: str


class EmptyPayload(ClientStruct):
    """`null`, `{}` or nothing: what is in it is ignored."""


class UserPayload(ClientStruct):
    uuid: str | UnsetType = UNSET


class ClientFrame(ClientStruct, tag_field="type"):
    """What all frames from clients share. `to` is read from waiters only."""

    id: ClientId | UnsetType = UNSET
    to: str | None = None

    @property
    def reply_id(self) -> str | None:
        return None if self.id is UNSET else self.id


class Auth(ClientFrame, tag="auth", kw_only=True):
    payload: TokenPayload


class Connect(ClientFrame, tag="connect"):
    payload: EmptyPayload | None = None


class Ready(ClientFrame, tag="ready"):
    payload: EmptyPayload | None = None


class MessageText(ClientFrame, tag="message_text", kw_only=True):
    payload: TextPayload


class Disconnect(ClientFrame, tag="disconnect"):
    payload: UserPayload | None = None


FromUser = Auth | Connect | MessageText | Disconnect
FromWaiter = Auth | Ready | MessageText | Disconnect


# ---- server → client -------------------------------------------------------


class ServerFrame(Struct, tag_field="type", omit_defaults=True, kw_only=True, gc=False):
    """`id` and `to` are always there; `from` and `reply_id` only where they mean something."""

    id: str
    to: str
    from_: str | UnsetType = field(name="from", default=UNSET)
    reply_id: str | UnsetType = UNSET


class UuidPayload(Struct, gc=False):
    uuid: str


class LocationPayload(Struct, gc=False):
    location: int


class Initialize(ServerFrame, tag="initialize"):
    """Carries the receiver's UUID in `to`; the newest one wins."""


class ConnectSuccess(ServerFrame, tag="connect_success"):
    payload: UuidPayload


class ConnectQueue(ServerFrame, tag="connect_queue"):
    """`location` is the number of visitors ahead: 0 is next in line."""

    payload: LocationPayload


class NewConnection(ServerFrame, tag="new_connection"):
    payload: UuidPayload


class Disconnected(ServerFrame, tag="disconnected"):
    """`from` is the side that is gone."""


class Error(ServerFrame, tag="error"):
    payload: TextPayload


class Text(ServerFrame, tag="message_text"):
    payload: TextPayload


ToUser = Initialize | ConnectSuccess | ConnectQueue | Disconnected | Error | Text
ToWaiter = Initialize | NewConnection | Disconnected | Error | Text
