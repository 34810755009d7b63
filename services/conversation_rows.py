"""What the row of a conversation says, besides its entries: who, since when, until when."""

from __future__ import annotations

from .channels import Channel
from .clock import Clock
from .conversation.rows import ConversationRow
from .desk.port import Role
from .identity import name_text
from .participants import Participant
from .prechat import NOT_HELD, name_in


def user_name(user: Participant, fields: str) -> str:
    """The name of *user* that waiters see: its token's, or else the one in *fields*."""
    return user.identity.name or name_text(name_in(fields))


def new_row(
    user: Participant, key: int, clock: Clock, *, page: str = "", fields: str = ""
) -> ConversationRow:
    """The row of a conversation of *user* that begins now.

    *page* and *fields*: as the desk knows them, of a user who has asked on another worker.
    """
    department, own_page = user.page
    page, fields = own_page or page, user.fields or ("" if fields == NOT_HELD else fields)
    return ConversationRow(
        key=key,
        user=user.uuid,
        user_subject=user.identity.subject,
        user_name=user_name(user, fields),
        user_avatar=user.identity.avatar,
        opened=clock.opened(key),
        department=department,
        page=page,
        fields=fields,
    )


def set_waiter(row: ConversationRow, waiter: Participant) -> None:
    """*waiter* serves the user of this conversation."""
    row.waiter, row.waiter_subject = waiter.uuid, waiter.identity.subject
    row.waiter_name = waiter.identity.name
    row.waiter_avatar = waiter.identity.avatar


def remove_waiter(row: ConversationRow, *, requeued: bool) -> None:
    """Nobody serves its user any more; *requeued*: the user waits for another waiter."""
    row.waiter = row.waiter_subject = None
    if requeued:  # nobody's: a waiter who is erased must not come back by it
        row.waiter_name = row.waiter_avatar = ""


def set_end(row: ConversationRow, reason: str, clock: Clock) -> None:
    """This conversation has ended just now."""
    row.reason = str(reason)
    row.ended = max(clock.ms(), row.last_date, row.opened)


def set_read(channel: Channel, seq: int) -> None:
    """The sender of *channel* has read up to *seq*."""
    row = channel.conversation.row
    if channel.sender.role is Role.USER:
        row.user_read = max(row.user_read, seq)
    else:
        row.waiter_read = max(row.waiter_read, seq)
