"""A page with the chat on it, and one that tells what has become of this process."""

from __future__ import annotations

import sys
from typing import Any

import psycopg
from flask import Blueprint, render_template
from gevent import monkey

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> str:
    return render_template("home.html")


@pages.get("/process")
def process() -> dict[str, Any]:
    return {
        "patched": monkey.is_module_patched("socket"),
        "psycopg_blocks": psycopg.waiting.wait is getattr(psycopg.waiting, "wait_c", None),
        "own": {
            name: module.__file__
            for name, module in sys.modules.items()
            if name.partition(".")[0] in ("blueprints", "services", "wsgi")
        },
        "csapp": sys.modules["csapp"].__file__,
    }
