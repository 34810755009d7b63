"""The widget: its script, its files, the tag that puts it into a page, and a page that has it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Request, Response, request

from ..answers import jsonify
from ..cors import shared
from ..door import Door
from ..extension import Extension
from ..kit.assets import send
from ..pages import one_address, page, secured_where_reached
from .tag import mark, tag

STATIC = Path(__file__).parent / "static"

_TAG = re.compile(r"([A-Za-z]{2,3})(-[A-Za-z0-9]{1,8})*")


@cache
def _catalogue(language: str) -> dict[str, Any] | None:
    """The widget's texts in *language*, or None."""
    path = STATIC / "locales" / f"{language}.json"
    return dict(json.loads(path.read_bytes())) if path.is_file() else None


def _spoken(incoming: Request) -> tuple[str, dict[str, Any]]:
    """The language tag that the browser prefers among those with a catalogue, and its texts."""
    for said, quality in incoming.accept_languages:
        tag = _TAG.fullmatch(said)
        if quality > 0 and tag and (texts := _catalogue(tag[1].lower())):
            return said, texts
    return "en", _catalogue("en") or {}


def blueprint(extension: Extension) -> Blueprint:
    """`GET /widget.js`, `/`, `/v1/visitor/me`, and `csapp_widget()` in all the templates."""
    door = Door("csapp_widget", __name__, template_folder="templates")
    door.after_request(secured_where_reached)
    door.after_request(shared(extension.server, "visitor_me"))
    door.add_app_template_global(tag(extension), "csapp_widget")

    @door.get("/widget.js")
    def script() -> Response:
        """The launcher."""
        return send(STATIC, "widget.js")

    @door.get("/csapp-static/widget/<path:filename>")
    def static(filename: str) -> Response:
        """A file that the launcher or a page loads."""
        return send(STATIC, filename)

    @door.get("/v1/visitor/me")
    def visitor_me() -> Response:
        """`visitor`: what `csapp_widget()` writes for this visitor now; null where it writes none.

        A cache may serve a page that was made for another visitor.
        """
        known = extension.callbacks.visitor is not None
        response = jsonify(visitor=mark(extension) if known else None)
        response.cache_control.no_store = True
        return response

    @door.get("/")
    @one_address
    def visitor() -> Response:
        """A page with the widget, in the visitor's language if there is a catalogue of it.

        A host that names its visitors may also have said where their questions go, and a
        choice on the page would come before that: so only other visitors are offered one.
        """
        language, texts = _spoken(request)
        offered = "*" if extension.callbacks.visitor is None else None
        answer = page("csapp/visitor.html", language=language, texts=texts, departments=offered)
        answer.vary.add("Accept-Language")
        return answer

    return door
