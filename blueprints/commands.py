"""The `flask … chat` command group."""

from __future__ import annotations

import errno
import getpass
import json
import os
import sys
import time
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import click
from flask import current_app
from flask.cli import AppGroup

from services.errors import Unavailable
from services.history.accounts import AccountError
from services.identity import (
    AVATARS,
    MAX_NAME,
    Identity,
    TokenRole,
    Tokens,
    avatar_text,
    name_text,
)
from services.settings import MAX_LIFETIME

#: what `status` shows, with units: the fields of `GET /v1/status`
FIGURES = {
    "waiters": "",
    "waiters_ready": "",
    "users_served": "",
    "queue_length": "",
    "longest_wait": " s",
    "connections": "",
}
ANSWER = 10.0  # s until a server that says nothing counts as unreachable

#: the standard output cannot be written
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class _Group(AppGroup):
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. What goes wrong on purpose is one line, and no traceback."""
        try:
            return super().invoke(ctx)
        except (AccountError, Unavailable) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno not in UNWRITABLE or error.filename is not None:
                raise
            raise click.ClickException(f"standard output: {error.strerror}") from None


chat = _Group("chat", help="Run and inspect the customer-service chat.")


def operator() -> str:
    """Who runs this command, for the security log."""
    try:
        return f"command/{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name, as in containers
        return f"command/{os.getuid()}"


def _tokens() -> Tokens:
    tokens: Tokens = current_app.extensions["csapp"].server.tokens
    return tokens


@chat.command()
@click.option("--role", type=click.Choice([role.value for role in TokenRole]), required=True)
@click.option("--sub", "subject", required=True, help="Who it is: a user id of your application.")
@click.option("--name", default="", help="The name that others see.")
@click.option("--avatar", default="", help="The address of the picture that others see.")
@click.option("--count", type=click.IntRange(1), help="Make many, for SUB-0, SUB-1, …")
@click.option(
    "--lifetime",
    type=click.IntRange(1, MAX_LIFETIME),
    help="Seconds; CSAPP_TOKEN_LIFETIME if absent.",
)
def token(
    role: str, subject: str, name: str, avatar: str, count: int | None, lifetime: int | None
) -> None:
    """Print one token a line."""
    if name_text(name) != name:
        raise click.ClickException(f"name: at most {MAX_NAME} characters, and no NUL")
    if avatar_text(avatar) != avatar:
        raise click.ClickException(f"avatar: {AVATARS}")
    subjects = [subject] if count is None else [f"{subject}-{number}" for number in range(count)]
    for one in subjects:
        try:
            identity = Identity(one, name, TokenRole(role), avatar=avatar)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        click.echo(_tokens().sign(identity, lifetime))


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
            back = f"\x1b[{len(figures)}A"  # over what is there
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
