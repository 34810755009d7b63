"""Who was there before a restart, as the history remembers it."""

from __future__ import annotations

from collections.abc import Iterable

from .bounds import TICKET_LIFETIME
from .clock import KEY_BITS
from .desk.port import Role, Standing
from .history.port import Chat, Duty, Store

#: µs from naming a conversation to standing in the queue for it, at most
NAMING = 1_000_000


def standings(chats: list[Chat], duties: Iterable[Duty]) -> tuple[list[Standing], list[Chat]]:
    """Everybody of the open *chats*, and whoever was ready; waiters first.

    Also those of *chats* that are over: a user has one conversation, the newest.
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
    for chat in chats:
        if chat.waiter and chat.waiter_subject and chat.waiter_subject not in waiters:
            stand(chat.waiter_subject, chat.waiter, chat.waiter_name, chat.waiter_avatar)
    newest = {chat.user_subject: chat for chat in chats}
    users = []
    for chat in newest.values():
        waiter = waiters.get(chat.waiter_subject or "")
        server = waiter.uuid if waiter is not None else None
        users.append(
            Standing(
                Role.USER,
                chat.user_subject,
                chat.user,
                chat.user_name,
                chat.key,
                server,
                avatar=chat.user_avatar,
            )
        )
    over = [chat for chat in chats if newest[chat.user_subject] is not chat]
    return [*waiters.values(), *users], over


def used_tickets(store: Store, now: float) -> dict[str, int]:
    """Up to which place (µs since 1970) the tickets of users are void who were served lately.

    A conversation is named when its user joins the queue for it. *now* is in s.
    Blocks. Raises `StoreError`.
    """
    since = int((now - TICKET_LIFETIME) * 1000) << KEY_BITS
    served = store.served_since(since)
    return {one: (key >> KEY_BITS) * 1000 + NAMING for one, key in served.items()}
