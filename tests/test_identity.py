"""Tokens: signed, verified, rotated, expired; one role's is worth nothing at another's door."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from uuid import UUID

import msgspec
import pytest
from flask import Flask
from markupsafe import Markup

from csapp import CSApp
from services.bounds import TICKET_LIFETIME
from services.identity import MAX_SUBJECT, Identity, TokenError, TokenRole, Tokens
from services.seldom import Seldom
from services.wire.codes import ErrorCode
from services.wire.frames import ConnectPayload

OLD, NEW, OTHER = (f"key-number-{n}-long-enough" for n in range(3))
ANN = Identity("ann", "Ann", TokenRole.USER, "login-1")


def refused(tokens: Tokens, token: str, role: TokenRole = TokenRole.USER) -> ErrorCode:
    with pytest.raises(TokenError) as error:
        tokens.verify(token, role)
    return error.value.code


def test_a_token_says_who_it_is():
    tokens = Tokens([OLD], 60)
    assert tokens.verify(tokens.sign(ANN), TokenRole.USER) == ANN


def test_every_token_has_a_login_of_its_own_unless_given():
    tokens = Tokens([OLD], 60)
    sids = {tokens.verify(tokens.sign(Identity("ann")), TokenRole.USER).sid for _ in range(2)}
    assert len(sids) == 2
    assert "" not in sids


def test_keys_rotate_without_logging_anybody_out():
    before = Tokens([OLD], 60).sign(ANN)
    rotated = Tokens([OLD, NEW], 60)
    assert rotated.verify(before, TokenRole.USER) == ANN
    after = rotated.sign(ANN)
    assert Tokens([NEW], 60).verify(after, TokenRole.USER) == ANN, "the newest signs"
    assert refused(Tokens([NEW], 60), before) is ErrorCode.INVALID_TOKEN, "withdrawn"


@pytest.mark.parametrize("signed", list(TokenRole))
@pytest.mark.parametrize("door", list(TokenRole))
def test_a_role_has_its_own_door(signed, door):
    tokens = Tokens([OLD], 60)
    token = tokens.sign(Identity("x", "", signed))
    if signed is door:
        assert tokens.verify(token, door).role is door
    else:
        assert refused(tokens, token, door) is ErrorCode.FORBIDDEN


def test_tokens_expire_by_their_own_lifetime():
    now = [1_000_000_000.0]
    tokens = Tokens([OLD], 60, now=lambda: now[0])
    default, short = tokens.sign(ANN), tokens.sign(ANN, 10)
    now[0] += 30
    assert tokens.verify(default, TokenRole.USER) == ANN
    assert refused(tokens, short) is ErrorCode.EXPIRED_TOKEN
    now[0] += 40
    assert refused(tokens, default) is ErrorCode.EXPIRED_TOKEN


def test_a_clock_set_back_logs_nobody_out():
    now = [1_000_000_000.0]
    tokens = Tokens([OLD], 60, now=lambda: now[0])
    before = tokens.sign(ANN)
    now[0] -= 3600
    assert tokens.verify(before, TokenRole.USER) == ANN


def test_a_token_says_when_it_was_signed_and_runs_out():
    tokens = Tokens([OLD], 60, now=lambda: 1_000_000_000.25)
    shown = tokens.inspect(tokens.sign(ANN, 10), TokenRole.USER)
    assert shown.identity == ANN
    assert shown.signed == 1_000_000_000_250, "to the millisecond"
    assert shown.expires == 1_000_000_010_000, "itsdangerous counts in seconds"


def test_a_token_without_milliseconds_counts_from_the_beginning_of_its_second():
    tokens = Tokens([OLD], 60, now=lambda: 1_000_000_000.25)
    serializer = tokens._serializers[TokenRole.USER]
    old = serializer.dumps({"sub": "ann", "name": "", "role": "user", "sid": "s", "life": 60})
    shown = tokens.inspect(old, TokenRole.USER)
    assert shown.signed == 1_000_000_000_000


@pytest.mark.parametrize("role", list(TokenRole))
def test_a_token_of_any_role_can_be_read(role):
    tokens = Tokens([OLD], 60)
    identity = Identity("x", "", role, "s")
    assert tokens.inspect_any(tokens.sign(identity)).identity == identity
    with pytest.raises(TokenError) as error:
        tokens.inspect_any(tokens.sign(identity, -5))
    assert error.value.code is ErrorCode.EXPIRED_TOKEN
    with pytest.raises(TokenError) as error:
        tokens.inspect_any(Tokens([OTHER], 60).sign(identity))
    assert error.value.code is ErrorCode.INVALID_TOKEN


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: "",
        lambda t: t[:-1],
        lambda t: t + "x",
        lambda t: "." + t,
        lambda t: t.swapcase(),
        lambda t: t.split(".")[0],
        lambda t: "\x00" + t,
        lambda t: t * 100,
        lambda t: "é" + t,
    ],
)
def test_what_is_not_ours_is_not_valid(spoil):
    tokens = Tokens([OLD], 60)
    assert refused(tokens, spoil(tokens.sign(ANN))) is ErrorCode.INVALID_TOKEN
    assert refused(tokens, Tokens([OTHER], 60).sign(ANN)) is ErrorCode.INVALID_TOKEN


class Shown:
    """As Flask's responses, which `login_required` returns, and coroutines."""

    def __repr__(self) -> str:
        return "<Response 191 bytes [302 FOUND]>"


