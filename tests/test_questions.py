"""What a waiter asks over HTTP: canned replies, and search in what was said."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from flask import Flask

from blueprints import store_queries
from csapp import create_app
from services.bounds import Rate
from services.history.departments import Change, DepartmentTables
from services.identity import Identity, TokenRole
from services.wire.codes import HTTPRefusal
from testkit.server import SECRET
from tests.history.people import keep

ADDRESSES = [("get", "/v1/canned"), ("post", "/v1/canned"), ("put", "/v1/canned/1"),
             ("delete", "/v1/canned/1"), ("get", "/v1/canned/1/versions"),
             ("get", "/v1/canned/removed"), ("post", "/v1/canned/restored"),
             ("post", "/v1/canned/1/used"),
             ("get", "/v1/search?q=word"), ("get", "/v1/search/waiters")]  # fmt: skip
REPLY = {"shortcut": "bye", "text": "Goodbye!"}
#: what is shown of a reply where nothing is said of it
PLAIN = {"choices": [], "department": "", "used": 0, "last_used": None}
NONE = {"replies": [], "departments": []}
#: what each of the addresses takes
BODY = {**REPLY, "version": 1}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    url = f"sqlite:///{tmp_path}/csapp.db"
    return create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": url})


def ask(
    app: Flask,
    method: str,
    address: str,
    body: object = None,
    who: str = "wim",
    role: str = "waiter",
):
    token = app.extensions["csapp"].server.tokens.sign(Identity(who, "", TokenRole(role)))
    data = body if isinstance(body, bytes) else json.dumps(body)
    client = app.test_client()
    return client.open(
        address, method=method.upper(), data=data, headers={"Authorization": f"Bearer {token}"}
    )


# ---- who may ask -----------------------------------------------------------


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_only_waiters_may_ask(app, method, address):
    without = app.test_client().open(address, method=method.upper(), json=BODY)
    assert (without.status_code, without.get_json()["code"]) == (401, "unauthenticated")
    assert without.headers["WWW-Authenticate"] == "Bearer"
    for role in ("user", "admin"):
        answer = ask(app, method, address, BODY, role=role)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "forbidden")


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_whoever_is_signed_out_may_not(app, method, address):
    tokens = app.extensions["csapp"].server.tokens
    header = {"Authorization": f"Bearer {tokens.sign(Identity('wim', '', TokenRole.WAITER))}"}
    client = app.test_client()
    assert client.get("/v1/canned", headers=header).status_code == 200
    assert client.post("/v1/waiter/logout", headers=header).status_code == 204
    answer = client.open(address, method=method.upper(), headers=header, json=BODY)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_without_a_database_there_is_nothing_to_ask(method, address):
    app = create_app({"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": "off"})
    answer = ask(app, method, address, BODY)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unavailable")


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_a_database_that_is_down_is_said_to_be(app, tmp_path, monkeypatch, method, address):
    monkeypatch.setattr("services.starting.START_AGAIN", 0.0)  # otherwise once a second
    (tmp_path / "csapp.db").mkdir()
    answer = ask(app, method, address, BODY)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert str(tmp_path) not in answer.text
    (tmp_path / "csapp.db").rmdir()
    assert ask(app, method, address, BODY).status_code != 503, "back by itself"


def test_questions_wait_for_their_turn_and_not_without_end(app, monkeypatch):
    begun, finished = threading.Semaphore(0), threading.Semaphore(0)
    gate = threading.Event()
    codes: list[int] = []
    monkeypatch.setattr(store_queries, "WAITING", 3)
    queries = store_queries.StoreQueries(app.extensions["csapp"], Rate(100.0, 100.0))
    app.extensions["csapp"].server.house  # noqa: B018  # made before several threads need it

    def work(store: object, who: object) -> None:
        begun.release()
        gate.wait(30)

    def one() -> None:
        token = app.extensions["csapp"].server.tokens.sign(Identity("wim", "", TokenRole.WAITER))
        with app.test_request_context(headers={"Authorization": f"Bearer {token}"}) as context:
            try:
                queries.ask(context.request, work)
                codes.append(200)
            except HTTPRefusal as refusal:
                codes.append(refusal.status)
        finished.release()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=30)
    assert begun.acquire(timeout=30)
    assert not begun.acquire(blocking=False), "only two are at work"
    assert finished.acquire(timeout=30)
    assert codes == [503], "the fourth does not wait"
    gate.set()
    for thread in threads:
        thread.join(30)
    assert sorted(codes) == [200, 200, 200, 503]


# ---- canned replies --------------------------------------------------------


def test_a_reply_from_its_making_to_its_end(app):
    made = ask(app, "post", "/v1/canned", {**REPLY, "shared": True})
    assert made.status_code == 201
    reply = made.get_json()
    assert reply["changed"].endswith("Z")
    assert reply == {
        **REPLY, **PLAIN, "id": reply["id"], "shared": True, "author": "wim", "sub": "wim",
        "changed": reply["changed"],
    }  # fmt: skip
    listed = ask(app, "get", "/v1/canned", who="zoe")
    assert listed.get_json() == {"replies": [reply], "departments": []}
    assert listed.headers["Cache-Control"] == "no-store"
    address = f"/v1/canned/{reply['id']}"
    changed = ask(app, "put", address, {"shortcut": "Tschüss", "text": " Tschüss! "})
    assert changed.get_json() == {
        **PLAIN, "id": reply["id"], "shortcut": "tschüss", "text": "Tschüss!", "shared": False,
        "author": "wim", "sub": "wim", "changed": changed.get_json()["changed"],
    }  # fmt: skip
    assert ask(app, "get", "/v1/canned", who="zoe").get_json() == NONE
    assert ask(app, "delete", address, who="zoe").status_code == 404
    assert ask(app, "delete", address).status_code == 204
    assert ask(app, "delete", address).status_code == 404
    assert ask(app, "put", address, REPLY).status_code == 404


def test_what_a_shared_reply_was_is_restored(app):
    """Any waiter may change it, and everybody sees who did."""
    made = ask(app, "post", "/v1/canned", {**REPLY, "shared": True}).get_json()
    address = f"/v1/canned/{made['id']}"
    spoilt = {"shortcut": "bye", "text": "Go away!", "shared": True}
    changed = ask(app, "put", address, spoilt, who="zoe").get_json()
    assert (changed["author"], changed["sub"]) == ("zoe", "zoe")
    answer = ask(app, "get", f"{address}/versions")
    assert answer.headers["Cache-Control"] == "no-store"
    (before,) = answer.get_json()["versions"]
    assert before == {
        "version": before["version"], "id": made["id"], "shortcut": "bye", "text": "Goodbye!",
        "author": "wim", "sub": "wim", "date": made["changed"], "ended_by": "zoe",
        "ended": before["ended"], "choices": [], "department": "",
    }  # fmt: skip
    restored = ask(app, "post", "/v1/canned/restored", {"version": before["version"]})
    assert restored.get_json()["text"] == "Goodbye!"
    assert ask(app, "delete", address, who="zoe").status_code == 204
    (gone,) = ask(app, "get", "/v1/canned/removed").get_json()["versions"]
    assert (gone["text"], gone["ended_by"]) == ("Goodbye!", "zoe")
    again = ask(app, "post", "/v1/canned/restored", {"version": gone["version"]}).get_json()
    assert again["shared"]
    assert ask(app, "get", "/v1/canned", who="zoe").get_json()["replies"] == [again]


def test_a_reply_with_choices(app):
    """They are its own as the text is, and its versions have them."""
    asked = {"shortcut": "size", "text": "Which size?", "shared": True}
    said = {**asked, "choices": [" Small ", "Very\nlarge"]}
    made = ask(app, "post", "/v1/canned", said).get_json()
    assert made["choices"] == ["Small", "Very large"]
    address = f"/v1/canned/{made['id']}"
    assert ask(app, "put", address, asked).get_json()["choices"] == []
    (before,) = ask(app, "get", f"{address}/versions").get_json()["versions"]
    assert before["choices"] == ["Small", "Very large"]
    again = ask(app, "post", "/v1/canned/restored", {"version": before["version"]}).get_json()
    assert again["choices"] == made["choices"]


def test_a_reply_of_a_department(app):
    """Its members use it; of others it is nobody's."""
    extension = app.extensions["csapp"]
    tables = DepartmentTables(extension.store())
    tables.add("sales", Change(members={"wim": 0, "zoe": 0}))
    tables.add("support", Change(members={"mia": 0}))
    extension.server.house.departments.read()
    sold = {**REPLY, "shared": True, "department": "sales"}
    made = ask(app, "post", "/v1/canned", sold).get_json()
    assert made["department"] == "sales"
    found = ask(app, "get", "/v1/canned", who="zoe").get_json()
    assert found == {"replies": [made], "departments": ["sales"]}
    for who in ("mia", "ada"):
        assert ask(app, "get", "/v1/canned", who=who).get_json()["replies"] == []
        for method in ("put", "delete"):
            answer = ask(app, method, f"/v1/canned/{made['id']}", REPLY, who=who)
            assert answer.status_code == 404
        answer = ask(app, "post", f"/v1/canned/{made['id']}/used", who=who)
        assert answer.status_code == 404
        refused = ask(app, "post", "/v1/canned", sold, who=who)
        assert (refused.status_code, refused.get_json()["code"]) == (400, "invalid_message")
        assert refused.get_json()["message"].startswith("department: ")


