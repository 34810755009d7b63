"""`flask … chat revoke`: tokens are worthless before they run out."""

from __future__ import annotations

import time

import click

from services.identity import MAX_SUBJECT
from services.security_log import Event, security
from services.settings import MAX_LIFETIME

from .database import CLOSED, extension_with_store
from .group import chat, operator


@chat.command()
@click.option("--sid", help="One login: the `sid` of its token.")
@click.option("--sub", "subject", help="All that this user id was given until now.")
def revoke(sid: str | None, subject: str | None) -> None:
    """Make tokens worthless before they run out."""
    if (sid is None) == (subject is None):
        raise click.UsageError("one of --sid and --sub is needed")
    who = sid or subject or ""
    if not 0 < len(who) <= MAX_SUBJECT or not who.isprintable():
        raise click.UsageError(f"--sid, --sub: 1 to {MAX_SUBJECT} characters that can be printed")
    now = int(time.time() * 1000)
    store = extension_with_store().store()
    if sid:  # its token may have the longest lifetime there is
        store.revoke(sid=sid, now=now + MAX_LIFETIME * 1000)
    else:
        store.revoke(subject=who, now=now)
    security.record(
        Event.REVOKED, subject=subject or "", by=operator(), reason="one login" if sid else ""
    )
    click.echo(f"{'The login' if sid else 'Every token of'} {who} is revoked. {CLOSED}")
