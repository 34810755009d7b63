"""Rows 11 to 14, 17, 22, 37 and 38: what is said, and by whom."""

from __future__ import annotations

import json
import re
import urllib.request
import uuid

import pytest

from services.identity import Identity, TokenRole, Tokens
from testkit import Client, LiveServer, assert_receives
from testkit.client import Closed, assert_quiet
from testkit.server import SECRET

from ..raw import TEXT, Raw, frame
from .bystanders import Bystanders
from .conftest import ROTATED, joining, meet, row, running
from .planted import PLANTED

USER = "/v1/ws/user/connect"


def in_a_text(member: str) -> str:
    """A good text with one more member."""
    return '{"type":"message_text","id":"q","payload":{"message":"x"},' + member + "}"


# ---- rows 11 and 12: frames that cannot be understood -----------------------

#: what is sent, and what the error says
BAD = [
    row(11, "depth-10000", in_a_text('"x":' + "[" * 10_000 + "]" * 10_000), "nested"),
    row(11, "depth-in-objects", in_a_text('"x":' + '{"x":' * 8000 + "1" + "}" * 8000), "nested"),
    row(11, "depth-without-end", in_a_text('"x":' + "[" * 60_000), "nested|JSON"),
    row(11, "integer-of-5000-digits", in_a_text('"x":' + "1" * 5000), "JSON"),
    row(11, "integer-of-60000-digits", in_a_text('"x":' + "1" * 60_000), "JSON"),
    row(11, "NaN", in_a_text('"x":NaN'), "JSON"),
    row(11, "minus-infinity", in_a_text('"x":-Infinity'), "JSON"),
    row(11, "1e999", in_a_text('"x":1e999'), "JSON"),
    row(11, "1e999-deep", in_a_text('"x":[{"y":[1e999]}]'), "JSON"),
    row(11, "high-surrogate", in_a_text('"payload":{"message":"\\ud800"}'), "JSON"),
    row(11, "low-surrogate", in_a_text('"payload":{"message":"\\udc00x"}'), "JSON"),
    row(11, "surrogates-swapped", in_a_text('"payload":{"message":"\\ude00\\ud83d"}'), "JSON"),
    row(11, "NUL", in_a_text('"payload":{"message":"a\\u0000b"}'), "NUL"),
    row(11, "NUL-unescaped", in_a_text('"payload":{"message":"a\0b"}'), "JSON"),
    row(11, "control-character", in_a_text('"payload":{"message":"a\nb"}'), "JSON"),
    row(11, "byte-order-mark", "\ufeff" + in_a_text('"x":1'), "JSON"),
    row(11, "two-objects", in_a_text('"x":1') * 2, "JSON"),
    row(11, "cut-off", in_a_text('"x":1')[:-1], "JSON"),
    row(11, "comment", "/**/" + in_a_text('"x":1'), "JSON"),
    row(11, "nothing", "", "JSON"),
    row(11, "last-type-counts", in_a_text('"type":5'), "type: "),
    row(11, "last-payload-counts", in_a_text('"payload":{}'), "payload.message: "),
    row(12, "no-object", "[]", "object"),
    row(12, "null", "null", "object"),
    row(12, "no-type", "{}", "type: "),
    row(12, "unknown-type", '{"type":"nonsense"}', "nonsense"),
    row(12, "type-of-the-server", '{"type":"new_connection"}', "new_connection"),
    row(12, "type-of-the-other-role", '{"type":"ready"}', "ready"),
    row(12, "type-in-capitals", '{"type":"MESSAGE_TEXT"}', "MESSAGE_TEXT"),
    row(12, "no-payload", '{"type":"message_text"}', "payload: "),
    row(12, "payload-is-text", in_a_text('"payload":"x"'), "payload: "),
    row(12, "payload-is-null", in_a_text('"payload":null'), "payload: "),
    row(12, "message-is-a-number", in_a_text('"payload":{"message":5}'), "payload.message: "),
    row(12, "message-is-a-list", in_a_text('"payload":{"message":["x"]}'), "payload.message: "),
    row(12, "message-is-missing", in_a_text('"payload":{"massage":"x"}'), "payload.message: "),
    row(12, "id-is-a-number", in_a_text('"id":7'), "id: "),
    row(12, "id-is-empty", in_a_text('"id":""'), "id: "),
    row(12, "id-is-long", in_a_text(f'"id":"{"x" * 65}"'), "id: "),
    row(12, "message-is-long", in_a_text(f'"payload":{{"message":"{"x" * 4097}"}}'), "4096"),
]


