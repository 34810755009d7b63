"""`flask … chat demo`: the shop, two waiters to be, and visitors who come by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import click

from services import under_test
from services.history.accounts import Accounts
from services.place import CONFIGURATION

from .. import demo as shop_with_people
from ..demo.people import people
from ..demo.waiters import SHOWN, WAITERS, Waiter
from ..extension import Extension
from ..password_hashing import HASHING
from .group import chat

#: one address may have 100 connections, and the demo's own windows come from it as well
MOST_VISITORS = 80

#: settings of another application: its stores, its secret, its name
NOT_OURS = ("CSAPP_DATABASE_URL", "CSAPP_REDIS_URL", "CSAPP_SECRET_KEY", "CSAPP_AUDIENCE")

LIFETIME = 30 * 86_400  # s: of the simulated visitors' tokens; a demo may be left running


@chat.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--visitors",
    type=click.IntRange(0, MOST_VISITORS),
    default=0,
    show_default=True,
    help="So many come, ask and go by themselves.",
)
def demo(port: int, visitors: int) -> None:
    """Run the production server on one worker: a shop, and two waiters to sign in as."""
    extension = _own()
    address = f"http://127.0.0.1:{port}"
    chat_address = f"{address}{extension.server.settings.url_prefix}"
    click.echo(f"Shop      {address}/")
    good = _tell_logins(extension, f"{chat_address}/waiter")
    if visitors:
        _let_in(visitors, extension, chat_address, address)
    sys.stdout.flush()
    command = [sys.executable, "-m", "gunicorn", "-c", CONFIGURATION, "-w", "1"]
    os.execve(  # noqa: S606  # our own interpreter, no shell
        sys.executable,
        [*command, "-b", f"127.0.0.1:{port}", "csapp:create_demo()"],
        {**os.environ, SHOWN: " ".join(good)},
    )


def _own() -> Extension:
    """The demo's chat. It ignores the databases and secrets that the environment names.

    Passwords that everybody knows and simulated visitors belong into no other database.
    """
    from ..app import create_demo  # which registers this command

    os.environ.pop(under_test.SETTINGS, None)
    found = [key for key in NOT_OURS if os.environ.pop(key, None)]
    if found:
        are = "is" if len(found) == 1 else "are"
        click.echo(f"The demo keeps to itself: {', '.join(found)} {are} not for it.")
    extension: Extension = create_demo().extensions["csapp"]
    return extension


def _tell_logins(extension: Extension, console: str) -> list[str]:
    """Print how waiters sign in. Returns the names whose passwords the shop may show."""
    click.echo(f"Waiters   {console}")
    good = []
    store = extension.store()
    for waiter, is_good in _made(Accounts(store, HASHING)):
        password = waiter.password if is_good else "of your own, or it is disabled"
        click.echo(f"          name {waiter.name}, password {password}")
        if is_good:
            good.append(waiter.name)
    store.close()
    click.echo("Sign in as a waiter, press Ready, then open the shop's chat. Ctrl-C stops.")
    click.echo(f"All of it is kept in {extension.server.settings.instance}, for this demo alone.")
    return good


def _made(here: Accounts) -> Iterator[tuple[Waiter, bool]]:
    """Each of the demo's waiters, with an account, and whether its public password is right."""
    for waiter in WAITERS:
        if here.get(waiter.name) is None:
            here.add(waiter.name, waiter.password, waiter.display_name)
        yield waiter, here.verify(waiter.name, waiter.password) is not None


def _let_in(count: int, extension: Extension, chat_address: str, shop: str) -> None:
    """Start the visitors in a process of their own.

    This process becomes their server and keeps the writing end of a pipe. However it ends,
    the visitors then read the end of the pipe, and end, too.
    """
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        f"{shop_with_people.__name__}.visitors",
        chat_address,
        shop,
        str(count),
    ]
    subprocess.Popen(command, stdin=reading)  # noqa: S603  # our own
    os.close(reading)
    with os.fdopen(os.dup(writing), "w") as tokens:
        for identity in people(3 * count):
            tokens.write(f"{extension.server.tokens.sign(identity, LIFETIME)}\n")
        tokens.write("\n")
    os.set_inheritable(writing, True)
    do = "comes, asks and goes by itself" if count == 1 else "come, ask and go by themselves"
    click.echo(f"Visitors  {count} {do}.")
