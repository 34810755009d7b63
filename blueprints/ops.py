"""What operators and their machines ask."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from .extension import Extension


def blueprint(extension: Extension) -> Blueprint:
    """`GET /healthz`."""
    doors = Blueprint("csapp_ops", __name__)

    @doors.get("/healthz")
    def healthz() -> Response:
        """The process lives and its loop turns."""
        return jsonify(status="ok")

    return doors
