"""The revisions of the tables, with Alembic: which one a database has, and the newest."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from .port import Outdated, StoreError

#: the revision that databases are brought to
_TARGET = "head"


def upgrade(connection: sa.Connection) -> None:
    """Bring the tables to the newest revision. Raises `StoreError` where they are newer."""
    _known(_revision(connection))
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, _TARGET)


def check(connection: sa.Connection) -> None:
    """Raise `StoreError` where the tables are newer than this csapp, `Outdated` where older."""
    found = _revision(connection)
    _known(found)
    newest = _scripts().get_current_head()
    if found != newest:
        raise Outdated(
            f"the database's schema is {found or 'empty'}, this csapp needs {newest}: "
            "run 'flask --app csapp chat migrate'"
        )


def _known(revision: str | None) -> None:
    if revision is None:
        return
    if revision not in {one.revision for one in _scripts().walk_revisions()}:
        raise StoreError(
            f"the database's schema is {revision}, which is newer than this csapp: "
            "upgrade csapp, or give it another database"
        )


def _alembic() -> Config:
    config = Config()
    # `%` begins a reference to another option
    location = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", location)
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic())


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
