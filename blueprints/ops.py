"""Health, readiness and metrics, for operators and their monitors."""

from __future__ import annotations

from flask import Blueprint, Response, request

from services.errors import Unavailable
from services.metrics import Metrics

from .answers import jsonify
from .door import Door
from .extension import Extension


def blueprint(extension: Extension) -> Blueprint:
    """`GET /healthz`, `GET /readyz` and `GET /metrics`."""
    server = extension.server
    metrics = Metrics(server.meters, server.readings)
    door = Door("csapp_ops", __name__)

    @door.get("/healthz")
    def healthz() -> Response:
        """The process lives, and its event loop runs."""
        return jsonify(status="ok")

    @door.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Whether visitors may be sent here, and if not, why."""
        if server.draining:
            return jsonify(status="draining"), 503
        if reason := server.unfit(request.environ):
            return jsonify(status="unfit", reason=reason), 503
        try:
            server.house  # noqa: B018  # starts the server, if nobody has asked before
        except Unavailable as error:
            return jsonify(status="unavailable", reason=error.public_reason), 503
        if not server.can_store:
            return jsonify(status="unavailable", reason="the history cannot be stored"), 503
        if not server.can_reach_desk:
            return jsonify(status="unavailable", reason="the desk cannot be reached"), 503
        if reason := server.trouble:
            return jsonify(status="unwell", reason=reason), 503
        return jsonify(status="ready"), 200

    @door.get("/metrics")
    def exposition() -> Response:
        """Metrics for Prometheus. No personal data."""
        return Response(metrics.exposition(), content_type=metrics.content_type)

    return door
