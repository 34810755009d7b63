"""The `flask … chat` command group."""

from __future__ import annotations

import os
import sys

import click
from flask import current_app
from flask.cli import AppGroup

from services.identity import Identity, TokenRole, Tokens

chat = AppGroup("chat", help="Run and inspect the customer-service chat.")


def _tokens() -> Tokens:
    tokens: Tokens = current_app.extensions["csapp"].server.tokens
    return tokens


@chat.command()
@click.option("--role", type=click.Choice([role.value for role in TokenRole]), required=True)
@click.option("--sub", "subject", required=True, help="Who it is: a user id of your application.")
@click.option("--name", default="", help="The name that others see.")
@click.option("--count", type=click.IntRange(1), help="Make many, for SUB-0, SUB-1, …")
@click.option("--lifetime", type=click.IntRange(1), help="Seconds; CSAPP_TOKEN_LIFETIME if absent.")
def token(role: str, subject: str, name: str, count: int | None, lifetime: int | None) -> None:
    """Print one token a line."""
    subjects = [subject] if count is None else [f"{subject}-{number}" for number in range(count)]
    for one in subjects:
        try:
            identity = Identity(one, name, TokenRole(role))
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        click.echo(_tokens().sign(identity, lifetime))


@chat.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def demo(port: int) -> None:
    """Run the production server on one worker, with two waiters to log in as."""
    address = f"http://127.0.0.1:{port}"
    prefix = current_app.extensions["csapp"].server.settings.url_prefix
    click.echo(f"Visitor   {address}{prefix}/")
    for number, name in enumerate(("Ada", "Lin"), 1):
        identity = Identity(f"demo-waiter-{number}", name, TokenRole.WAITER)
        # In the fragment: it stays in the browser and out of every log.
        click.echo(f"{name:<9} {address}{prefix}/waiter#token={_tokens().sign(identity)}")
    click.echo("Open a waiter's link, press Ready, then open the visitor's page. Ctrl-C stops.")
    sys.stdout.flush()
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-w", "1"]
    os.execv(  # noqa: S606  # our own interpreter, no shell
        sys.executable, [*command, "-b", f"127.0.0.1:{port}", "wsgi:app"]
    )
