"""`flask … chat words …`: what the site says to visitors by itself."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from services.history.words import LONGEST_WAIT, Occasion, WordsRow, WordsTable
from services.security_log import Event, security
from services.words import counted

from .database import KNOWN, extension_with_store, one_line, settings_of
from .group import chat, operator
from .priorities import shown_key
from .tabular import tabular

words = AppGroup("words", help="What the site says to visitors by itself.")
chat.add_command(words)

NO_DATABASE = "there are no words without a database: set CSAPP_DATABASE_URL"

_WHAT = click.argument("what", type=click.Choice([one.value for one in Occasion]))
_DEPARTMENT = click.option(
    "--department", metavar="KEY", default="", help="Of which department; the whole site without."
)


def _table() -> WordsTable:
    """The texts that the settings name. Raises `StoreError`."""
    return WordsTable(extension_with_store(NO_DATABASE).store())


@words.command("set")
@_WHAT
@click.argument("text")
@click.option("--language", metavar="LANG", required=True, help="Its language, such as de.")
@_DEPARTMENT
@click.option(
    "--after", type=click.IntRange(1, LONGEST_WAIT), metavar="SECONDS",
    help="Of looking: how long visitors have waited. Default: 60.",
)  # fmt: skip
def set_(what: str, text: str, language: str, department: str, after: int | None) -> None:
    """Say TEXT to visitors by itself.

    WHAT: greeting (who has asked), looking (who waits) or first (whose waiter has come).
    """
    if after is not None and what != Occasion.LOOKING:
        raise click.UsageError("--after is of looking only")
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    row = WordsRow(department, what, language, text, after or 0)
    made = _table().set(row, settings_of(app).max_text)
    _log(department, f"{what} set")
    click.echo(f"{_shown(made)}\n{KNOWN}")


@words.command("list")
def list_() -> None:
    """Show all texts."""
    rows = _table().all()
    if not rows:
        click.echo("The site says nothing by itself yet: chat words set greeting TEXT.")
        return
    head = ("DEPARTMENT", "WHAT", "LANGUAGE", "AFTER", "TEXT")
    shown = [
        (shown_key(one.department), one.what, one.language, str(one.after or ""),
         one_line(one.text))
        for one in rows
    ]  # fmt: skip
    click.echo(tabular([head, *shown]))


@words.command()
@_WHAT
@click.option("--language", metavar="LANG", default="", help="Only in this language.")
@_DEPARTMENT
def remove(what: str, language: str, department: str) -> None:
    """Say WHAT no more."""
    gone = _table().remove(department, Occasion(what), language)
    _log(department, f"{what} removed")
    click.echo(f"{counted(gone, 'text is', 'texts are')} removed. {KNOWN}")


def _log(department: str, what: str) -> None:
    reason = f"{shown_key(department)} {what}"
    security.record(Event.DEPARTMENT_CHANGED, by=operator(), reason=reason)


def _shown(row: WordsRow) -> str:
    after = f" after {row.after} s" if row.after else ""
    return f"{shown_key(row.department)} {row.what} in {row.language}{after}: {one_line(row.text)}"
