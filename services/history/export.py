"""What was said, for people and their programs: JSON, CSV and a page to read.

Each form is an iterator of pieces of text, so that a million messages pass
through a few kilobytes. What people wrote is data in all of them: no cell is a
formula, no text is markup, no control character reaches a terminal. JSON loses
nothing; the other two show control characters as pictures and every end of a
line as LF. Times are RFC 3339, UTC, with milliseconds.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..conversation.kinds import Side, kind_of
from ..conversation.rows import ConversationRow, EntryRow, StaffRow, public_id
from ..prechat import filled_in
from ..wire.dates import rfc3339
from . import care
from .sql import SQLStore

SIDES: dict[int, str] = {Side.USER: "user", Side.WAITER: "waiter", Side.SERVER: "server"}


class Export(NamedTuple):
    """What to export."""

    #: what it is, for whoever reads it
    title: str
    #: ms
    made: int
    chats: Iterable[ConversationRow]


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PICTURES = {code: 0x2400 + code for code in range(32) if code not in b"\t\n"}
_PICTURES |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def visible(text: str) -> str:
    """*text* with control characters as pictures (␛), but tabs and ends of lines as they are."""
    if not _CONTROL.search(text):  # most are plain, and translating is slow
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_PICTURES)


# ---- JSON ------------------------------------------------------------------

#: what json leaves as it is, and a terminal, an editor or a script may not
_SPECIAL = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def as_json(store: SQLStore, export: Export) -> Iterator[str]:
    """One document: `exported`, `title` and `conversations`, each with `messages` and `notes`."""
    yield f'{{"exported": {_json(rfc3339(export.made))}, "title": {_json(export.title)},\n'
    yield '"conversations": ['
    for number, row in enumerate(export.chats):
        yield ",\n" if number else "\n"
        yield _json(_about(row))[:-1] + ',\n "messages": ['
        yield from _list(_said(entry) for entry in care.entries_of(store, row.key))
        yield '],\n "notes": ['
        yield from _list(_noted(one) for one in care.staff_entries_of(store, row.key))
        yield "]}"
    yield "\n]}\n"


def _list(values: Iterable[dict[str, Any]]) -> Iterator[str]:
    for number, value in enumerate(values):
        yield (",\n  " if number else "\n  ") + _json(value)


def _about(row: ConversationRow) -> dict[str, Any]:
    user = {
        "uuid": row.user, "subject": row.user_subject, "name": row.user_name,
        "avatar": row.user_avatar,
    }  # fmt: skip
    waiter = {
        "uuid": row.waiter, "subject": row.waiter_subject, "name": row.waiter_name,
        "avatar": row.waiter_avatar,
    }  # fmt: skip
    return {
        "id": public_id(row.key),
        "opened": rfc3339(row.opened),
        "ended": None if row.ended is None else rfc3339(row.ended),
        "reason": row.reason,
        "waited": row.waited / 1000,
        "department": row.department,
        "page": row.page,
        "fields": filled_in(row.fields),
        "user": user | {"read": row.user_read},
        "waiter": waiter | {"read": row.waiter_read},
    }


def _said(entry: EntryRow) -> dict[str, Any]:
    return {"seq": entry.seq, "from": _side(entry.side), **_content(entry)}


def _noted(entry: StaffRow) -> dict[str, Any]:
    return {"n": entry.n, "after": entry.after, **_content(entry)}


def _content(entry: EntryRow | StaffRow) -> dict[str, Any]:
    kind, data = kind_of(entry.kind), entry.data
    more = {} if data is None else {"payload": kind.payload_of(entry.body, data)}
    return {
        "date": rfc3339(entry.date),
        "author": entry.author,
        "id": entry.client_id,
        "type": kind.name,
        "text": entry.body,
        **more,
    }


def _filled(row: ConversationRow) -> str:
    """What the visitor has filled in, for people."""
    values = filled_in(row.fields).items()
    return "; ".join(f"{name}: {'yes' if value is True else value}" for name, value in values)


def _side(side: int) -> str:
    return SIDES.get(side, str(side))


def _words(entry: EntryRow | StaffRow) -> str:
    """What an entry says, for people."""
    return kind_of(entry.kind).as_text(entry.body, entry.data)


# ---- CSV -------------------------------------------------------------------

COLUMNS = (
    "conversation", "opened", "ended", "department", "page", "user_subject", "user_name",
    "waiter_subject", "waiter_name", "what", "seq", "date", "from", "author", "text", "fields",
)  # fmt: skip

#: a spreadsheet takes a cell for a formula by its first character, blanks before it or not,
#: and in some countries' versions by the wide form of it
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")


def cell(value: object) -> object:
    """*value* so that no spreadsheet takes it for a formula: a text gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    return ("'" if _FORMULA.match(value) else "") + visible(value)


