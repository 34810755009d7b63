"""What connections of this worker are sent besides entries; nothing of it is stored.

Who is at the other end of a conversation, whether that participant is absent, types, or has
read something.
"""

from __future__ import annotations

from collections.abc import Callable

from .channels import Channel, ParkedFrames, sealed
from .conversation.conversation import Conversation
from .conversation.rows import StaffRow
from .conversation_rows import user_name
from .desk.port import Role
from .participants import Feed, Participant, each
from .prechat import filled_in
from .roster import Roster
from .staff_track import encode as encode_staff_entry
from .wire import codec, frames
from .wire.dialect import DIALECTS, Dialect, Peer

#: what asks for a waiter: `connect` of version 1 or 2
ASKS_FOR_WAITER = frames.Connect | frames.Connect2

#: a frame, or None where the version of a connection has no word for it
Notice = frames.ServerFrame | None


def _send_each(to: Participant, make: Callable[[Dialect], Notice]) -> None:
    """Send each connection of *to* what *make* returns for the version that it speaks."""

    def send(connection: Feed) -> None:
        frame = make(connection.dialect)
        if frame is not None:
            connection.put(sealed(frame))

    each(to.connections, send)


def send_presence(participant: Participant, state: str) -> None:
    """Send the other sides that *participant* is back, or away."""
    for channel in participant.all_channels:
        to, conversation = channel.to.uuid, channel.conversation.id

        def make(dialect: Dialect, to: str = to, conversation: str = conversation) -> Notice:
            return dialect.presence(to, participant.uuid, conversation, state)

        _send_each(channel.to, make)


def send_typing(channel: Channel, on: bool) -> None:
    """Send the other side that the sender of *channel* types, or has stopped."""
    ids = channel.to.uuid, channel.sender.uuid, channel.conversation.id
    _send_each(channel.to, lambda dialect: dialect.typing(*ids, on))


def send_signal(channel: Channel, name: str) -> None:
    """Send the other side one of `frames.SIGNALS`, where it speaks version 2."""
    make = frames.SIGNALS.get(name)

    def send(connection: Feed) -> None:
        if make is not None and connection.dialect.version > 1:
            frame = make(
                id=codec.new_id(), to=channel.to.uuid, from_=channel.sender.uuid,
                conversation=channel.conversation.id, payload={},
            )  # fmt: skip
            connection.put(sealed(frame))

    each(channel.to.connections, send)


def send_idle(user: Participant, seconds: float) -> None:
    """Tell *user*, who has a waiter, that its conversation ends in so many s; for version 2."""
    channel = user.channel
    if channel is None:
        return
    frame = sealed(
        frames.Idle(
            id=codec.new_id(), to=user.uuid, from_=channel.to.uuid,
            conversation=channel.conversation.id, payload=frames.IdlePayload(round(seconds, 1)),
        )
    )  # fmt: skip

    def send(connection: Feed) -> None:
        if connection.dialect.version > 1:
            connection.put(frame)

    each(user.connections, send)


def send_read(channel: Channel, seq: int) -> None:
    """Send the other side how far the sender of *channel* has read."""
    ids = channel.to.uuid, channel.sender.uuid, channel.conversation.id
    _send_each(channel.to, lambda dialect: dialect.read(*ids, seq))


def send_staff_entry(reader: Participant, entry: StaffRow, origin: object = None) -> None:
    """Send *reader* a staff entry, but not the connection *origin*; for version 2."""

    frame = encode_staff_entry(entry, reader)

    def send(connection: Feed) -> None:
        if connection is not origin and connection.dialect.version > 1:
            connection.put(frame)

    each(reader.connections, send)


def introduce(
    me: Participant, channel: Channel, resumed: bool, dialect: Dialect
) -> frames.ServerFrame:
    """The frame that shows *me* who is at the other end of *channel*, its own one."""
    other, conversation = channel.to, channel.conversation
    row = conversation.row
    marks = row.user_read, row.waiter_read
    if me.role is Role.WAITER:
        marks = marks[::-1]
    is_user = me.role is Role.USER
    name = other.identity.name if is_user else user_name(other, row.fields)
    peer = Peer(
        other.uuid, other.identity.subject, name, conversation.id, conversation.last_seq, resumed,
        *marks, row.page, row.opened, other.identity.avatar, filled_in(row.fields),
        row.department,
    )  # fmt: skip
    make = dialect.connect_success if is_user else dialect.new_connection
    return make(me.uuid, peer)


def send_introduction(
    me: Participant, channel: Channel, roster: Roster, *, resumed: bool, asked: bool, parks: bool
) -> None:
    """Introduce the other end of *channel* to the connections of *me*.

    *asked*: where a connection waits for an answer to `connect`, this is the answer. *parks*:
    *me* is absent and this worker parks for it. The frame is parked for version 1 only: version
    2 introduces the other end to each new connection anyway.
    """

    def send(connection: Feed) -> None:
        frame = introduce(me, channel, resumed, connection.dialect)
        question = connection.pop_pending_request(ASKS_FOR_WAITER) if asked else None
        if question is not None:
            frame.reply_id = question.id
        connection.open_conversation(channel, frame)

    each(me.connections, send)
    if parks:
        frame = introduce(me, channel, resumed, DIALECTS[1])
        roster.park(me, ParkedFrames(sealed(frame), b""))


def send_end(
    left: Participant, gone: Participant, conversation: Conversation | None, reason: str
) -> None:
    """Send both sides that *gone* has left *conversation*.

    Version 1 does not confirm to a connection that it has ended the conversation.
    """
    name = conversation.id if conversation is not None else ""

    def send(connection: Feed) -> None:
        frame = connection.dialect.disconnected(left.uuid, gone.uuid, name, reason)
        connection.close_conversation(conversation, frame)

    each(left.connections, send)
    send_own_end(left, gone, conversation, reason)


def send_own_end(
    left: Participant, gone: Participant, conversation: Conversation | None, reason: str
) -> None:
    """Send *gone* alone that it is out of *conversation*, as `send_end` does."""
    name = conversation.id if conversation is not None else ""

    def send_own(connection: Feed) -> None:
        frame = connection.dialect.disconnected(gone.uuid, left.uuid, name, reason)
        question = connection.pop_pending_request(frames.Disconnect)
        if question is None or connection.dialect.version > 1:
            if question is not None:
                frame.reply_id = question.id
            connection.close_conversation(conversation, frame)

    each(gone.connections, send_own)


def send_withdrawal(user: Participant, conversation: Conversation | None, reason: str) -> None:
    """Send the connections of *user* that it has left the queue; for version 2.

    *conversation* was to go on, and has ended. Where a connection has asked for it, this is the
    answer.
    """
    name = conversation.id if conversation is not None else ""

    def send(connection: Feed) -> None:
        question = connection.pop_pending_request(frames.Disconnect)
        if connection.dialect.version == 1:
            return
        frame = connection.dialect.disconnected(user.uuid, user.uuid, name, reason)
        if question is not None:
            frame.reply_id = question.id
        connection.close_conversation(conversation, frame)

    each(user.connections, send)


def parked_end(
    left: Participant, gone: Participant, conversation: Conversation | None, reason: str
) -> ParkedFrames:
    """The same, to be parked for *left*."""
    name = conversation.id if conversation is not None else ""
    plain, full = (
        sealed(DIALECTS[version].disconnected(left.uuid, gone.uuid, name, reason))
        for version in (1, 2)
    )
    return ParkedFrames(plain, full)