@pytest.mark.parametrize(
    "subject",
    ["", "x" * 201, None, True, False, b"5", ["5"], object(), "a\0b", "\ud800", Shown(),
     (5 for _ in "x"), float("nan"), LookupError("nobody"), print],
)  # fmt: skip
def test_what_can_be_nobodys_id(subject):
    with pytest.raises(ValueError, match="subject"):
        Identity(subject)


@pytest.mark.parametrize("subject", [5, UUID(int=7)])
def test_an_id_is_taken_as_its_text(subject):
    assert Identity(subject) == Identity(str(subject))


class Wordless:
    def __str__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, ""),
        ("x" * 201, "x" * 200),
        ("a\0b", "ab"),
        ("a\ud800b", "a?b"),
        (7, "7"),
        (Markup("<b>"), "<b>"),
        (Wordless(), ""),
    ],
)
def test_a_name_is_shown_as_far_as_it_can_be(name, shown):
    identity = Identity("ann", name)
    assert (identity.name, type(identity.name)) == (shown, str)
    tokens = Tokens([OLD], 60)
    assert tokens.verify(tokens.sign(identity), TokenRole.USER).name == shown


#: what a script that has the secret may sign by mistake, each beside claims that are well
WRONG_CLAIMS = [
    {"sub": None}, {"sub": 5}, {"sub": ""}, {"sub": "a\0b"}, {"sub": "x" * 201},
    {"name": None}, {"name": 5}, {"name": "x" * 201}, {"sid": None}, {"sid": 5}, {"sid": "a\0b"},
    {"life": None}, {"life": "60"}, {"life": True}, {"life": []}, {"life": 1e300},
    {"life": float("nan")}, {"life": float("inf")}, {"at": "now"}, {"at": 1e30},
    {"at": float("nan")}, {"since": "now"}, {"since": 1e30},
    {"departments": 5}, {"departments": ["Sales"]}, {"departments": [None]},
    {"departments": [["sales", 10]]}, {"departments": [["sales", "1"]]},
    {"departments": [["sales", 1, 2]]}, {"departments": [f"d-{n}" for n in range(101)]},
    {"priority": "high"}, {"priority": 10}, {"priority": -1}, {"priority": 1.0},
    {"priority": True}, {"priority": None},
]  # fmt: skip


def signed_by_script(claims: object) -> str:
    return Tokens([OLD], 60)._serializers[TokenRole.USER].dumps(claims)


AVATARS = [
    "/static/ada.png", "/", "https://pics.example/a.png?s=80&d=identicon", "HTTP://[::1]:8000/a",
    "https://例え.example/ä b.png", "/" + "x" * 499,
]  # fmt: skip
NO_AVATARS = [
    "//pics.example/a.png", "/\\pics.example/a.png", "ada.png", "https://", "http:///a.png",
    "http://[", "javascript:alert(1)", "data:image/png;base64,AAAA", " /a.png", "/a\n.png",
    " https://pics.example/",
    "/a\x00.png", "/a\x9f.png", "/a\ud800.png", "/" + "x" * 500, 5, b"/a.png", object(),
]  # fmt: skip


@pytest.mark.parametrize("avatar", [*AVATARS, *NO_AVATARS, None, ""])
def test_a_picture_is_an_address_or_left_out(avatar, caplog, monkeypatch):
    monkeypatch.setattr("services.identity._say", Seldom(logging.getLogger("csapp")))
    shown = avatar if avatar in AVATARS else ""
    identity = Identity("ann", avatar=avatar)
    assert (identity.avatar, type(identity.avatar)) == (shown, str)
    warned = [record for record in caplog.records if "picture" in record.message]
    assert len(warned) == (avatar in NO_AVATARS)
    tokens = Tokens([OLD], 60)
    assert tokens.verify(tokens.sign(identity), TokenRole.USER).avatar == shown


