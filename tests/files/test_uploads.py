"""An upload from its first piece to the file; what becomes of it when somebody gives up."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from services.conversation.kinds import TEXT, Side
from services.conversation.rows import EntryRow, public_id
from services.files.errors import CheckFailed, Moved, Rejected, Unknown
from services.files.folder import FolderStore
from services.files.incoming import Incoming
from services.files.pieces import chain, key_of
from services.files.port import ALWAYS, NoContent
from services.files.uploads import Described, Files
from services.history import care
from services.history.files import FileRow
from services.history.port import Batch
from services.history.sql import SQLStore

from ..history.people import no_pause
from .conftest import Clock

TEXT_FILE = b"Where is my parcel?\n"


def send(files: Files, content: bytes = TEXT_FILE, **about: object) -> FileRow:
    """An upload whose bytes have all come."""
    about = {"chat": 7, "side": Side.USER, "author": "ann", "upload": None, "name": "a.txt"} | about
    row = files.begin(size=len(content), **about)
    return files.add(row, 0, content)


def kept(files: Files, content: bytes = TEXT_FILE, **about: object) -> FileRow:
    row = send(files, content, **about)
    files.finish(row)
    found = files.tables.find(row.id)
    assert found is not None
    return found


def everything(files: Files) -> list[str]:
    return sorted(
        key for one in ("content/", "thumb/", "piece/", "draft/")
        for key in files.contents.older_than(one, ALWAYS)
    )  # fmt: skip


def message(store: SQLStore, row: FileRow, seq: int = 1) -> None:
    """Store a message that names *row*."""
    data = f'{{"file":"{row.id}","size":{row.size}}}'
    entry = EntryRow(row.chat, seq, row.side, row.author, None, TEXT.number, row.name, 1, data)
    store.commit(Batch(entries=[entry]))


# ---- to the end ------------------------------------------------------------


def test_what_was_sent_is_what_is_read(files: Files):
    row = send(files)
    answer = files.finish(row)
    assert answer == Described(row.id, "a.txt", len(TEXT_FILE), "text/plain")
    stored = files.open(files.tables.find(row.id))
    assert (stored.size, stored.mime) == (len(TEXT_FILE), "text/plain")
    assert stored.read(0, 5) + stored.read(5, 1000) == TEXT_FILE
    assert stored.read(len(TEXT_FILE), 5) == b""
    assert everything(files) == [f"content/{row.id}"]
    with pytest.raises(NoContent):
        files.open(files.tables.find(row.id), thumb=True)


def test_a_file_that_is_finished_twice_is_described_again(files: Files):
    row = send(files)
    assert files.finish(row) == files.finish(row)


def test_pieces_are_joined_in_order(files: Files):
    content = b"".join(b"line %d\n" % n for n in range(400_000))
    row = files.begin(7, Side.USER, "ann", "u-1", "long.txt", len(content))
    for start in range(0, len(content), 700_000):
        row = files.add(row, start, content[start : start + 700_000])
    files.finish(row)
    stored = files.open(files.tables.find(row.id))
    assert stored.read(0, stored.size) == content


def test_an_upload_of_the_same_name_goes_on(files: Files):
    first = files.begin(7, Side.USER, "ann", "u-1", "a.txt", 8)
    files.add(first, 0, b"abcd")
    again = files.begin(7, Side.USER, "ann", "u-1", "a.txt", 8)
    assert (again.id, again.received) == (first.id, 4)
    assert files.begin(7, Side.WAITER, "ann", "u-1", "a.txt", 8).id != first.id
    assert files.begin(7, Side.USER, "bob", "u-1", "a.txt", 8).id != first.id
    files.finish(files.add(again, 4, b"efgh"))
    assert files.tables.find_upload(Side.USER, "ann", "u-1").kept


def test_of_two_requests_with_the_same_bytes_one_counts(files: Files):
    row = files.begin(7, Side.USER, "ann", "u-1", "a.txt", 8)
    files.add(row, 0, b"abcd")
    with pytest.raises(Moved) as moved:
        files.add(row, 0, b"abcd")
    assert moved.value.received == 4
    with pytest.raises(Moved):
        files.add(files.tables.find(row.id), 6, b"gh")
    with pytest.raises(Moved):
        files.finish(row)
    row = files.add(files.tables.find(row.id), 4, b"efgh")
    files.finish(row)
    assert files.open(files.tables.find(row.id)).read(0, 99) == b"abcdefgh"


def test_bytes_that_were_stored_and_not_counted_do_no_harm(files: Files, monkeypatch):
    row = files.begin(7, Side.USER, "ann", "u-1", "a.txt", 8)
    with monkeypatch.context() as patch:
        patch.setattr(files.tables, "advance", lambda *_: False)  # the process dies here
        with pytest.raises(Moved):
            files.add(row, 0, b"abc")
    row = files.add(row, 0, b"abcde")
    row = files.add(row, 5, b"fgh")
    files.finish(row)
    assert files.open(files.tables.find(row.id)).read(0, 99) == b"abcdefgh"
    assert everything(files) == [f"content/{row.id}"]


def test_pieces_that_overlap_make_the_whole_in_one_of_the_ways():
    keys = [key_of("x", *one) for one in ((0, 3), (0, 5), (3, 9), (5, 3), (8, 4), (6, 1))]
    assert chain(keys, 12) in (
        [keys[0], keys[2]],
        [keys[1], keys[3], keys[4]],
    )
    assert chain(keys, 11) == []
    assert chain([], 0) == []


def test_many_requests_for_one_upload_end_in_one_file(files: Files):
    content = bytes(range(32, 127)) * 30
    files.begin(7, Side.USER, "ann", "u-1", "a.txt", len(content))
    errors: list[Exception] = []

    def client() -> None:
        try:
            while True:
                row = files.tables.find_upload(Side.USER, "ann", "u-1")
                if row.received == row.size:
                    break
                try:
                    files.add(row, row.received, content[row.received : row.received + 100])
                except Moved:
                    continue
            files.finish(row)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    row = files.tables.find_upload(Side.USER, "ann", "u-1")
    assert files.open(row).read(0, 99_999) == content


# ---- what is not taken -----------------------------------------------------


def test_what_is_too_big_or_empty_is_refused_before_anything_is_sent(files: Files):
    for size, code in ((files.max_file + 1, "too_large"), (0, "type")):
        with pytest.raises(Rejected) as refused:
            files.begin(7, Side.USER, "ann", None, "a.txt", size)
        assert refused.value.code == code


def test_more_bytes_than_announced_are_refused(files: Files):
    row = files.begin(7, Side.USER, "ann", None, "a.txt", 4)
    with pytest.raises(Rejected):
        files.add(row, 0, b"abcde")


def test_a_refused_file_leaves_nothing(files: Files, store: SQLStore):
    row = send(files, b"<!doctype html><script>alert(1)</script>", upload="u-1")
    with pytest.raises(Rejected) as refused:
        files.finish(row)
    assert refused.value.code == "type"
    assert "text/html" in refused.value.message
    assert everything(files) == []
    assert files.tables.find(row.id) is None
    assert files.tables.marked() == []
    assert files.begin(7, Side.USER, "ann", "u-1", "b.txt", 4).id != row.id


def test_the_host_sees_what_would_be_kept_and_refuses_it(files: Files):
    seen: list[tuple[Incoming, bytes, bytes]] = []

    def check(incoming: Incoming) -> str | None:
        with incoming.open() as one, incoming.open() as two:
            seen.append((incoming, one.read(5), two.read()))
        return "not today"

    row = send(files, name="C:\\temp\\run.html")
    with pytest.raises(Rejected) as refused:
        files.finish(row, check)
    assert (refused.value.code, refused.value.message) == ("refused", "not today")
    incoming, start, whole = seen[0]
    assert (start, whole) == (TEXT_FILE[:5], TEXT_FILE)
    assert (incoming.name, incoming.mime, incoming.size) == (
        "run.html.txt", "text/plain", len(TEXT_FILE),
    )  # fmt: skip
    assert (incoming.subject, incoming.role, incoming.conversation) == ("ann", "user", public_id(7))
    assert everything(files) == []


def test_a_check_that_fails_keeps_nothing(files: Files):
    def check(_: Incoming) -> None:
        raise RuntimeError("the scanner is down")

    row = send(files)
    with pytest.raises(CheckFailed):
        files.finish(row, check)
    assert everything(files) == []


def test_a_cancelled_upload_is_gone(files: Files):
    row = files.begin(7, Side.USER, "ann", "u-1", "a.txt", 8)
    row = files.add(row, 0, b"abcd")
    files.cancel(row)
    assert everything(files) == []
    for late in (lambda: files.add(row, 4, b"efgh"), lambda: files.finish(row)):
        with pytest.raises(Unknown):
            late()


def test_a_file_that_a_message_names_is_not_cancelled(files: Files):
    row = kept(files)
    assert files.tables.name(row.id, 7, Side.USER, "ann", 5) is not None
    files.cancel(row)
    assert files.open(files.tables.find(row.id)).read(0, 99) == TEXT_FILE


# ---- whose it is -----------------------------------------------------------


def test_only_its_author_names_a_file_and_only_where_it_was_sent(files: Files):
    row = kept(files)
    name = files.tables.name
    assert name(row.id, 8, Side.USER, "ann", 1) is None
    assert name(row.id, 7, Side.WAITER, "ann", 1) is None
    assert name(row.id, 7, Side.USER, "bob", 1) is None
    assert name("x" * 22, 7, Side.USER, "ann", 1) is None
    assert name(row.id, 7, Side.USER, "ann", 1).named == 1
    assert name(row.id, 7, Side.USER, "ann", 2).named == 2


def test_an_upload_that_is_not_whole_cannot_be_named(files: Files):
    row = send(files)
    assert files.tables.name(row.id, 7, Side.USER, "ann", 1) is None


def test_what_nothing_names_is_counted_by_its_author(files: Files):
    assert files.tables.unnamed(Side.USER, "ann") == (0, 0)
    row = kept(files)
    send(files, name="b.txt")
    assert files.tables.unnamed(Side.USER, "ann") == (1, 2 * len(TEXT_FILE))
    files.tables.name(row.id, 7, Side.USER, "ann", 1)
    assert files.tables.unnamed_bytes(Side.USER, "ann") == len(TEXT_FILE)
    assert files.tables.unnamed_bytes(Side.WAITER, "ann") == 0


def test_files_of_a_conversation_are_those_that_messages_name(files: Files, clock: Clock):
    first = kept(files, name="1.txt")
    clock.ms += 1
    second = kept(files, name="2.txt")
    kept(files, name="3.txt")
    for one in (second, first):
        files.tables.name(one.id, 7, Side.USER, "ann", clock())
    assert [one.name for one in files.tables.of_conversation(7)] == ["1.txt", "2.txt"]
    assert files.tables.of_conversation(8) == []


# ---- sweeping --------------------------------------------------------------


def test_what_no_message_names_goes_after_an_hour(files: Files, clock: Clock):
    half = files.add(files.begin(7, Side.USER, "ann", "u-1", "a.txt", 8), 0, b"abcd")
    whole = kept(files, name="b.txt")
    clock.hours(0.9)
    half = files.add(half, 4, b"e")
    clock.hours(0.2)
    files.sweep(clock())
    assert files.tables.find(whole.id) is None
    assert files.tables.find(half.id) is not None
    assert all(key.startswith(f"piece/{half.id}/") for key in everything(files))
    clock.hours(1)
    files.sweep(clock())
    assert everything(files) == []
    assert files.tables.marked() == []


def test_a_file_whose_message_is_stored_stays(files: Files, store: SQLStore, clock: Clock):
    row = kept(files)
    files.tables.name(row.id, 7, Side.USER, "ann", clock())
    message(store, row)
    for _ in range(3):
        clock.hours(2)
        files.sweep(clock())
    assert files.open(files.tables.find(row.id)).read(0, 99) == TEXT_FILE


def test_a_file_whose_message_was_never_stored_goes(files: Files, store: SQLStore, clock: Clock):
    row, other = kept(files), kept(files, name="b.txt", chat=8)
    files.tables.name(row.id, 7, Side.USER, "ann", clock())
    message(store, row._replace(chat=8))  # of another conversation: not this one's
    message(store, other._replace(chat=8), seq=2)
    files.tables.name(other.id, 8, Side.USER, "ann", clock())
    clock.hours(0.9)
    files.sweep(clock())
    assert files.tables.find(row.id) is not None
    clock.hours(0.2)
    files.sweep(clock())
    assert files.tables.find(row.id) is None
    assert everything(files) == [f"content/{other.id}"]


def test_who_names_a_file_while_it_is_swept_is_told_that_it_is_gone(files: Files, clock: Clock):
    row = kept(files)
    clock.hours(2)
    files.tables.mark_unnamed(clock() - 3_600_000)  # the sweep is in the middle of it
    assert files.tables.name(row.id, 7, Side.USER, "ann", clock()) is None
    files.remove_marked()
    assert everything(files) == []


def test_who_names_a_file_before_it_is_swept_keeps_it(files: Files, clock: Clock):
    row = kept(files)
    clock.hours(2)
    assert files.tables.name(row.id, 7, Side.USER, "ann", clock()) is not None
    files.sweep(clock())
    assert files.tables.find(row.id) is not None


def test_content_without_a_row_goes_after_an_hour(files: Files, clock: Clock):
    import io
    import os

    row = kept(files)
    old = ["content/" + "o" * 22, "thumb/" + "t" * 22, key_of("p" * 22, 0, 4), key_of(row.id, 0, 4)]
    new = ["content/" + "n" * 22]
    for key in (*old, *new):
        files.contents.put(key, io.BytesIO(b"abcd"), 4)
    seconds = clock() / 1000
    for key in (*old, f"content/{row.id}"):
        os.utime(files.contents.path_of(key), (seconds - 7200, seconds - 7200))
    os.utime(files.contents.path_of(new[0]), (seconds, seconds))
    files.sweep(clock() + 1)
    assert everything(files) == sorted([f"content/{row.id}", *new])


# ---- conversations that go ---------------------------------------------------


@pytest.mark.parametrize("how", ["erase", "sweep"])
def test_the_files_of_a_conversation_go_with_it(
    files: Files, store: SQLStore, folder: FolderStore, how: str
):
    from ..history.people import keep

    keep(store, 7, ["hi"], user="ann")
    keep(store, 8, ["hi"], user="bob", ended=1 << 61)
    mine, theirs = kept(files), kept(files, chat=8, author="bob")
    for row in (mine, theirs):
        files.tables.name(row.id, row.chat, row.side, row.author, 1)
    if how == "erase":
        care.erase(store, "ann", pause=no_pause)
    else:
        care.sweep(store, 0, 1 << 60, pause=no_pause)
    assert files.tables.find(mine.id) is None
    assert files.tables.name(mine.id, 7, Side.USER, "ann", 1) is None
    files.remove_marked()
    assert everything(files) == [f"content/{theirs.id}"]


def test_a_file_that_is_finished_while_its_conversation_goes_leaves_nothing(
    files: Files, store: SQLStore, monkeypatch
):
    row = send(files)
    keep = files.tables.keep

    def late(*args: object, **values: object) -> bool:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE file SET removed = true")
        return keep(*args, **values)

    monkeypatch.setattr(files.tables, "keep", late)
    with pytest.raises(Unknown):
        files.finish(row)
    files.remove_marked()
    assert everything(files) == []


def test_the_folder_is_for_its_owner_and_no_repository(files: Files, folder: FolderStore):
    kept(files)
    paths = [folder.root, *folder.root.rglob("*")]
    assert {oct(one.stat().st_mode & 0o077) for one in paths if one.name != ".gitignore"} == {"0o0"}
    assert "*" in Path(folder.root / ".gitignore").read_text().splitlines()