def test_uses_are_counted(app):
    made = ask(app, "post", "/v1/canned", {**REPLY, "shared": True}).get_json()
    address = f"/v1/canned/{made['id']}"
    for who in ("wim", "zoe"):
        answer = ask(app, "post", f"{address}/used", who=who)
        assert (answer.status_code, answer.data) == (204, b"")
    (found,) = ask(app, "get", "/v1/canned").get_json()["replies"]
    assert found == {**made, "used": 2, "last_used": found["last_used"]}
    assert found["last_used"] >= made["changed"]
    assert ask(app, "get", f"{address}/versions").get_json() == {"versions": []}
    assert ask(app, "post", "/v1/canned/01/used").status_code == 404


def test_uses_are_bounded(app):
    made = ask(app, "post", "/v1/canned", REPLY).get_json()
    codes = [ask(app, "post", f"/v1/canned/{made['id']}/used").status_code for _ in range(40)]
    assert codes[:29] == [204] * 29
    assert 429 in codes


@pytest.mark.parametrize("version", [None, "1", True, 1.5, [], 10**30])
def test_what_is_no_version(app, version):
    answer = ask(app, "post", "/v1/canned/restored", {"version": version})
    assert answer.status_code == (404 if version == 10**30 else 400)
    assert answer.get_json()["message"].startswith("version: ")