@pytest.mark.parametrize("claim", [None, 5, "//host/a.png", ["/a.png"]])
def test_a_picture_that_a_script_has_signed_wrongly_is_left_out(claim):
    tokens = Tokens([OLD], 60)
    claims = {"sub": "ann", "name": "", "role": "user", "sid": "s", "life": 60, "avatar": claim}
    token = tokens._serializers[TokenRole.USER].dumps(claims)
    assert tokens.verify(token, TokenRole.USER) == Identity("ann", sid="s")


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
def test_claims_that_cannot_be_are_refused_and_named(wrong):
    claims = {"sub": "ann", "name": "", "role": "user", "sid": "s", "life": 60, **wrong}
    (name,) = wrong
    for one in (claims, {**claims, name: None}):
        with pytest.raises(TokenError, match="subject" if name == "sub" else name) as error:
            Tokens([OLD], 60, audience="shop").inspect(signed_by_script(one), TokenRole.USER)
        assert error.value.code is ErrorCode.INVALID_TOKEN


@pytest.mark.parametrize("claims", [None, [], "ann", 5, {}, {"aud": "shop"}])
def test_what_holds_no_claims_is_refused(claims):
    tokens = Tokens([OLD], 60, audience="shop")
    assert refused(tokens, signed_by_script(claims)) is ErrorCode.INVALID_TOKEN
    with pytest.raises(TokenError):
        tokens.inspect_any(signed_by_script(claims))


def test_what_is_signed_and_no_json_is_refused():
    signer = Tokens([OLD], 60)._serializers[TokenRole.USER].make_signer("csapp.token.user")
    token = signer.sign(b"e30x").decode()
    assert refused(Tokens([OLD], 60), token) is ErrorCode.INVALID_TOKEN


def test_a_login_of_a_host_may_be_a_number():
    tokens = Tokens([OLD], 60)
    assert tokens.verify(tokens.sign(Identity("ann", sid=5)), TokenRole.USER).sid == "5"


# ---- for one application -----------------------------------------------


def test_a_token_of_one_application_is_worth_nothing_at_another():
    shop, desk = (Tokens([OLD], 60, audience=name) for name in ("shop", "desk"))
    assert shop.verify(shop.sign(ANN), TokenRole.USER) == ANN
    assert refused(desk, shop.sign(ANN)) is ErrorCode.INVALID_TOKEN
    with pytest.raises(TokenError, match="another application"):
        desk.inspect_any(shop.sign(ANN))


def test_a_token_of_before_audiences_is_good_until_it_runs_out():
    now = [1_000_000_000.0]
    shop = Tokens([OLD], 60, now=lambda: now[0], audience="shop")
    before = Tokens([OLD], 60, now=lambda: now[0]).sign(ANN)
    assert shop.verify(before, TokenRole.USER) == ANN
    now[0] += 70
    assert refused(shop, before) is ErrorCode.EXPIRED_TOKEN


def host(name: str, **config: str) -> Flask:
    app = Flask(name)
    app.config.update(CSAPP_SECRET_KEY=OLD, CSAPP_DATABASE_URL="off", **config)
    CSApp(app)
    return app


def lets_in(app: Flask, token: str) -> bool:
    header = {"Authorization": f"Bearer {token}"}
    return app.test_client().post("/v1/waiter/logout", headers=header).status_code == 204


def made_by_command(app: Flask) -> str:
    words = ["chat", "token", "--role", "waiter", "--sub", "ada"]
    return app.test_cli_runner().invoke(args=words).output.strip()


def test_applications_with_the_same_secret_are_told_apart_by_their_names():
    shop, again, desk = host("shop"), host("shop"), host("desk")
    assert lets_in(again, made_by_command(shop)), "processes of one deployment agree"
    assert not lets_in(desk, made_by_command(shop))


def test_deployments_of_one_application_are_told_apart_by_a_setting():
    live, staging = host("shop"), host("shop", CSAPP_AUDIENCE="staging")
    assert lets_in(staging, made_by_command(staging))
    assert not lets_in(live, made_by_command(staging))
    assert not lets_in(staging, made_by_command(live))


# ---- marks ---------------------------------------------------------------


def test_a_mark_cannot_be_guessed_from_the_subject():
    one, other = Tokens([OLD], 60), Tokens([OTHER], 60)
    assert one.mark("42") == Tokens([OLD], 60).mark("42")
    assert one.mark("42") != one.mark("43")
    assert one.mark("42") != other.mark("42"), "it depends on the secret"
    for plain in (hashlib.sha256, hashlib.sha1, hashlib.md5):
        assert not plain(b"42").hexdigest().startswith(one.mark("42"))


def test_a_mark_outlives_a_new_key():
    assert Tokens([OLD, NEW], 60).mark("42") == Tokens([OLD], 60).mark("42")


