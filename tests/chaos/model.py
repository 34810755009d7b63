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
class Line:
    """One socket."""

    role: str
    send: Callable[[Frame], None]
    uuid: str
    sub: str = ""
    resume: dict[str, int] = field(default_factory=dict)
    chats: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Pending:
    """A message that the next commit makes durable."""

    chat: Conversation
    sender: str
    client_id: str
    text: str
    #: where receipts go
    lines: list[Line]


class Model:
    """See above. *save* gets what each commit makes durable, before anybody is told."""

    def __init__(
        self,
        bugs: frozenset[Bug] = frozenset(),
        capacity: int = 2,
        save: Callable[[list[tuple[Conversation, Row]]], None] = lambda rows: None,
        opened: Callable[[Conversation], None] = lambda chat: None,
    ) -> None:
        self.bugs = bugs
        self.capacity = capacity
        self.chats: dict[str, Conversation] = {}
        self._save = save
        self._opened = opened
        self._numbers = itertools.count(1)
        self._forget()

    def _forget(self) -> None:
        self.lines: list[Line] = []
        self.pending: list[Pending] = []
        self._ready: list[str] = []
        self._queue: list[str] = []

    # ---- the line ------------------------------------------------------

    def open(self, role: str, send: Callable[[Frame], None]) -> Line:
        """A socket is there."""
        line = Line(role, send, f"nobody-{next(self._numbers)}")
        self.lines.append(line)
        self._tell(line, "initialize")
        return line

    def lose(self, line: Line) -> None:
        """A socket is gone."""
        if line in self.lines:
            self.lines.remove(line)

    def crash(self) -> None:
        """Everything is forgotten but what is durable."""
        self._forget()

    def receive(self, line: Line, frame: Frame, sub: str = "") -> None:
        """A frame came; *sub* is whom an `auth` speaks for."""
        if frame["type"] == "auth":
            self._auth(line, frame, sub)
        elif frame["type"] == "connect":
            self._connect(line, frame)
        elif frame["type"] == "ready":
            self._be_ready(line, frame)
        elif frame["type"] == "message_text":
            self._message(line, frame)
        elif frame["type"] == "get_history":
            self._page(line, frame)

    def commit(self) -> None:
        """Make durable what is pending, and tell everybody."""
        batch, self.pending = self.pending, []
        rows = []
        for one in batch:
            row = Row(len(one.chat.rows) + 1, one.sender, one.client_id, one.text, DATE)
            one.chat.rows.append(row)
            rows.append((one.chat, row))
        if rows:
            self._save(rows)
        told = list(zip(batch, rows, strict=True))
        if Bug.RECEIPT_OUT_OF_ORDER in self.bugs:
            told.reverse()
        for one, (_, row) in told:
            for line in list(self.lines):
                if one.chat.name in line.chats:
                    self._deliver(line, one, row)

    # ---- frames --------------------------------------------------------

    def _tell(self, line: Line, type_: str, payload: Any = None, **fields: Any) -> None:
        frame = {"id": f"s{next(self._numbers)}", "to": line.uuid, "type": type_, **fields}
        if payload is not None:
            frame["payload"] = payload
        line.send({name: value for name, value in frame.items() if value is not None})

    def _auth(self, line: Line, frame: Frame, sub: str) -> None:
        line.sub, line.uuid = sub, uuid_of(sub)
        line.resume = frame["payload"].get("resume", {})
        self._tell(line, "initialize")
        self._tell(line, "auth_success", {"uuid": line.uuid, "sub": sub}, reply_id=frame.get("id"))

    def _connect(self, line: Line, frame: Frame) -> None:
        chat = next((one for one in self.chats.values() if one.user == line.sub), None)
        chat = chat or self._match(line.sub)
        if chat is not None:
            self._enter(line, chat, frame.get("id"))
            return
        if line.sub not in self._queue:
            self._queue.append(line.sub)
        payload = {"location": self._queue.index(line.sub), "ticket": "t"}
        self._tell(line, "connect_queue", payload, reply_id=frame.get("id"))

    def _match(self, user: str) -> Conversation | None:
        for waiter in self._ready:
            if sum(one.waiter == waiter for one in self.chats.values()) < self.capacity:
                chat = Conversation(str(len(self.chats) + 1), user, waiter)
                self.chats[chat.name] = chat
                self._opened(chat)
                for line in list(self.lines):
                    if line.sub == waiter:
                        self._enter(line, chat)
                return chat
        return None

    def _be_ready(self, line: Line, frame: Frame) -> None:
        if line.sub not in self._ready:
            self._ready.append(line.sub)
        self._tell(line, "ready", {"capacity": self.capacity}, reply_id=frame.get("id"))
        for chat in list(self.chats.values()):
            if chat.waiter == line.sub:
                self._enter(line, chat)
        for user in list(self._queue):
            matched = self._match(user)
            if matched is not None:
                self._queue.remove(user)
                for other in list(self.lines):
                    if other.sub == user:
                        self._enter(other, matched)

    def _enter(self, line: Line, chat: Conversation, reply_id: str | None = None) -> None:
        if chat.name in line.chats:
            return
        line.chats.add(chat.name)
        is_user = line.role == "user"
        payload = {
            "uuid": uuid_of(chat.waiter if is_user else chat.user),
            "name": "",
            "avatar": "",
            "conversation": chat.name,
            "last_seq": len(chat.rows),
            "resumed": bool(chat.rows),
        }
        self._tell(
            line, "connect_success" if is_user else "new_connection", payload, reply_id=reply_id
        )
        after = line.resume.get(chat.name)
        rows = chat.rows[-LATEST:] if after is None else chat.rows[after:]
        if after is not None and Bug.NO_GAP_REPAIR in self.bugs:
            rows = []
        self._history(line, chat, rows, complete=after is not None or len(chat.rows) <= LATEST)

    def _history(
        self,
        line: Line,
        chat: Conversation,
        rows: list[Row],
        complete: bool,
        reply_id: str | None = None,
    ) -> None:
        payload = {
            "conversation": chat.name,
            "messages": [_item(row, line.sub) for row in rows],
            "complete": complete,
            "state": "open",
            "last_seq": len(chat.rows),
        }
        self._tell(line, "message_history", payload, reply_id=reply_id)

    def _page(self, line: Line, frame: Frame) -> None:
        payload = frame["payload"]
        chat = self.chats[payload["conversation"]]
        after, before = payload.get("after", 0), payload.get("before", len(chat.rows) + 1)
        rows = chat.rows[after : before - 1]
        page = rows[: payload.get("limit", LATEST)]
        self._history(line, chat, page, len(page) == len(rows), frame["id"])

    def _message(self, line: Line, frame: Frame) -> None:
        other = frame.get("to")
        mine = (
            one
            for one in self.chats.values()
            if line.sub == one.user or (line.sub == one.waiter and other == uuid_of(one.user))
        )
        chat = next(mine, None)
        if chat is None:
            error = {"message": "not connected", "code": "not_connected"}
            self._tell(line, "error", error, reply_id=frame["id"])
            return
        same = (line.sub, frame["id"])
        if Bug.NO_DEDUPE not in self.bugs:
            for row in chat.rows:
                if (row.sender, row.client_id) == same:
                    shift = Bug.RECEIPT_SHIFTED in self.bugs and len(chat.rows) > row.seq
                    self._receipt(line, chat, row._replace(seq=row.seq + shift))
                    return
            for one in self.pending:
                if one.chat is chat and (one.sender, one.client_id) == same:
                    one.lines.append(line)
                    return
        pending = Pending(chat, line.sub, frame["id"], frame["payload"]["message"], [line])
        self.pending.append(pending)
        if Bug.RECEIPT_BEFORE_COMMIT in self.bugs:
            seq = len(chat.rows) + sum(one.chat is chat for one in self.pending)
            self._receipt(line, chat, Row(seq, line.sub, frame["id"], "", DATE))

    def _deliver(self, line: Line, one: Pending, row: Row) -> None:
        receipts = one.lines.count(line)
        if not receipts:
            fields = {"conversation": one.chat.name, "seq": row.seq, "date": row.date}
            self._tell(
                line,
                "message_text",
                {"message": row.text},
                **fields,
                **{"from": uuid_of(row.sender)},
            )
        elif Bug.RECEIPT_BEFORE_COMMIT not in self.bugs:
            for _ in range(receipts):
                self._receipt(line, one.chat, row)

    def _receipt(self, line: Line, chat: Conversation, row: Row) -> None:
        self._tell(
            line,
            "message_text_success",
            {"seq": row.seq, "date": row.date},
            conversation=chat.name,
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
