"""`flask … chat token`: signed tokens, for tests and for whoever has no host application."""

from __future__ import annotations

from typing import Any

import click
from flask import current_app

from services.desk.departments import MOST_PRIORITY
from services.identity import AVATARS, MAX_NAME, Identity, TokenRole, avatar_text, name_text
from services.settings import MAX_LIFETIME

from .group import chat
from .priorities import Named, with_priorities


@chat.command()
@click.option("--role", type=click.Choice([role.value for role in TokenRole]), required=True)
@click.option("--sub", "subject", required=True, help="Who it is: a user id of your application.")
@click.option("--name", default="", help="The name that others see.")
@click.option("--avatar", default="", help="The address of the picture that others see.")
@click.option(
    "--department",
    "departments",
    metavar="KEY[:PRIORITY]",
    callback=with_priorities,
    multiple=True,
    help="Where a waiter is a member, or a visitor waits. Repeatable.",
)
@click.option(
    "--priority",
    type=click.IntRange(0, MOST_PRIORITY),
    default=0,
    help="A visitor's own, or that of a waiter's departments without one.",
)
@click.option("--count", type=click.IntRange(1), help="Make many, for SUB-0, SUB-1, …")
@click.option(
    "--lifetime",
    type=click.IntRange(1, MAX_LIFETIME),
    help="Seconds; CSAPP_TOKEN_LIFETIME if absent.",
)
def token(
    role: str, subject: str, name: str, avatar: str, departments: tuple[Named, ...],
    priority: int, count: int | None, lifetime: int | None,
) -> None:  # fmt: skip
    """Print one token a line."""
    if name_text(name) != name:
        raise click.ClickException(f"name: at most {MAX_NAME} characters, and no NUL")
    if avatar_text(avatar) != avatar:
        raise click.ClickException(f"avatar: {AVATARS}")
    tokens = current_app.extensions["csapp"].server.tokens
    subjects = [subject] if count is None else [f"{subject}-{number}" for number in range(count)]
    placed: Any = {"departments": [one.entry for one in departments], "priority": priority}
    for one in subjects:
        try:
            identity = Identity(one, name, TokenRole(role), avatar=avatar, **placed)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        click.echo(tokens.sign(identity, lifetime))
