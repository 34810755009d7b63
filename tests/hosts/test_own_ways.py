"""Applications with JSON, templates, files, headers and views of their own: the chat keeps its."""

from __future__ import annotations

import datetime
import gzip
from functools import wraps
from importlib.util import find_spec
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    after_this_request,
    redirect,
    render_template_string,
    request,
    session,
)
from flask.json.provider import DefaultJSONProvider
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from jinja2 import StrictUndefined
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter
from werkzeug.test import Client

from blueprints.host.intercepted import examine
from blueprints.kit.assets import asset
from blueprints.widget.pages import STATIC

from .made import PREFIX, made

TOKEN = f"{PREFIX}/v1/visitor/token"


def script_itself() -> bytes:
    """`widget.js` as the chat gives it out."""
    plain, _ = asset(STATIC, "widget.js")
    return plain


def embedded(app: Flask) -> Any:
    """A client of *app*, with the chat in it."""
    chat = app.extensions.pop("to be hung in")
    chat.init_app(app, PREFIX)
    return app.test_client()


@pytest.fixture
def app() -> Flask:
    app, chat = made("own ways")
    app.extensions["to be hung in"] = chat
    return app


def test_json_in_a_style_of_its_own(app):
    class Camels(DefaultJSONProvider):
        mimetype = "application/vnd.shop+json"

        def dumps(self, obj: Any, **options: Any) -> str:
            return super().dumps({"data": obj}, **options)

    app.json = Camels(app)
    answer = embedded(app).post(TOKEN)
    assert answer.mimetype == "application/json"
    assert {"token", "expires_in", "sub", "name", "avatar"} == set(answer.json)
    refused = app.test_client().post(TOKEN, headers={"Origin": "https://elsewhere.example"})
    assert set(refused.json) == {"code", "message"}


def test_templates_with_delimiters_of_its_own(app):
    """As people set them who write Vue or Angular beside Jinja."""
    app.jinja_options = {
        "variable_start_string": "[[", "variable_end_string": "]]",
        "block_start_string": "[%", "block_end_string": "%]",
        "line_statement_prefix": "<",
    }  # fmt: skip
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.autoescape = False
    app.view_functions["page"] = lambda: render_template_string("[[ csapp_widget() ]]")
    client = embedded(app)
    assert f'src="{PREFIX}/widget.js"' in client.get("/").text
    for path in ("/waiter", "/"):
        page = client.get(PREFIX + path).text
        assert "{{" not in page
        assert "{%" not in page
        assert f'"{PREFIX}/' in page


def test_processors_of_its_templates_are_for_its_own(app):
    @app.context_processor
    def basket() -> dict[str, Any]:
        raise LookupError("there is no basket for a waiter")

    assert embedded(app).get(f"{PREFIX}/waiter").status_code == 200


