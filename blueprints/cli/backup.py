"""`flask … chat backup FILE`: a copy of the embedded database, taken while a server uses it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from services.history.backup import Copied, back_up, dump_command, files_of
from services.history.sql import SQLStore
from services.history.sqlite import SQLiteStore
from services.security_log import Event, security
from services.words import counted

from .database import open_store_of_app
from .group import chat, operator
from .new_file import STDOUT, NewFile, new_file, refuse_database, refuse_target

UNITS = ("bytes", "KB", "MB", "GB", "TB")


@chat.command()
@click.argument("file", type=NewFile())
@click.option("--force", is_flag=True, help="Overwrite the file.")
def backup(file: Path, force: bool) -> None:
    """Copy the embedded database into FILE, beside a running server."""
    if file == STDOUT:
        raise click.BadParameter(
            "a backup is made in a file, not on standard output: name one, or ./- for one of "
            "this name",
            param_hint="FILE",
        )
    with open_store_of_app() as store:
        sqlite = _only_sqlite(store, file)
        refuse_target(file, force)
        refuse_database(file, files_of(sqlite))
        security.record(Event.EXPORT, by=operator(), reason="a backup of all conversations")
        with new_file(file, force=force) as draft:
            copied = back_up(sqlite, draft, _show if sys.stderr.isatty() else _ignore)
    click.echo(_in_words(file, copied))


def _only_sqlite(store: SQLStore, file: Path) -> SQLiteStore:
    if isinstance(store, SQLiteStore):
        return store
    raise click.ClickException(
        f"a PostgreSQL database is copied by its own tool: {dump_command(store, file)}\n"
        "docs/operations.md says how it is restored."
    )


def _ignore(part: float) -> None:
    pass


def _show(part: float) -> None:
    """Show the progress on the terminal, in one line."""
    click.echo(f"\r{part:4.0%}\x1b[K\r", nl=False, err=True)


def _in_words(file: Path, copied: Copied) -> str:
    return (
        f"{file}: {_readable(copied.size)}, {counted(copied.chats, 'conversation')}, "
        f"{counted(copied.messages, 'message')}; the copy is whole."
    )


def _readable(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {UNITS[unit]}"
