"""Conversations that are over, and stay known for what is written after the end."""

from __future__ import annotations

from collections import deque

from ..roster import Roster
from ..runtime import Runtime
from .conversation import SharedConversation
from .order import Order

#: s that a conversation is still known here after its end, for what is written then
LINGER = 60.0


class Ended:
    """Those among the conversations of *order* that are over."""

    def __init__(self, order: Order, roster: Roster, runtime: Runtime) -> None:
        self._order = order
        self._roster = roster
        self._runtime = runtime
        #: when each will be forgotten, and which; the oldest first
        self._over: deque[tuple[float, SharedConversation]] = deque()

    def add(self, key: int) -> None:
        """The conversation of this *key*, if it is known here, ends now."""
        conversation = self._order.conversations.get(key)
        if conversation is not None:
            self._over.append((self._runtime.now() + LINGER, conversation))

    def forget(self) -> None:
        """Forget what has been over for long enough, and whose sides are both gone."""
        now = self._runtime.now()
        for one in [one for one in self._over if one[0] <= now or not self._is_known(one[1])]:
            self._over.remove(one)
            conversation = one[1]
            if self._order.conversations.get(conversation.row.key) is conversation:
                del self._order.conversations[conversation.row.key]

    def _is_known(self, conversation: SharedConversation) -> bool:
        """Whether one of its sides at least is known here."""
        return any(
            self._roster.holds(one)
            for channel in conversation.channels.values()
            for one in (channel.sender, channel.to)
        )
