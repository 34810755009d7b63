"""`flask … chat export`: a conversation, or all of a person's, as JSON, a table or a page."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from flask import current_app

from services.conversation.rows import ConversationRow, key_of
from services.files.backup import add_to_archive
from services.files.port import FilesUnavailable
from services.history import care, export
from services.history.backup import files_of
from services.history.sql import SQLStore
from services.history.sqlite import SQLiteStore
from services.security_log import Event, security
from services.words import counted

from .database import files_of_site, now, one_line, open_store_of_app, settings_of, somebody
from .group import chat, operator
from .new_file import STDOUT, NewFile, new_file, refuse_database, refuse_target

#: characters that go to the disk or the terminal at once
PIECE = 65_536


@chat.command("export")
@click.option("--conversation", metavar="ID", help="A conversation, by its id.")
@click.option(
    "--person",
    metavar="SUBJECT",
    callback=somebody,
    help="All conversations of a visitor or waiter.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(export.FORMATS)),
    default="json",
    show_default=True,
    help="JSON with everything, a table, or a page to read.",
)
@click.option("--output", type=NewFile(), help="A file; - is stdout, as without it.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("--files", "with_files", is_flag=True, help="A ZIP with the files that were sent.")
def export_(  # its options
    conversation: str | None,
    person: str | None,
    form: str,
    output: Path | None,
    force: bool,
    with_files: bool,
) -> None:
    """Write out a conversation, or all of a person's."""
    if (conversation is None) == (person is None):
        raise click.UsageError("say either --conversation or --person")
    if output == STDOUT:
        output = None
    if with_files and output is None:
        raise click.UsageError("--files makes a ZIP: say --output FILE.zip")
    if output is not None:
        refuse_target(output, force)
    with open_store_of_app() as store:
        if output is not None and isinstance(store, SQLiteStore):
            refuse_database(output, files_of(store))
        if conversation is not None:
            chats = care.find_conversation(store, _key(conversation))
            title = f"Conversation {conversation}"
        else:
            chats = care.conversations_of(store, person or "")
            title = f"Conversations of {person}"
        first = next(chats, None)
        if first is None:
            raise click.ClickException(
                f"there is no conversation {one_line(conversation)}"
                if conversation is not None
                else f"nobody called {one_line(person or '')} has a conversation"
            )
        keys: list[int] = []
        what = export.Export(title, now(), _noting(keys, _after(first, chats)))
        security.record(
            Event.EXPORT,
            subject=person or "",
            by=operator(),
            reason=f"conversation {conversation}" if conversation is not None else "",
        )
        pieces = export.FORMATS[form](store, what)
        if output is None:
            _write_out(pieces)
        elif with_files:
            _write_archive(output, f"conversations.{form}", pieces, keys, store, force)
        else:
            _write_file(output, pieces, force)


def _key(conversation: str) -> int:
    key = key_of(conversation)
    if key is None:
        raise click.ClickException(f"{one_line(conversation)}: no conversation has such an id")
    return key


def _after(first: ConversationRow, rest: Iterator[ConversationRow]) -> Iterator[ConversationRow]:
    yield first
    yield from rest


def _write(write: Callable[[bytes], Any], pieces: Iterable[str]) -> None:
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            write("".join(waiting).encode())
            waiting, size = [], 0
    write("".join(waiting).encode())


def _write_out(pieces: Iterable[str]) -> None:
    try:
        _write(sys.stdout.buffer.write, pieces)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # the reader has closed the pipe: click ends without a message
    except OSError as error:
        raise click.ClickException(f"standard output: {error.strerror}") from None


def _write_file(path: Path, pieces: Iterable[str], force: bool) -> None:
    with new_file(path, force=force) as draft, draft.open("wb") as file:
        _write(file.write, pieces)


def _noting(keys: list[int], chats: Iterator[ConversationRow]) -> Iterator[ConversationRow]:
    """*chats*, whose keys are in *keys* when they have been gone through."""
    for row in chats:
        keys.append(row.key)
        yield row


def _write_archive(  # what is written, and what is in it
    path: Path, name: str, pieces: Iterable[str], keys: list[int], store: SQLStore, force: bool
) -> None:
    """A ZIP of the export and the files of its conversations, which are known behind it."""
    files = files_of_site(store, settings_of(current_app))
    if files is None:
        raise click.ClickException("there are no files: CSAPP_FILES_URL is 'off'")
    missing = 0
    with (
        new_file(path, force=force) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        with archive.open(name, "w", force_zip64=True) as entry:
            _write(entry.write, pieces)
        for key in keys:
            try:
                missing += add_to_archive(archive, files, key)[1]
            except FilesUnavailable as error:
                raise click.ClickException(str(error)) from None
    if missing:
        click.echo(f"{counted(missing, 'file')} could not be found.", err=True)
