"""That a folder or bucket of files is that of one database, and that all its workers use this one.

Content without a row is deleted after an hour. So two databases that shared a place would delete
each other's files, and a worker on another machine whose folder is a local one would store files
that the others cannot read. Rules:

1. A database has a name of its own for this, which is random. A place holds a mark, `NAME.PLACE`:
   the name of the database that took it first, and a random name of the place.
2. The mark is made before the database says in which place its files are. From then on only the
   place with that mark is used. So a restored backup finds its files, whose folder brings the
   mark, and a folder that several machines share is one.
3. A place with a mark of another database is used for nothing: nothing is stored, read or deleted.
4. Of two databases that take a place at the same moment at most one gets it: each looks at the
   marks after it has made its own.
"""

from __future__ import annotations

import secrets

from ..history.files import FileTables
from .port import ContentStore, FilesUnavailable


def check_place(contents: ContentStore, tables: FileTables) -> None:
    """Raise `FilesUnavailable` where *contents* is not the place that the database knows.

    Where that knows none, it is this one from now on, unless another database has it. Raises
    `StoreError`.
    """
    known = tables.place()
    if known is None:
        known = tables.claim_place(_marked(contents, tables.owner()))
    if known not in contents.marks():
        raise FilesUnavailable(_elsewhere(contents, known))


def _marked(contents: ContentStore, owner: str) -> str:
    """The mark of *owner*, which is made where there is none. Raises `FilesUnavailable`."""
    if not contents.marks():
        contents.mark(f"{owner}.{secrets.token_urlsafe(12)}")
    marks = contents.marks()
    if _has_foreign(marks, owner):
        raise FilesUnavailable(_foreign(contents))
    if not marks:
        raise FilesUnavailable(f"{contents.where} takes no mark: {contents.how_to_unmark()}")
    return marks[0]


def find_fault(contents: ContentStore, tables: FileTables) -> str:
    """What is wrong with *contents*, without changing anything; empty: nothing. Raises as above.

    What is wrong, `: `, and what to do about it.
    """
    known, marks = tables.place(), contents.marks()
    if known is not None:
        return "" if known in marks else _elsewhere(contents, known)
    return _foreign(contents) if _has_foreign(marks, tables.known_owner()) else ""


def _has_foreign(marks: list[str], owner: str | None) -> bool:
    return any(owner is None or not mark.startswith(f"{owner}.") for mark in marks)


def _elsewhere(contents: ContentStore, known: str) -> str:
    """What to do about it, in a sentence or two."""
    what = "is another one than the" if contents.marks() else "is a new one, and not the"
    return (
        f"{contents.where} {what} {contents.name} in which the files of this site are: where "
        "several machines serve it, let CSAPP_FILES_URL of all name one folder that they share, "
        f"or a bucket (s3://…); where the files were moved here, {contents.how_to_mark(known)}"
    )


def _foreign(contents: ContentStore) -> str:
    return (
        f"{contents.where} holds the files of another database: name another folder or bucket in "
        "CSAPP_FILES_URL; where that database is gone and this one is to have the "
        f"{contents.name}, {contents.how_to_unmark()}: an hour later all files go that this one "
        "does not know"
    )
