"""Host applications whose pages make it hard for a guest.

Served as `tests.browser.hosts:strict` and `…:hostile`; one that does not, `…:plain`; the same
with clocks that a test sets, `…:clocked()`; and one that knows its visitors, `…:shop`. Each has two
pages, `/` and `/second`, with the widget on both, and the chat under `/support`.
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import (
    Flask,
    Request,
    Response,
    redirect,
    render_template_string,
    send_from_directory,
    session,
    url_for,
)

from csapp import CSApp, Identity
from tests.clocked import add_clock
from tests.wall_clock_host import follow_file

#: nothing inline, nothing from elsewhere
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"
)

VENDOR = Path(__file__).parent / "vendor"

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{{ title }}</title>
    <link rel="icon" href="data:,">
    {% if sheet %}<link rel="stylesheet" href="{{ url_for('sheet') }}">{% endif %}
  </head>
  <body>
    <main>
      <h1>{{ title }}</h1>
      <p>The host's own words. <a href="{{ url_for('first') }}">First page</a>
        <a href="{{ url_for('second') }}">Second page</a></p>
    </main>
    {{ csapp_widget() }}
  </body>
</html>
"""


def _host(title: str, *, policy: str = "", sheet: str = "") -> Flask:
    app = Flask(f"{__name__}.{title}")
    for key, value in os.environ.items():
        if key.startswith("CSAPP_"):
            app.config[key] = value
    app.extensions["chat"] = CSApp(app, url_prefix="/support")

    def page() -> str:
        return render_template_string(PAGE, title=title, sheet=sheet)

    app.add_url_rule("/", "first", page)
    app.add_url_rule("/second", "second", page)
    app.add_url_rule("/site/<folder>/<path:name>", "site", _site)
    app.add_url_rule("/host.css", "sheet", lambda: Response(sheet, mimetype="text/css"))

    @app.after_request
    def guarded(response: Response) -> Response:
        if policy:
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return app


def _site(folder: str, name: str) -> Response:
    """A page that a test has written into the folder `SITE`; or a script of others."""
    if name.startswith("vendor/"):
        return send_from_directory(VENDOR, name.removeprefix("vendor/"))
    kind = None if "." in name else "text/html"
    return send_from_directory(Path(os.environ["SITE"], folder), name, mimetype=kind, max_age=0)


#: leaves everything alone
plain = _host("A plain house")


def clocked() -> Flask:
    """Its time passes as `tests.clocked` and the file of `tests.wall_clock_host` say."""
    return add_clock(follow_file(_host("A clocked house")))


#: no inline script or style gets past it
strict = _host("A strict house", policy=POLICY)

#: … and shows pictures of its own only
pictured = _host("A house with pictures", policy=POLICY.replace("img-src", "img-src 'self'"))

#: its style sheet is at everybody, wherever it can get in
hostile = _host(
    "A hostile house",
    sheet="""
    * { all: revert; display: block !important }
    * { color: rgb(255 0 255) !important; font: 40px serif !important; float: right !important }
    * { position: static !important; z-index: -1 !important; opacity: .5 !important }
    """,
)


#: people sign in here, one after the other at the same browser
shop = _host("A shop")
shop.secret_key = "the shop's own key"


@shop.extensions["chat"].identify_visitor
def who(request: Request) -> Identity | None:
    name = session.get("name")
    return Identity(f"customer-{name}", name) if name else None


@shop.get("/sign-in/<name>")
def sign_in(name: str) -> Response:
    session["name"] = name
    return redirect(url_for("first"))


@shop.get("/sign-out")
def sign_out() -> str:
    """Nobody tells the chat."""
    session.clear()
    return "signed out"


#: has no chat of its own: the widget comes from the server named in `CHAT`
elsewhere = Flask(f"{__name__}.elsewhere")


@elsewhere.get("/")
def front() -> str:
    return (
        "<!doctype html><html lang=en><title>Elsewhere</title><link rel=icon href=data:,>"
        f"<h1>Elsewhere</h1><script async src={os.environ['CHAT']}/widget.js></script>"
    )
