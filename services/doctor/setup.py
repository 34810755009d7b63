"""What is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..settings import Settings
from .finding import Finding

if TYPE_CHECKING:  # they load the drivers, which only an examination needs
    from ..desk.facts import RedisFacts
    from ..history.facts import StoreFacts
    from .files import FileFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What gunicorn would do with a command line and its configuration file."""

    workers: int
    worker_class: str
    #: gunicorn's own notation: `HOST:PORT`, `unix:PATH`
    binds: list[str]
    max_requests: int
    #: s
    graceful_timeout: float
    #: workers say goodbye: `post_worker_init` is `csapp.drain_on_exit`, or calls it
    drains: bool
    #: the application is imported after gevent has patched
    patched_first: bool
    #: drivers of databases that would stop the event loop with each query
    blocking: list[str]
    #: why the application cannot be imported; empty: it can, or none was named
    app_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the running chat answers to a page of its public address: status (0: none), words."""

    url: str
    #: to `GET /readyz`
    ready: tuple[int, str]
    #: to `POST /v1/visitor/token`
    token: tuple[int, str]
    #: s by which the clock of whoever answers is before ours, cut to the second
    clock_ahead: float = 0.0


class Intercepted(NamedTuple):
    """What the application answers to an anonymous visitor in the place of the chat."""

    #: method and path
    asked: str
    #: 0: it fails
    status: int
    #: where it leads to, or what it raises; or empty
    more: str
    #: a middleware has answered: no hook of the application was asked
    is_outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """All there is to know, found out beforehand."""

    settings: Settings
    #: the `CSAPP_` keys as the application has them
    configured: Mapping[str, Any]
    environment: Mapping[str, str]
    #: the folder of the generated secret
    instance: Path
    #: text: why gunicorn would not start; None: nothing says how it is run
    serving: Serving | str | None
    #: None: there is none
    store: StoreFacts | None
    #: None: there is none
    redis: RedisFacts | None
    #: open files that a process may have at most
    descriptors: int
    #: s since 1970, by this machine's clock
    clock: float
    #: lines of `/proc/self/mounts`
    mounts: str
    #: accounts with a password that everybody can read in the source
    readable: tuple[str, ...] = ()
    #: files of ours that git does not ignore, and whether its repository has them
    shown_to_git: Mapping[Path, bool] = field(default_factory=dict)
    #: None: nobody has said where it is reached
    answers: Answers | None = None
    #: what the application answers itself
    intercepted: tuple[Intercepted, ...] = ()
    #: the application says who is a waiter
    names_waiters: bool = False
    #: proxies that the application's own ProxyFix believes to name their client; 0: it has none
    proxy_fix: int = 0
    #: why the mail server cannot be used; empty: it can, or there is none
    mail_problem: str = ""
    #: None: no files are sent
    files: FileFacts | None = None


Check = Callable[[SetUp], Iterator[Finding]]