@pytest.mark.parametrize(("bad", "says"), BAD)
def test_what_cannot_be_understood_is_answered_and_not_relayed(chat, bad, says):
    user, waiter = chat
    user.send(bad)
    error = assert_receives(user, "error", to=user.uuid)
    assert re.search(says, error["payload"]["message"]), error
    assert len(json.dumps(error)) < 1000, "nothing long is thrown back"
    user.text("still here")
    assert_receives(waiter, "message_text", message="still here", from_=user.uuid)
    assert_quiet(user)
    assert_quiet(waiter)


#: what is sent, and the text that arrives
STRANGE = [
    row(11, "repeated-payload", in_a_text('"payload":{"message":"last"}'), "last"),
    row(11, "repeated-message", in_a_text('"payload":{"message":"1","message":"2"}'), "2"),
    row(11, "repeated-type", '{"type":"connect",' + in_a_text('"x":1')[1:], "x"),
    row(
        11,
        "escapes",
        in_a_text('"payload":{"message":"\\u4f60\\/\\ud83d\\ude00"}'),
        "你/\U0001f600",
    ),
    row(11, "space", " \t\r\n" + in_a_text('"x" : 1') + " \n", "x"),
    row(11, "a-shallow-list", in_a_text('"x":' + "[" * 50 + "]" * 50), "x"),
    row(11, "a-large-integer", in_a_text('"x":' + "1" * 4000), "x"),
    row(12, "unknown-field", in_a_text('"colour":"red"'), "x"),
    row(12, "unknown-fields-in-the-payload", in_a_text('"payload":{"message":"y","z":[{}]}'), "y"),
    row(13, "forged-from", in_a_text('"from":"00000000-0000-4000-8000-000000000000"'), "x"),
    row(13, "forged-to", in_a_text('"to":"00000000-0000-4000-8000-000000000000"'), "x"),
    row(13, "forged-role", in_a_text('"role":"waiter"'), "x"),
    row(13, "forged-reply-id", in_a_text('"reply_id":"q"'), "x"),
    row(13, "forged-uuid", in_a_text('"uuid":"1","payload":{"message":"z","uuid":"2"}'), "z"),
]


@pytest.mark.parametrize(("strange", "arrives"), STRANGE)
def test_what_is_only_strange_arrives_encoded_anew(chat, strange, arrives):
    user, waiter = chat
    user.send(strange)
    heard = waiter.receive()
    assert heard == {
        "id": heard["id"],
        "from": user.uuid,
        "to": waiter.uuid,
        "type": "message_text",
        "payload": {"message": arrives},
    }
    assert_quiet(user)


def test_row11_bytes_are_the_servers_own(server, bystanders, join):
    """Escapes, spaces and the order of the keys are not the sender's."""
    waiter = join("waiter")
    user, _ = meet(join("user", "encodes-oddly"), waiter)
    sent = '{ "payload" : {"message":"\\u0041\\u00e9\\/"} , "type" : "message_text" }'
    with Raw.open(server, "/v1/ws/waiter/connect") as raw:
        token = json.dumps({"type": "auth", "payload": {"token": server.token("waiter", "raw")}})
        raw.send(frame(token.encode()) + frame(b'{"type":"ready"}'))
        second = join("user", "encodes-oddly-too")
        second.say("connect")
        assert_receives(second, "connect_success")
        raw.receive(), raw.receive()
        second.send(sent)
        opcode, data = raw.receive()
        assert opcode == TEXT
        assert '"Aé/"'.encode() in data
        assert b" " not in data
    assert_quiet(user)


