"""The application that has the chat: what it does to all requests."""

from __future__ import annotations

from collections.abc import Iterator

from .finding import Finding, fault, hint, warning
from .setup import Check, SetUp

#: how answers begin that the application has given in the place of the chat
ITSELF = "the application answers this address itself, and not the chat"

#: what a host answers to whoever has not signed in
_TO_ANYBODY = (301, 302, 303, 307, 308, 401, 403)

#: what lets requests for the chat through
LINE = "'if request.blueprint in chat.blueprints: return' (docs/extensions.md)"


def walls(setup: SetUp) -> Iterator[Finding]:
    """Nothing of the application answers in the place of the chat."""
    answers: dict[tuple[int, str, bool], list[str]] = {}
    for one in setup.intercepted:
        answers.setdefault((one.status, one.more, one.is_outside), []).append(one.asked)
    for (status, more, is_outside), those in answers.items():
        asked = ", ".join(those)
        where = f" to {more}" if more else ""
        if not status:
            yield fault(f"a hook of the application fails with {more}, at {asked}", "mend it")
        elif is_outside:
            yield warning(
                f"a middleware round the application answers before the chat is asked "
                f"({status}{where}): neither the log nor the widget can say so. It was asked "
                f"{asked}",
                "if that is not meant so, let what begins with the chat's prefix through in the "
                "middleware (app.wsgi_app)",
            )
        elif status in _TO_ANYBODY:
            yield warning(
                f"the application itself answers whoever has not signed in, before the chat is "
                f"asked ({status}{where}): visitors have no chat, nor have waiters whom only the "
                f"chat knows. It was asked {asked}",
                f"if that is not meant so, in the before_request that answers: {LINE}",
            )
        else:
            yield fault(
                f"the application itself answers {status} before the chat is asked, at {asked}: "
                "nobody gets a chat",
                f"in the before_request that answers, a check of forms or a limit: {LINE}",
            )


def proxies(setup: SetUp) -> Iterator[Finding]:
    """The number of proxies is said once."""
    believed, fixed = setup.settings.trusted_proxies, setup.proxy_fix
    if not believed or not fixed:
        return
    if believed != fixed:
        yield warning(
            f"the application's ProxyFix believes {fixed} of the proxies, and "
            f"CSAPP_TRUSTED_PROXIES is {believed}: one of them takes a proxy for the visitor",
            "leave CSAPP_TRUSTED_PROXIES away, and let x_for of ProxyFix be right",
        )
    else:
        yield hint(
            "the application has ProxyFix, whose word counts for the chat as well, and "
            "CSAPP_TRUSTED_PROXIES says the same once more",
            "leave CSAPP_TRUSTED_PROXIES away",
        )


CHECKS: tuple[Check, ...] = (walls, proxies)
