"""The same chat, version 1, on plain flask-sock as its documentation shows: the baseline.

One handler a connection, `json`, `ws.receive`, `ws.send`. It has no limits, no
grace periods and no way to survive a slow reader; it checks tokens the same
way. Run with `gunicorn -k gevent -w 1 bench.plain_flask_sock:app`.
"""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any
from uuid import uuid4

from flask import Flask
from flask_sock import Sock

from services.identity import TokenRole, Tokens

MAX_USERS = 5

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "plain"


sock = Sock(app)
tokens = Tokens(os.environ["CSAPP_SECRET_KEY"].split(","), 43_200)
waiters: dict[str, Any] = {}
users: dict[str, Any] = {}
waiting: deque[Any] = deque()


class Peer:
    def __init__(self, ws: Any) -> None:
        self.ws = ws
        self.uuid = str(uuid4())
        self.waiter: Peer | None = None
        self.users: dict[str, Peer] = {}

    def send(self, type_: str, payload: Any = None, sender: str | None = None) -> None:
        frame = {"id": str(uuid4()), "to": self.uuid, "type": type_}
        if payload is not None:
            frame["payload"] = payload
        if sender is not None:
            frame["from"] = sender
        self.ws.send(json.dumps(frame))


def match() -> None:
    for waiter in waiters.values():
        while waiting and len(waiter.users) < MAX_USERS:
            user = waiting.popleft()
            user.waiter = waiter
            waiter.users[user.uuid] = user
            user.send("connect_success", {"uuid": waiter.uuid})
            waiter.send("new_connection", {"uuid": user.uuid})


@sock.route("/v1/ws/user/connect")
def user_connect(ws: Any) -> None:
    user = Peer(ws)
    user.send("initialize")
    try:
        while True:
            frame = json.loads(ws.receive())
            kind = frame["type"]
            if kind == "auth":
                tokens.verify(frame["payload"]["token"], TokenRole.USER)
            elif kind == "connect":
                waiting.append(user)
                match()
            elif kind == "message_text" and user.waiter is not None:
                message = {"message": frame["payload"]["message"]}
                user.waiter.send("message_text", message, user.uuid)
    finally:
        if user.waiter is not None:
            user.waiter.users.pop(user.uuid, None)


@sock.route("/v1/ws/waiter/connect")
def waiter_connect(ws: Any) -> None:
    waiter = Peer(ws)
    waiter.send("initialize")
    try:
        while True:
            frame = json.loads(ws.receive())
            kind = frame["type"]
            if kind == "auth":
                tokens.verify(frame["payload"]["token"], TokenRole.WAITER)
            elif kind == "ready":
                waiters[waiter.uuid] = waiter
                match()
            elif kind == "message_text" and frame["to"] in waiter.users:
                message = {"message": frame["payload"]["message"]}
                waiter.users[frame["to"]].send("message_text", message, waiter.uuid)
    finally:
        waiters.pop(waiter.uuid, None)
