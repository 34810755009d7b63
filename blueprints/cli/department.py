"""`flask … chat department …`: the departments of the site, and the waiters who are members."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import click
from flask.cli import AppGroup

from services.departments import Departments
from services.history.departments import (
    AS_THE_SITE,
    LONGEST_ANSWER,
    LONGEST_OVERFLOW,
    MOST_QUEUE,
    NO_OVERFLOW,
    Change,
    DepartmentRow,
    DepartmentTables,
    Membership,
    Overflow,
)
from services.opening_hours import CLOSED, Hours, written_dates, written_week
from services.security_log import Event, security
from services.threads import ThreadRuntime

from .database import KNOWN, extension_with_store
from .group import chat, operator
from .priorities import Named, shown_key, with_priorities
from .tabular import tabular

departments = AppGroup("department", help="The departments of the site, and who serves in them.")
chat.add_command(departments)

HEAD = ("KEY", "NAMES", "STATE", "MEMBERS", "OVERFLOW", "QUEUE", "ANSWER", "NOW", "HOURS")

NO_DATABASE = "there are no departments without a database: set CSAPP_DATABASE_URL"


def _tables() -> DepartmentTables:
    """The departments that the settings name. Raises `StoreError`."""
    return DepartmentTables(extension_with_store(NO_DATABASE).store())


def _names(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Callback of `--name`: pairs of a language tag and a name."""
    pairs = [value.partition("=") for value in values]
    if not all(equals for _, equals, _ in pairs):
        raise click.BadParameter("a language and a name are needed, such as de=Verkauf")
    return tuple((tag.strip(), name) for tag, _, name in pairs)


def _overflow(_: click.Context, __: click.Parameter, value: str | None) -> Overflow | None:
    """Callback of `--overflow`."""
    if not value:
        return None if value is None else NO_OVERFLOW
    key, colon, seconds = value.rpartition(":")
    if not (colon and seconds.isascii() and seconds.isdecimal()):
        raise click.BadParameter("a department and seconds are needed, such as support:60")
    return Overflow("" if key == "''" else key, min(int(seconds), LONGEST_OVERFLOW + 1))


