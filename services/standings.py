"""Who was there before a restart, as the history remembers it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .bounds import TICKET_LIFETIME
from .clock import KEY_BITS
from .conversation.rows import ConversationRow
from .delivery import Delivery
from .desk.port import Role, Standing
from .event_entries import lost_waiter
from .history.port import Duty, Store
from .identity import Identity, TokenRole
from .participants import Participant, Phase

#: µs from naming a conversation to standing in the queue for it, at most
NAMING = 1_000_000


def standings(
    rows: list[ConversationRow], duties: Iterable[Duty], answered: Collection[int] = ()
) -> tuple[list[Standing], list[ConversationRow]]:
    """All participants of the open *rows*, and all waiters who were ready; waiters first.

    And the rows that are over: a user has one conversation, the newest. *answered*: those in
    which the waiter has written something since it serves the user.
    """
    known = {one.subject: one for one in duties}
    waiters: dict[str, Standing] = {}

    def stand(subject: str, uuid: str, name: str, avatar: str) -> None:
        duty = known.get(subject)
        waiters[subject] = Standing(
            Role.WAITER, subject, uuid, name, ready=duty is not None and duty.ready,
            capacity=duty.capacity if duty else None, avatar=avatar,
        )  # fmt: skip

    for duty in known.values():
        if duty.ready:
            stand(duty.subject, duty.uuid, "", "")
    for row in rows:
        if row.waiter and row.waiter_subject and row.waiter_subject not in waiters:
            stand(row.waiter_subject, row.waiter, row.waiter_name, row.waiter_avatar)
    newest = {row.user_subject: row for row in rows}
    users = []
    for row in newest.values():
        waiter = waiters.get(row.waiter_subject or "")
        server = waiter.uuid if waiter is not None else None
        users.append(
            Standing(
                Role.USER,
                row.user_subject,
                row.user,
                row.user_name,
                row.key,
                server,
                avatar=row.user_avatar,
                department=row.department,
                may_sleep=_may_sleep(row),
                answered=row.key in answered,
            )
        )
    over = [row for row in rows if newest[row.user_subject] is not row]
    return [*waiters.values(), *users], over


def _may_sleep(row: ConversationRow) -> bool:
    """Whether its user may sleep (`Session`), as far as the row says it.

    Clients of version 2 alone say what they have read; the first entry says who serves the user.
    """
    return row.user_read > 0 and (row.last_seq > 1 or not user_of(row).identity.is_anonymous)


def user_of(row: ConversationRow) -> Participant:
    """The user of this conversation, as it was stored."""
    identity = Identity(
        row.user_subject, row.user_name, TokenRole(Role.USER), avatar=row.user_avatar
    )
    return Participant(row.user, Role.USER, identity)


def restore_participants(
    found: Iterable[Standing], rows: Iterable[ConversationRow], lost: Mapping[int, str],
    delivery: Delivery,
) -> None:  # fmt: skip
    """Put all *found* on the roster, absent, and let those speak with each other who did.

    *lost*: as `lost_waiters` returns it.
    """
    participants = delivery.roster.participants
    conversations = {row.key: row for row in rows}
    for one in found:
        identity = Identity(one.subject, one.name, TokenRole(one.role), avatar=one.avatar)
        participant = Participant(one.uuid, one.role, identity)
        participants[one.uuid] = participant
        if one.role is Role.WAITER:
            participant.phase = Phase.ON_DUTY if one.ready else Phase.OFF_DUTY
            continue
        row = conversations[one.conversation]
        row.waiter = one.waiter
        conversation = delivery.new_conversation(participant, row, has_begun=False)
        participant.conversation = conversation
        participant.has_written = row.last_seq > 1  # the first entry says who serves it
        if one.waiter is None:
            participant.phase = Phase.QUEUED
            conversation.lost_waiter = lost.get(row.key)
        else:
            delivery.join(participant, participants[one.waiter], conversation)


def lost_waiters(store: Store, rows: Iterable[ConversationRow]) -> dict[int, str]:
    """By the conversations of *rows* whose users wait to be served again: who was lost.

    That is the subject of a waiter; it returns if it is the next one. Blocks. Raises
    `StoreError`.
    """
    events = store.last_events([row.key for row in rows if row.waiter_subject is None])
    lost = {key: lost_waiter(event) for key, event in events.items()}
    return {key: subject for key, subject in lost.items() if subject is not None}


def used_tickets(store: Store, now: float) -> dict[str, int]:
    """Up to which place (µs since 1970) the tickets of users are void who were served lately.

    A conversation is named when its user joins the queue for it. *now* is in s.
    Blocks. Raises `StoreError`.
    """
    since = int((now - TICKET_LIFETIME) * 1000) << KEY_BITS
    served = store.served_since(since)
    return {one: (key >> KEY_BITS) * 1000 + NAMING for one, key in served.items()}
