"""Somebody's Flask application with the chat embedded under a prefix.

It has a session, headers, an error handler, a flask-sock socket and options of
its own, none of which the chat may touch.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from flask import Flask, Request, Response, g, session
from flask_sock import Sock

from csapp import CSApp, Identity

from .clocked import add_clock

logging.basicConfig(level=logging.INFO)
app = Flask(__name__)
app.secret_key = "the host's own key"
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 7}
torn_down: list[str] = []

for key, value in os.environ.items():
    if key.startswith("CSAPP_"):
        app.config[key] = value
chat = CSApp()
chat.init_app(app, url_prefix="/support")
add_clock(app)
sock = Sock(app)


@chat.identify_visitor
def who(request: Request) -> str | None:
    return session.get("user")


@chat.identify_waiter
def agent(request: Request) -> Identity | None:
    name = request.headers.get("X-Agent")
    return Identity(f"agent-{name}", name.title()) if name in ("ada", "ann") else None


@app.get("/")
def index() -> str:
    return "the host's page"


@app.get("/sign-in/<name>")
def sign_in(name: str) -> str:
    session["user"] = name
    return name


@sock.route("/own-socket")
def own_socket(ws: Any) -> None:
    ws.send(f"{type(ws).__module__} ping_interval={ws.ping_interval}")
    ws.send(ws.receive())


@app.before_request
def begin() -> None:
    g.used = True


@app.teardown_request
def end(error: BaseException | None) -> None:
    torn_down.append("request")


@app.get("/torn-down")
def torn_down_count() -> str:
    return str(len(torn_down))


@app.after_request
def host_header(response: Response) -> Response:
    response.headers["X-Host"] = "yes"
    return response


@app.errorhandler(404)
def missing(error: Exception) -> tuple[str, int]:
    return "the host's 404", 404
