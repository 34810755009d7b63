"""`Door`: a blueprint of the chat, which works alike in every application.

1. An application may match host names or subdomains (`host_matching`, `subdomain_matching`).
   A rule that names none would then match no host, or the bare domain only, and pages at
   other names would have to fetch the chat from another origin. So the addresses of a door
   are at every host name that the application serves.
2. An application may answer a request itself, in a hook or in the place of a view. So each
   view of a door notes that it was reached (`host/reached.py`).
3. An application may let browsers cache files for a year. Browsers ask for the files of a
   door again each time, because files of two releases do not fit together. What a door sets
   on its answers stays as it is (`host/unchanged.py`).
4. An application may replace Werkzeug's URL converters, and have its own page for 404.
   A door uses neither.
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

#: the variable in our rules that matches the host name, or the subdomain
SITE = "csapp_site"

#: the converters that our rules use, by names that no application uses
CONVERTERS = {"csapp_path": PathConverter, "csapp_text": UnicodeConverter}


class Door(Blueprint):
    """See `flask.Blueprint`."""

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        #: endpoint, without the blueprint → its view
        self.views: dict[str, Callable[..., Any]] = {}
        self.after_request(keep)  # the hook that is registered first runs last
        self.register_error_handler(500, recover)
        self.register_error_handler(404, _nothing_here)
        self.url_value_preprocessor(_forget_site)
        self.url_defaults(_stay_at_site)

    def make_setup_state(self, app: Any, options: Any, first_registration: bool = False) -> Any:
        return _AtEverySite(self, app, options, first_registration)

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        return 0  # None would mean the application's setting


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
        values.pop(SITE, None)  # views have no such parameter


def _stay_at_site(endpoint: str, values: dict[str, Any]) -> None:
    """`url_for` makes addresses at the host name that the request came to."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if not has_request_context() or not app.url_map.is_endpoint_expecting(endpoint, SITE):
        return
    adapter = None if app.url_map.host_matching else app.create_url_adapter(request)
    site = request.host if adapter is None else adapter.subdomain
    if site:
        values.setdefault(SITE, site)
