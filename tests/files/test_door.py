"""A file goes from one side to the other, over real servers in all three ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testkit import Client, LiveServer

from ..probe import next_frame, until
from ..three_ways import WAYS, Clients, asks, served
from .pairs import Pair, show
from .posting import ask, links, png, post, uploaded

TEXT = b"Minutes of the meeting\n"


@pytest.fixture(scope="module", params=WAYS)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[LiveServer]]:
    folder = tmp_path_factory.mktemp("files")
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{folder}/csapp.db",
        "CSAPP_FILES_URL": f"file://{folder}/files",
        "CSAPP_MAX_FILE": "2000000",
    }
    yield from _served(request, env)


def _served(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[list[LiveServer]]:
    with served(request, env) as servers:
        yield servers


@pytest.fixture
def clients(servers: list[LiveServer]) -> Iterator[Clients]:
    some = Clients(*servers)
    yield some
    for client in some.clients:
        client.leave()


def test_auth_says_what_may_be_sent(servers):
    client = Client(servers[0], "user")
    client.say("auth", {"token": servers[0].token("user", "ann"), "version": 2})
    payload = next_frame(client, "auth_success")["payload"]
    assert payload["files"]["max"] == 2_000_000
    assert "image/png" in payload["files"]["types"]
    client.leave()


def test_a_file_goes_from_one_side_to_the_other(clients):
    pair = Pair(clients, "ben")
    sent = post(pair.here, pair.user_token, TEXT, "minutes.txt", conversation=pair.conversation)
    assert sent.status == 201
    expected = {"name": "minutes.txt", "size": len(TEXT), "mime": "text/plain"}
    assert sent.json == {"file": sent.json["file"], **expected}
    file = sent.json["file"]
    receipt = show(pair.user, "message_file", file)
    assert receipt["type"] == "message_file_success"
    entry = next_frame(pair.waiter, "message_file")
    assert (entry["seq"], entry["payload"]) == (receipt["seq"], {"file": file, **expected})
    found = links(pair.there, pair.waiter_token, file)
    for server in (pair.here, pair.there):
        answer = ask(server, "GET", found[file]["url"])
        assert (answer.status, answer.data) == (200, TEXT)
    history = asks(pair.waiter, "get_history", {"conversation": pair.conversation})
    last = history["payload"]["messages"][-1]
    assert (last["type"], last["payload"]) == ("message_file", entry["payload"])


def test_a_waiter_sends_one_to_its_user(clients):
    pair = Pair(clients, "cid")
    file = uploaded(pair.there, pair.waiter_token, pair.conversation, TEXT, "offer.txt")
    receipt = show(pair.waiter, "message_file", file, to=pair.user_uuid)
    assert receipt["type"] == "message_file_success"
    assert next_frame(pair.user, "message_file")["payload"]["file"] == file
    assert ask(pair.here, "GET", f"/v1/files/{file}", token=pair.user_token).data == TEXT


def test_texts_and_files_stay_in_order(clients):
    pair = Pair(clients, "dan")
    files = [
        uploaded(pair.here, pair.user_token, pair.conversation, b"%d" % number, f"{number}.txt")
        for number in range(3)
    ]
    for number, file in enumerate(files):
        pair.user.say("message_text", {"message": f"before {number}"})
        pair.user.say("message_file", {"file": file})
        pair.user.say("message_text", {"message": f"behind {number}"})
    shown: list[str] = []
    while len(shown) < 9:
        frame = pair.waiter.receive()
        if frame["type"].startswith("message_") and frame["type"] != "message_history":
            shown.append(frame["payload"].get("message") or frame["payload"]["name"])
    assert shown == [one for n in range(3) for one in (f"before {n}", f"{n}.txt", f"behind {n}")]


def test_the_same_id_is_the_same_message(clients):
    pair = Pair(clients, "eve")
    one, other = (
        uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt") for _ in "ab"
    )
    receipts = [show(pair.user, "message_file", one, id="m-1") for _ in range(2)]
    assert receipts[0]["payload"] == receipts[1]["payload"]
    refused = show(pair.user, "message_file", other, id="m-1")
    assert refused["payload"]["code"] == "id_conflict"


def test_version_1_gets_a_link(clients):
    pair = Pair(clients, "fay", (1, 2))
    file = uploaded(pair.there, pair.waiter_token, pair.conversation, TEXT, "offer.txt")
    show(pair.waiter, "message_file", file, to=pair.user_uuid)
    text = next_frame(pair.user, "message_text")["payload"]
    assert set(text) == {"message"}
    name, link = text["message"].split()
    assert name == "offer.txt"
    assert link.startswith(pair.here.url + "/v1/files/")
    answer = ask(pair.here, "GET", link.removeprefix(pair.here.url))
    assert (answer.status, answer.data) == (200, TEXT)


def test_only_an_image_is_an_image(clients):
    pair = Pair(clients, "gus")
    file = uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt")
    refused = show(pair.user, "message_image", file)["payload"]
    assert (refused["code"], "no image" in refused["message"]) == ("invalid_message", True)
    assert show(pair.user, "message_file", file)["type"] == "message_file_success"


def test_nobody_names_what_it_has_not_uploaded_there(clients):
    pair = Pair(clients, "hal")
    other = Pair(clients, "ida")
    mine = uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt")
    for client, file, to in [
        (pair.user, "nothing", {}),
        (pair.user, "x" * 64, {}),
        (other.user, mine, {}),
        (pair.waiter, mine, {"to": pair.user_uuid}),
    ]:
        refused = show(client, "message_file", file, **to)
        assert refused["payload"]["code"] == "no_such_file"
    assert show(pair.user, "message_file", "x" * 65)["payload"]["code"] == "invalid_message"


def test_who_may_read(clients):
    pair = Pair(clients, "jan")
    stranger = pair.here.token("user", "kim")
    colleague = pair.here.token("waiter", "kim")
    file = uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt")
    address = f"/v1/files/{file}"

    def readers() -> list[int]:
        tokens = (pair.user_token, pair.waiter_token, stranger, colleague)
        return [ask(pair.here, "GET", address, token=token).status for token in tokens]

    assert readers() == [200, 404, 404, 404], "no message names it yet"
    show(pair.user, "message_file", file)
    assert readers() == [200, 200, 404, 404]
    assert links(pair.here, stranger, file) == links(pair.here, colleague, file) == {}
    assert ask(pair.here, "GET", address).status == 401
    for path in ("/v1/files/nothing", "/v1/files/..%2f..%2fetc%2fpasswd", f"{address}/thumb"):
        assert ask(pair.here, "GET", path, token=pair.user_token).status == 404


def test_where_one_may_upload(clients):
    pair = Pair(clients, "lea")
    stranger = pair.here.token("user", "mia")
    colleague = pair.here.token("waiter", "mia")
    cases = [
        (stranger, pair.conversation, 403), (colleague, pair.conversation, 403),
        (pair.user_token, "1", 403), (pair.user_token, "no", 400), ("", pair.conversation, 401),
        ("rubbish", pair.conversation, 401),
    ]  # fmt: skip
    for token, conversation, status in cases:
        assert post(pair.here, token, TEXT, "a.txt", conversation=conversation).status == status
    pair.user.say("disconnect")
    next_frame(pair.user, "disconnected")

    def status() -> int:
        answer = post(pair.here, pair.user_token, TEXT, "a.txt", conversation=pair.conversation)
        return answer.status

    assert until(lambda: status() == 403), "soon after its end"


def test_a_refusal_is_heard_however_much_was_sent(clients):
    """A sender that is cut off while it sends would see no answer."""
    pair = Pair(clients, "kit")
    expired = pair.here.token("user", "kit", lifetime=-1)
    for token, status in ((expired, 401), ("", 401), (pair.here.token("user", "lou"), 403)):
        answer = post(pair.here, token, b"x" * 900_000, "a", conversation=pair.conversation)
        assert answer.status == status


def test_an_image_is_shown_and_all_else_is_an_attachment(clients):
    pair = Pair(clients, "nat")
    image = uploaded(pair.here, pair.user_token, pair.conversation, png(), "cat.png")
    text = uploaded(pair.here, pair.user_token, pair.conversation, TEXT, 'Müll "x".txt')
    for file, kind in ((image, "inline"), (text, "attachment")):
        head = ask(pair.here, "GET", f"/v1/files/{file}", token=pair.user_token).headers
        assert head["Content-Disposition"].startswith(f"{kind}; filename=")
        assert head["X-Content-Type-Options"] == "nosniff"
        assert head["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert head["Referrer-Policy"] == "no-referrer"
        assert "private" in head["Cache-Control"]


@pytest.mark.parametrize(("asked", "status", "expected"), [
    ("bytes=0-3", 206, TEXT[:4]), ("bytes=-3", 206, TEXT[-3:]), ("bytes=5-", 206, TEXT[5:]),
    ("bytes=5-5000", 206, TEXT[5:]), ("bytes=5000-", 416, None), ("bytes=5-2", 416, None),
    ("bytes=0-1,3-4", 416, None), ("bytes=x", 416, None), ("pages=1-2", 416, None),
    ("bytes=", 416, None), ("bytes=-0", 416, None), ("bytes=99999999999999999999-", 416, None),
])  # fmt: skip
def test_ranges(clients, asked: str, status: int, expected: bytes | None):
    pair = Pair(clients, "oma")
    file = uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt")
    answer = ask(pair.here, "GET", f"/v1/files/{file}", token=pair.user_token, Range=asked)
    assert answer.status == status, answer
    if expected is not None:
        assert answer.data == expected


def test_what_a_browser_has_is_not_sent_again(clients):
    pair = Pair(clients, "pat")
    file = uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt")
    address = f"/v1/files/{file}"
    first = ask(pair.here, "GET", address, token=pair.user_token)
    again = ask(
        pair.here, "GET", address, token=pair.user_token, If_None_Match=first.headers["ETag"]
    )
    assert (again.status, again.data) == (304, b"")
    assert ask(pair.here, "HEAD", address, token=pair.user_token).data == b""


def test_a_link_is_good_for_its_file_only(clients):
    pair = Pair(clients, "ria")
    one, other = (
        uploaded(pair.here, pair.user_token, pair.conversation, TEXT, "a.txt") for _ in "ab"
    )
    url = links(pair.here, pair.user_token, one)[one]["url"]
    key = url.partition("=")[2]
    ends, _, signature = key.partition(".")
    assert ask(pair.here, "GET", url).headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    for bad in (
        f"/v1/files/{other}?key={key}", f"/v1/files/{one}?key=", f"/v1/files/{one}?key=x",
        f"/v1/files/{one}?key={int(ends) + 1}.{signature}", f"/v1/files/{one}?key={key}x",
        f"/v1/files/{one}?key={ends}.", f"/v1/files/{one}?key=%00%ff",
    ):  # fmt: skip
        assert ask(pair.here, "GET", bad).status == 403, bad


def test_links_are_asked_for_properly(servers):
    token = servers[0].token("user", "sue")
    long, many = b'["' + b"x" * 65 + b'"]', b"[" + b'"x",' * 100 + b'"x"]'
    unfit = [b'{"files": %b}' % one for one in (b"1", b"[1]", b"{}", long, many)]
    for body in (b"", b"[]", *unfit):
        assert ask(servers[0], "POST", "/v1/files/links", body, token).status == 400
    assert links(servers[0], token, "x", "..", "\0") == {}
