"""The form before a chat: what a site declares, what is filled in, and where it is seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from csapp import create_app
from services import prechat
from services.errors import SettingsError
from services.prechat import Field, FieldType, UnfitField, checked, declared, described, filled_in
from services.settings import Settings
from testkit import Client, LiveServer, assert_receives
from testkit.server import SECRET
from tests.probe import Frame, next_frame, until

KEY = "CSAPP_FIELDS"
USUAL = ["name", "email", "question"]
ORDER = {"name": "order", "label": {"en": "Order", "zh": "订单"}, "max": 6}
KIND = {
    "name": "kind", "type": "select", "label": "What about", "options": [
        "Returns", {"value": "b2b", "label": {"en": "Business", "de": "Firmen"}}
    ],
}  # fmt: skip
AGREED = {"name": "agreed", "type": "checkbox", "label": "I agree.", "required": True}


def fields(*entries: Any) -> tuple[Field, ...]:
    return declared(KEY, list(entries))


# ---- the declaration -------------------------------------------------------


def test_the_usual_three_by_their_names():
    name, email, question = fields(*USUAL)
    assert (name.type, email.type, question.type) == ("text", "email", "textarea")
    assert all(one.required for one in (name, email, question))
    assert (name.label, name.max, email.max) == ({}, 200, 254)
    assert not fields({"name": "email"})[0].required, "an object says it itself"


def test_a_list_and_its_json_are_the_same():
    config = {"CSAPP_SECRET_KEY": SECRET}
    listed = Settings.load({**config, KEY: [*USUAL, ORDER, KIND]})
    assert listed == Settings.load({**config, KEY: json.dumps([*USUAL, ORDER, KIND])})
    assert [one.name for one in listed.fields] == [*USUAL, "order", "kind"]
    assert Settings.load({**config, KEY: ""}).fields == ()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("[", "JSON"),
        ("email", "JSON"),
        ({"name": "email"}, "a list"),
        (["email"] * 11, "at most 10"),
        (["phone"], "a field is"),
        ([5], "a field is"),
        ([{"type": "text"}], "name:"),
        ([{"name": "E-Mail", "label": "x"}], "name:"),
        ([{"name": "x" * 41, "label": "x"}], "name:"),
        ([{"name": "a", "type": "text"}], "label:"),
        ([{"name": "a", "type": "date", "label": "x"}], "type:"),
        ([{"name": "a", "type": [], "label": "x"}], "type:"),
        ([{"name": "a", "type": "text", "label": ""}], "label:"),
        ([{"name": "a", "type": "text", "label": "a\nb"}], "label:"),
        ([{"name": "a", "type": "text", "label": {"no language": "x"}}], "label:"),
        ([{"name": "a", "type": "text", "label": {5: "x"}}], "label:"),
        ([{"name": "a", "type": "text", "label": "x", "max": 0}], "max:"),
        ([{"name": "a", "type": "text", "label": "x", "max": True}], "max:"),
        ([{"name": "a", "type": "checkbox", "label": "x", "max": 5}], "max:"),
        ([{"name": "a", "type": "text", "label": "x", "required": "yes"}], "required:"),
        ([{"name": "a", "type": "text", "label": "x", "options": ["y"]}], "options:"),
        ([{"name": "a", "type": "select", "label": "x"}], "options:"),
        ([{"name": "a", "type": "select", "label": "x", "options": []}], "options:"),
        ([{"name": "a", "type": "select", "label": "x", "options": ["y", "y"]}], "options:"),
        ([{"name": "a", "type": "select", "label": "x", "options": [{"value": "y"}]}], "options:"),
        ([{"name": "a", "type": "text", "label": "x", "departments": "sales"}], "departments:"),
        ([{"name": "a", "type": "text", "label": "x", "departments": ["S"]}], "departments:"),
        ([{"name": "a", "type": "text", "label": "x", "hint": "y"}], "hint"),
        ([{"name": "question", "type": "checkbox"}], "type:"),
        (["email", {"name": "email"}], "a name of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_stops_the_start_and_is_named(value: Any, named: str):
    with pytest.raises(SettingsError) as caught:
        Settings.load({"CSAPP_SECRET_KEY": SECRET, KEY: value})
    assert caught.value.key == KEY
    assert named in caught.value.allowed


# ---- what clients are shown ------------------------------------------------


def test_labels_are_in_the_language_that_is_asked_for():
    shown = described(fields("email", ORDER, KIND), "zh-TW")
    assert shown[0] == {"name": "email", "type": "email", "required": True, "max": 254}
    assert shown[1]["label"] == "订单"
    german = described(fields(ORDER, KIND), "de")
    assert german[0]["label"] == "Order", "English where there is no other"
    assert german[1]["options"][1] == {"value": "b2b", "label": "Firmen"}
    assert german[1]["label"] == "What about", "one text is for all languages"


def test_the_welcome_names_the_fields():
    config = {"CSAPP_SECRET_KEY": SECRET, "CSAPP_DATABASE_URL": "off", KEY: [ORDER]}
    client = create_app(config).test_client()
    found = client.get(f"/v1/welcome?locale=zh{'x' * 5000}").get_json()
    assert found["fields"][0]["label"] == "Order"
    found = client.get("/v1/welcome?locale=zh_CN").get_json()
    assert found["fields"] == [
        {"name": "order", "type": "text", "label": "订单", "required": False, "max": 6}
    ]


# ---- what is filled in -----------------------------------------------------


def test_what_fits_is_stored_in_the_order_of_the_declaration():
    asked = fields(*USUAL, ORDER, KIND, AGREED)
    given = {
        "agreed": True,
        "kind": "b2b",
        "order": " 1042 ",
        "email": "a@b.example",
        "name": "Ann",
    }
    stored = checked(asked, given, "")
    assert list(filled_in(stored).items()) == [
        ("name", "Ann"), ("email", "a@b.example"), ("order", "1042"), ("kind", "b2b"),
        ("agreed", True),
    ]  # fmt: skip
    assert checked(fields(ORDER), {"order": "  "}, "") == ""


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "payload.fields.email: is required"),
        ({"email": " "}, "payload.fields.email: is required"),
        ({"email": "ann"}, "payload.fields.email: an e-mail address"),
        ({"email": "a b@c"}, "payload.fields.email: an e-mail address"),
        ({"email": "a@b\r\nBcc: c@d"}, "payload.fields.email: characters"),
        ({"email": "a" * 250 + "@b.de"}, "payload.fields.email: at most 254"),
        ({"email": 5}, "payload.fields.email: a text"),
        ({"email": None}, "payload.fields.email: a text"),
        ({"email": "a@b", "kind": "Other"}, "payload.fields.kind: none of the options"),
        ({"email": "a@b", "agreed": "yes"}, "payload.fields.agreed: true or false"),
        ({"email": "a@b", "agreed": 1}, "payload.fields.agreed: true or false"),
        ({"email": "a@b", "agreed": False}, "payload.fields.agreed: is required"),
        ({"email": "a@b", "order": "1234567"}, "payload.fields.order: at most 6"),
        ({"email": "a@b", "order": "a\x00b"}, "payload.fields.order: characters"),
        ({"email": "a@b", "order": "a\ud800"}, "payload.fields.order: characters"),
        ({"email": "a@b", "phone": "5"}, "payload.fields.phone: there is no such field"),
        ({"email": "a@b", "<b>": "5"}, "payload.fields: there is no such field"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(given: dict[str, Any], path: str):
    with pytest.raises(UnfitField, match=f"^{path}"):
        checked(fields("email", ORDER, KIND, AGREED), given, "")


def test_a_field_of_a_department_is_asked_for_there_alone():
    asked = fields("name", {**ORDER, "required": True, "departments": ["returns"]})
    assert filled_in(checked(asked, {"name": "Ann", "order": "5"}, "")) == {"name": "Ann"}
    with pytest.raises(UnfitField, match=r"payload\.fields\.order: is required"):
        checked(asked, {"name": "Ann"}, "returns")


def test_the_question_is_the_first_message_and_not_required_here():
    assert checked(fields("question"), {}, "") == ""
    assert fields("question")[0].type is FieldType.TEXTAREA


@pytest.mark.parametrize("stored", ["", "{", "[]", "5", '"x"'])
def test_what_was_stored_by_somebody_else_is_nothing(stored: str):
    assert filled_in(stored) == {}
    assert prechat.name_in(stored) == ""


# ---- over the wire ---------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/csapp.db"


@pytest.fixture
def server(url: str) -> Iterator[LiveServer]:
    env = {"CSAPP_DATABASE_URL": url, "CSAPP_MESSAGE_RATE": "0", KEY: json.dumps([*USUAL, ORDER])}
    with LiveServer.gunicorn(env=env) as started:
        yield started


def version_2(server: LiveServer, role: str, sub: str, name: str = "") -> Client:
    client = Client(server, role)
    client.say("auth", {"token": server.token(role, sub, name), "version": 2})
    next_frame(client, "auth_success")
    return client


def ready(server: LiveServer) -> Client:
    waiter = version_2(server, "waiter", "wim", "Wim")
    waiter.say("ready")
    next_frame(waiter, "ready")
    return waiter


def sessions(waiter: Client) -> list[Frame]:
    waiter.say("get_history_session")
    return list(next_frame(waiter, "session_history")["payload"]["sessions"])


FILLED = {"name": "Ann <b>", "email": "ann@shop.example"}


def test_waiters_see_it_and_it_is_stored(server: LiveServer, url: str):
    ann = version_2(server, "user", "ann")
    ann.say("connect", {"fields": {**FILLED, "question": "Where is it?"}})
    next_frame(ann, "connect_queue")
    wim = version_2(server, "waiter", "wim", "Wim")
    wim.say("get_queue")
    (seen,) = next_frame(wim, "queue")["payload"]["visitors"]
    assert seen["fields"] == {**FILLED, "question": "Where is it?"}
    assert (seen["name"], seen["question"]) == ("Ann <b>", "Where is it?")
    wim.say("ready")
    met = next_frame(wim, "new_connection")["payload"]
    assert (met["name"], met["fields"]["email"]) == ("Ann <b>", "ann@shop.example")
    assert "fields" not in next_frame(ann, "connect_success")["payload"]
    wim.drop()
    with version_2(server, "waiter", "wim", "Wim") as back:  # … who is told again
        assert next_frame(back, "new_connection")["payload"]["fields"] == met["fields"]
        ann.leave()
        next_frame(back, "disconnected")
        (item,) = until(lambda: sessions(back))  # once it is stored
        assert (item["fields"], item["name"]) == (met["fields"], "Ann <b>")
    with sa.create_engine(url).connect() as connection:
        stored = connection.exec_driver_sql("SELECT fields FROM chat").scalar_one()
    assert json.loads(stored)["email"] == "ann@shop.example"


def test_a_name_of_the_token_counts_more(server: LiveServer):
    with ready(server) as wim, version_2(server, "user", "bob", "Bob Carter") as bob:
        bob.say("connect", {"fields": FILLED})
        assert next_frame(wim, "new_connection")["payload"]["name"] == "Bob Carter"


def test_what_is_wrong_is_refused_and_changes_nothing(server: LiveServer):
    with ready(server) as wim, version_2(server, "user", "ann") as ann:
        for given in ({"name": "Ann"}, {**FILLED, "email": "ann"}, {**FILLED, "fax": "5"}):
            ann.say("connect", {"fields": given}, id="c")
            refused = next_frame(ann, "error", reply_id="c")["payload"]
            assert refused["code"] == "invalid_message"
            assert refused["message"].startswith("payload.fields.")
        ann.say("connect", {"fields": FILLED})
        met = next_frame(wim, "new_connection")["payload"]
        assert met["fields"] == FILLED


def test_a_client_without_a_form_is_served_and_shows_nothing(server: LiveServer):
    with ready(server) as wim:
        with version_2(server, "user", "ann") as ann:
            ann.say("connect", {"page": "https://shop.example/"})
            assert "fields" not in next_frame(wim, "new_connection")["payload"]
        with Client.user(server, "bob") as bob:
            bob.say("connect", {"fields": {"fax": "5"}})
            assert_receives(bob, "connect_success")
            assert "fields" not in next_frame(wim, "new_connection")["payload"]


def test_what_was_filled_in_is_of_one_conversation(server: LiveServer):
    with ready(server) as wim, version_2(server, "user", "ann") as ann:
        ann.say("connect", {"fields": FILLED})
        assert next_frame(wim, "new_connection")["payload"]["fields"] == FILLED
        ann.say("disconnect")
        next_frame(wim, "disconnected")
        ann.say("connect", {})
        assert "fields" not in next_frame(wim, "new_connection")["payload"]


def test_where_nothing_is_declared_clients_may_send_what_they_like(tmp_path: Path):
    env = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    with (
        LiveServer.gunicorn(env=env) as server,
        ready(server) as wim,
        version_2(server, "user", "ann") as ann,
    ):
        ann.say("connect", {"fields": {"fax": 5}})
        met: Frame = next_frame(wim, "new_connection")["payload"]
        assert "fields" not in met
        assert met["name"] == ""
