"""`flask … chat search`: messages that hold all of some words."""

from __future__ import annotations

import sys

import click

from services.conversation.rows import public_id
from services.history import search
from services.wire.dates import rfc3339

from .database import one_line, open_store_of_app, somebody
from .group import chat


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