@pytest.mark.parametrize(
    ("role", "bad"),
    [
        row(12, "ten-that-are-no-json", "user", ["garbage"]),
        row(12, "ten-unknown-types", "user", ['{"type":"x"}']),
        row(12, "ten-of-all-kinds", "waiter", ["", "[]", "{}", '{"type":"message_text"}', "NaN"]),
    ],
)
def test_the_tenth_bad_frame_within_a_minute_ends_the_connection(join, role, bad):
    attacker = join(role)
    for number in range(9):
        attacker.send(bad[number % len(bad)])
        assert_receives(attacker, "error")
    assert_receives(attacker, "error", reply_id=attacker.say("auth", {"token": "still here?"}))
    attacker.send("garbage")
    assert_receives(attacker, "error")
    assert ending(attacker).code == 4400


def ending(client: Client) -> Closed:
    """The next thing that happens is that the server closes."""
    with pytest.raises(Closed) as closed:
        client.receive()
    return closed.value


# ---- rows 13 and 14: somebody else's name, somebody else's user -------------


def test_row13_a_forged_name_helps_nobody(chat, join):
    user, waiter = chat
    stranger = join("waiter")
    stranger.say("message_text", {"message": "psst"}, **{"from": waiter.uuid, "to": user.uuid})
    assert_receives(stranger, "error")
    stranger.say("disconnect", {"uuid": user.uuid}, **{"from": waiter.uuid, "role": "admin"})
    assert_receives(stranger, "error")
    for type_ in ("ready", "new_connection", "initialize", "disconnected"):
        user.say(type_, {"uuid": user.uuid}, **{"from": waiter.uuid, "role": "waiter"})
        assert_receives(user, "error")
    user.say("disconnect", {"uuid": stranger.uuid}, **{"from": stranger.uuid})  # ends its own
    assert_receives(waiter, "disconnected", from_=user.uuid)
    for client in (user, waiter, stranger):
        assert_quiet(client)


def test_row14_an_outsider_and_nobody_are_the_same(bystanders, join):
    _, waiter = meet(join("user"), join("waiter"))
    refusals = []
    for to in (
        bystanders.user.uuid,
        bystanders.waiter.uuid,
        waiter.uuid,
        str(uuid.uuid4()),
        "",
        "x",
    ):
        refusals.append(assert_receives(waiter, "error", reply_id=waiter.text("psst", to)))
        question = waiter.say("disconnect", {"uuid": to})
        refusals.append(assert_receives(waiter, "error", reply_id=question))
    assert len({frame["payload"]["message"] for frame in refusals}) == 1
    assert len({frozenset(frame) for frame in refusals}) == 1
    assert_quiet(waiter)


# ---- row 17: tokens --------------------------------------------------------

OTHER_KEY = "a-secret-that-was-withdrawn-0123456789"


def sign(key: str, role: str = "user", lifetime: float = 3600) -> str:
    return Tokens([key], 3600).sign(Identity("ann", "", TokenRole(role)), lifetime)


def tampered(token: str) -> str:
    """The same token but for one letter of its claims."""
    place = len(token) // 3
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        row(17, "expired", sign(SECRET, lifetime=-1), 4401),
        row(17, "forged", tampered(sign(SECRET)), 4401),
        row(17, "without-signature", sign(SECRET).rpartition(".")[0], 4401),
        row(17, "truncated", sign(SECRET)[:-1], 4401),
        row(17, "lengthened", sign(SECRET) + "x", 4401),
        row(17, "empty", "", 4401),
        row(17, "no-ascii", "ключ.ключ.ключ", 4401),
        row(17, "endless", "a." * 10_000, 4401),
        row(17, "of-a-withdrawn-key", sign(OTHER_KEY), 4401),
        row(17, "of-the-other-role", sign(SECRET, "waiter"), 4403),
        row(17, "of-an-admin", sign(SECRET, "admin"), 4403),
    ],
)
@pytest.mark.usefixtures("bystanders")
def test_the_third_bad_token_ends_the_connection(server, token, code):
    attacker = Client(server, "user")
    for _ in range(3):
        question = attacker.say("auth", {"token": token})
        error = assert_receives(attacker, "error", reply_id=question)
        assert error["payload"]["message"].startswith("payload.token: ")
    assert ending(attacker).code == code


@pytest.mark.usefixtures("bystanders")
def test_row17_a_rotated_key_still_opens_and_two_bad_tokens_are_forgiven(server):
    with Client(server, "user") as user:
        for bad in (sign(OTHER_KEY), sign(SECRET, "waiter")):
            assert_receives(user, "error", reply_id=user.say("auth", {"token": bad}))
        user.auth(sign(ROTATED))
        assert_receives(user, "error", reply_id=user.text("known, but not connected"))


