"""The application's instance folder: what csapp stores there unless a setting says otherwise.

Rules of this file:

1. Nothing is made before it is needed. An application that is only imported,
   or that only serves pages, writes nothing.
2. What cannot be made is said in one line, with the setting that helps.
3. git ignores what is made here: a secret in a repository is none.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from .errors import Unavailable
from .whole_files import take_name

#: file in the instance folder of the generated secret, mode 0600
SECRET_FILE = "csapp-secret"  # noqa: S105  # a file name

#: shorter keys can be guessed; itsdangerous signs with any length
MIN_SECRET_CHARS = 16

#: s after which an empty secret file is a damaged one, and not one that is being written
WRITTEN = 1.0

#: s that git may take for an answer
GIT_TIME = 10.0

#: first part of a relative path that stands for the instance folder, whatever that is called
NAME = "instance"

_IGNORED = f"""\
# Made by csapp: keys and conversations do not belong in a repository.
/.gitignore
/{SECRET_FILE}*
/csapp.db*
"""


class NoSecret(Unavailable):
    """There is no key to sign with: none was given, and none can be written to the disk."""

    public_reason = "no secret can be kept; the log says why, and CSAPP_SECRET_KEY helps"


def generated_secret(instance: Path) -> str:
    """The secret of this instance folder, made once, mode 0600. Raises `NoSecret`."""
    path = instance / SECRET_FILE
    try:
        if not path.exists():
            _make_secret(path)
        secret = _read(path)
    except OSError as error:
        raise NoSecret(
            f"the secret cannot be kept in {path} ({error.strerror}): "
            "set CSAPP_SECRET_KEY, or let the folder be written to"
        ) from None
    except UnicodeDecodeError:
        secret = ""
    if len(secret) < MIN_SECRET_CHARS:
        raise NoSecret(f"the secret in {path} is damaged: delete it, or set CSAPP_SECRET_KEY")
    return secret


def _read(path: Path) -> str:
    """The secret in *path*; another worker may be about to write it."""
    end = time.monotonic() + WRITTEN
    while not (secret := path.read_text().strip()) and time.monotonic() < end:
        time.sleep(0.01)
    return secret


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ignore_in_git(path.parent)
    draft = path.with_name(f"{SECRET_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        take_name(draft, path)
    except FileExistsError:  # another worker was first: its secret stands
        pass
    finally:
        draft.unlink(missing_ok=True)


def ignore_in_git(folder: Path) -> None:
    """Let git ignore what csapp makes in *folder*, where no `.gitignore` says otherwise yet."""
    with contextlib.suppress(OSError), (folder / ".gitignore").open("x") as file:
        file.write(_IGNORED)


def shown_to_git(files: Iterable[Path]) -> dict[Path, bool]:
    """Which of *files* git does not ignore, and whether it has them in its repository already.

    Empty where there is no git or no repository. Waits for git.
    """
    shown = {}
    for file in files:
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(file.parent), "ls-files", "-t"]
        command += ["--cached", "--others", "--exclude-standard", "--", file.name]
        try:
            done = subprocess.run(  # noqa: S603  # no shell
                command, capture_output=True, text=True, timeout=GIT_TIME, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if not done.returncode and done.stdout:
            shown[file] = not done.stdout.startswith("?")
    return shown


def beside(instance: Path, file: Path) -> Path:
    """Where a relative *file* of the settings is.

    `instance/…` is in the instance folder, anything else beside it.
    """
    if len(file.parts) > 1 and file.parts[0] == NAME:
        return instance.joinpath(*file.parts[1:])
    return instance.parent / file


def formerly(instance: Path, file: Path) -> Path:
    """Where version 0.1 put a relative *file*: always beside the instance folder."""
    return instance.parent / file
