"""`flask … chat erase`: forget a person, in the database, in Redis, and in running servers."""

from __future__ import annotations

import time

import click
from flask import current_app

from services.history import care, cleaning
from services.history.sql import SQLStore
from services.security_log import Event, security
from services.settings import Settings
from services.words import counted

from .database import (
    VACUUM,
    one_line,
    open_store_of_app,
    remove_files,
    remove_traces_in_redis,
    rows_of,
    say_what_is_left,
    settings_of,
    somebody,
)
from .group import chat, operator

SEEN = 5.0  # s until every server has closed the connections of a revoked subject
SLACK = 10.0  # s after the grace period in which a server may still write of the person
LOOK = 0.25  # s between two looks

#: how often rows are erased again that a server has written meanwhile
ATTEMPTS = 3


@chat.command()
@click.option(
    "--person",
    metavar="SUBJECT",
    required=True,
    callback=somebody,
    help="A visitor's or waiter's id.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@VACUUM
def erase(person: str, yes: bool, vacuum: bool | None) -> None:
    """Forget a person, for good."""
    settings = settings_of(current_app)
    with open_store_of_app() as store:
        if not yes:
            click.confirm(f"Erase {one_line(person)}? It cannot be undone", abort=True)
        signed_out = _end_logins(store, settings, person)
        erased = care.erase(store, person, vacuum=vacuum)
        if signed_out:
            erased.revocations -= 1  # the one that `_end_logins` wrote
        again = erased
        for _ in range(ATTEMPTS):  # a server may have written once more meanwhile
            if not again.anything:
                break
            again = care.erase(store, person, vacuum=vacuum)
        left = remove_files(store, settings)
        if not erased.anything:  # an earlier erasure may have left something
            erased.left = cleaning.clean(store, vacuum=vacuum)
    if not erased.anything:
        say_what_is_left((*erased.left, *left))
        remove_traces_in_redis(settings, person)
        raise click.ClickException(
            f"there is nobody called {one_line(person)}. If somebody was, until an erasure, then "
            "nothing is left but what is named above."
        )
    # Without the subject: it would be a trace of the person who is erased.
    security.record(Event.ERASURE, by=operator(), count=erased.chats, entries=erased.messages)
    click.echo(
        f"Erased {rows_of(erased)}.\n"
        f"Replaced the name in {counted(erased.renamed_chats, 'conversation')} and "
        f"{counted(erased.renamed_texts, 'text')} of others.\n"
        f"Replaced the id in {counted(erased.visits, 'visit')}.\n"
        f"Removed {counted(erased.accounts, 'row')} of duty, account and membership."
    )
    say_what_is_left((*erased.left, *left))
    remove_traces_in_redis(settings, person)
    if erased.open_conversations and signed_out:
        click.echo(
            f"{counted(erased.open_conversations, 'conversation was', 'conversations were')} "
            "open: a running server may write what it says again. Erase once more when nothing of "
            "it is open.",
            err=True,
        )
    click.echo("Backups that were made before still hold it.", err=True)


def _end_logins(store: SQLStore, settings: Settings, person: str) -> bool:
    """Revoke the tokens of *person*, and wait until no running server writes of it any more.

    False: there is no running server.
    """
    if not _is_served(store, settings):
        return False
    store.revoke(subject=person, now=int(time.time() * 1000))
    most = settings.grace + SLACK
    click.echo(f"Running servers let go of {one_line(person)}: {most:.0f} s at most …", err=True)
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < most:
        if waited >= SEEN and not care.is_engaged(store, person):
            break
        time.sleep(LOOK)
    return True


def _is_served(store: SQLStore, settings: Settings) -> bool:
    if not settings.redis_url:
        return store.is_served()
    from services.desk.traces import has_workers

    return has_workers(settings.redis_url)