@pytest.mark.parametrize(
    "path", ["/csapp-static/console/main.js", "/csapp-static/widget/panel.js", "/widget.js"]
)
def test_files_of_one_release_are_asked_for_together(app, path):
    """Whatever the application lets browsers keep of its own."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = datetime.timedelta(days=365)

    @app.after_request
    def keep_all(response: Response) -> Response:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    answer = embedded(app).get(PREFIX + path)
    assert answer.headers["Cache-Control"].startswith("no-cache")
    assert answer.headers["ETag"]


def test_tokens_are_kept_nowhere(app):
    @app.after_request
    def keep_all(response: Response) -> Response:
        response.headers["Cache-Control"] = "public, max-age=60"
        return response

    assert embedded(app).post(TOKEN).headers["Cache-Control"] == "no-store"


def test_the_widgets_files_may_be_shown_elsewhere(app):
    @app.after_request
    def close(response: Response) -> Response:
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    client = embedded(app)
    answer = client.get(f"{PREFIX}/widget.js")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert client.get("/").headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_envelope_round_every_body(app):
    """One that says in the body what was wrong, and that all is well."""

    @app.after_request
    def envelope(response: Response) -> Response:
        if response.is_json:
            told = {"status": response.status_code, "data": response.get_json()}
            response.set_data(app.json.dumps(told))
            response.status_code = 200
            response.content_type = "application/vnd.shop+json"
        return response

    client = embedded(app)
    answer = client.post(TOKEN)
    assert {"token", "expires_in", "sub", "name", "avatar"} == set(answer.json)
    assert answer.content_type == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    refused = client.post(TOKEN, headers={"Origin": "https://elsewhere.example"})
    assert (refused.status_code, set(refused.json)) == (403, {"code", "message"})
    assert client.head(f"{PREFIX}/healthz").data == b""


def test_bodies_that_the_application_packs(app):
    """An answer of ours is short, or is packed already."""

    @app.after_request
    def pack(response: Response) -> Response:
        if not response.direct_passthrough:
            response.set_data(gzip.compress(response.get_data()))
            response.headers["Content-Encoding"] = "gzip"
        return response

    client = embedded(app)
    assert client.post(TOKEN).json["token"]
    script = client.get(f"{PREFIX}/widget.js", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(script.data) == script_itself()
    page = client.get(f"{PREFIX}/waiter")
    assert b"<html" in gzip.decompress(page.data)


@pytest.mark.parametrize(
    "instead",
    [
        lambda answer: Response("the shop's page", mimetype="text/html"),
        lambda answer: {"code": 0, "data": answer.get_json(silent=True)},
        lambda answer: (answer.get_data(), 200, {"Content-Type": "text/html"}),
    ],
    ids=["page", "envelope", "copy"],
)
def test_a_hook_that_returns_another_response(app, instead):
    @app.after_request
    def of_its_own(answer: Response) -> Response:
        session["asked"] = True  # in a cookie of the response that the hook returns
        other = app.make_response(instead(answer))
        other.headers["Vary"] = "Cookie"
        other.headers["X-Shop"] = "1"
        return other

    client = embedded(app)
    answer = client.post(TOKEN)
    assert answer.json["sub"].startswith("anonymous-")
    assert (answer.headers["Cache-Control"], answer.headers["X-Shop"]) == ("no-store", "1")
    assert [cookie.partition("=")[0] for cookie in answer.headers.getlist("Set-Cookie")] == [
        "session"
    ]
    refused = client.post(TOKEN, headers={"Origin": "https://elsewhere.example"})
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert client.get(f"{PREFIX}/waiter").text.startswith("<!doctype html>\n<html")
    script = client.get(f"{PREFIX}/widget.js", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(script.data) == script_itself()
    assert set(script.headers.getlist("Vary")) == {"Accept-Encoding", "Cookie"}
    assert client.get("/").text != "", "what is the shop's is what the hook returns"


def test_a_hook_that_fails_with_what_it_does_not_know(app, caplog):
    @app.after_request
    def count(answer: Response) -> Response:
        answer.headers["X-Count"] = str(len(answer.get_json()["items"]))
        return answer

    app.add_url_rule("/own", "own", lambda: {"items": []})
    client = embedded(app)
    assert client.get("/own").headers["X-Count"] == "0"
    assert client.post(TOKEN).json["sub"].startswith("anonymous-")
    assert client.get(f"{PREFIX}/widget.js").mimetype == "text/javascript"
    assert "KeyError: 'items'" in caplog.text, "the log says what fails"


@pytest.mark.parametrize("once", [True, False])
def test_what_is_to_be_done_after_this_request_fails(app, caplog, once):
    @app.before_request
    def later() -> None:
        failures = [LookupError("there is no basket")] * (1 if once else 9)

        @after_this_request
        def fail(answer: Response) -> Response:
            if failures:
                raise failures.pop()
            return answer

    client = embedded(app)
    answer = client.post(TOKEN)
    assert answer.json["sub"].startswith("anonymous-")
    assert answer.headers["Cache-Control"] == "no-store"
    refused = client.post(TOKEN, headers={"Origin": "https://elsewhere.example"})
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    page = client.get(f"{PREFIX}/waiter")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.get(f"{PREFIX}/widget.js").mimetype == "text/javascript"
    assert client.get("/").status_code == 500, "what is the shop's own fails"
    assert "LookupError: there is no basket" in caplog.text, "the log says what"


def test_another_response_after_this_request(app):
    @app.before_request
    def later() -> None:
        @after_this_request
        def instead(answer: Response) -> Response:
            other = Response("the shop's page", mimetype="text/html")
            other.set_cookie("basket", "1")
            return other

    client = embedded(app)
    answer = client.post(TOKEN)
    assert answer.json["sub"].startswith("anonymous-")
    assert (answer.headers["Cache-Control"], answer.headers["Set-Cookie"][:8]) == (
        "no-store", "basket=1",
    )  # fmt: skip
    assert client.get(f"{PREFIX}/widget.js").mimetype == "text/javascript"
    assert "Content-Security-Policy" in client.get(f"{PREFIX}/waiter").headers
    assert client.get("/").text == "the shop's page"


def test_a_hook_that_reads_every_body_as_text(app):
    """A log of all answers. What is packed is text all the same."""
    read: list[str] = []

    @app.after_request
    def note(answer: Response) -> Response:
        read.extend([answer.get_data(as_text=True), answer.data.decode()])
        return answer

    answer = embedded(app).get(f"{PREFIX}/widget.js", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    text = gzip.decompress(answer.data).decode()
    assert read == [text, text]


def test_a_hook_that_clears_all_headers(app):
    @app.after_request
    def clear(answer: Response) -> Response:
        answer.headers.clear()
        answer.headers["Content-Type"] = "text/html"
        return answer

    client = embedded(app)
    for path in ("/widget.js", "/csapp-static/console/main.js"):
        assert client.get(PREFIX + path).mimetype == "text/javascript", path
    assert client.post(TOKEN).mimetype == "application/json"


async def later(request: Any) -> str:
    return "ada"


@pytest.mark.parametrize(
    ("callback", "waiter"),
    [
        (lambda request: redirect("/login"), ""),  # as with `login_required`
        (lambda request: Response("Sign in", 401), ""),
        (later, "ada" if find_spec("asgiref") else ""),  # Flask asks it with that package
    ],
    ids=["redirect", "refusal", "async"],
)
def test_what_a_callback_returns_makes_no_waiters(app, callback, waiter):
    app.extensions["to be hung in"].identify_waiter(callback)
    answer = embedded(app).post(f"{PREFIX}/v1/waiter/login")
    assert answer.status_code == (200 if waiter else 503)
    assert answer.json.get("sub", "") == waiter


def test_what_has_not_changed_is_not_sent_again(app):
    @app.after_request
    def ask(response: Response) -> Response:
        response.add_etag()
        return response.make_conditional(request)

    client = embedded(app)
    for path in ("/widget.js", "/v1/status"):
        answer = client.get(PREFIX + path)
        again = client.get(PREFIX + path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path
        assert "Content-Encoding" not in again.headers


@pytest.mark.parametrize("part", ["widget", "console", "kit"])
@pytest.mark.parametrize("config", [{}, {"TRAP_HTTP_EXCEPTIONS": True}], ids=["plain", "trapped"])
def test_a_file_that_is_none_is_no_page(app, part, config):
    """A single page that answers for every address that is not there."""
    app.config.update(config)
    app.register_error_handler(404, lambda error: "<h1>the shop's single page</h1>")
    answer = embedded(app).get(f"{PREFIX}/csapp-static/{part}/gone.js")
    assert (answer.status_code, answer.mimetype) == (404, "application/json")


@pytest.mark.parametrize("handles", [500, Exception])
def test_what_fails_before_the_chat_has_the_shops_own_page(app, handles):
    @app.before_request
    def fail() -> None:
        raise LookupError("no database")

    app.register_error_handler(handles, lambda error: ("<h1>the shop's apology</h1>", 500))
    client = embedded(app)
    assert client.get(f"{PREFIX}/waiter").text == "<h1>the shop's apology</h1>"
    answer = client.post(TOKEN)
    assert (answer.status_code, answer.json["code"]) == (500, "internal")


def test_converters_of_addresses_in_the_place_of_werkzeugs(app):
    class Words(BaseConverter):
        regex = "[a-z]+"

    app.url_map.converters.update(string=Words, path=Words)
    client = embedded(app)
    for path in ("console/main.js", "kit/links.js", "widget/panel.css"):
        assert client.get(f"{PREFIX}/csapp-static/{path}").status_code == 200, path


def test_views_that_the_application_has_wrapped(app):
    """As some do who put a login before all of an application's views."""

    def with_login(view: Any) -> Any:
        @wraps(view)
        def walled(**values: Any) -> Any:
            return view(**values) if "user" in session else redirect("/login")

        return walled

    client = embedded(app)
    for endpoint, view in list(app.view_functions.items()):
        if endpoint not in ("page", "sign_in"):
            app.view_functions[endpoint] = with_login(view)
    for path in ("/widget.js", "/csapp-static/console/main.js", "/v1/status"):
        assert client.get(PREFIX + path).status_code == 401, path
    assert client.get(f"{PREFIX}/healthz").json == {"status": "ok"}
    assert client.get(f"{PREFIX}/waiter").location == "/login"
    assert {one.more for one in examine(app, PREFIX)} == {"/login"}
    client.get("/sign-in/ann")
    assert client.get(f"{PREFIX}/widget.js").mimetype == "text/javascript"
    assert client.post(TOKEN).json["sub"] == "ann"


