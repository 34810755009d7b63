"""What a page of the public address is answered: through every proxy, as a visitor's browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlsplit

from ..origin import host_in_ascii
from .finding import Finding, fault, warning
from .host import ITSELF, LINE
from .setup import Answers, Check, SetUp
from .stores import MOST_DRIFT, NTP

TIMEOUT = 10.0  # s

MOST = 4096  # bytes of an answer that are read


def ask(url: str, *, now: Callable[[], float] = time.time) -> Answers:
    """What the chat at *url* (`https://shop.example/support`) answers to its own pages.

    Waits for up to 20 s. Raises `ValueError` for what is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("the public address of the chat, such as https://shop.example/support")
    host = host_in_ascii(parts.hostname)
    netloc = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        netloc += f":{parts.port}"
    origin, path = f"{parts.scheme}://{netloc}", quote(parts.path.rstrip("/"), safe="/%")
    connects = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    dates = [0.0]  # how much the clock there is before ours, at each answer
    headers = {"Host": netloc, "Origin": origin}
    connection = connects(host, parts.port, timeout=TIMEOUT)

    def answer(method: str, address: str) -> tuple[int, str]:
        try:
            connection.request(method, path + address, headers=headers)
            got = connection.getresponse()
            dates.append(_ahead(got.getheader("Date"), now()))
            return got.status, _words(got.read(MOST))
        except (OSError, HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    return Answers(
        url=url,
        ready=answer("GET", "/readyz"),
        token=answer("POST", "/v1/visitor/token"),
        clock_ahead=dates[-1],
    )


def _ahead(date: str | None, now: float) -> float:
    """By how much *date* is after *now*; 0 where there is none."""
    try:
        return parsedate_to_datetime(date or "").timestamp() - int(now)
    except ValueError:
        return 0.0


def _words(body: bytes) -> str:
    """What an answer says: ours are JSON; of a page, nothing."""
    try:
        said = json.loads(body)
        return str(said.get("reason") or said.get("message") or "")
    except (ValueError, AttributeError):
        return ""


def ready(setup: SetUp) -> Iterator[Finding]:
    """Somebody serves there."""
    if setup.answers is None:
        return
    status, words = setup.answers.ready
    if status == 0:
        yield fault(
            f"nobody answers at {setup.answers.url}: {words}", "start it, or mend the proxy"
        )
    elif status != 200:
        yield fault(
            f"{setup.answers.url}/readyz answers {status}: {words or 'the chat does not say why'}",
            _remedy(setup),
        )


def _remedy(setup: SetUp) -> str:
    holder = setup.store and setup.store.holder
    if setup.answers and "another process" in setup.answers.ready[1] and holder:
        return f"{holder.name} serves it: stop that one, or give both the same CSAPP_REDIS_URL"
    return "see to that reason; without one, something before the chat answers for it"


def token(setup: SetUp) -> Iterator[Finding]:
    """Pages of that very address may open connections."""
    if setup.answers is None or setup.answers.ready[0] != 200:
        return
    status, words = setup.answers.token
    if words.startswith(ITSELF) and status in (401, 403):
        yield warning(
            f"visitors at {setup.answers.url} who have not signed in get no token: {words}",
            f"if that is not meant so, in the before_request that answers: {LINE}",
        )
    elif status == 403 and words:
        yield fault(
            f"pages of {setup.answers.url} are refused: {words}",
            "let the proxy pass Host on with its port (nginx: $http_host), "
            "or set CSAPP_TRUSTED_PROXIES, or list the site in CSAPP_ALLOWED_ORIGINS",
        )
    elif status == 429 and not words.startswith(ITSELF):
        yield warning(
            f"{setup.answers.url} hands out no more tokens to this address: {words}",
            "ask again in a minute; if it lasts, CSAPP_TRUSTED_PROXIES may be too low",
        )
    elif status != 200:
        yield fault(
            f"visitors at {setup.answers.url} get no token: {status} {words}".rstrip(),
            "look for what answers in the place of the chat: a login, a limit or a check "
            f"of forms that the application puts before all of its addresses. There: {LINE}",
        )


def clock(setup: SetUp) -> Iterator[Finding]:
    """The machine that answers has the time of this one."""
    ahead = setup.answers.clock_ahead if setup.answers else 0.0
    if setup.answers and abs(ahead) > MOST_DRIFT + 1:  # the date is cut to the second
        yield warning(
            f"the clock of {setup.answers.url} is {abs(ahead):.0f} s "
            f"{'ahead of' if ahead > 0 else 'behind'} this machine's: "
            "sign-outs may let a token through, or end a new one",
            NTP,
        )


CHECKS: tuple[Check, ...] = (ready, token, clock)
