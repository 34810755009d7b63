"""A small server of version 2 in plain function calls, with bugs to switch on.

It keeps the message contract in the simplest way there is, so that the checker
and the client can be tried without a network; `model_server.py` puts it on one.
Frames go in with `receive`, and out through the function that `open` was given.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

Frame = dict[str, Any]

DATE = "1970-01-01T00:00:00.000Z"  # of every message

LATEST = 50  # messages on the page of somebody who remembers nothing


class Bug(Enum):
    """What the checker must catch."""

    RECEIPT_BEFORE_COMMIT = "acknowledges what a crash can still lose"
    NO_DEDUPE = "takes a message that is sent again for a new one"
    NO_GAP_REPAIR = "does not tell who returns what came meanwhile"
    RECEIPT_SHIFTED = "gives a text that is sent again the number of the next one"
    RECEIPT_OUT_OF_ORDER = "acknowledges the last of what became durable at once first"


class Row(NamedTuple):
    """One durable message."""

    seq: int
    sender: str
    client_id: str
    text: str
    date: str


@dataclass
class Conversation:
    """A conversation; it never ends."""

    name: str
    user: str
    waiter: str
    rows: list[Row] = field(default_factory=list)


@dataclass(eq=False)
class Connection:
    """One socket."""

    role: str
    send: Callable[[Frame], None]
    uuid: str
    sub: str = ""
    resume: dict[str, int] = field(default_factory=dict)
    conversations: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Pending:
    """A message that the next commit makes durable."""

    conversation: Conversation
    sender: str
    client_id: str
    text: str
    #: where receipts go
    connections: list[Connection]


class Model:
    """See above. *save* gets what each commit makes durable, before anybody gets it."""

    def __init__(
        self,
        bugs: frozenset[Bug] = frozenset(),
        capacity: int = 2,
        save: Callable[[list[tuple[Conversation, Row]]], None] = lambda rows: None,
        opened: Callable[[Conversation], None] = lambda conversation: None,
    ) -> None:
        self.bugs = bugs
        self.capacity = capacity
        self.conversations: dict[str, Conversation] = {}
        self._save = save
        self._opened = opened
        self._numbers = itertools.count(1)
        self._forget()

    def _forget(self) -> None:
        self.connections: list[Connection] = []
        self.pending: list[Pending] = []
        self._ready: list[str] = []
        self._queue: list[str] = []

    # ---- connections ---------------------------------------------------

    def open(self, role: str, send: Callable[[Frame], None]) -> Connection:
        """A socket is there."""
        connection = Connection(role, send, f"nobody-{next(self._numbers)}")
        self.connections.append(connection)
        self._send(connection, "initialize")
        return connection

    def lose(self, connection: Connection) -> None:
        """A socket is gone."""
        if connection in self.connections:
            self.connections.remove(connection)

    def crash(self) -> None:
        """Everything is forgotten but what is durable."""
        self._forget()

    def receive(self, connection: Connection, frame: Frame, sub: str = "") -> None:
        """A frame came; *sub* is whom an `auth` speaks for."""
        if frame["type"] == "auth":
            self._auth(connection, frame, sub)
        elif frame["type"] == "connect":
            self._connect(connection, frame)
        elif frame["type"] == "ready":
            self._be_ready(connection, frame)
        elif frame["type"] == "message_text":
            self._message(connection, frame)
        elif frame["type"] == "get_history":
            self._page(connection, frame)

    def commit(self) -> None:
        """Make durable what is pending, and tell everybody."""
        batch, self.pending = self.pending, []
        rows = []
        for one in batch:
            row = Row(len(one.conversation.rows) + 1, one.sender, one.client_id, one.text, DATE)
            one.conversation.rows.append(row)
            rows.append((one.conversation, row))
        if rows:
            self._save(rows)
        answers = list(zip(batch, rows, strict=True))
        if Bug.RECEIPT_OUT_OF_ORDER in self.bugs:
            answers.reverse()
        for one, (_, row) in answers:
            for connection in list(self.connections):
                if one.conversation.name in connection.conversations:
                    self._deliver(connection, one, row)

    # ---- frames --------------------------------------------------------

    def _send(self, connection: Connection, type_: str, payload: Any = None, **fields: Any) -> None:
        frame = {"id": f"s{next(self._numbers)}", "to": connection.uuid, "type": type_, **fields}
        if payload is not None:
            frame["payload"] = payload
        connection.send({name: value for name, value in frame.items() if value is not None})

    def _auth(self, connection: Connection, frame: Frame, sub: str) -> None:
        connection.sub, connection.uuid = sub, uuid_of(sub)
        connection.resume = frame["payload"].get("resume", {})
        self._send(connection, "initialize")
        self._send(
            connection,
            "auth_success",
            {"uuid": connection.uuid, "sub": sub},
            reply_id=frame.get("id"),
        )

    def _connect(self, connection: Connection, frame: Frame) -> None:
        conversation = next(
            (one for one in self.conversations.values() if one.user == connection.sub), None
        )
        conversation = conversation or self._match(connection.sub)
        if conversation is not None:
            self._enter(connection, conversation, frame.get("id"))
            return
        if connection.sub not in self._queue:
            self._queue.append(connection.sub)
        payload = {"location": self._queue.index(connection.sub), "ticket": "t"}
        self._send(connection, "connect_queue", payload, reply_id=frame.get("id"))

    def _match(self, user: str) -> Conversation | None:
        for waiter in self._ready:
            if sum(one.waiter == waiter for one in self.conversations.values()) < self.capacity:
                conversation = Conversation(str(len(self.conversations) + 1), user, waiter)
                self.conversations[conversation.name] = conversation
                self._opened(conversation)
                for connection in list(self.connections):
                    if connection.sub == waiter:
                        self._enter(connection, conversation)
                return conversation
        return None

    def _be_ready(self, connection: Connection, frame: Frame) -> None:
        if connection.sub not in self._ready:
            self._ready.append(connection.sub)
        self._send(connection, "ready", {"capacity": self.capacity}, reply_id=frame.get("id"))
        for conversation in list(self.conversations.values()):
            if conversation.waiter == connection.sub:
                self._enter(connection, conversation)
        for user in list(self._queue):
            matched = self._match(user)
            if matched is not None:
                self._queue.remove(user)
                for other in list(self.connections):
                    if other.sub == user:
                        self._enter(other, matched)

    def _enter(
        self, connection: Connection, conversation: Conversation, reply_id: str | None = None
    ) -> None:
        if conversation.name in connection.conversations:
            return
        connection.conversations.add(conversation.name)
        is_user = connection.role == "user"
        payload = {
            "uuid": uuid_of(conversation.waiter if is_user else conversation.user),
            "name": "",
            "avatar": "",
            "conversation": conversation.name,
            "last_seq": len(conversation.rows),
            "resumed": bool(conversation.rows),
        }
        self._send(
            connection,
            "connect_success" if is_user else "new_connection",
            payload,
            reply_id=reply_id,
        )
        after = connection.resume.get(conversation.name)
        rows = conversation.rows[-LATEST:] if after is None else conversation.rows[after:]
        if after is not None and Bug.NO_GAP_REPAIR in self.bugs:
            rows = []
        self._history(
            connection,
            conversation,
            rows,
            complete=after is not None or len(conversation.rows) <= LATEST,
        )

    def _history(
        self,
        connection: Connection,
        conversation: Conversation,
        rows: list[Row],
        complete: bool,
        reply_id: str | None = None,
    ) -> None:
        payload = {
            "conversation": conversation.name,
            "messages": [_item(row, connection.sub) for row in rows],
            "complete": complete,
            "state": "open",
            "last_seq": len(conversation.rows),
        }
        self._send(connection, "message_history", payload, reply_id=reply_id)

    def _page(self, connection: Connection, frame: Frame) -> None:
        payload = frame["payload"]
        conversation = self.conversations[payload["conversation"]]
        after, before = payload.get("after", 0), payload.get("before", len(conversation.rows) + 1)
        rows = conversation.rows[after : before - 1]
        page = rows[: payload.get("limit", LATEST)]
        self._history(connection, conversation, page, len(page) == len(rows), frame["id"])

    def _message(self, connection: Connection, frame: Frame) -> None:
        other = frame.get("to")
        mine = (
            one
            for one in self.conversations.values()
            if one.name in connection.conversations  # else its receipt would come before the page
            and (connection.sub == one.user or other == uuid_of(one.user))
        )
        conversation = next(mine, None)
        if conversation is None:
            error = {"message": "not connected", "code": "not_connected"}
            self._send(connection, "error", error, reply_id=frame["id"])
            return
        same = (connection.sub, frame["id"])
        if Bug.NO_DEDUPE not in self.bugs:
            for row in conversation.rows:
                if (row.sender, row.client_id) == same:
                    shift = Bug.RECEIPT_SHIFTED in self.bugs and len(conversation.rows) > row.seq
                    self._receipt(connection, conversation, row._replace(seq=row.seq + shift))
                    return
            for one in self.pending:
                if one.conversation is conversation and (one.sender, one.client_id) == same:
                    one.connections.append(connection)
                    return
        pending = Pending(
            conversation, connection.sub, frame["id"], frame["payload"]["message"], [connection]
        )
        self.pending.append(pending)
        if Bug.RECEIPT_BEFORE_COMMIT in self.bugs:
            seq = len(conversation.rows) + sum(
                one.conversation is conversation for one in self.pending
            )
            self._receipt(connection, conversation, Row(seq, connection.sub, frame["id"], "", DATE))

    def _deliver(self, connection: Connection, one: Pending, row: Row) -> None:
        receipts = one.connections.count(connection)
        if not receipts:
            fields = {"conversation": one.conversation.name, "seq": row.seq, "date": row.date}
            self._send(
                connection,
                "message_text",
                {"message": row.text},
                **fields,
                **{"from": uuid_of(row.sender)},
            )
        elif Bug.RECEIPT_BEFORE_COMMIT not in self.bugs:
            for _ in range(receipts):
                self._receipt(connection, one.conversation, row)

    def _receipt(self, connection: Connection, conversation: Conversation, row: Row) -> None:
        self._send(
            connection,
            "message_text_success",
            {"seq": row.seq, "date": row.date},
            conversation=conversation.name,
            reply_id=row.client_id,
        )


def uuid_of(sub: str) -> str:
    """A participant's standing UUID."""
    return f"uuid-of-{sub}"


def _item(row: Row, sub: str) -> Frame:
    item = {
        "seq": row.seq,
        "type": "message_text",
        "from": uuid_of(row.sender),
        "date": row.date,
        "payload": {"message": row.text},
    }
    return {**item, "client_id": row.client_id} if row.sender == sub else item