def _answer(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Callback of `--answer-within`."""
    if not value:
        return None if value is None else AS_THE_SITE
    if not (value.isascii() and value.isdecimal()):
        raise click.BadParameter("seconds are needed, such as 60")
    return min(int(value), LONGEST_ANSWER + 1)


def _dates(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Callback of `--date`: pairs of a date and its hours."""
    pairs = [value.partition("=") for value in values]
    if not all(equals for _, equals, _ in pairs):
        raise click.BadParameter("a date and its hours are needed, such as 2026-12-25=closed")
    return tuple((day.strip(), text) for day, _, text in pairs)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed((
        click.option(
            "--name", "names", metavar="LANG=TEXT", multiple=True, callback=_names,
            help="Its name in a language, which visitors see; LANG= for none. Repeatable.",
        ),
        click.option(
            "--max-queue", type=click.IntRange(0, MOST_QUEUE),
            help="Visitors who may wait in it; 0: only the bound of the whole site counts.",
        ),
        click.option(
            "--overflow", metavar="KEY:SECONDS", callback=_overflow,
            help="Where visitors go on waiting who have waited so long; '' for nowhere.",
        ),
        click.option(
            "--answer-within", metavar="SECONDS", callback=_answer,
            help="In which a waiter has to write something; 0 for never, '' for as on the site.",
        ),
        click.option(
            "--hours", metavar="TEXT",
            help="When it is open: 'mo-fr 9:00-17:30; sa 10:00-14:00'; '' for always.",
        ),
        click.option(
            "--zone", metavar="ZONE", help="The time zone of its hours, such as Europe/Berlin."
        ),
        click.option(
            "--date", "dates", metavar="DATE=HOURS", multiple=True, callback=_dates,
            help="A date that differs: 2026-12-25=closed, 2026-12-24=9:00-12:00. Repeatable.",
        ),
        click.option(
            "--member", "members", metavar="SUBJECT[:PRIORITY]", multiple=True,
            callback=with_priorities,
            help="A waiter of it: an account's name, or a user id. Repeatable.",
        ),
    )):  # fmt: skip
        command = option(command)
    return command


@departments.command()
@click.argument("key")
@_options
def add(
    key: str, members: tuple[Named, ...], **said: Any
) -> None:  # fmt: skip
    """Make the department KEY."""
    change = _change(members, said)
    tables = _tables()
    made = tables.add(key, change)
    _log(key, "added")
    _log_members(key, change)
    _show(tables, made)


@departments.command("set")
@click.argument("key")
@_options
@click.option("--no-date", "no_dates", metavar="DATE", multiple=True,
              help="A date that differs no more. Repeatable.")  # fmt: skip
@click.option("--no-member", "no_members", metavar="SUBJECT", multiple=True,
              help="A waiter who is a member no more. Repeatable.")  # fmt: skip
@click.option("--enable/--disable", "enabled", default=None,
              help="Let visitors ask for it, or not.")  # fmt: skip
def set_(
    key: str, members: tuple[Named, ...], **said: Any
) -> None:  # fmt: skip
    """Change the department KEY; '' is that of visitors who ask for none."""
    change = _change(members, said)
    if change == Change():
        raise click.UsageError("say what is to be different: an option is needed")
    tables = _tables()
    changed = tables.change(key, change)
    _log(key, "changed")
    _log_members(key, change)
    _show(tables, changed)


@departments.command("list")
def list_() -> None:
    """Show all departments."""
    tables = _tables()
    found = tables.read()
    rows, memberships = found.departments, found.memberships
    if not rows and not memberships:
        click.echo("There are no departments yet: chat department add KEY makes one.")
        return
    if not rows or rows[0].key:
        rows = (DepartmentRow(""), *rows)
    known, now = Departments(tables, ThreadRuntime(), time.time), time.time()
    known.read()
    shown: list[tuple[str, ...]] = [HEAD]
    for one in rows:
        *cells, hours = _row(one, memberships)
        shown.append((*cells, _shown_now(known, one, now), hours))
    click.echo(tabular(shown))


@departments.command()
@click.argument("key")
def remove(key: str) -> None:
    """Remove the department KEY, and all memberships of it."""
    _tables().remove(key)
    _log(key, "removed")
    click.echo(f"{key} is removed. Visitors of it wait with those who ask for none. {KNOWN}")


def _change(members: Iterable[Named], said: Mapping[str, Any]) -> Change:
    """What the options say; each but these is named as its field."""
    pairs = {name: dict(said[name]) for name in ("names", "dates")}
    return Change(members=_priorities(members), **{**said, **pairs})


def _priorities(members: Iterable[Named]) -> dict[str, int]:
    return {one.name: one.priority or 0 for one in members}


def _log(key: str, what: str, waiter: str = "") -> None:
    reason = f"{shown_key(key)} {what}"
    security.record(Event.DEPARTMENT_CHANGED, subject=waiter, by=operator(), reason=reason)


def _log_members(key: str, change: Change) -> None:
    for waiter in change.members:
        _log(key, "has a member", waiter)
    for waiter in change.no_members:
        _log(key, "has a member no more", waiter)


def _row(row: DepartmentRow, memberships: Collection[Membership]) -> tuple[str, ...]:
    names = " ".join(f"{tag}={name}" for tag, name in row.names.items())
    members = [one for one in memberships if one.department == row.key]
    overflow = "" if row.overflow.to is None else _shown_overflow(row.overflow)
    return (
        shown_key(row.key), names, "enabled" if row.enabled else "disabled",
        " ".join(f"{one.waiter}:{one.priority}" for one in members), overflow,
        str(row.max_queue or ""), "" if row.answer_within is None else str(row.answer_within),
        _shown_hours(row.hours),
    )  # fmt: skip


def _shown_now(known: Departments, row: DepartmentRow, now: float) -> str:
    """Whether visitors who ask for it are let in *now*, and until when that stays so.

    Also where they are let in because it passes them on at once.
    """
    state = "open" if known.opening(row.key).is_open else "closed"
    until = known.next_change(row.key, now)
    if until is None:
        return state
    wall = known.wall(row.key, until)
    return f"{state} until {wall}{'' if wall.zone else ' UTC'}"


def _shown_answer(seconds: str) -> str:
    if not seconds:
        return ""
    return "no time for answers" if seconds == "0" else f"answers within {seconds} s"


def _shown_hours(hours: Hours) -> str:
    """Empty: open at all times."""
    if hours.is_always:
        return ""
    week = written_week(hours) or "always"
    dates = [f"{day} {text}" for day, text in written_dates(hours).items()]
    return f"{'; '.join([week, *dates])} ({hours.zone})"


def _shown_overflow(overflow: Overflow) -> str:
    return f"{shown_key(overflow.to or '')}:{overflow.after}"


def _show(tables: DepartmentTables, row: DepartmentRow) -> None:
    """Say in a line what a department is now."""
    key, names, state, members, overflow, bound, answer, hours = _row(
        row, tables.read().memberships
    )
    said = [
        state,
        f"names {names}" if names else "no names",
        f"members {members}" if members else "no members",
        f"overflow to {overflow}" if overflow else "",
        f"at most {bound} wait" if bound else "",
        _shown_answer(answer),
        hours if hours.startswith(CLOSED) else f"open {hours}" if hours else "",
    ]
    click.echo(f"{key}: {'; '.join(filter(None, said))}. {KNOWN}")
