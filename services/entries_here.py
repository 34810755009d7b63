"""Entries on this worker: made of what a connection has sent, and put into the connections here.

Each text goes through these functions, so they call as little as possible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .channels import Channel, ChannelEntries, Ids
from .conversation.conversation import Conversation
from .conversation.kinds import TEXT, Kind, Side
from .desk.port import Role
from .identity import Identity
from .participants import SIDES, Feed, Participant, each, give_up


def new_entries(
    channel: Channel, connection: Feed | None, texts: list[str], ids: Ids,
    on_committed: Callable[[Any], None], kind: Kind = TEXT, data: str | None = None,
) -> ChannelEntries:  # fmt: skip
    """Entries that the sender of *channel* writes by *connection*; None: by another worker.

    *on_committed* is called on the loop when they are stored, or will not be.
    """
    sender = channel.sender
    entries = ChannelEntries(
        channel.conversation, SIDES[sender.role], sender.identity.subject, texts, ids,
        on_committed, kind, data,
    )  # fmt: skip
    entries.channel, entries.connection = channel, connection
    entries._plain = entries._full = entries._echo = None
    return entries


def hand_out(entries: ChannelEntries) -> bool:
    """Put stored *entries* into all connections here that show them, but not into their own one.

    False: the receiving side has no connection here.
    """
    channel, origin = entries.channel, entries.connection
    receivers = channel.to.connections
    for one in receivers:
        try:
            one.deliver(entries)
        except Exception:
            give_up(one)
    if channel.is_over:
        _hand_to_next_waiter(entries)
        return bool(receivers)
    for one in channel.sender.connections:
        if one is not origin and one.dialect.version > 1:
            try:
                one.deliver(entries)
            except Exception:
                give_up(one)
    return bool(receivers)


def _hand_to_next_waiter(entries: ChannelEntries) -> None:
    """*entries* were on their way when their waiter was parted from its user: the next reads them.

    One who is not there yet is sent them when it comes; the former one is sent nothing more.
    """
    ours = entries.channel.to.channel
    if ours is not None and ours.conversation is entries.conversation:
        each(ours.to.connections, lambda connection: connection.deliver_late(entries))


def nobody(identity: Identity | None = None) -> Participant:
    """Stands where no waiter is: whatever it is sent goes nowhere. *identity*: who was there."""
    return Participant("", Role.WAITER, identity or Identity("nobody"))


def channel_of_author(channel: Channel, side: int, author: str) -> Channel:
    """By which *author* has written, where *channel* is that of the present writer of *side*.

    An earlier waiter, which has lost the user or handed it over, is nobody to its user now.
    """
    if side != Side.WAITER or author == channel.sender.identity.subject:
        return channel
    former = Channel(nobody(Identity(author)), channel.to, channel.conversation)
    former.is_over = True
    return former


def channel_to_nobody(user: Participant, conversation: Conversation) -> Channel:
    """A channel for what *user* writes while no waiter is known who would be sent it."""
    return Channel(user, nobody(), conversation)
