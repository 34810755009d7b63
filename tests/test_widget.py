"""The widget's files, its tag, and what pages of other origins may ask."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from blueprints import auth
from blueprints.kit.assets import asset
from blueprints.widget.pages import STATIC
from blueprints.widget.tag import OPTIONS
from csapp import CSApp, Identity, create_app
from services.identity import Tokens
from testkit.server import ROOT, SECRET

WEEK = 7 * 86_400


def host(**config: Any) -> tuple[Flask, CSApp]:
    app = Flask(__name__)
    app.config.update(CSAPP_SECRET_KEY=SECRET, CSAPP_DATABASE_URL="off", **config)
    chat = CSApp(app, url_prefix="/support")
    return app, chat


@pytest.fixture
def client() -> FlaskClient:
    return host()[0].test_client()


# ---- files -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["widget.js", "csapp-static/widget/panel.js"])
def test_files_are_asked_for_anew_and_travel_packed(client: FlaskClient, name: str):
    plain = client.get(f"/support/{name}")
    assert plain.status_code == 200
    assert plain.mimetype == "text/javascript"
    assert plain.headers["Cache-Control"] == "no-cache"
    assert plain.headers["Vary"] == "Accept-Encoding"
    packed = client.get(f"/support/{name}", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get(
        f"/support/{name}",
        headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]},
    )
    assert (again.status_code, again.data) == (304, b"")


def test_files_may_be_loaded_by_any_page(client: FlaskClient):
    """They are the same for everybody, and modules of another origin need the header."""
    answer = client.get("/support/csapp-static/widget/panel.js")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("name", ["nothing.js", "../pages.py", "..%2fpages.py", "locales"])
def test_nothing_else_is_there(client: FlaskClient, name: str):
    assert client.get(f"/support/csapp-static/widget/{name}").status_code == 404


@pytest.mark.parametrize(
    ("asked", "lang", "greeting"),
    [
        ("", "en", "How can we help?"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-TW", "有什么可以帮您？"),
        ("nl,de-AT;q=0.5,en;q=0.4", "de-AT", "Wie können wir helfen?"),
        ("de;q=0,EN-gb;q=0.1", "EN-gb", "How can we help?"),
        ("ar", 'ar" dir="rtl', "كيف يمكننا مساعدتك؟"),
        ('fr"><script>', "en", "How can we help?"),
        ("../../en", "en", "How can we help?"),
        ("*", "en", "How can we help?"),
    ],
)
def test_the_page_around_the_widget_speaks_as_well(
    client: FlaskClient, asked: str, lang: str, greeting: str
):
    answer = client.get("/support/", headers={"Accept-Language": asked})
    assert f'<html lang="{lang}"' in answer.text
    assert f"<h1>{greeting}</h1>" in answer.text
    assert answer.headers["Vary"] == "Accept-Language"


# ---- the tag -----------------------------------------------------------------


def tag(app: Flask, call: str = "csapp_widget()") -> str:
    with app.test_request_context():
        return render_template_string("{{ " + call + " }}")


def test_a_tag_in_any_template():
    app, _ = host()
    assert tag(app) == '<script async src="/support/widget.js"></script>'


def test_a_tag_with_options():
    app, _ = host()
    written = tag(app, """csapp_widget(nonce="a1", locale="zh", title='"><script>')""")
    assert written == (
        '<script async src="/support/widget.js" nonce="a1" data-locale="zh" '
        'data-title="&#34;&gt;&lt;script&gt;"></script>'
    )


def test_a_tag_with_an_option_that_there_is_not():
    app, _ = host()
    with pytest.raises(TypeError, match="colour"):
        tag(app, "csapp_widget(colour='red')")


def test_a_tag_tells_visitors_apart_and_does_not_name_them():
    app, chat = host()
    known: list[Identity | str | None] = ["user-1", Identity("user-1", "Ann"), "user-2", None]
    chat.identify_visitor(lambda request: known.pop(0))
    tags = [tag(app) for _ in range(4)]
    assert tags[0] == tags[1] != tags[2]
    assert "user-1" not in tags[0]
    assert hashlib.sha256(b"user-1").hexdigest()[:16] not in tags[0], "anybody could compute it"
    assert 'data-visitor=""' in tags[3]


def test_the_page_offers_departments_unless_the_host_says_where_questions_go():
    app, chat = host()
    assert 'data-departments="*"' in app.test_client().get("/support/").text
    chat.identify_visitor(lambda request: Identity("user-1", departments=["sales"]))
    assert "data-departments" not in app.test_client().get("/support/").text


def test_departments_may_be_a_list():
    app, _ = host()
    with app.test_request_context():
        written = render_template_string(
            '{{ csapp_widget(department="sales", departments=["sales", "support"]) }}'
            '{{ csapp_widget(departments="*") }}{{ csapp_widget(departments=[]) }}'
        )
    assert 'data-department="sales"' in written
    assert re.findall(r'data-departments="(.*?)"', written) == ["sales support", "*", ""]


def test_the_documentation_names_all_of_it():
    page = (ROOT / "docs" / "widget.md").read_text()
    launcher = asset(STATIC, "widget.js")[0].decode()
    options = set(re.findall(r"^\| `data-([a-z]+)`", page, re.MULTILINE))
    assert options == {*OPTIONS, "visitor"}
    commands = re.search(r"COMMANDS = (\[.*?\]);", (STATIC / "widget.js").read_text())
    assert commands
    table = page.split("| command | what |")[1].split("| event |")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", "".join(cells))) == set(json.loads(commands[1]))
    styles = launcher + asset(STATIC, "panel.css")[0].decode()
    assert set(re.findall(r"`(--csapp-[\w-]+)`", page)) == set(
        re.findall(r"var\((--csapp-[\w-]+)", styles)
    )


# ---- pages of other origins -----------------------------------------------------

THERE = "https://shop.example"


def asked(method: str, path: str, **config: Any) -> dict[str, str]:
    """The CORS headers of the answer to a page of `THERE`."""
    client = host(**config)[0].test_client()
    answer = client.open(f"/support/{path}", method=method, headers={"Origin": THERE})
    prefix = "Access-Control-"
    return {name[len(prefix) :]: value for name, value in answer.headers if prefix in name}


@pytest.mark.parametrize(("method", "path"), [("POST", "v1/visitor/token"), ("GET", "v1/status")])
def test_listed_origins_may_read_the_answer(method: str, path: str):
    expected = {"Allow-Origin": THERE, "Allow-Credentials": "true"}
    assert asked(method, path, CSAPP_ALLOWED_ORIGINS=f"https://a.example,{THERE}") == expected
    assert asked(method, path, CSAPP_ALLOWED_ORIGINS="https://a.example") == {}
    assert asked(method, path) == {}


@pytest.mark.parametrize(("method", "path"), [("POST", "v1/visitor/token"), ("GET", "v1/status")])
def test_any_origin_may_but_never_with_cookies(method: str, path: str):
    assert asked(method, path, CSAPP_ALLOWED_ORIGINS="*") == {"Allow-Origin": "*"}


def test_they_may_show_a_token():
    answer = asked("OPTIONS", "v1/visitor/token", CSAPP_ALLOWED_ORIGINS=THERE)
    assert answer["Allow-Headers"] == "Authorization"
    assert answer["Allow-Origin"] == THERE


@pytest.mark.parametrize("path", [
    "v1/files", "v1/files/links", "v1/files/uploads/u-1", "v1/files/f-1", "v1/files/f-1/thumb",
])  # fmt: skip
def test_they_may_send_and_read_files(path: str):
    for method in ("OPTIONS", "GET" if path.endswith(("-1", "thumb")) else "POST"):
        answer = asked(method, path, CSAPP_ALLOWED_ORIGINS=THERE)
        assert answer["Allow-Origin"] == THERE, "also of a refusal: its code says why"
        assert answer["Expose-Headers"] == "Retry-After"
    answer = asked("OPTIONS", path, CSAPP_ALLOWED_ORIGINS=THERE)
    assert answer["Allow-Headers"] == "Authorization, Content-Type"
    assert "DELETE" in answer["Allow-Methods"]
    assert asked("OPTIONS", path, CSAPP_ALLOWED_ORIGINS="https://a.example") == {}


def test_waiters_sign_in_on_pages_of_ours_alone():
    assert asked("POST", "v1/waiter/login", CSAPP_ALLOWED_ORIGINS=THERE) == {}


# ---- the same anonymous visitor --------------------------------------------------


def fetched(app: Flask, token: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer: dict[str, Any] = app.test_client().post("/v1/visitor/token", headers=headers).json
    return answer


@pytest.fixture
def alone() -> Flask:
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": "off"})


def signed(sub: str, *, ago: float = 0, lifetime: float = 3600, sid: str = "") -> str:
    tokens = Tokens([SECRET], lifetime, now=lambda: time.time() - ago)
    return tokens.sign(Identity(sub, sid=sid))


def test_an_anonymous_visitor_stays_the_same_with_another_token(alone: Flask):
    first = fetched(alone)
    second = fetched(alone, first["token"])
    assert second["sub"] == first["sub"]
    assert second["token"] != first["token"]
    assert fetched(alone)["sub"] != first["sub"]


def test_a_token_that_has_run_out_is_good_for_that_for_a_week(alone: Flask):
    late = signed("anonymous-ann", lifetime=0, ago=WEEK - 60)
    assert fetched(alone, late)["sub"] == "anonymous-ann"
    too_late = signed("anonymous-ann", lifetime=0, ago=WEEK + 60)
    assert fetched(alone, too_late)["sub"] != "anonymous-ann"
    assert auth.RENEWAL == WEEK


@pytest.mark.parametrize("token", ["nonsense", signed("user-1"), signed("user-1")[:-1]])
def test_nobody_else_is_renewed(alone: Flask, token: str):
    """Whom the host knows it says itself, on every request anew."""
    assert fetched(alone, token)["sub"].startswith("anonymous-")
    assert fetched(alone, token)["sub"] != "user-1"


def test_who_is_signed_out_is_somebody_new(alone: Flask):
    first = fetched(alone)
    client = alone.test_client()
    headers = {"Authorization": f"Bearer {first['token']}"}
    assert client.post("/v1/waiter/logout", headers=headers).status_code == 204
    assert fetched(alone, first["token"])["sub"] != first["sub"]


def test_what_was_renewed_is_signed_out_with_what_it_was(alone: Flask):
    first = fetched(alone)
    second = fetched(alone, first["token"])
    headers = {"Authorization": f"Bearer {first['token']}"}
    alone.test_client().post("/v1/waiter/logout", headers=headers)
    assert fetched(alone, second["token"])["sub"] != first["sub"]
