"""`{{ csapp_widget() }}`: the script tag of the widget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from flask import current_app, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from services.instance import NoSecret
from services.seldom import Seldom
from services.wire.codes import HTTPRefusal

from ..extension import Extension
from ..host.extensions import locale
from ..host.extensions import nonce as nonce_of
from ..host.identity import ask_host

_say = Seldom(logging.getLogger("csapp"))

#: `docs/widget.md` says what each does
OPTIONS = (
    "locale", "catalogue", "theme", "position", "title", "greeting", "credentials", "page",
    "department", "departments",
)  # fmt: skip


def tag(extension: Extension) -> Callable[..., Markup]:
    """The function for the templates of an application that has *extension*."""

    def csapp_widget(
        *, nonce: str | None = None, departments: str | Iterable[str] | None = None,
        **options: str | None,
    ) -> Markup:  # fmt: skip
        """The script tag. Raises `TypeError` for an option that there is not."""
        if departments is not None:
            options["departments"] = (
                departments if isinstance(departments, str) else " ".join(departments)
            )
        if unknown := options.keys() - set(OPTIONS):
            raise TypeError(f"csapp_widget: there is no option {', '.join(sorted(unknown))}")
        if extension.callbacks.visitor is not None:
            options["visitor"] = mark(
                extension
            )  # None: left out; the browser then keeps what it has
        options.setdefault("locale", locale(current_app) or None)
        attributes = {
            "src": url_for("csapp_widget.script"),
            "nonce": nonce if nonce is not None else nonce_of(current_app),
        }
        attributes |= {f"data-{name}": value for name, value in options.items()}
        written = (
            Markup(' {}="{}"').format(name, value)
            for name, value in attributes.items()
            if value is not None
        )
        return Markup("<script async{}></script>").format(Markup("").join(written))

    return csapp_widget


def mark(extension: Extension) -> str | None:
    """A mark of the visitor of this request, which does not show who it is.

    By it the widget notices that another visitor uses the same browser, and forgets the
    conversation of the one before. "" for a visitor whom the host does not know, None where
    the host cannot say.
    """
    try:
        named = ask_host(extension.callbacks.visitor, request)
        return extension.server.tokens.mark(named.subject) if named else ""
    except (HTTPRefusal, HTTPException):
        return None
    except NoSecret as error:  # the page is the host's: it is served, without a chat
        _say("secret", logging.ERROR, "no chat is possible: %s", error)
        return ""