# ---- tickets -------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "place"),
    [
        (0.0, (7, "")),
        (-3600.0, (7, "")),
        (TICKET_LIFETIME - 60, (7, "")),
        (TICKET_LIFETIME + 60, None),
    ],
)
def test_a_ticket_runs_out(later, place):
    now = 1_000_000_000.0
    ticket = Tokens([OLD], 60, now=lambda: now).sign_ticket("ann", 7)
    there = Tokens([OLD], 60, now=lambda: now + later)
    assert there.read_ticket(ticket, "ann") == place
    assert there.read_ticket(ticket, "bob") is None


def test_a_ticket_names_its_department():
    tokens = Tokens([OLD], 60)
    assert tokens.read_ticket(tokens.sign_ticket("ann", 7, "sales"), "ann") == (7, "sales")


@pytest.mark.parametrize("first", [0x20, 0x4E00, 0x1F300, 0x100000])
def test_the_longest_subject_can_show_its_ticket(first):
    """Letters of all scripts: a ticket holds them escaped."""
    letters = random.Random(first)
    subject = "".join(chr(first + letters.randrange(2000)) for _ in range(MAX_SUBJECT))
    ticket = Tokens([OLD], 60).sign_ticket(subject, time.time_ns() // 1000)
    shown = msgspec.json.encode({"ticket": ticket})
    assert msgspec.json.decode(shown, type=ConnectPayload).ticket == ticket


# ---- departments ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("sales", [("sales", 2)]),
        (["sales", "support"], [("sales", 2), ("support", 2)]),
        (("sales", ("support", 9)), [("sales", 2), ("support", 9)]),
        ([["sales", 0]], [("sales", 0)]),
        ({"support", "sales"}, [("sales", 2), ("support", 2)]),
        (frozenset({("support", 1), ("sales", 3)}), [("sales", 3), ("support", 1)]),
        ({"sales": 5, "support": 0}, [("sales", 5), ("support", 0)]),
        ((key for key in ("b", "a")), [("b", 2), ("a", 2)]),
        (["sales", ("sales", 7)], [("sales", 2)]),
        (["", "sales"], [("", 2), ("sales", 2)]),
        ([Markup("sales")], [("sales", 2)]),
        ([], []),
        (None, []),
        ("", [("", 2)]),
    ],
)
def test_departments_are_said_in_any_usual_way(given, found):
    identity = Identity("ada", role=TokenRole.WAITER, sid="s", departments=given, priority=2)
    assert identity.departments == tuple(found)
    assert all(type(one.department) is str for one in identity.departments)
    hash(identity)
    tokens = Tokens([OLD], 60)
    assert tokens.verify(tokens.sign(identity), TokenRole.WAITER) == identity


@pytest.mark.parametrize(
    "given",
    [5, b"sales", True, ["Sales"], ["a b"], ["a" * 41], ["sales\n"], [None], [5], ["\x00"],
     [("sales", 10)], [("sales", -1)], [("sales", "1")], [("sales", True)], [("sales", 1, 2)],
     ("sales", 3), {"sales": None}, [f"d-{n}" for n in range(101)]],
)  # fmt: skip
def test_departments_that_cannot_be_are_named(given):
    with pytest.raises(ValueError, match=r"^departments: "):
        Identity("ada", departments=given)


@pytest.mark.parametrize("priority", [-1, 10, 1.0, "1", True, None])
def test_a_priority_that_cannot_be_is_named(priority):
    with pytest.raises(ValueError, match=r"^priority: a whole number from 0 to 9 is required$"):
        Identity("ada", priority=priority)


def test_as_many_departments_as_there_may_be():
    most = [("d" * 37 + f"{n:03}", n % 10) for n in range(100)]
    identity = Identity("ada", sid="s", departments=most, priority=9)
    tokens = Tokens([OLD], 60)
    assert tokens.verify(tokens.sign(identity), TokenRole.USER) == identity


def test_what_nobody_has_said_is_not_in_the_token():
    tokens = Tokens([OLD], 60)

    def claims(identity: Identity) -> dict[str, object]:
        return tokens._serializers[TokenRole.USER].loads(tokens.sign(identity))

    assert not {"departments", "priority"} & set(claims(ANN))
    short = claims(Identity("ann", departments=["sales", ("support", 9)], priority=3))
    assert (short["departments"], short["priority"]) == (["sales", ["support", 9]], 3)


def test_a_token_of_before_departments_is_good():
    said = {"sub": "ann", "name": "Ann", "role": "user", "sid": "login-1", "life": 60}
    assert Tokens([OLD], 60).verify(signed_by_script(said), TokenRole.USER) == ANN