# ---- row 22: rates ---------------------------------------------------------


def test_row22_too_fast_is_refused_and_going_on_ends_the_connection():
    limits = {"CSAPP_MESSAGE_RATE": "1", "CSAPP_MESSAGE_BURST": "200"}
    with running(**limits) as server, Bystanders(server), joining(server) as join:
        user, waiter = meet(join("user"), join("waiter"))
        texts = [
            json.dumps({"type": "message_text", "payload": {"message": str(n)}}).encode()
            for n in range(2000)
        ]
        user.ws.sock.sendall(b"".join(map(frame, texts)))
        answers, code = [], 0
        while not code:
            try:
                answers.append(assert_receives(user, "error")["payload"]["message"])
            except Closed as closed:
                code = closed.code
        assert code == 4429
        assert len(answers) >= 100, "so many are forgiven"
        assert all("at most 1 frames a second" in answer for answer in answers)
        heard = []
        while (frame_ := waiter.receive())["type"] == "message_text":
            heard.append(int(frame_["payload"]["message"]))
        assert heard[:190] == list(range(190)), "the burst, less what was said before"
        assert heard == sorted(set(heard)), "in order; a second later one more is allowed"
        assert frame_["type"] == "disconnected"


# ---- row 37: a bug of ours -------------------------------------------------


@pytest.mark.parametrize("role", ["user", "waiter"])
def test_row37_a_handler_that_raises_ends_its_connection_and_no_other(server, join, role):
    user, waiter = meet(join("user"), join("waiter"))
    attacker, other = (user, waiter) if role == "user" else (waiter, user)
    attacker.text(PLANTED, to=user.uuid)
    attacker.text("sent behind it", to=user.uuid)
    assert ending(attacker).code == 1011
    assert attacker.ws.sock.recv(1) == b"", "no HTTP follows"
    assert_receives(other, "disconnected", from_=attacker.uuid)  # when the grace is over
    if role == "waiter":
        assert_receives(other, "connect_queue", location=0)
        other.say("disconnect")
    assert_quiet(other)
    server.wait_for_line("planted in a handler")


# ---- row 38: script --------------------------------------------------------

SCRIPTS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)//",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)//\"'`",
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7}",
    "\u202etxt.exe \u2028\u2029 \x1b[31m\x7f \u200b",
]


def test_row38_script_is_relayed_as_the_text_it_is(chat):
    user, waiter = chat
    for script in SCRIPTS:
        user.text(script)
        assert_receives(waiter, "message_text", message=script)
        waiter.text(script, to=user.uuid)
        assert_receives(user, "message_text", message=script)


def test_row38_script_in_a_name_goes_nowhere(server, join):
    waiter = join("waiter")
    waiter.ready()
    user = Client(server, "user")
    user.auth(server.token("user", SCRIPTS[0], name=SCRIPTS[2]))
    user.say("connect")
    assert_receives(user, "connect_success")
    assert "<" not in json.dumps(assert_receives(waiter, "new_connection"))
    assert "<script" not in server.get("/v1/status")
    user.leave()
    assert_receives(waiter, "disconnected", from_=user.uuid)
    assert "alert(1)" not in server.log


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize("page", ["/", "/waiter"])
def test_row38_pages_carry_a_strict_policy_and_keep_it(server, page):
    body, policy = fetch(server, page)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"} & {
        w for v in policy.values() for w in v
    }
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", body), "no inline script"
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", body), "nothing inline at all"
    hostile, _ = fetch(server, page + "?name=<script>alert(1)</script>&q=%22%3E%3Cimg%20src=x%3E")
    assert "alert(1)" not in hostile
    assert "<img src=x" not in hostile


def fetch(server: LiveServer, page: str) -> tuple[str, dict[str, list[str]]]:
    """A page and its policy: what each directive allows."""
    with urllib.request.urlopen(
        server.url + page.replace("<", "%3C").replace(">", "%3E")
    ) as answer:
        header = answer.headers["Content-Security-Policy"]
        directives = [directive.split() for directive in header.split(";")]
        return answer.read().decode(), {name: words for name, *words in directives}
