"""A version-2 client that does all that a good client must, and writes it into a `Journal`.

`Manners` is the client without a socket: frames go in, frames to send come
out. `device.Device` is a thread that carries them over a WebSocket, and comes
back when the server says so.

1. A message stays in the outbox until it is acknowledged, and is sent again,
   in order and with the same id, on each return to its conversation, after
   the page that comes with it: what that page holds needs no repeat.
2. All that a device remembers of a conversation is the last `seq` seen; a gap
   never occurs by contract, and is reported where it does.
3. What may be repeated is repeated after `retry_after`, not before.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .conversation import Conversation, Letter
from .entries import said
from .journal import (
    Acknowledged,
    Closed,
    Entered,
    Item,
    Journal,
    Left,
    Opened,
    Page,
    Refused,
    Seen,
    Sent,
)

Frame = dict[str, Any]

#: a client comes back after these; after the others it stops and says why
RECONNECT = frozenset({1001, 1006, 1011, 1012, 1013, 4408, 4413})

#: refusals after which a message stays in the outbox, for the conversation goes on
PASSING = frozenset({"not_connected", "no_such_user", "not_ready", "unauthenticated"})

PAGE = 200  # messages asked for at once, the most that a server gives


class Manners:
    """A version-2 client without a socket. Not for two threads at once.

    Each method returns the frames to send now, in order.
    """

    def __init__(
        self,
        role: str,
        sub: str,
        token: str,
        journal: Journal,
        *,
        device: str = "1",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.role = role
        self.sub = sub
        self.name = f"{sub}/{device}"
        self.uuid = ""
        self.conversations: dict[str, Conversation] = {}
        #: the user's position in the queue, to be taken again
        self.ticket: str | None = None
        #: what a good server never makes a client see
        self.problems: list[str] = []
        #: the answers to `get_history`, errors too, that nobody has taken yet, by the request's id
        self.pages: dict[str, Frame] = {}
        #: this connection's name; "" between connections
        self.socket = ""
        self._token = token
        self._journal = journal
        self._clock = clock
        self._sockets = (f"{self.name}#{number}" for number in itertools.count(1))
        self._ids = (f"{self.name}.{number}" for number in itertools.count(1))
        self._asked: dict[str, Frame] = {}  # requests without an answer
        self._bridges: set[str] = set()  # … that are to fill a gap
        self._owed: Counter[str] = Counter()  # answers to messages on this connection, by their ids
        self._later: list[tuple[float, Frame]] = []  # requests to repeat, and when

    # ---- from above ----------------------------------------------------

    def say(self, text: str, conversation: str | None = None) -> list[Frame]:
        """Put *text* into the outbox of *conversation*, the only one or the latest by default."""
        known = self.conversations[conversation or next(reversed(self.conversations))]
        if known.handed:
            return []
        letter = Letter(next(self._ids), text)
        known.outbox[letter.client_id] = letter
        return list(self._speak(known))

    def repeat(self) -> list[Frame]:
        """Ask once more for what has been asked on this connection already: harmless."""
        if not any(conversation.here for conversation in self.conversations.values()):
            return []
        return [self._request("connect" if self.role == "user" else "ready")]

    def transfer(self, conversation: str, **to: str) -> list[Frame]:
        """Hand the user of *conversation* over; that may be refused."""
        known = self.conversations[conversation]
        if self.role != "waiter" or not known.here:
            return []
        return [self._request("transfer", {"uuid": known.peer, **to})]

    def transfer_any(
        self, chance: random.Random, colleague: str, departments: Sequence[str] = ("",)
    ) -> list[Frame]:
        """Hand one of its users to the waiter *colleague*, a UUID, or to one of *departments*.

        *chance* decides; *colleague* may be empty.
        """
        is_named = chance.random() >= 0.5 and bool(colleague)
        here = [one.name for one in self.conversations.values() if one.here]
        department = chance.choice(departments)
        to = {"to_waiter": colleague} if is_named else {"department": department}
        return self.transfer(chance.choice(here), **to) if here else []

    def ask(self, conversation: str, **payload: int) -> Frame:
        """A `get_history`; its answer will be in `pages`."""
        return self._request("get_history", {"conversation": conversation, **payload})

    @property
    def pending(self) -> int:
        """Messages in all outboxes."""
        return sum(len(conversation.outbox) for conversation in self.conversations.values())

    @property
    def answered(self) -> bool:
        """It is connected, and all that it has asked for has an answer."""
        return bool(self.uuid) and not self._asked and not self._later

    @property
    def settled(self) -> bool:
        """All is said, and nothing is on its way that this client knows of."""
        return (
            self.answered
            and not self.pending
            and not self._owed.total()  # each time that a message is sent it has its answer
            and all(
                conversation.here or conversation.ended
                for conversation in self.conversations.values()
            )
        )

    # ---- from the connection -------------------------------------------------

    def opened(self) -> list[Frame]:
        """A connection is there."""
        self.socket = next(self._sockets)
        return []

    def closed(self, code: int) -> bool:
        """The connection is gone; whether to come back."""
        if self.uuid:
            self._journal.write(Closed(self.socket, code))
        self.socket = self.uuid = ""
        self._asked.clear()
        self._bridges.clear()
        self._owed.clear()
        self._later.clear()
        for conversation in self.conversations.values():
            self._shut(conversation)
            conversation.entering, conversation.named = True, False
            conversation.ahead.clear()
            conversation.unsent()
            if self.role == "waiter" and conversation.last_seq is None:
                # its page has not come: who serves it may not have been stored
                conversation.handed = conversation.ended = True
            if conversation.handed:
                conversation.outbox.clear()
        return code in RECONNECT

    def received(self, frame: Frame) -> list[Frame]:
        """A frame came."""
        handler = getattr(self, f"_on_{frame['type']}", None)
        request = self._asked.pop(frame.get("reply_id", ""), None)
        if handler is None:
            self.problems.append(f"unknown type: {frame}")
            return []
        return list(handler(frame, request))

    @property
    def next_due(self) -> float | None:
        """When `due` has something to send."""
        times = [at for at, _ in self._later]
        for conversation in self.conversations.values():
            first = next((one for one in conversation.outbox.values() if not one.sent), None)
            if self._is_open(conversation) and first is not None:
                times.append(first.due)
        return min(times, default=None)

    def due(self) -> list[Frame]:
        """What was to wait for `retry_after` until now."""
        now = self._clock()
        ready = [frame for at, frame in self._later if at <= now]
        self._later = [(at, frame) for at, frame in self._later if at > now]
        self._asked.update((frame["id"], frame) for frame in ready)  # whoever asked knows the id
        frames = list(ready)
        for conversation in self.conversations.values():
            frames += self._speak(conversation)
        return frames

    # ---- frames --------------------------------------------------------

    def _request(self, type_: str, payload: Any = None) -> Frame:
        frame: Frame = {"id": next(self._ids), "type": type_}
        if payload is not None:
            frame["payload"] = payload
        self._asked[frame["id"]] = frame
        return frame

    def _is_open(self, conversation: Conversation) -> bool:
        """Whether its outbox may be sent."""
        return conversation.here

    def _shut(self, conversation: Conversation) -> None:
        """Nothing of its outbox may be sent until the server says that it goes on."""
        conversation.here = False

    def _speak(self, conversation: Conversation) -> Iterator[Frame]:
        """What of its outbox may be sent now: none before those that were put in before it."""
        for letter in conversation.outbox.values():
            if not letter.sent:
                if not self._is_open(conversation) or letter.due > self._clock():
                    return
                yield self._message(conversation, letter)

    def _message(self, conversation: Conversation, letter: Letter) -> Frame:
        letter.sent = True
        letter.times += 1
        self._owed[letter.client_id] += 1
        self._journal.write(
            Sent(self.socket, conversation.name, self.sub, letter.client_id, letter.text)
        )
        frame: Frame = {
            "id": letter.client_id,
            "type": "message_text",
            "payload": {"message": letter.text},
        }
        if self.role == "waiter":
            frame["to"] = conversation.peer
        return frame

    def _on_initialize(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        first = not self.uuid
        self.uuid = frame["to"]
        self._journal.name(self.uuid, self.sub)
        if first:
            resume = {
                conversation.name: conversation.last_seq
                for conversation in self.conversations.values()
                if conversation.last_seq is not None and not conversation.ended
            }
            self._journal.write(Opened(self.socket, self.sub, 2, resume))
            payload: Frame = {"token": self._token, "version": 2}
            if resume:
                payload["resume"] = resume
            yield self._request("auth", payload)

    def _on_auth_success(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        if frame["payload"]["sub"] != self.sub or frame["payload"]["uuid"] != self.uuid:
            self.problems.append(f"{self.sub} {self.uuid} is taken for another: {frame}")
        if self.role == "user":
            yield self._request("connect", {"ticket": self.ticket} if self.ticket else {})
        else:
            yield self._request("ready")

    def _on_ready(self, _: Frame, __: Frame | None) -> Iterator[Frame]:
        return iter(())

    def _on_connect_queue(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        self.ticket = frame["payload"].get("ticket", self.ticket)
        for conversation in self.conversations.values():
            self._shut(conversation)
        return iter(())

    def _on_connect_success(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        self.ticket = None
        return self._enter(frame)

    def _on_new_connection(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        return self._enter(frame)

    def _enter(self, frame: Frame) -> Iterator[Frame]:
        payload = frame["payload"]
        name = payload["conversation"]
        conversation = self.conversations.setdefault(name, Conversation(name))
        conversation.peer = payload["uuid"]
        conversation.here, conversation.entering = False, True  # until its page has come
        conversation.named = True
        if conversation.handed:  # so it has not said what it has seen
            conversation.handed = conversation.ended = False
        elif conversation.last_seq is not None and payload["last_seq"] < conversation.last_seq:
            self.problems.append(f"{conversation.last_seq} was seen already: {frame}")
        self._journal.write(Entered(self.socket, name))
        return iter(())

    def _on_disconnected(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        for conversation in self.conversations.values():
            if conversation.peer == frame["from"]:
                self._shut(conversation)
                # a desk that has lost everything does not know any more that it was handed over
                if self.role == "waiter" and frame["payload"].get("reason") != "left":
                    self._hand_over(conversation)
        return iter(())

    def _hand_over(self, conversation: Conversation) -> None:
        """It goes on with another waiter; what this one has not said is not said any more."""
        self._shut(conversation)
        conversation.handed = conversation.ended = True
        conversation.named = False
        letters = list(conversation.outbox.values())
        for letter in letters:
            if not letter.sent:
                del conversation.outbox[letter.client_id]
        self._journal.write(Left(self.socket, conversation.name))

    def _on_message_history(self, frame: Frame, request: Frame | None) -> Iterator[Frame]:
        payload = frame["payload"]
        items = [item_of(one) for one in payload["messages"]]
        reply = frame.get("reply_id")
        if request is not None and reply is not None and reply not in self._bridges:
            self.pages[reply] = payload  # somebody wanted to read, not to catch up
            return
        name = payload["conversation"]
        conversation = self.conversations.setdefault(name, Conversation(name))
        bridge = reply is not None
        self._bridges.discard(reply or "")
        self._journal.write(
            Page(self.socket, name, tuple(items), asked=bridge, complete=payload["complete"])
        )
        asks_already = bool(conversation.ahead) and not bridge
        for item in items:
            conversation.saw(item.seq)
            if item.client_id is not None:
                conversation.outbox.pop(item.client_id, None)
        if conversation.last_seq is None:
            conversation.last_seq = 0  # it has just begun
        if conversation.ahead and bridge and not items:
            self.problems.append(f"nobody knows what came after {conversation.last_seq}: {frame}")
            conversation.give_up()
        if conversation.ahead and not asks_already:
            yield self._bridge(conversation, frame)
        if bridge:
            return
        conversation.entering = False
        if self.role == "waiter" and not conversation.named and payload["state"] == "open":
            self._hand_over(conversation)  # while it was away
            return
        if payload["state"] == "ended":
            conversation.ended = True
            conversation.outbox.clear()
            return
        conversation.here = True
        yield from self._speak(conversation)

    def _bridge(self, conversation: Conversation, frame: Frame) -> Frame:
        """Ask for what is missing before what came."""
        if frame["type"] != "message_history" or frame["payload"]["complete"]:
            self.problems.append(f"a gap after {conversation.last_seq}: {frame}")
        request = self.ask(
            conversation.name,
            after=conversation.last_seq or 0,
            before=min(conversation.ahead),
            limit=PAGE,
        )
        self._bridges.add(request["id"])
        return request

    def _on_message_text(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        name, seq = frame["conversation"], frame["seq"]
        self._journal.write(
            Seen(self.socket, frame["from"], frame["payload"]["message"], name, seq, frame["date"])
        )
        conversation = self.conversations.get(name)
        if conversation is None or conversation.entering:
            self.problems.append(f"before the page of its conversation: {frame}")
            return
        yield from self._saw(conversation, seq, frame)

    def _on_event(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        name, seq = frame["conversation"], frame["seq"]
        text = said(frame["payload"])
        self._journal.write(Seen(self.socket, frame["from"], text, name, seq, frame["date"]))
        conversation = self.conversations.get(name)
        if conversation is None or conversation.entering:
            self.problems.append(f"before the page of its conversation: {frame}")
            return
        yield from self._saw(conversation, seq, frame)

    def _on_message_text_success(self, frame: Frame, _: Frame | None) -> Iterator[Frame]:
        name, seq = frame["conversation"], frame["payload"]["seq"]
        self._journal.write(
            Acknowledged(
                self.socket, name, self.sub, frame["reply_id"], seq, frame["payload"]["date"]
            )
        )
        self._owed[frame["reply_id"]] -= 1
        conversation = self.conversations[name]
        if conversation.entering:
            self.problems.append(f"before the page of its conversation: {frame}")
        conversation.outbox.pop(frame["reply_id"], None)
        yield from self._saw(conversation, seq, frame)

    def _saw(self, conversation: Conversation, seq: int, frame: Frame) -> Iterator[Frame]:
        waiting = bool(conversation.ahead)
        conversation.saw(seq)
        if conversation.ahead and not waiting:
            yield self._bridge(conversation, frame)

    def _on_error(self, frame: Frame, request: Frame | None) -> Iterator[Frame]:
        error = frame["payload"]
        after = error.get("retry_after")
        if request is not None:
            if request["type"] == "transfer":
                return  # somebody was full, or away
            if request["type"] == "get_history" and error["code"] == "forbidden":
                self.pages[request["id"]] = error
                return
            if after is not None:
                self._later.append((self._clock() + after, request))
            else:
                self.problems.append(f"{request} was refused: {frame}")
            return
        if error["message"].startswith("payload.resume: ") and error["code"] == "forbidden":
            yield from self._on_not_yours(error["message"].split()[1])
            return
        reply = frame.get("reply_id", "")
        is_ours = reply in self._owed
        self._owed[reply] -= is_ours
        for conversation in self.conversations.values():
            if reply in conversation.outbox:
                self._journal.write(Refused(self.socket, self.sub, reply, error["code"]))
                conversation.outbox[reply].sent = False
                if conversation.handed:
                    del conversation.outbox[reply]
                elif after is not None:
                    conversation.outbox[reply].due = self._clock() + after
                elif error["code"] in PASSING:
                    self._shut(conversation)
                else:
                    del conversation.outbox[reply]
                    self.problems.append(f"a message was refused for good: {frame}")
                return
        if is_ours:  # a repeat of what a page has shown meanwhile
            self._journal.write(Refused(self.socket, self.sub, reply, error["code"]))
        else:
            self.problems.append(f"an error without a question: {frame}")
        yield from ()

    def _on_not_yours(self, name: str) -> Iterator[Frame]:
        """The server knows nothing of it that this one has served the conversation *name*.

        A handover may be lost with a server that is killed before it is stored: the user is
        back with who has handed it over, and nobody has lost what was acknowledged.
        """
        conversation = self.conversations[name]
        if self.role == "waiter" and not conversation.named:
            self._hand_over(conversation)
        else:
            self.problems.append(f"no conversation of ours: {name}")
        return iter(())

    def _on_probe(self, _: Frame, __: Frame | None) -> Iterator[Frame]:
        yield {"id": next(self._ids), "type": "alive"}

    def _ignored(self, _: Frame, __: Frame | None) -> Iterator[Frame]:
        """Nothing that changes what this client does."""
        return iter(())

    _on_presence = _on_transfer_success = _on_queue_status = _on_typing = _on_read = _on_kickout = (
        _on_idle
    ) = _ignored


def item_of(one: Frame) -> Item:
    """One entry of a page; of a waiter's colleague the server names the subject beside it."""
    return Item(
        one["seq"],
        one["from"] or one.get("author", ""),
        said(one["payload"]),
        one.get("client_id"),
        one["date"],
    )
