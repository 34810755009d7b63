"""HTTP beside the WebSockets: how busy the desk is, and what a visitor is shown at first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from services.desk.port import Figures
from services.prechat import described
from services.welcome import Welcome
from services.wire.dates import rfc3339

from .answers import jsonify
from .cors import shared
from .door import Door
from .extension import Extension

#: characters of a language that is asked for
MAX_LOCALE = 35

#: s that a browser may cache the answer of `/v1/welcome`
FRESH = 5


def _opening(shown: Welcome, key: str, figures: Figures | None = None) -> dict[str, Any]:
    """`open`: whether a visitor that asks for *key* is let in; if not, `reason` and `opens`."""
    if not shown.is_told(key):
        return {}
    away = shown.offline(key, figures)
    if away is None:
        return {"open": True}
    opens = {} if away.opens is None else {"opens": rfc3339(away.opens * 1000)}
    return {"open": False, "reason": away.reason, **opens}


def _by_department(figures: Figures, shown: Welcome) -> dict[str, Any]:
    """`departments`, by their keys, on a site that has any."""
    if not figures.departments:
        return {}
    loads = {
        key: {
            **_opening(shown, key, figures),
            "waiters_ready": load.ready,
            "queue_length": load.queue_length,
            "longest_wait": round(load.longest_wait, 1),
        }
        for key, load in figures.departments.items()
    }
    return {"departments": loads}


def blueprint(extension: Extension) -> Blueprint:
    """`GET /v1/status` and `GET /v1/welcome`."""
    door = Door("csapp_api", __name__)
    door.after_request(shared(extension.server, "status", "welcome"))

    @door.get("/v1/status")
    def status() -> Response:
        """How busy the desk is. No personal data."""
        figures, shown = extension.server.figures(), extension.server.welcome
        assert shown is not None  # noqa: S101  # the server has started
        return jsonify(
            waiters=figures.waiters,
            waiters_ready=figures.waiters_ready,
            users_served=figures.users_served,
            queue_length=figures.queue_length,
            longest_wait=round(figures.longest_wait, 1),
            connections=extension.server.bounds.connections.total,
            **_opening(shown, "", figures),
            **_by_department(figures, shown),
        )

    @door.get("/v1/welcome")
    def welcome() -> Response:
        """What a visitor is shown before it asks: waiters by the names that visitors see."""
        server = extension.server
        server.house  # noqa: B018  # starts the server; raises `Unavailable`
        shown = server.welcome
        assert shown is not None  # noqa: S101
        locale = request.args.get("locale", "")[:MAX_LOCALE]
        department = request.args.get("department", "")
        found: dict[str, Any] = {
            "team": [face._asdict() for face in shown.team(department)],
            "reply": shown.reply(),
            "questions": server.settings.quick_questions,
        }
        if server.store is not None:
            found["messages"] = True
            if server.settings.smtp_url:
                found["mail"] = True
        found |= _opening(shown, department)
        if departments := shown.departments():
            found["departments"] = [
                {"key": one.key, "name": one.name(locale)} for one in departments
            ]
        if fields := server.settings.fields:
            found["fields"] = described(fields, locale)
        response = jsonify(found)
        response.cache_control.public, response.cache_control.max_age = True, FRESH
        return response

    return door
