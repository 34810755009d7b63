"""`flask … chat backup FILE`: a copy of the embedded database, taken while a server uses it."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path

import click
from flask import current_app

from services.file_places import shown
from services.files.backup import Copied, copy_folder
from services.files.choose import content_store
from services.files.folder import FolderStore
from services.history.backup import Copied as CopiedRows
from services.history.backup import back_up, dump_command, files_in, files_of
from services.history.sql import SQLStore
from services.history.sqlite import SQLiteStore
from services.security_log import Event, security
from services.words import counted

from .database import open_store_of_app, settings_of
from .group import chat, operator
from .new_file import STDOUT, NewFile, new_file, refuse_database, refuse_target

UNITS = ("bytes", "KB", "MB", "GB", "TB")


@chat.command()
@click.argument("file", type=NewFile())
@click.option("--force", is_flag=True, help="Overwrite the file.")
def backup(file: Path, force: bool) -> None:
    """Copy the embedded database into FILE, beside a running server.

    Files that people have sent are copied into the folder FILE.files.
    """
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
        contents = content_store(settings_of(current_app))
        beside = file.with_name(f"{file.name}.files")
        if isinstance(contents, FolderStore) and os.path.isdir(beside) and not force:
            raise click.ClickException(f"{beside} exists; --force overwrites it")
        security.record(Event.EXPORT, by=operator(), reason="a backup of all conversations")
        with new_file(file, force=force) as draft:
            copied = back_up(sqlite, draft, _show if sys.stderr.isatty() else _ignore)
            with_files = None
            if isinstance(contents, FolderStore):
                with_files = _copy_files(contents, draft, beside)
    click.echo(_in_words(file, copied))
    if with_files is not None:
        click.echo(_files_in_words(beside, with_files))
    elif contents is not None and not isinstance(contents, FolderStore):
        where = shown(settings_of(current_app).files_url)
        click.echo(f"Files are in a bucket, and not in this copy: {where}", err=True)


def _copy_files(folder: FolderStore, database: Path, beside: Path) -> Copied | None:
    """Let *beside* hold the files that *database*, a copy, names; None: it names none."""
    files = list(files_in(database))
    draft = beside.with_name(f".{beside.name[:40]}.{secrets.token_hex(4)}")
    try:
        copied = copy_folder(folder, files, draft) if files else None
        if os.path.isdir(beside):  # with --force
            shutil.rmtree(beside)
        if copied is not None:
            draft.rename(beside)
    except OSError as error:
        raise click.ClickException(f"{beside}: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return copied


def _files_in_words(beside: Path, copied: Copied) -> str:
    gone = f"; {counted(copied.missing, 'file')} could not be found" if copied.missing else ""
    return f"{beside}: {_readable(copied.size)}, {counted(copied.files, 'file')}{gone}."


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


def _in_words(file: Path, copied: CopiedRows) -> str:
    return (
        f"{file}: {_readable(copied.size)}, {counted(copied.chats, 'conversation')}, "
        f"{counted(copied.messages, 'message')}; the copy is whole."
    )


def _readable(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {UNITS[unit]}"