def test_a_shortcut_that_is_taken(app):
    assert ask(app, "post", "/v1/canned", REPLY).status_code == 201
    again = ask(app, "post", "/v1/canned", {**REPLY, "shortcut": "BYE"})
    assert (again.status_code, again.get_json()["code"]) == (409, "id_conflict")


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [
        (b"shortcut=a", 400, "invalid_json", "the body"),
        (b"[" * 10_000, 400, "invalid_json", "the body"),
        (b'{"shortcut": "a", "text": "\\ud800"}', 400, "invalid_json", "the body"),
        (b"[]", 400, "invalid_message", "the body"),
        (b"{}", 400, "invalid_message", "shortcut"),
        (b'{"shortcut": 5, "text": "x"}', 400, "invalid_message", "shortcut"),
        (b'{"shortcut": "a b", "text": "x"}', 400, "invalid_message", "shortcut"),
        (b'{"shortcut": "a"}', 400, "invalid_message", "text"),
        (b'{"shortcut": "a", "text": null}', 400, "invalid_message", "text"),
        (b'{"shortcut": "a", "text": " "}', 400, "invalid_message", "text"),
        (b'{"shortcut": "a", "text": "%s"}' % (b"x" * 4097), 400, "invalid_message", "text"),
        (b'{"shortcut": "a", "text": "x", "shared": 1}', 400, "invalid_message", "shared"),
        (b'{"shortcut": "a", "text": "x", "choices": "ab"}', 400, "invalid_message", "choices"),
        (b'{"shortcut": "a", "text": "x", "choices": [1, 2]}', 400, "invalid_message", "choices"),
        (b'{"shortcut": "a", "text": "x", "choices": ["1"]}', 400, "invalid_message", "choices"),
        (b'{"shortcut": "a", "text": "x", "department": 1}', 400, "invalid_message", "department"),
        (b" " * 70_000, 413, "too_large", "the body"),
    ],
)
def test_what_is_no_reply_is_named(app, body, status, code, named):
    for method, address in (("post", "/v1/canned"), ("put", "/v1/canned/1")):
        answer = ask(app, method, address, body)
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)
        assert answer.get_json()["message"].startswith(f"{named}: ")


