"""Who gets in: secrets, file modes, origins, proxies, keys that nobody reads."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..bounds import PLACES, share
from ..errors import SettingsError
from ..instance import SECRET_FILE
from ..settings import PREFIX, Settings
from ..words import counted
from .finding import Finding, fault, hint, warning
from .setup import Check, Serving, SetUp

#: words of examples; in a random key of 64 characters one in ten million has any
_EXAMPLES = ("change", "default", "example", "password", "secret")

#: different characters: of random keys of 16 in hexadecimal, one in two million has fewer
_FEWEST = 5

#: connections of one address: fewer are soon taken where many share one
FEWEST_CONNECTIONS = 20

DAY = 86_400  # s
LONG_RECHECK = 3600  # s that somebody stays whom the host has signed out
SHORT_RECHECK = 60  # s: each open page asks the host as often
LONG_LIFE = 30 * DAY  # s of a token: longer than a password is asked for

NEW_SECRET = "CSAPP_SECRET_KEY=$(openssl rand -hex 32)"  # noqa: S105  # how to make one


def secret(setup: SetUp) -> Iterator[Finding]:
    """Nobody can guess what signs tokens, and every machine has the same."""
    if any(map(guessable, setup.settings.secret_key)):
        yield fault(
            "CSAPP_SECRET_KEY can be guessed: whoever does can be any waiter and any visitor",
            NEW_SECRET,
        )
    if not setup.configured.get("CSAPP_SECRET_KEY") and setup.settings.redis_url:
        yield warning(
            "the secret is this machine's own, made in its instance folder: "
            "another machine of the same desk would refuse its tokens",
            f"{NEW_SECRET}, the same on all of them",
        )


def guessable(key: str) -> bool:
    """Whether *key* is an example, a sequence, or a few characters over and over."""
    small = key.lower()
    steps = [abs(ord(after) - ord(before)) for before, after in pairwise(key)]
    in_turn = sum(step <= 1 for step in steps)
    return (
        any(word in small for word in _EXAMPLES)
        or len(set(key)) < _FEWEST
        or in_turn > 0.75 * len(steps)
    )


def files(setup: SetUp) -> Iterator[Finding]:
    """Only the owner reads the secret and what people have said."""
    own = setup.instance / SECRET_FILE
    if not setup.configured.get("CSAPP_SECRET_KEY") and not _can_keep(own):
        yield fault(
            f"no secret can be kept in {own}: nobody can be given a token",
            f"{NEW_SECRET}, or let the folder be written to",
        )
    if not setup.configured.get("CSAPP_SECRET_KEY") and (mode := _mode(own)) & 0o077:
        yield fault(
            f"others may read the secret in {own} (mode {mode:04o}): "
            "whoever does can be any waiter and any visitor",
            f"chmod 600 {own}, and make a new one if others use this machine: delete it, restart",
        )
    if (mode := _mode(setup.instance)) & 0o022:
        yield fault(
            f"others may write to {setup.instance} (mode {mode:04o}), and replace the secret",
            f"chmod 700 {setup.instance}",
        )
    path = setup.store.path if setup.store else None
    if path and (mode := _mode(path)) & 0o077:
        yield warning(
            f"others may read the conversations in {path} (mode {mode:04o})", f"chmod 600 {path}*"
        )


def repository(setup: SetUp) -> Iterator[Finding]:
    """Nobody commits the secret, or what people have said."""
    for file, is_tracked in setup.shown_to_git.items():
        is_secret = file.name == SECRET_FILE
        what = "the secret" if is_secret else "what people have said"
        if is_tracked:
            yield fault(
                f"{file} is in git's repository: whoever has a copy of that has {what}",
                f"git rm --cached {file}"
                + (", delete it, restart: a new secret is made" if is_secret else ""),
            )
        else:
            yield warning(
                f"git does not ignore {file}: the next commit may hold {what}",
                f"/{file.name}* in {file.parent / '.gitignore'}",
            )


def _can_keep(path: Path) -> bool:
    """Whether the file is there, or can be made."""
    if path.exists():
        return True
    folder = next(one for one in path.parents if one.exists())
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _mode(path: Path) -> int:
    """Its permissions; none where there is nothing."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def origins(setup: SetUp) -> Iterator[Finding]:
    """Not every page in the world may open connections."""
    if "*" in setup.settings.allowed_origins:
        yield warning(
            "CSAPP_ALLOWED_ORIGINS is '*': pages of any site may open chats here",
            "list the origins, such as https://shop.example",
        )