def test_an_application_that_is_mounted_in_another(app):
    app.config["APPLICATION_ROOT"] = "/elsewhere"  # of links that no request makes
    embedded(app)
    outer = Client(DispatcherMiddleware(Flask("outer").wsgi_app, {"/shop": app}))
    page = outer.get("/shop/")
    assert f'src="/shop{PREFIX}/widget.js"' in page.text
    assert outer.get(f"/shop{PREFIX}/widget.js").mimetype == "text/javascript"
    assert (
        f'"/shop{PREFIX}/csapp-static/console/main.js"' in outer.get(f"/shop{PREFIX}/waiter").text
    )
    assert outer.post(f"/shop{TOKEN}").json["sub"].startswith("anonymous-")


def test_limits_for_a_whole_application(app):
    Limiter(
        get_remote_address, app=app, application_limits=["2 per day"], storage_uri="memory://",
    )  # fmt: skip
    client = embedded(app)
    assert [client.get(f"{PREFIX}/widget.js").status_code for _ in range(4)] == [200] * 4
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("hosts", [["shop.example"], [".shop.example", "other.example"]])
def test_an_examination_asks_a_host_that_is_trusted(app, hosts):
    app.config["TRUSTED_HOSTS"] = hosts
    embedded(app)
    assert examine(app, PREFIX) == []


def test_https_by_a_hook_is_not_for_probes(app):
    @app.before_request
    def force() -> Any:
        return redirect(f"https://shop.example{PREFIX}/healthz", 301)

    client = embedded(app)
    assert client.get(f"{PREFIX}/healthz").json == {"status": "ok"}
