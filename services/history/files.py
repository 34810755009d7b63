"""The rows of files that participants send into conversations; `services/files/` has the content.

Rules of this file:

1. A row comes before any content, and goes after all of it: first it is marked `removed`, then
   the content is deleted, then the row. So content without a row is nobody's.
2. `removed` is set by one statement that looks once more at why. After it `name` and `keep` find
   no such file, so no message names what is about to go.
3. What no message names goes an hour after its last change. A file may have been named for a
   message that was never stored, because a process died between the two: once that is an hour
   ago, the message is looked up, and the file goes as well where there is none.

Everything here blocks and is called from native threads only.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..conversation.kinds import Side
from . import tables
from .slices import BATCH, reading, writing
from .sql import SQLStore

HOUR = 3_600_000  # ms: how long a file stays that no message names

_file, _message = tables.file.c, tables.message.c


class FileRow(NamedTuple):
    """One file."""

    id: str
    chat: int
    #: `Side`
    side: int
    #: a subject
    author: str
    #: what the author's client calls the upload
    upload: str | None
    name: str
    #: bytes: of the upload while it comes, then of the content
    size: int
    #: bytes of the upload that have come
    received: int = 0
    mime: str = ""
    width: int | None = None
    height: int | None = None
    thumb: bool = False
    #: ms since 1970
    created: int = 0
    changed: int = 0
    #: whole, judged, and its content is stored
    kept: bool = False
    #: ms since 1970: when a message was about to name it
    named: int | None = None
    #: its content is to be deleted
    removed: bool = False


class FileTables:
    """The files in *store*. All methods raise `StoreError` while it is down."""

    def __init__(self, store: SQLStore) -> None:
        self._store = store

    # ---- reading -------------------------------------------------------

    def find(self, file: str) -> FileRow | None:
        """The file with this id; None: there is none, or it is about to go."""
        return self._one(_file.id == file)

    def find_upload(self, side: int, author: str, upload: str) -> FileRow | None:
        """What *author* sends or has sent under this name; None: nothing."""
        return self._one(_file.side == side, _file.author == author, _file.upload == upload)

    def of_conversation(self, chat: int) -> list[FileRow]:
        """The files that messages of a conversation name, in the order in which they came."""
        query = _ROWS.where(_file.chat == chat, _file.kept, _file.named.is_not(None))
        return self._some(query.order_by(_file.created, _file.id))

    def unnamed(self, side: int, author: str) -> tuple[int, int]:
        """Of what *author* sends or has sent and nothing names: uploads under way, and bytes."""
        size = sa.func.coalesce(sa.func.sum(_file.size), 0)
        coming = sa.func.coalesce(sa.func.sum(sa.case((_file.kept, 0), else_=1)), 0)
        query = sa.select(coming, size).where(
            _file.side == side, _file.author == author, _file.named.is_(None), ~_file.removed
        )
        with reading(self._store) as connection:
            row = connection.execute(query).one()
        return int(row[0]), int(row[1])

    def unnamed_bytes(self, side: int, author: str) -> int:
        """Bytes of uploads and files of *author* that nothing names yet."""
        return self.unnamed(side, author)[1]

    def _one(self, *which: sa.ColumnElement[bool]) -> FileRow | None:
        found = self._some(_ROWS.where(*which))
        return found[0] if found else None

    def _some(self, query: sa.Select[Any]) -> list[FileRow]:
        with reading(self._store) as connection:
            return [FileRow(*row) for row in connection.execute(query.where(~_file.removed))]

    # ---- an upload -----------------------------------------------------

    def begin(self, row: FileRow) -> FileRow:
        """Store *row*; where its author has an upload of this name already, return that one."""
        with writing(self._store) as connection:
            dialect = sqlite if self._store.name == "sqlite" else postgresql
            insert = dialect.insert(tables.file).values(row._asdict()).on_conflict_do_nothing()
            if connection.scalar(insert.returning(_file.id)) is not None:
                return row
            is_same = _file.side == row.side, _file.author == row.author
            query = _ROWS.where(*is_same, _file.upload == row.upload)
            return FileRow(*connection.execute(query).one())

    def advance(self, file: str, before: int, after: int, now: int) -> bool:
        """So much has come, where it was *before* until now; False: it was not."""
        was = _file.received == before, ~_file.kept
        return self._set(file, *was, received=after, changed=now, durable=False)

    def keep(  # all that is known of it by now
        self, file: str, *, name: str, size: int, mime: str, width: int | None,
        height: int | None, thumb: bool, now: int,
    ) -> bool:  # fmt: skip
        """It is whole, and its content is stored. False: it is gone, or was kept already."""
        return self._set(
            file, ~_file.kept, kept=True, name=name, size=size, mime=mime, width=width,
            height=height, thumb=thumb, changed=now,
        )  # fmt: skip

    def name(self, file: str, chat: int, side: int, author: str, now: int) -> FileRow | None:
        """A message of *author* is about to name it; None: it has no such file there."""
        here = _file.chat == chat, _file.side == side, _file.author == author
        return self.find(file) if self._set(file, _file.kept, *here, named=now) else None

    def forget(self, file: str) -> None:
        """Mark what was cancelled or refused, and no message names."""
        self._set(file, _file.named.is_(None), **_REMOVED)

    def drop(self, files: Collection[str]) -> None:
        """Delete rows that are marked: their content is gone."""
        with writing(self._store) as connection:
            gone = _file.id.in_(files), _file.removed
            connection.execute(sa.delete(tables.file).where(*gone))

    def _set(
        self, file: str, *where: sa.ColumnElement[bool], durable: bool = True, **values: Any
    ) -> bool:
        change = sa.update(tables.file).where(_file.id == file, ~_file.removed, *where)
        with writing(self._store, durable=durable) as connection:
            return bool(connection.execute(change.values(values)).rowcount)

    # ---- the folder or bucket that they are in ---------------------------

    def place(self) -> str | None:
        """The mark of the place that the content of files is in; None: nobody has said it yet."""
        return self._said(PLACE)

    def claim_place(self, mark: str) -> str:
        """It is this one, unless another was faster: returns which one it is."""
        return self._say_once(PLACE, mark)

    def known_owner(self) -> str | None:
        """What marks of places call this database; None: nothing yet."""
        return self._said(OWNER)

    def owner(self) -> str:
        """What marks of places call this database, from now on."""
        return self.known_owner() or self._say_once(OWNER, secrets.token_urlsafe(12))

    def _said(self, name: str) -> str | None:
        with reading(self._store) as connection:
            return connection.scalar(_value(name))

    def _say_once(self, name: str, value: str) -> str:
        with writing(self._store) as connection:
            dialect = sqlite if self._store.name == "sqlite" else postgresql
            insert = dialect.insert(tables.meta).values(name=name, value=value)
            connection.execute(insert.on_conflict_do_nothing())
            return str(connection.scalar(_value(name)))

    # ---- sweeping ------------------------------------------------------

    def marked(self, limit: int = BATCH) -> list[str]:
        """Some of those that are marked: their content is to be deleted, then `drop`."""
        query = (
            sa.select(_file.id)
            .where(~_file.settled, _file.removed)
            .order_by(_file.changed)
            .limit(limit)
        )
        with reading(self._store) as connection:
            return list(connection.scalars(query))

    def mark_unnamed(self, before: int) -> int:
        """Mark what no message names and nothing has changed since *before*; returns how many."""
        which = ~_file.settled, _file.named.is_(None), _file.changed < before
        return self._mark(*which)

    def settle(self, before: int) -> int:
        """Look for the messages that were about to name files *before*; mark those without one.

        Returns how many. A file whose message is found is never looked at again.
        """
        which = ~_file.settled, _file.named < before, ~_file.removed
        query = sa.select(_file.id, _file.chat, _file.named).where(*which).limit(BATCH)
        marked = 0
        while True:
            with reading(self._store) as connection:
                rows = connection.execute(query).all()
            if not rows:
                return marked
            for file, chat, named in rows:
                is_named = sa.exists().where(
                    _message.chat == chat, _message.data.contains(f'"{file}"', autoescape=True)
                )
                as_seen = _file.id == file, _file.named == named
                with writing(self._store) as connection:
                    there = bool(connection.scalar(sa.select(is_named)))
                    values = {"settled": True} if there else _REMOVED
                    change = sa.update(tables.file).where(*as_seen).values(values)
                    connection.execute(change)
                marked += not there

    def _mark(self, *which: sa.ColumnElement[bool]) -> int:
        with writing(self._store) as connection:
            return mark(connection, *which)

    def without_row(self, files: Sequence[str], *, coming: bool = False) -> set[str]:
        """Which of *files* have no row; *coming*: none that says that they still come."""
        query = sa.select(_file.id).where(_file.id.in_(files))
        if coming:
            query = query.where(~_file.kept)
        with reading(self._store) as connection:
            return set(files).difference(connection.scalars(query))


#: the rows of `csapp_meta`
PLACE, OWNER = "files_folder", "files_owner"


def _value(name: str) -> sa.Select[str]:
    return sa.select(tables.meta.c.value).where(tables.meta.c.name == name)


_ROWS = sa.select(*(_file[name] for name in FileRow._fields))

#: what a row says of people goes at once: the row itself may have to wait for the content. The
#: author may use the name of the upload again
_REMOVED: dict[str, Any] = {
    "removed": True, "settled": False, "upload": None, "name": "", "author": "",
}  # fmt: skip


def mark(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
    """Mark files in the transaction of *connection*; returns how many."""
    change = sa.update(tables.file).where(~_file.removed, *which).values(_REMOVED)
    return connection.execute(change).rowcount


def forget_conversations(connection: sa.Connection, keys: Collection[int]) -> int:
    """Mark the files of conversations in the transaction that deletes those; returns how many."""
    return mark(connection, _file.chat.in_(keys))


def forget_author(store: SQLStore, subject: str, pseudonym: str) -> None:
    """Replace the author of files in conversations of others. Raises `StoreError`."""
    for side in Side:
        theirs = _file.side == side, _file.author == subject
        with reading(store) as connection:
            there = connection.scalar(sa.select(sa.exists().where(*theirs)))
        if there:
            with writing(store) as connection:
                change = sa.update(tables.file).where(*theirs)
                connection.execute(change.values(author=pseudonym, upload=None))
