"""`flask … chat sweep`: conversations that ended long ago are deleted."""

from __future__ import annotations

import click
from flask import current_app

from services.history import care, cleaning
from services.security_log import Event, security

from .database import (
    VACUUM,
    now,
    open_store_of_app,
    remove_files,
    remove_traces_in_redis,
    rows_of,
    say_what_is_left,
    settings_of,
)
from .group import chat, operator


@chat.command()
@click.option(
    "--older-than",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="CSAPP_RETENTION_DAYS if absent.",
)
@VACUUM
def sweep(older_than: int | None, vacuum: bool | None) -> None:
    """Delete conversations that ended long ago."""
    if older_than is None:
        older_than = settings_of(current_app).retention_days or None
        if older_than is None and not vacuum:
            raise click.ClickException(
                "CSAPP_RETENTION_DAYS is 0 (keep for ever); say --older-than DAYS, or --vacuum to "
                "delete nothing and to write anew what is there"
            )
    with open_store_of_app() as store:
        if older_than is None:
            gone = care.Removed(left=cleaning.clean(store, vacuum=vacuum))
        else:
            gone = care.sweep(store, older_than * care.DAY, now(), vacuum=vacuum)
        left = remove_files(store, settings_of(current_app))
    if older_than is not None:
        security.record(
            Event.ERASURE,
            by=operator(),
            reason=f"older than {older_than} days",
            count=gone.chats,
            entries=gone.messages,
        )
    click.echo(f"Deleted {rows_of(gone)}.")
    say_what_is_left((*gone.left, *left))
    if gone.anything or vacuum:
        remove_traces_in_redis(settings_of(current_app), "")
