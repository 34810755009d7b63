"""`flask … chat waiter …`, `chat revoke` and `chat migrate`."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import AppGroup

from services.history.accounts import Account, AccountError, Accounts
from services.identity import MAX_SUBJECT
from services.security_log import Event, security
from services.settings import MAX_LIFETIME

from .commands import chat, operator
from .extension import Extension
from .hashing import HASHING
from .login import NO_DATABASE

__all__ = ["accounts", "chat"]

CLOSED = "Live connections are closed within 5 s."

waiters = AppGroup("waiter", help="The waiters who sign in with a name and a password.")
chat.add_command(waiters)


def _extension() -> Extension:
    extension: Extension = current_app.extensions["csapp"]
    if not extension.has_store:
        raise click.ClickException(NO_DATABASE)
    return extension


def accounts() -> Accounts:
    """The accounts that the settings name. Raises `StoreError`."""
    extension = _extension()
    return Accounts(extension.store(), HASHING, public=extension.public_passwords)


def _password_options(command: Callable[..., None]) -> Callable[..., None]:
    from_stdin = click.option(
        "--password-stdin", "from_stdin", is_flag=True, help="Take the first line of the input."
    )
    generate = click.option("--generate", is_flag=True, help="Make one, and print it once.")
    return from_stdin(generate(command))


def _password(from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise click.UsageError("--password-stdin or --generate, not both")
    if generate:
        return secrets.token_urlsafe(12)
    if from_stdin:
        line: str = sys.stdin.readline()
        return line.rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def _changed(account: Account, what: str) -> None:
    security.record(Event.ACCOUNT_CHANGED, subject=account.name, by=operator(), reason=what)


_AVATAR = "The address of the picture that visitors see."


@waiters.command()
@click.argument("name")
@click.option("--display-name", default="", help="The name that visitors see; NAME if absent.")
@click.option("--avatar", default="", help=_AVATAR)
@_password_options
def add(name: str, display_name: str, avatar: str, from_stdin: bool, generate: bool) -> None:
    """Let NAME sign in with a password, which is asked for."""
    here = accounts()
    password = _password(from_stdin, generate)
    made = here.add(name, password, display_name, avatar)
    _changed(made, "added")
    click.echo(f"{made.name} may sign in, and is {made.display_name} to visitors.")
    if generate:
        click.echo(f"Password: {password}")


@waiters.command("set")
@click.argument("name")
@click.option("--display-name", help="The name that visitors see.")
@click.option("--avatar", help=f"{_AVATAR} '' for none.")
def set_(name: str, display_name: str | None, avatar: str | None) -> None:
    """Show NAME otherwise to visitors, from its next login or token on."""
    if display_name is None and avatar is None:
        raise click.UsageError("--display-name or --avatar is needed")
    account = accounts().show(name, display_name=display_name, avatar=avatar)
    _changed(account, "shown otherwise")
    picture = account.avatar or "no picture"
    click.echo(f"{account.name} is {account.display_name} to visitors, with {picture}.")


@waiters.command("list")
def list_() -> None:
    """Show all accounts."""
    found = accounts().all()
    if not found:
        click.echo("There are no accounts yet: chat waiter add NAME makes one.")
        return
    head = ("NAME", "DISPLAY NAME", "DISABLED", "CREATED")
    table = [head, *map(_row, found)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def _row(account: Account) -> tuple[str, str, str, str]:
    created = datetime.fromtimestamp(account.created / 1000, UTC)
    disabled = "yes" if account.disabled else "no"
    return account.name, account.display_name, disabled, f"{created:%Y-%m-%d %H:%M}Z"


@waiters.command()
@click.argument("name")
def disable(name: str) -> None:
    """Let NAME in no more, and sign it out everywhere."""
    account = accounts().disable(name)
    _changed(account, "disabled")
    click.echo(f"{account.name} is disabled. {CLOSED}")


@waiters.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME sign in again."""
    account = accounts().enable(name)
    _changed(account, "enabled")
    click.echo(f"{account.name} may sign in.")


@waiters.command()
@click.argument("name")
@_password_options
def password(name: str, from_stdin: bool, generate: bool) -> None:
    """Give NAME another password, which is asked for, and sign it out everywhere."""
    here = accounts()
    if here.get(name) is None:  # before anybody thinks of a password
        raise AccountError(f"name: there is no account {name}")
    chosen = _password(from_stdin, generate)
    account = here.set_password(name, chosen)
    _changed(account, "password")
    click.echo(f"{account.name} has another password. {CLOSED}")
    if generate:
        click.echo(f"Password: {chosen}")


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
    store = _extension().store()
    if sid:  # its token may have the longest lifetime there is
        store.revoke(sid=sid, now=now + MAX_LIFETIME * 1000)
    else:
        store.revoke(subject=who, now=now)
    security.record(
        Event.REVOKED, subject=subject or "", by=operator(), reason="one login" if sid else ""
    )
    click.echo(f"{'The login' if sid else 'Every token of'} {who} is revoked. {CLOSED}")


@chat.command()
@click.option(
    "--into-schema",
    is_flag=True,
    help="PostgreSQL: first move older tables into CSAPP_DATABASE_SCHEMA. Stop all servers before.",
)
def migrate(into_schema: bool) -> None:
    """Bring the database's tables up to date."""
    store = _extension().open_store()
    if into_schema:
        moved = store.move()
        click.echo("The tables are moved." if moved else "The tables are there already.")
    store.migrate()
    click.echo(f"The {store.name} database is up to date.")
