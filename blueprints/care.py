"""Commands that look after what is kept: `flask … chat export`, `erase`, `search`, `sweep`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app

from services.history import care, cleaning, export, search
from services.history.backup import files_of
from services.history.opening import own_store
from services.history.port import Chat, StoreError, key_of, public_id
from services.history.sql import SQLStore
from services.history.sqlite import SQLiteStore
from services.identity import Identity
from services.security_log import Event, security
from services.settings import Settings
from services.wire.dates import rfc3339
from services.words import counted

from .commands import chat, operator
from .new_file import STDOUT, NewFile, new_file, refuse_database, refuse_target

__all__ = ["chat", "open_store_of_app", "store_of"]

#: characters that go to the disk or the terminal at once
PIECE = 65_536

_UNWRITTEN = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)


def settings_of(app: Flask) -> Settings:
    settings: Settings = app.extensions["csapp"].server.settings
    return settings


def store_of(app: Flask) -> SQLStore:
    """The store that *app* is configured with, checked. Raises `ClickException`."""
    settings = settings_of(app)
    if settings.database_url == "off":
        raise click.ClickException("no history is kept: CSAPP_DATABASE_URL is 'off'")
    store = own_store(settings)
    store.refuse_foreign()
    store.check()
    return store


@contextlib.contextmanager
def open_store_of_app() -> Iterator[SQLStore]:
    """The store of the current application, closed in the end. Raises `ClickException`."""
    store = None
    try:
        store = store_of(current_app._get_current_object())  # type: ignore[attr-defined]
        yield store
    except StoreError as error:
        raise click.ClickException(
            f"the history cannot be used (CSAPP_DATABASE_URL): {error}"
        ) from None
    finally:
        if store is not None:
            store.close()


def _now() -> int:
    return time.time_ns() // 1_000_000


def one_line(text: str) -> str:
    """*text* for a terminal: it moves no cursor and turns no direction."""
    return " ".join(export.visible(text).split()).translate(_UNWRITTEN)


def somebody(_: click.Context, __: click.Parameter, subject: str | None) -> str | None:
    """Callback of an option that names a person: what can be nobody's id is a mistake.

    An empty one stands for all waiters in the tables.
    """
    try:
        return subject if subject is None else Identity(subject).subject
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


#: for commands that delete
VACUUM = click.option(
    "--vacuum/--no-vacuum",
    default=None,
    help="Write files anew, or not; only where it takes two seconds at most if absent.",
)


def rows_of(gone: care.Removed) -> str:
    """How much is gone, in words."""
    return (
        f"{counted(gone.chats, 'conversation')}, {counted(gone.messages, 'message')}, "
        f"{counted(gone.notes, 'note')}"
    )


def say_what_is_left(left: Iterable[str]) -> None:
    """Tell what a deletion could not reach, and what to do about it."""
    for sentence in left:
        click.echo(sentence, err=True)


def remove_traces_in_redis(settings: Settings, subject: str) -> None:
    """Have Redis, where there is one, forget what was said; tell what it could not forget."""
    if settings.redis_url:
        from services.desk.traces import remove_traces  # redis is not loaded for one worker

        say_what_is_left(remove_traces(settings.redis_url, subject))


# ---- export ----------------------------------------------------------------


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
def export_(
    conversation: str | None, person: str | None, form: str, output: Path | None, force: bool
) -> None:
    """Write out a conversation, or all of a person's."""
    if (conversation is None) == (person is None):
        raise click.UsageError("say either --conversation or --person")
    if output == STDOUT:
        output = None
    if output is not None:
        refuse_target(output, force)
    with open_store_of_app() as store:
        if output is not None and isinstance(store, SQLiteStore):
            refuse_database(output, files_of(store))
        if conversation is not None:
            chats = care.find_chat(store, _key(conversation))
            title = f"Conversation {conversation}"
        else:
            chats = care.chats_of_person(store, person or "")
            title = f"Conversations of {person}"
        first = next(chats, None)
        if first is None:
            raise click.ClickException(
                f"there is no conversation {one_line(conversation)}"
                if conversation is not None
                else f"nobody called {one_line(person or '')} has a conversation"
            )
        what = export.Export(title, _now(), _after(first, chats))
        security.record(
            Event.EXPORT,
            subject=person or "",
            by=operator(),
            reason=f"conversation {conversation}" if conversation is not None else "",
        )
        pieces = export.FORMATS[form](store, what)
        if output is None:
            _write_out(pieces)
        else:
            _write_file(output, pieces, force)


def _key(conversation: str) -> int:
    key = key_of(conversation)
    if key is None:
        raise click.ClickException(f"{one_line(conversation)}: no conversation has such an id")
    return key


def _after(first: Chat, rest: Iterator[Chat]) -> Iterator[Chat]:
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
        raise  # whoever read has read enough: click ends without a word
    except OSError as error:
        raise click.ClickException(f"standard output: {error.strerror}") from None


def _write_file(path: Path, pieces: Iterable[str], force: bool) -> None:
    with new_file(path, force=force) as draft, draft.open("wb") as file:
        _write(file.write, pieces)


# ---- search, sweep --------------------------------------------------


@chat.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--served-by", metavar="SUBJECT", callback=somebody, help="Only where this waiter took part."
)
@click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Newest first."
)
def search_(words: tuple[str, ...], served_by: str | None, limit: int) -> None:
    """Find messages that hold all of the words, newest first."""
    with open_store_of_app() as store:
        before = None
        shown = 0
        while True:
            found = search.search(
                store, " ".join(words), served_by=served_by, before=before, limit=limit - shown
            )
            for hit in found.hits:
                click.echo(
                    f"{rfc3339(hit.date)}  {public_id(hit.chat)} {hit.seq}  "
                    f"{one_line(hit.author)}: {one_line(hit.snippet)}"
                )
            shown += len(found.hits)
            before = found.next
            if shown >= limit or before is None:
                break
    if not shown:
        click.echo("Nothing was found.", err=True)
        sys.exit(1)


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
            gone = care.sweep(store, older_than * care.DAY, _now(), vacuum=vacuum)
    if older_than is not None:
        security.record(
            Event.ERASURE, by=operator(), reason=f"older than {older_than} days", count=gone.chats
        )
    click.echo(f"Deleted {rows_of(gone)}.")
    say_what_is_left(gone.left)
    if gone.chats or vacuum:
        remove_traces_in_redis(settings_of(current_app), "")
