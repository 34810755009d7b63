"""`flask … chat report`: what became of the visitors who asked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from services.history.export import cell
from services.history.report import MOST_DAYS, By, Line, Report, Span, span
from services.history.report import report as reported

from .database import one_line, open_store_of_app
from .group import chat
from .tabular import tabular

#: the durations of a row, and their heads in a table
SPANS = {"waited": "WAITED", "answer": "ANSWER", "lasted": "LASTED"}
COUNTS = {
    "asked": "ASKED", "served": "SERVED", "abandoned": "ABANDONED", "offline": "OFFLINE",
    "full": "FULL", "messages": "MESSAGES",
}  # fmt: skip


def _date(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    """Callback of `--from` and `--to`."""
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("a date is needed, such as 2026-05-31") from None


def _zone(_: click.Context, __: click.Parameter, value: str) -> ZoneInfo:
    """Callback of `--zone`."""
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # there is none; or it can be no name of a file
        raise click.BadParameter("a time zone is needed, such as Europe/Berlin") from None


@chat.command()
@click.option("--from", "first", metavar="DATE", callback=_date, help="The first day.")
@click.option("--to", "last", metavar="DATE", callback=_date, help="The last day.")
@click.option(
    "--by", type=click.Choice([one.value for one in By]), default=By.DAY.value, show_default=True,
    help="What each row is about; hours are those of the day, over all days.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table",
    show_default=True,
)  # fmt: skip
@click.option(
    "--zone", metavar="ZONE", default="UTC", show_default=True, callback=_zone,
    help="The time zone of the days and hours, such as Europe/Berlin.",
)  # fmt: skip
def report(first: date | None, last: date | None, by: str, form: str, zone: ZoneInfo) -> None:
    """Say how many visitors asked, were served, and how long that took; of today by default."""
    today = datetime.now(zone).date()
    last = last or (today if first is None else max(first, today))
    first = first or last
    if not 0 <= (last - first).days < MOST_DAYS:
        raise click.UsageError(f"--from is to be before --to, by at most {MOST_DAYS} days")
    with open_store_of_app() as store:
        try:
            found = reported(store, first, last, By(by), zone)
        except OverflowError:  # of the first or last year that there is
            raise click.UsageError("there is nothing in such a year") from None
    days = str(first) if first == last else f"{first} to {last}"
    click.echo(_FORMATS[form](found, By(by), f"{days}, {zone.key}"), nl=form != "csv")


def _table(found: Report, by: By, days: str) -> str:
    head = [by.upper(), *COUNTS.values()]
    for name in SPANS.values():
        head += [name, "95 %"]
    rows = [_cells(one_line(name) or "''", line) for name, line in found.lines.items()]
    if len(rows) != 1 or by is By.WAITER:
        rows.append(_cells("all", found.total))
    return f"{days}\n\n{tabular([head, *rows])}"


def _cells(name: str, line: Line) -> list[str]:
    cells = [name, *(str(getattr(line, count)) for count in COUNTS)]
    for found in _spans(line).values():
        cells += [_shown(seconds) for seconds in found]
    return cells


def _shown(seconds: float | None) -> str:
    """Such as 8 s, 3:05 or 1:03:05."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _csv(found: Report, by: By, _: str) -> str:
    text = io.StringIO()
    fields = [by, *COUNTS, *(f"{name}_{part}" for name in SPANS for part in ("median", "p95"))]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for name, line in found.lines.items():
        writer.writerow({by: cell(name), **_values(line)})
    return text.getvalue()


def _json(found: Report, by: By, days: str) -> str:
    rows = [{by: name, **_values(line)} for name, line in found.lines.items()]
    return json.dumps(
        {"days": days, "rows": rows, "all": _values(found.total)}, ensure_ascii=False, indent=2
    )


def _values(line: Line) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(line, name) for name in COUNTS}
    for name, found in _spans(line).items():
        values |= {f"{name}_median": found.median, f"{name}_p95": found.most}
    return values


def _spans(line: Line) -> dict[str, Span]:
    return {name: span(getattr(line, name)) for name in SPANS}


_FORMATS: dict[str, Callable[[Report, By, str], str]] = {
    "table": _table, "csv": _csv, "json": _json,
}  # fmt: skip
