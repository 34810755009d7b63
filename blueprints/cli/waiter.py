"""`flask … chat waiter …`: the accounts of waiters who sign in with a name and a password."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from services.history.accounts import Account, AccountError, Accounts
from services.security_log import Event, security

from ..password_hashing import HASHING
from .database import CLOSED, extension_with_store
from .group import chat, operator

waiters = AppGroup("waiter", help="The waiters who sign in with a name and a password.")
chat.add_command(waiters)


def _accounts() -> Accounts:
    """The accounts that the settings name. Raises `StoreError`."""
    extension = extension_with_store()
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
    here = _accounts()
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
    account = _accounts().show(name, display_name=display_name, avatar=avatar)
    _changed(account, "shown otherwise")
    picture = account.avatar or "no picture"
    click.echo(f"{account.name} is {account.display_name} to visitors, with {picture}.")


@waiters.command("list")
def list_() -> None:
    """Show all accounts."""
    found = _accounts().all()
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
    account = _accounts().disable(name)
    _changed(account, "disabled")
    click.echo(f"{account.name} is disabled. {CLOSED}")


@waiters.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME sign in again."""
    account = _accounts().enable(name)
    _changed(account, "enabled")
    click.echo(f"{account.name} may sign in.")


@waiters.command()
@click.argument("name")
@_password_options
def password(name: str, from_stdin: bool, generate: bool) -> None:
    """Give NAME another password, which is asked for, and sign it out everywhere."""
    here = _accounts()
    if here.get(name) is None:  # before the password is asked for
        raise AccountError(f"name: there is no account {name}")
    chosen = _password(from_stdin, generate)
    account = here.set_password(name, chosen)
    _changed(account, "password")
    click.echo(f"{account.name} has another password. {CLOSED}")
    if generate:
        click.echo(f"Password: {chosen}")
