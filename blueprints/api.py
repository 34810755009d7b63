"""REST beside the sockets."""

from __future__ import annotations

from flask import Blueprint, Response

from .answers import jsonify
from .cors import shared
from .door import Door
from .extension import Extension


def blueprint(extension: Extension) -> Blueprint:
    """`GET /v1/status`."""
    doors = Door("csapp_api", __name__)
    doors.after_request(shared(extension.server, "status"))

    @doors.get("/v1/status")
    def status() -> Response:
        """How busy the desk is; no personal data."""
        figures = extension.server.figures()
        return jsonify(
            waiters=figures.waiters,
            waiters_ready=figures.waiters_ready,
            users_served=figures.users_served,
            queue_length=figures.queue_length,
            longest_wait=round(figures.longest_wait, 1),
            connections=extension.server.bounds.connections.total,
        )

    return doors
