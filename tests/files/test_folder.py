"""Content in a folder: whole or not at all, and nothing outside of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.files.folder import FolderStore
from services.files.port import ALWAYS, ContentStore, FilesUnavailable, NoContent
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.sql import SQLStore
from testkit.server import ROOT

from .conformance import ID, ContentStoreCases, put
from .conftest import Clock, settings
from .test_uploads import TEXT_FILE, send


class TestFolder(ContentStoreCases):
    @pytest.fixture
    def contents(self, folder: FolderStore) -> ContentStore:
        return folder


# ---- keys and links ----------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "content/../../etc/passwd", "content/..", "../x", "/etc/passwd", "content/ab/../../x",
        f"content/{ID}\0", f"content/{ID}/", f"content//{ID}", "content/", "", "content/é" * 9,
        f"other/{ID}", f"content/{ID}\n", f"piece/{ID}/../../x",
    ],
)  # fmt: skip
def test_no_key_leads_out_of_the_folder(folder: FolderStore, key: str):
    for use in (folder.read, folder.size, lambda one: folder.delete([one])):
        with pytest.raises(ValueError, match="is no key"):
            use(key)
    with pytest.raises(ValueError, match="is no key"):
        put(folder, key, b"x")


def test_links_are_not_followed(folder: FolderStore, tmp_path: Path):
    key = put(folder, f"content/{ID}", b"mine")
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    path = folder.path_of(key)
    path.unlink()
    path.symlink_to(outside)
    for ask in (folder.read, folder.size):
        with pytest.raises(NoContent):
            ask(key)
    assert list(folder.older_than("content/", ALWAYS)) == []
    put(folder, key, b"mine")  # takes the place of the link, and not of what that leads to
    assert (folder.read(key), outside.read_bytes()) == (b"mine", b"secret")
    path.unlink()
    path.symlink_to(outside)
    folder.delete([key])
    assert outside.exists()


def test_a_folder_that_is_a_link_is_not_entered(folder: FolderStore, tmp_path: Path):
    put(folder, f"content/{ID}", b"mine")
    outside = tmp_path / "outside"
    (folder.root / "content" / ID[:2]).rename(outside)
    (folder.root / "content" / ID[:2]).symlink_to(outside)
    with pytest.raises(NoContent):
        folder.read(f"content/{ID}")
    with pytest.raises(FilesUnavailable):
        put(folder, f"content/{ID}", b"new")
    folder.delete([f"content/{ID}"])
    assert [one.read_bytes() for one in outside.iterdir()] == [b"mine"]
    assert list(folder.older_than("content/", ALWAYS)) == []


def test_what_is_no_plain_file_is_nothing(folder: FolderStore):
    key = put(folder, f"content/{ID}", b"mine")
    path = folder.path_of(key)
    path.unlink()
    path.mkdir()
    with pytest.raises(NoContent):
        folder.read(key)


# ---- full disks and killed processes -------------------------------------------


def test_a_disk_that_takes_no_more_leaves_nothing(folder: FolderStore, tmp_path: Path):
    """RLIMIT_FSIZE lets the kernel refuse the write in the middle, as a full disk does."""
    program = (
        "import io, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from services.files.folder import FolderStore\n"
        "from services.files.port import ALWAYS, FilesUnavailable\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "folder = FolderStore(Path(sys.argv[1]))\n"
        f"folder.put('content/{ID}', io.BytesIO(b'before'), 6)\n"
        "try:\n"
        f"    folder.put('content/{ID}', io.BytesIO(bytes(2_000_000)), 2_000_000)\n"
        "except FilesUnavailable as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder.root)], cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert "File too large" in done.stdout, done.stderr
    assert folder.read(f"content/{ID}") == b"before"
    assert list(folder.older_than("draft/", ALWAYS)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_says_so_and_leaves_nothing(store: SQLStore, clock: Clock, tmp_path: Path):
    root = tmp_path / "disk"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)], check=False,
        capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        files = Files(FileTables(store), FolderStore(root / "files"), settings(), clock)
        row = files.begin(7, 1, "ann", "u-1", "a.txt", 3_000_000)
        with pytest.raises(FilesUnavailable, match="No space left"):
            files.add(row, 0, b"a" * 3_000_000)
        assert files.tables.find(row.id).received == 0
        clock.hours(2)
        files.sweep(clock())
        left = [one for one in root.rglob("*") if one.is_file() and not one.name.startswith(".")]
        assert left == []
    finally:
        subprocess.run(["umount", str(root)], check=False)


#: writes files again and again, until it is killed
_WRITER = """
import io, sys
from pathlib import Path
from services.files.folder import FolderStore
folder = FolderStore(Path(sys.argv[1]))
print("ready", flush=True)
n = 0
while True:
    n += 1
    data = bytes([n % 256]) * 3_000_000
    folder.put(f"content/{n:022}", io.BytesIO(data), len(data))
    print(n, flush=True)
