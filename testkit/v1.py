"""A version-1 client that writes what it does and sees into a `Journal`, for `device.Device`.

Version 1 knows neither conversations nor numbers nor receipts: it says a text
once, while it is served, and no receipt says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .conversation import Conversation
from .journal import Opened, Refused, Seen, Sent
from .v2 import Frame, Manners

#: s after which it asks once more for the conversation that it was refused
AGAIN = 1.0


class PlainManners(Manners):
    """A conversation is named by the other side's UUID."""

    _sought = ""  # the id of the frame that asks for a conversation

    def say(self, text: str, conversation: str | None = None) -> list[Frame]:
        """Send *text*, if that is possible now."""
        known = self.conversations[conversation or next(reversed(self.conversations))]
        if not known.here:
            return []
        frame = self._frame("message_text", {"message": text})
        if self.role == "waiter":
            frame["to"] = known.peer
        self._journal.write(Sent(self.socket, "", self.sub, frame["id"], text))
        return [frame]

    def repeat(self) -> list[Frame]:
        """Ask once more for what has been asked on this connection already: harmless."""
        if not any(conversation.here for conversation in self.conversations.values()):
            return []
        return [self._seek()]

    def due(self) -> list[Frame]:
        now = self._clock()
        ready = [at for at, _ in self._later if at <= now]
        self._later = [one for one in self._later if one[0] > now]
        return [self._seek()] if ready else []

    def _seek(self) -> Frame:
        """Ask for a conversation. An answer there need not be, so nobody waits for it."""
        frame = self._frame("connect" if self.role == "user" else "ready")
        self._sought = frame["id"]
        return frame

    def _frame(self, type_: str, payload: object = None) -> Frame:
        frame: Frame = {"id": next(self._ids), "type": type_}
        return frame if payload is None else {**frame, "payload": payload}

    def _on_initialize(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        first = not self.uuid
        self.uuid = frame["to"]
        self._journal.name(self.uuid, self.sub)
        if first:
            self._journal.write(Opened(self.socket, self.sub, 1))
            yield self._frame("auth", {"token": self._token})
            yield self._seek()

    def _enter(self, frame: Frame) -> Iterator[Frame]:
        peer = frame["payload"]["uuid"]
        if self.role == "user":
            self.conversations.clear()  # it has one at a time
        self.conversations[peer] = Conversation(peer, peer, here=True)
        return iter(())

    def _on_message_text(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        self._journal.write(Seen(self.socket, frame["from"], frame["payload"]["message"]))
        return iter(())

    def _on_error(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        reply, message = frame.get("reply_id", ""), frame["payload"]["message"]
        if reply == self._sought:
            self._later.append((self._clock() + AGAIN, frame))
            return iter(())
        self._journal.write(Refused(self.socket, self.sub, reply, message))
        return iter(())