def as_csv(store: SQLStore, export: Export) -> Iterator[str]:
    """A row for each message and note, with its conversation's columns repeated (RFC 4180)."""
    yield "\ufeff" + _row(COLUMNS)  # by the mark a spreadsheet knows that it is UTF-8
    for row in export.chats:
        about = (
            public_id(row.key), rfc3339(row.opened),
            "" if row.ended is None else rfc3339(row.ended),
            row.department, row.page, row.user_subject, row.user_name,
            row.waiter_subject or "", row.waiter_name,
        )  # fmt: skip
        fields = _filled(row)
        silent = True
        for m in care.entries_of(store, row.key):
            silent = False
            kind = kind_of(m.kind).name
            said = (kind, m.seq, rfc3339(m.date), _side(m.side), m.author, _words(m))
            yield _row((*about, *said, fields))
        for one in care.staff_entries_of(store, row.key):
            silent = False
            kind = kind_of(one.kind).name
            yield _row(
                (*about, kind, "", rfc3339(one.date), "waiter", one.author, _words(one), fields)
            )
        if silent:
            yield _row((*about, "", "", "", "", "", "", fields))


def _row(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([cell(one) for one in cells])
    return line.getvalue()


# ---- HTML ------------------------------------------------------------------

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" \
content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --page: #f6f6f3; --ink: #1d1f21; --soft: #5f656b;
  --line: #d9dad5; --user: #ffffff; --waiter: #e3eefb; --note: #fdf3d0; }}
@media (prefers-color-scheme: dark) {{ :root {{ --page: #16181b; --ink: #e6e7e9; --soft: #a0a6ad;
  --line: #33373c; --user: #22262b; --waiter: #1d3350; --note: #3d351c; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem 4rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }}
h1 {{ margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }}
h2 {{ margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }}
.soft, dt, time {{ color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }}
section {{ margin-top: 2.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem;
  margin: .6rem 0 1.2rem; }}
dd {{ margin: 0; font-size: .92rem; overflow-wrap: anywhere; }}
article {{ width: fit-content; max-width: 85%; margin: .7rem 0; padding: .55rem .85rem .6rem;
  border: 1px solid var(--line); border-radius: .8rem; background: var(--user); }}
article.waiter {{ margin-left: auto; background: var(--waiter); }}
article.note {{ max-width: none; width: auto; background: var(--note); }}
article header {{ display: flex; flex-wrap: wrap; gap: 0 .8rem; align-items: baseline;
  justify-content: space-between; }}
article b {{ font-size: .85rem; font-weight: 600; overflow-wrap: anywhere; }}
article p {{ margin: .15rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
@media print {{ body {{ max-width: none; padding: 0; background: none; }}
  article {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<h1 dir="auto">{title}</h1>
<p class="soft">Exported {made}. All times are UTC.</p>
"""


def as_html(store: SQLStore, export: Export) -> Iterator[str]:
    """One page that needs nothing else and runs nothing."""
    yield _HEAD.format(title=_text(export.title), made=_readable(export.made))
    empty = True
    for row in export.chats:
        empty = False
        yield _section(row)
        names = {Side.USER: row.user_name, Side.WAITER: row.waiter_name}
        for m in care.entries_of(store, row.key):
            # a name is known only of the last waiter
            known = m.side == Side.USER or m.author == row.waiter_subject
            name = names.get(Side(m.side), "") if m.side in SIDES and known else ""
            yield _article(_side(m.side), name or m.author, m.date, _words(m))
        for one in care.staff_entries_of(store, row.key):
            kind = kind_of(one.kind).name
            yield _article(kind, f"{kind.capitalize()} by {one.author}", one.date, _words(one))
        yield "</section>\n"
    if empty:
        yield "<p>There is nothing.</p>\n"
    yield "</body>\n</html>\n"


def _section(row: ConversationRow) -> str:
    rows = [
        ("Visitor", _person(row.user_name, row.user_subject)),
        ("Waiter", _person(row.waiter_name, row.waiter_subject or "")),
        ("Began", _time(row.opened)),
        ("Ended", "open" if row.ended is None else _time(row.ended)),
        ("Department", _bdi(row.department)),
        ("Page", _bdi(row.page)),
        ("Filled in", _bdi(_filled(row))),
    ]
    shown = "".join(f"<dt>{name}</dt><dd>{value}</dd>\n" for name, value in rows if value)
    return f"<section>\n<h2>Conversation {public_id(row.key)}</h2>\n<dl>\n{shown}</dl>\n"


def _article(kind: str, name: str, date: int, text: str) -> str:
    return (
        f'<article class="{html.escape(kind)}"><header><b dir="auto">{_text(name)}</b> '
        f'{_time(date)}</header><p dir="auto">{_text(text)}</p></article>\n'
    )


def _person(name: str, subject: str) -> str:
    if not name or name == subject:
        return _bdi(subject)
    return f'{_bdi(name)} <span class="soft">{_bdi(subject)}</span>'


def _bdi(text: str) -> str:
    return f"<bdi>{_text(text)}</bdi>" if text else ""


def _text(text: str) -> str:
    return html.escape(visible(text))


def _time(ms: int) -> str:
    return f'<time datetime="{rfc3339(ms)}">{_readable(ms)}</time>'


def _readable(ms: int) -> str:
    return re.sub(r"\.\d+Z$", "", rfc3339(ms)).replace("T", " ")


FORMATS: dict[str, Callable[[SQLStore, Export], Iterator[str]]] = {
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}