def proxies(setup: SetUp) -> Iterator[Finding]:
    """As many proxies are believed as there are."""
    if not isinstance(setup.serving, Serving):
        return
    inside = all(map(_is_local, setup.serving.binds))
    believed = setup.settings.trusted_proxies or setup.proxy_fix
    name = "CSAPP_TRUSTED_PROXIES" if setup.settings.trusted_proxies else "x_for of ProxyFix"
    each = setup.settings.connections_per_ip
    if inside and not believed:
        shared = f" and share its {_room(each)}" if each else ""
        if each and all(bind.startswith("unix:") for bind in setup.serving.binds):
            most = counted(each, "connection")
            shared = f" without an address, and no bound holds, such as its {most}"
        yield hint(
            "gunicorn is reached from this machine only. If that is by a proxy: "
            f"CSAPP_TRUSTED_PROXIES is 0, so all visitors look like one{shared}",
            "behind a proxy CSAPP_TRUSTED_PROXIES=1, for each proxy one more",
        )
    elif believed and not inside:
        yield hint(
            f"{name} is {believed}, and gunicorn listens beyond this machine "
            f"({', '.join(setup.serving.binds)}): who gets past the proxy can claim any address",
            "listen on 127.0.0.1 or a unix socket, or let a firewall keep others out",
        )
    elif not each:
        yield hint(
            "CSAPP_CONNECTIONS_PER_IP is 0, which lifts all bounds by address: "
            "one machine can take every place in the queue and all connections",
            "CSAPP_CONNECTIONS_PER_IP=100, unless the network is trusted",
        )


def sharing(setup: SetUp) -> Iterator[Finding]:
    """Those who share an address have room."""
    each = setup.settings.connections_per_ip
    if 0 < each < FEWEST_CONNECTIONS:
        yield hint(
            f"CSAPP_CONNECTIONS_PER_IP is {each}: an office or a mobile network is one address, "
            f"whose visitors share {_room(each)}",
            "CSAPP_CONNECTIONS_PER_IP=100",
        )


def _room(each: int) -> str:
    """What an address has, in words."""
    return f"{counted(each, 'connection')} and {counted(share(PLACES, each), 'place')}"


def _is_local(bind: str) -> bool:
    if bind.startswith("unix:"):
        return True
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def passwords(setup: SetUp) -> Iterator[Finding]:
    """No account has a password that everybody knows."""
    for name in setup.readable:
        yield warning(
            f"the account {name} has a password that everybody can read in csapp's source: "
            "nobody can sign in with it, but in the demo",
            f"flask --app … chat waiter password {name}; or disable {name}",
        )


def logins(setup: SetUp) -> Iterator[Finding]:
    """Whoever may no more is out in hours, not in weeks."""
    lifetime = setup.settings.token_lifetime
    if lifetime > LONG_LIFE:
        yield hint(
            f"a token is good for {lifetime // DAY} days (CSAPP_TOKEN_LIFETIME): whoever finds "
            "one may use it as long, unless it is revoked",
            "CSAPP_TOKEN_LIFETIME=43200: pages that stay open renew theirs by themselves",
        )
    if not setup.settings.recheck:
        yield hint(
            "CSAPP_RECHECK is 0: whom the application signs out stays in the chat for "
            f"{lifetime} s, unless it calls chat.revoke",
            "CSAPP_RECHECK=900",
        )
    elif min(setup.settings.recheck, lifetime) > LONG_RECHECK:
        yield hint(
            "whom the application signs out stays in the chat for up to "
            f"{min(setup.settings.recheck, lifetime)} s (CSAPP_RECHECK), "
            "unless it calls chat.revoke",
            "CSAPP_RECHECK=900",
        )
    elif setup.settings.recheck < SHORT_RECHECK:
        yield hint(
            f"CSAPP_RECHECK is {setup.settings.recheck}: each open chat asks the application "
            "as often, in seconds",
            "CSAPP_RECHECK=900",
        )


def keys(setup: SetUp) -> Iterator[Finding]:
    """What is in the environment is what the application goes by."""
    known = Settings.keys()
    for key in sorted(setup.environment):
        if not key.startswith(PREFIX):
            continue
        if key not in known:
            yield warning(
                f"{key} is in the environment, and there is no such setting",
                "docs/reference.md lists them all; take it out",
            )
        elif not _same(setup, key, setup.environment[key]):
            yield warning(
                f"{key} is in the environment, but the application goes by another value",
                f"app.config[{key!r}] = os.environ[{key!r}], or take it out of the environment",
            )


def _same(setup: SetUp, key: str, value: Any) -> bool:
    if setup.configured.get(key) == value:
        return True
    one = Settings.keys()[key]
    try:
        return bool(one.metadata["parse"](key, value) == getattr(setup.settings, one.name))
    except SettingsError:
        return False


CHECKS: tuple[Check, ...] = (
    secret, files, repository, origins, proxies, sharing, passwords, logins, keys,
)  # fmt: skip
