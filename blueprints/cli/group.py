"""The `flask … chat` command group. The command `chat NAME` is in `NAME.py` beside this file."""

from __future__ import annotations

import errno
import getpass
import os
from typing import Any

import click
from flask.cli import AppGroup

from services.errors import Unavailable
from services.history.accounts import AccountError
from services.history.departments import DepartmentError
from services.history.words import WordsError

#: the standard output cannot be written
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class _Group(AppGroup):
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. What goes wrong on purpose is one line, and no traceback."""
        try:
            return super().invoke(ctx)
        except (AccountError, DepartmentError, Unavailable, WordsError) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno not in UNWRITABLE or error.filename is not None:
                raise
            raise click.ClickException(f"standard output: {error.strerror}") from None


chat = _Group("chat", help="Run and inspect the customer-service chat.")


def operator() -> str:
    """Who runs this command, for the security log."""
    try:
        return f"command/{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name, as in containers
        return f"command/{os.getuid()}"