"""


def test_what_a_killed_process_has_named_is_whole(folder: FolderStore):
    for kill_after in (1, 2, 3, 5):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder.root)], cwd=ROOT, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        for _ in range(kill_after):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = list(folder.older_than("content/", ALWAYS))
        assert len(found) >= kill_after - 1
        for key in found:
            data = folder.read(key)
            assert len(data) == 3_000_000
            assert set(data) == {int(key.rpartition("/")[2]) % 256}
        folder.delete(found)


#: sends one file, and kills itself at a step
_SENDER = """
import os, signal, sys
from pathlib import Path
from services.conversation.kinds import Side
from services.files.folder import FolderStore
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.opening import open_store
from services.settings import Settings

url, root, step = sys.argv[1:]
files = Files(
    FileTables(open_store(url)), FolderStore(Path(root)),
    Settings.load({"CSAPP_SECRET_KEY": "s" * 32}), lambda: 1_700_000_000_000,
)
place, name, before = {
    "piece": (files.contents, "put", True), "counted": (files.tables, "advance", True),
    "content": (files.contents, "put", False), "kept": (files.tables, "keep", True),
    "pieces": (files.contents, "delete", True), "named": (files.tables, "name", False),
}[step]
real = getattr(place, name)
def killed(*args, **values):
    if step == "content" and not str(args[0]).startswith("content/"):
        return real(*args, **values)
    if before:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args, **values)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, name, killed)
row = files.begin(7, Side.USER, "ann", "u-1", "a.txt", 20)
row = files.add(row, 0, b"Where is my parcel?\\n")
files.finish(row)
files.tables.name(row.id, 7, Side.USER, "ann", 1_700_000_000_000)
"""

STEPS = ["piece", "counted", "content", "kept", "pieces", "named"]


@pytest.mark.parametrize("step", STEPS)
def test_wherever_a_process_is_killed_nothing_is_left_after_an_hour(
    files: Files, folder: FolderStore, clock: Clock, url: str, step: str
):
    done = subprocess.run(
        [sys.executable, "-c", _SENDER, url, str(folder.root), step], cwd=ROOT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    clock.hours(1.5)
    for path in folder.root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (clock() / 1000 - 5400,) * 2)
    files.sweep(clock())
    left = [one for one in folder.root.rglob("*") if one.is_file() and one.name[0] != "."]
    assert left == []
    assert files.tables.marked() == []


@pytest.mark.parametrize("step", [one for one in STEPS if one != "named"])
def test_wherever_a_process_is_killed_the_upload_goes_on(
    files: Files, folder: FolderStore, url: str, step: str
):
    subprocess.run(
        [sys.executable, "-c", _SENDER, url, str(folder.root), step], cwd=ROOT, check=False
    )
    row = files.begin(7, 1, "ann", "u-1", "a.txt", 20)
    if not row.kept:
        files.finish(files.add(row, row.received, TEXT_FILE[row.received :]))
    assert files.open(files.tables.find(row.id)).read(0, 99) == TEXT_FILE


def test_a_folder_that_cannot_be_made_is_said(store: SQLStore, clock: Clock, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    files = Files(FileTables(store), FolderStore(tmp_path / "file" / "files"), settings(), clock)
    with pytest.raises(FilesUnavailable, match="Not a directory"):
        send(files)
    with pytest.raises(FilesUnavailable):
        files.contents.check()
