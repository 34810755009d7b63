"""The store that an application's settings name."""

from __future__ import annotations

from pathlib import Path

from ..instance import ignore_in_git
from ..settings import Settings
from .owner import Owner
from .sql import SQLStore, open_store


def own_store(settings: Settings) -> SQLStore:
    """The application's store. Nothing is opened yet. Raises `StoreError`."""
    owner = Owner(settings.audience, str(settings.instance)) if settings.audience else None
    return open_store(
        settings.database_url,
        owner,
        former=settings.former_database_url,
        schema=settings.database_schema,
    )


def prepare(store: SQLStore, settings: Settings) -> None:
    """Make *store* ready for use, and let git ignore its folder where that is ours. Blocks.

    Raises `StoreError`.
    """
    store.prepare()
    file = getattr(store, "path", None)
    if file is not None and Path(file).parent == settings.instance:
        ignore_in_git(settings.instance)
