"""The store that a URL names, and the one that an application's settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..instance import ignore_in_git
from ..settings import Settings
from . import port
from .owner import Owner
from .port import StoreError
from .sql import SQLStore
from .transactions import ANSWER_WAIT, LOCK_WAIT


def own_store(settings: Settings) -> SQLStore:
    """The application's store. Nothing is opened yet. Raises `StoreError`."""
    owner = Owner(settings.audience, str(settings.instance)) if settings.audience else None
    return open_store(
        settings.database_url,
        owner,
        former=settings.former_database_url,
        schema=settings.database_schema,
    )


def open_store(
    url: str,
    owner: Owner | None = None,
    *,
    former: str | None = None,
    schema: str | None = None,
    lock_wait: float = LOCK_WAIT,
    answer_wait: float = ANSWER_WAIT,
) -> SQLStore:
    """The store at *url* (SQLAlchemy's form). Nothing is opened yet. Raises `StoreError`.

    *owner* is the application that it has to belong to, if that matters; *former* where
    version 0.1 had its SQLite file; *schema* that of our tables in PostgreSQL, if it is not
    the usual one.
    """
    try:
        parsed = sa.make_url(url)
        kind = parsed.get_backend_name()
        if kind == "sqlite":
            from .sqlite import SQLiteStore

            old = _file_of(former) if former else None
            here = parsed.set(database=_file_of(url))
            return SQLiteStore(here, owner, former=old, lock_wait=lock_wait)
        if kind == "postgresql":
            from .postgres import SCHEMA, PostgresStore

            return PostgresStore(
                parsed, owner, schema=schema or SCHEMA, lock_wait=lock_wait, answer_wait=answer_wait
            )
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise StoreError(f"not a database URL: {type(error).__name__}") from None
    raise StoreError(f"{kind}: only sqlite and postgresql can keep the history")


def _file_of(url: str) -> str:
    """The file that a SQLite URL names; SQLAlchemy decodes it from version 2.1 on only."""
    return unquote(url.partition("?")[0].partition(":///")[2])


def prepare(store: SQLStore, settings: Settings) -> None:
    """Make *store* ready for use, and let git ignore its folder where that is ours. Blocks.

    Raises `StoreError`.
    """
    store.prepare()
    file = getattr(store, "path", None)
    if file is not None and Path(file).parent == settings.instance:
        ignore_in_git(settings.instance)


_: Callable[[str], port.Store] = open_store
