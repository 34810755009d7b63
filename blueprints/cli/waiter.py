"""`flask … chat waiter …`: the accounts of waiters who sign in with a name and a password."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from services.history.accounts import Account, AccountError, Accounts
from services.history.departments import DepartmentTables, Membership
from services.history.sql import SQLStore
from services.security_log import Event, security

from ..password_hashing import HASHING
from .database import CLOSED, KNOWN, extension_with_store
from .group import chat, operator
from .priorities import Named, shown_key, with_priorities
from .tabular import tabular

waiters = AppGroup("waiter", help="The waiters who sign in with a name and a password.")
chat.add_command(waiters)


def _accounts() -> Accounts:
    """The accounts that the settings name. Raises `StoreError`."""
    return _accounts_in(extension_with_store().store())


def _accounts_in(store: SQLStore) -> Accounts:
    return Accounts(store, HASHING, public=extension_with_store().public_passwords)


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


_DEPARTMENT = click.option(
    "--department",
    "departments",
    metavar="KEY[:PRIORITY]",
    multiple=True,
    callback=with_priorities,
    help="Where NAME is a member; '' is where visitors wait who ask for none. Repeatable.",
)


@waiters.command()
@click.argument("name")
@click.option("--display-name", default="", help="The name that visitors see; NAME if absent.")
@click.option("--avatar", default="", help=_AVATAR)
@_DEPARTMENT
@_password_options
def add(
    name: str, display_name: str, avatar: str, departments: tuple[Named, ...], from_stdin: bool,
    generate: bool,
) -> None:  # fmt: skip
    """Let NAME sign in with a password, which is asked for."""
    store = extension_with_store().store()
    here, tables = _accounts_in(store), DepartmentTables(store)
    tables.check([one.name for one in departments])  # before the password is asked for
    password = _password(from_stdin, generate)
    made = here.add(name, password, display_name, avatar)
    _changed(made, "added")
    click.echo(f"{made.name} may sign in, and is {made.display_name} to visitors.")
    if departments:
        _assign(tables, made, departments)
    if generate:
        click.echo(f"Password: {password}")


@waiters.command("set")
@click.argument("name")
@click.option("--display-name", help="The name that visitors see.")
@click.option("--avatar", help=f"{_AVATAR} '' for none.")
@_DEPARTMENT
def set_(
    name: str, display_name: str | None, avatar: str | None, departments: tuple[Named, ...]
) -> None:
    """Show NAME otherwise to visitors, from its next login or token on; or move it.

    With --department NAME is a member of these departments, and of no others any more.
    """
    is_shown = display_name is not None or avatar is not None
    if not is_shown and not departments:
        raise click.UsageError("--department, --display-name or --avatar is needed")
    store = extension_with_store().store()
    tables = DepartmentTables(store)
    tables.check([one.name for one in departments])  # before anything is changed
    here = _accounts_in(store)
    if is_shown:
        account = here.show(name, display_name=display_name, avatar=avatar)
        _changed(account, "shown otherwise")
        picture = account.avatar or "no picture"
        click.echo(f"{account.name} is {account.display_name} to visitors, with {picture}.")
    else:
        account = _known(here, name)
    if departments:
        _assign(tables, account, departments)


def _known(accounts: Accounts, name: str) -> Account:
    """The account of *name*. Raises `AccountError`: there is none."""
    account = accounts.get(name)
    if account is None:
        raise AccountError(f"name: there is no account {name}")
    return account


def _assign(tables: DepartmentTables, account: Account, departments: Iterable[Named]) -> None:
    """Let the waiter of *account* be a member of *departments* only, and say so."""
    priorities = {one.name: one.priority or 0 for one in departments}
    if priorities == {"": 0}:
        priorities = {}  # it is where everybody belongs who is a member of none
    tables.assign(account.name, priorities)
    _changed(account, "departments")
    if priorities:
        joined = ", ".join(_shown(Membership(account.name, *one)) for one in priorities.items())
        click.echo(f"{account.name} is a member of {joined}. {KNOWN}")
    else:
        where = "answers visitors who ask for none"
        click.echo(f"{account.name} is a member of no department, and {where}. {KNOWN}")


def _shown(one: Membership) -> str:
    return f"{shown_key(one.department)}:{one.priority}"


@waiters.command("list")
def list_() -> None:
    """Show all accounts."""
    store = extension_with_store().store()
    found = _accounts_in(store).all()
    if not found:
        click.echo("There are no accounts yet: chat waiter add NAME makes one.")
        return
    places: dict[str, list[str]] = {}
    for one in DepartmentTables(store).read().memberships:
        places.setdefault(one.waiter, []).append(_shown(one))
    table = [("NAME", "DISPLAY NAME", "DISABLED", "CREATED"), *map(_row, found)]
    if places:  # a site without departments sees nothing of them
        belongs = ["DEPARTMENTS", *(" ".join(places.get(one.name, ())) for one in found)]
        table = [(*row, last) for row, last in zip(table, belongs, strict=True)]
    click.echo(tabular(table))


def _row(account: Account) -> tuple[str, ...]:
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
    _known(here, name)  # before the password is asked for
    chosen = _password(from_stdin, generate)
    account = here.set_password(name, chosen)
    _changed(account, "password")
    click.echo(f"{account.name} has another password. {CLOSED}")
    if generate:
        click.echo(f"Password: {chosen}")
