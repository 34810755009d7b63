"""`flask … chat status`: how busy a running server is."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import click
from flask import current_app

from .group import chat

#: what `status` shows, with units: the fields of `GET /v1/status`
FIGURES = {
    "waiters": "",
    "waiters_ready": "",
    "users_served": "",
    "queue_length": "",
    "longest_wait": " s",
    "connections": "",
}
ANSWER = 10.0  # s until a server that does not answer counts as unreachable


@chat.command()
@click.option("--url", help="Where the chat is; the PORT and prefix of here if absent.")
@click.option("--once", is_flag=True, help="Show it once.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
def status(url: str | None, once: bool, interval: float) -> None:
    """Show how busy a running server is: live in a terminal, else a line at a time."""
    if url is None:
        prefix = current_app.extensions["csapp"].server.settings.url_prefix
        url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}{prefix}"
    address = f"{url.rstrip('/')}/v1/status"
    in_terminal = sys.stdout.isatty()
    back = ""
    with suppress(KeyboardInterrupt):
        while True:
            figures = _ask(address)
            click.echo(back + _block(figures) if in_terminal else _line(figures))
            if once:
                return
            back = f"\x1b[{len(figures)}A"  # moves the cursor up, to overwrite the figures
            time.sleep(interval)


def _ask(address: str) -> dict[str, float]:
    """The figures at *address*. Raises `ClickException`, which exits with 1."""
    try:
        if urlsplit(address).scheme not in ("http", "https"):
            raise click.ClickException(f"{address}: an address begins with http:// or https://")
        with urlopen(address, timeout=ANSWER) as answer:  # noqa: S310  # looked at above
            said = json.load(answer)
        return {name: float(said[name]) for name in FIGURES}
    except (OSError, HTTPException) as error:
        lost = isinstance(error, URLError) and not isinstance(error, HTTPError)
        reason = error.reason if lost else error  # type: ignore[union-attr]  # a URLError
        raise click.ClickException(f"no chat server answers at {address}: {reason}") from None
    except (ValueError, TypeError, KeyError):
        raise click.ClickException(f"{address} does not answer as a chat server does") from None


def _line(figures: dict[str, float]) -> str:
    return " ".join(f"{name}={value:g}" for name, value in figures.items())


def _block(figures: dict[str, float]) -> str:
    return "\n".join(
        f"\x1b[K{name.replace('_', ' '):<14}{value:>9g}{FIGURES[name]}"
        for name, value in figures.items()
    )