def test_many_questions_at_once_are_refused(app):
    codes = [ask(app, "get", "/v1/canned").status_code for _ in range(40)]
    assert codes[:30] == [200] * 30
    assert 429 in codes
    assert ask(app, "get", "/v1/canned", who="zoe").status_code == 200


# ---- search ----------------------------------------------------------------


def test_search_finds_in_conversations_of_visitors_whom_the_waiter_served(app):
    store = app.extensions["csapp"].store()
    keep(store, 0x1F, ["Where is my parcel?", "On its way"], user="ada", waiter="wim")
    keep(store, 0x2F, ["A parcel for me?"], user="bob", waiter="wim", ended=None)
    keep(store, 0x3F, ["No parcel here"], user="eve", waiter="zoe")
    keep(store, 0x4F, ["Another parcel"], user="ada", waiter="zoe")
    answer = ask(app, "get", "/v1/search?q=parcel")
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.get_json()
    assert found["next"] is None
    assert [(hit["conversation"], hit["name"], hit["state"]) for hit in found["hits"]] == [
        ("4f", "Ada", "ended"), ("2f", "Bob", "open"), ("1f", "Ada", "ended"),
    ]  # fmt: skip
    assert found["hits"][2] == {
        "conversation": "1f", "seq": 1, "date": "2026-01-02T03:04:06.000Z", "from": "visitor",
        "snippet": "Where is my parcel?", "name": "Ada", "sub": "ada", "avatar": "",
        "state": "ended", "department": "", "rating": None,
    }  # fmt: skip
    assert ask(app, "get", "/v1/search?q=way").get_json()["hits"][0]["from"] == "waiter"
    assert ask(app, "get", "/v1/search?q=parcel", who="nobody").get_json()["hits"] == []


@pytest.mark.parametrize("words", ["q=ordering&", ""])
def test_search_is_narrowed_down_with_words_and_without(app, words):
    store = app.extensions["csapp"].store()
    keep(store, 1, ["My orders"], user="ada", department="sales")
    keep(store, 2, ["I ordered"], user="bob", waiter="wim")
    keep(store, 3, ["No order of yours"], user="eve", waiter="zoe")
    for only, found in {
        "department=sales": ["1"],
        "department=": ["2"],
        "waiter=wim": ["2", "1"],
        "waiter=zoe": [],
        "from=2026-01-02T03:04:05Z&to=2026-01-02T04:04:06.001%2B01:00": ["2", "1"],
        "from=2026-01-03T00:00:00%2B01:00&waiter=wim": [],
        "rating=1,5": [],
    }.items():
        answer = ask(app, "get", f"/v1/search?{words}{only}").get_json()
        assert [hit["conversation"] for hit in answer["hits"]] == found, only
        assert answer["beginnings"] == (["order"] if words else []), only


def test_search_goes_on_where_it_stopped(app):
    keep(app.extensions["csapp"].store(), 1, [f"word {number}" for number in range(40)])
    first = ask(app, "get", "/v1/search?q=word").get_json()
    rest = ask(app, "get", f"/v1/search?q=word&before={first['next']}").get_json()
    seqs = [hit["seq"] for page in (first, rest) for hit in page["hits"]]
    assert seqs == list(range(40, 0, -1))
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [("", "q"), ("q=", "q"), ("q=%20", "q"), (f"q={'x' * 201}", "q"), ("q=a&before=x", "before"),
     ("q=a&before=-1", "before"), (f"q=a&before={'9' * 30}", "before"), ("q=a&before=", "before"),
     ("q=a&rating=6", "rating"), ("q=a&rating=1,,x", "rating"), ("rating=%EF%BC%91", "rating"),
     ("from=yesterday", "from"), ("q=a&from=2026-11-28", "from"), ("to=0000-00-00", "to"),
     (f"waiter={'x' * 201}", "waiter"),
     ("department=%00", "department"), ("q=%20&waiter=", "q"), ("rating=,", "q")],
)  # fmt: skip
def test_what_is_no_question_is_named(app, query, named):
    answer = ask(app, "get", f"/v1/search?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_message")
    assert answer.get_json()["message"].startswith(f"{named}: ")


def test_words_without_sense_find_nothing(app):
    assert ask(app, "get", "/v1/search?q=%22%00").get_json() == {
        "hits": [], "next": None, "beginnings": [],
    }  # fmt: skip
