"""What the commands that open the database share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

import click
from flask import Flask, current_app

from services.files.choose import content_store
from services.files.port import FilesUnavailable
from services.files.uploads import Files
from services.history import care, export
from services.history.files import FileTables
from services.history.opening import own_store
from services.history.port import StoreError
from services.history.sql import SQLStore
from services.identity import Identity
from services.settings import Settings
from services.words import counted

from ..extension import Extension
from ..sign_in import NO_DATABASE

#: what a command says after it has ended logins
CLOSED = "Live connections are closed within 5 s."

#: what a command says after it has changed departments
KNOWN = "Servers know it within 5 s."

#: characters that turn the direction of writing → U+FFFD
_UNWRITTEN = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)


def extension_with_store(why: str = NO_DATABASE) -> Extension:
    """The chat of the current application. Raises `ClickException` (*why*) without a database."""
    extension: Extension = current_app.extensions["csapp"]
    if not extension.has_store:
        raise click.ClickException(why)
    return extension


def settings_of(app: Flask) -> Settings:
    """The settings of the chat in *app*."""
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


def now() -> int:
    """ms since 1970."""
    return time.time_ns() // 1_000_000


def one_line(text: str) -> str:
    """*text* for a terminal, without characters that move the cursor or turn the direction."""
    return " ".join(export.visible(text).split()).translate(_UNWRITTEN)


def somebody(_: click.Context, __: click.Parameter, subject: str | None) -> str | None:
    """Callback of an option that names a participant. Raises `BadParameter` for no possible id.

    An empty subject is refused, too: in the tables it stands for all waiters.
    """
    try:
        return subject if subject is None else Identity(subject).subject
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


#: an option of commands that delete
VACUUM = click.option(
    "--vacuum/--no-vacuum",
    default=None,
    help="Write files anew, or not; only where it takes two seconds at most if absent.",
)


def rows_of(gone: care.Removed) -> str:
    """How many rows were deleted, in words."""
    return (
        f"{counted(gone.chats, 'conversation')}, {counted(gone.messages, 'entry', 'entries')}, "
        f"{counted(gone.notes, 'note')}"
    )


def files_of_site(store: SQLStore, settings: Settings) -> Files | None:
    """The files of the site; None: their content is nowhere."""
    contents = content_store(settings)
    if contents is None:
        return None
    return Files(FileTables(store), contents, settings, now)


def remove_files(store: SQLStore, settings: Settings) -> tuple[str, ...]:
    """Delete the content of files whose conversations are gone; what is left of them, in words."""
    if not FileTables(store).marked(1):
        return ()
    files = files_of_site(store, settings)
    if files is None:
        return (
            "Files of what was deleted are where CSAPP_FILES_URL led before it was 'off': let it "
            "lead there, and run this again.",
        )
    try:
        removed = files.remove_marked()
    except FilesUnavailable as error:
        return (
            f"Files of what was deleted could not be deleted: {error}. Servers try it again every "
            "ten minutes.",
        )
    click.echo(f"Deleted {counted(removed, 'file')}.")
    return ()


def say_what_is_left(left: Iterable[str]) -> None:
    """Print what a deletion could not reach, and what helps."""
    for sentence in left:
        click.echo(sentence, err=True)


def remove_traces_in_redis(settings: Settings, subject: str) -> None:
    """Remove the traces of *subject* from Redis, if there is one. Print what is left."""
    if settings.redis_url:
        from services.desk.traces import remove_traces  # redis is not loaded for one worker

        say_what_is_left(remove_traces(settings.redis_url, subject))
