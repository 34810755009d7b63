"""A blueprint of the chat, which an application may treat in its own ways.

1. An application may match host names or subdomains (`host_matching`, `subdomain_matching`).
   A rule without one of its own would then be at none, or at the bare domain only, and
   pages elsewhere would have to fetch the chat from another origin. The addresses of a
   door are at every host name that the application serves.
2. It may answer a request itself, in a hook or in the place of a view. A view of a door
   says that it was reached.
3. It may let browsers keep files for a year. Those of a door are asked for again each
   time, because they are of one release together; and what a door says of its answers
   stands (`host/unchanged.py`).
4. It may have put other converters of addresses in the place of Werkzeug's, and pages of
   its own for what is not there. Neither is for the addresses of a door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, has_request_context, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter, UnicodeConverter

from .host.reached import marked
from .host.unchanged import keep, recover
from .refusals import answer, nothing_here

#: the variable of our rules that takes the host name, or the subdomain
SITE = "csapp_site"

#: what our rules take apart, by names that nobody else gives
CONVERTERS = {"csapp_path": PathConverter, "csapp_text": UnicodeConverter}


class Door(Blueprint):
    """See `flask.Blueprint`."""

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        #: endpoint, without the blueprint → its view
        self.views: dict[str, Callable[..., Any]] = {}
        self.after_request(keep)  # what is hung first is done last
        self.register_error_handler(500, recover)
        self.register_error_handler(404, _nothing_here)
        self.url_value_preprocessor(_forget_site)
        self.url_defaults(_stay_at_site)

    def make_setup_state(self, app: Any, options: Any, first_registration: bool = False) -> Any:
        return _AtEverySite(self, app, options, first_registration)

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        return 0  # None would be what the application says


class _AtEverySite(BlueprintSetupState):
    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any
    ) -> None:
        app: Any = self.app
        door: Any = self.blueprint
        name = endpoint or view_func.__name__
        view = door.views.setdefault(name, marked(view_func))
        app.url_map.converters.update(CONVERTERS)
        rule = rule.replace("<path:", "<csapp_path:")
        any_host = {"host": f"<csapp_text:{SITE}>"} if app.url_map.host_matching else {}
        super().add_url_rule(rule, name, view, **any_host, **options)
        if app.subdomain_matching:
            options["subdomain"] = f"<csapp_text:{SITE}>"
            super().add_url_rule(rule, name, view, **options)


def _nothing_here(_error: NotFound) -> Response:
    return answer(nothing_here())


def _forget_site(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values:
        values.pop(SITE, None)  # views do not ask for it


def _stay_at_site(endpoint: str, values: dict[str, Any]) -> None:
    """Addresses are those of the site that is being asked."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if not has_request_context() or not app.url_map.is_endpoint_expecting(endpoint, SITE):
        return
    adapter = None if app.url_map.host_matching else app.create_url_adapter(request)
    site = request.host if adapter is None else adapter.subdomain
    if site:
        values.setdefault(SITE, site)
