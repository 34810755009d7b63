"""`flask … chat migrate`: the tables of the database are brought up to date."""

from __future__ import annotations

import click

from .database import extension_with_store
from .group import chat


@chat.command()
@click.option(
    "--into-schema",
    is_flag=True,
    help="PostgreSQL: first move older tables into CSAPP_DATABASE_SCHEMA. Stop all servers before.",
)
def migrate(into_schema: bool) -> None:
    """Bring the database's tables up to date."""
    store = extension_with_store().open_store()
    if into_schema:
        moved = store.move()
        click.echo("The tables are moved." if moved else "The tables are there already.")
    store.migrate()
    click.echo(f"The {store.name} database is up to date.")
