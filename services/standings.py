"""Who was there before a restart, as the history remembers it."""

from __future__ import annotations

from collections.abc import Iterable

from .desk.port import Role, Standing
from .history.port import Chat, Duty


def standings(chats: list[Chat], duties: Iterable[Duty]) -> tuple[list[Standing], list[Chat]]:
    """Everybody of the open *chats*, and whoever was ready; waiters first.

    Also those of *chats* that are over: a user has one conversation, the newest.
    """
    known = {one.subject: one for one in duties}
    waiters: dict[str, Standing] = {}

    def stand(subject: str, uuid: str, name: str) -> None:
        duty = known.get(subject)
        waiters[subject] = Standing(
            Role.WAITER, subject, uuid, name, ready=duty is not None and duty.ready,
            capacity=duty.capacity if duty else None,
        )  # fmt: skip

    for duty in known.values():
        if duty.ready:
            stand(duty.subject, duty.uuid, "")
    for chat in chats:
        if chat.waiter and chat.waiter_subject and chat.waiter_subject not in waiters:
            stand(chat.waiter_subject, chat.waiter, chat.waiter_name)
    newest = {chat.user_subject: chat for chat in chats}
    users = []
    for chat in newest.values():
        waiter = waiters.get(chat.waiter_subject or "")
        server = waiter.uuid if waiter is not None else None
        users.append(
            Standing(Role.USER, chat.user_subject, chat.user, chat.user_name, chat.key, server)
        )
    over = [chat for chat in chats if newest[chat.user_subject] is not chat]
    return [*waiters.values(), *users], over
