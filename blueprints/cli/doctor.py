"""`flask … chat doctor`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import Flask, current_app

from services.doctor import (
    Answers,
    Finding,
    Level,
    Serving,
    SetUp,
    ask,
    examine,
    files,
    look_at_gunicorn,
    mail,
)
from services.doctor.files import FileFacts
from services.history.accounts import Accounts
from services.history.port import StoreError
from services.instance import SECRET_FILE, shown_to_git
from services.settings import PREFIX
from services.words import counted

from ..demo.waiters import WAITERS
from ..extension import Extension
from ..host.extensions import proxies_believed
from ..host.intercepted import examine as examine_doors
from ..password_hashing import HASHING
from .group import chat

if TYPE_CHECKING:
    from services.desk.facts import RedisFacts

__all__ = ["chat"]

#: what gunicorn reads where nobody names another file
GUNICORN_FILE = "gunicorn.conf.py"

#: s for gunicorn's configuration and the application to be imported
IMPORT_TIME = 60


@chat.command()
@click.option(
    "--gunicorn",
    metavar="ARGS",
    default="",
    help="What gunicorn is started with, such as '-c FILE -w 2 wsgi:app'. APP is imported.",
)
@click.option(
    "--url",
    metavar="URL",
    help="The public address of the running chat: it is asked as a page of its own asks it.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def doctor(gunicorn: str, url: str | None, as_json: bool) -> None:
    """Look at the whole set-up and name each fault with its remedy.

    Exits with 1 when messages would be lost, the wrong people let in or conversations refused.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    findings = examine(_set_up(app, gunicorn, url))
    sick = any(one.level is Level.FAULT for one in findings)
    click.echo(_json(findings, sick) if as_json else _text(findings))
    sys.exit(1 if sick else 0)


def _json(findings: list[Finding], sick: bool) -> str:
    found = {"ok": not sick, "findings": [dataclasses.asdict(one) for one in findings]}
    return json.dumps(found, indent=2)


def _text(findings: list[Finding]) -> str:
    if not findings:
        return "Nothing to complain about."
    width = max(map(len, Level)) + 1
    lines = [f"{one.level:<{width}} {one.what}\n{'':<{width}} → {one.remedy}\n" for one in findings]
    counts = Counter(one.level for one in findings)
    sums = [counted(counts[level], level) for level in Level if level in counts]
    return "\n".join([*lines, ", ".join(sums)])


def _set_up(app: Flask, gunicorn: str, address: str | None) -> SetUp:
    from services.history import facts as history
    from services.history.opening import own_store

    extension: Extension = app.extensions["csapp"]
    settings = extension.server.settings
    url, redis_url = settings.database_url, settings.redis_url
    return SetUp(
        settings=settings,
        configured={key: value for key, value in app.config.items() if key.startswith(PREFIX)},
        environment=os.environ,
        instance=Path(app.instance_path),
        serving=serving(gunicorn),
        store=None if url == "off" else history.look(url, find=lambda _: own_store(settings)),
        redis=None if redis_url is None else _look_at_redis(redis_url),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        clock=time.time(),
        mounts=_mounts(),
        readable=_readable(extension),
        shown_to_git=shown_to_git(_own_files(app, url)),
        answers=None if address is None else _answers(address),
        intercepted=tuple(examine_doors(app, settings.url_prefix)),
        names_waiters=extension.callbacks.waiter is not None,
        proxy_fix=proxies_believed(app),
        mail_problem=mail.look(settings),
        files=_look_at_files(extension),
    )


def _own_files(app: Flask, url: str) -> list[Path]:
    """Files that do not belong into a repository: the secret, and SQLite's database."""
    kind, _, path = url.partition(":///")
    return [Path(app.instance_path) / SECRET_FILE, *([Path(path)] if kind == "sqlite" else [])]


def _answers(url: str) -> Answers:
    try:
        return ask(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None


def _look_at_redis(url: str) -> RedisFacts:
    from services.desk import facts  # the driver is loaded for nothing else

    return facts.look(url)


def _readable(extension: Extension) -> tuple[str, ...]:
    """Accounts with the demo's public passwords, which an older csapp made; () if unknown."""
    if not extension.has_store:
        return ()
    try:
        with contextlib.closing(extension.open_store()) as store:
            accounts = Accounts(store, HASHING, public=extension.public_passwords)
            return tuple(accounts.readable([waiter.name for waiter in WAITERS]))
    except StoreError:
        return ()


def _look_at_files(extension: Extension) -> FileFacts | None:
    """The store of files; without a database that can be used, less is known of it."""
    settings = extension.server.settings
    if not extension.has_store:
        return None
    try:
        with contextlib.closing(extension.open_store()) as store:
            return files.look(settings, store)
    except StoreError:
        return files.look(settings, None)


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text()
    except OSError:  # another system than Linux
        return ""


def serving(arguments: str) -> Serving | str | None:
    """What gunicorn would do with *arguments*; or why it would not start; None: not known.

    Waits for a process that imports gunicorn's configuration, and the
    application where *arguments* or that file name one.
    """
    settled = arguments or os.environ.get("GUNICORN_CMD_ARGS")
    if not settled and not Path(GUNICORN_FILE).exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603  # our own program, no shell
            [sys.executable, str(look_at_gunicorn.__file__), *shlex.split(arguments)],
            capture_output=True,
            text=True,
            timeout=IMPORT_TIME,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the application is not imported within {IMPORT_TIME} s"
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--gunicorn") from None
    for line in done.stdout.splitlines():
        if line.startswith(look_at_gunicorn.MARK):
            found = json.loads(line.removeprefix(look_at_gunicorn.MARK))
            return str(found["problem"]) if "problem" in found else Serving(**found)
    return (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
