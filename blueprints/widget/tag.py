"""`{{ csapp_widget() }}`: the script tag of the widget."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import request, url_for
from markupsafe import Markup

from services.identity import Identity
from services.instance import NoSecret
from services.seldom import Seldom

from ..extension import Extension

_say = Seldom(logging.getLogger("csapp"))

#: `docs/widget.md` says what each does
OPTIONS = ("locale", "catalogue", "theme", "position", "title", "greeting", "credentials")


def tag(extension: Extension) -> Callable[..., Markup]:
    """The function for the templates of an application that has *extension*."""

    def csapp_widget(*, nonce: str | None = None, **options: str | None) -> Markup:
        """The script tag. Raises `TypeError` for an option that there is not."""
        if unknown := options.keys() - set(OPTIONS):
            raise TypeError(f"csapp_widget: there is no option {', '.join(sorted(unknown))}")
        if extension.callbacks.visitor is not None:
            options["visitor"] = _mark(extension)
        attributes = {"src": url_for("csapp_widget.script"), "nonce": nonce}
        attributes |= {f"data-{name}": value for name, value in options.items()}
        written = (
            Markup(' {}="{}"').format(name, value)
            for name, value in attributes.items()
            if value is not None
        )
        return Markup("<script async{}></script>").format(Markup("").join(written))

    return csapp_widget


def _mark(extension: Extension) -> str:
    """Tells one visitor from the next at the same browser; says nothing of who it is.

    Empty for a stranger. What a browser keeps of a chat is for the visitor who had it.
    """
    callback = extension.callbacks.visitor
    who = callback(request) if callback else None
    if who is None:
        return ""
    subject = who.subject if isinstance(who, Identity) else str(who)
    try:
        return extension.server.tokens.mark(subject)
    except NoSecret as error:  # the page is the host's, and is served without a chat
        _say("secret", logging.ERROR, "no chat is possible: %s", error)
        return ""
