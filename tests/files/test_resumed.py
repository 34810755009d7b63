"""Uploads in parts: cut off in the middle, gone on with, cancelled, too many, too large."""

from __future__ import annotations

import itertools
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.bounds import UNFINISHED, UNNAMED
from testkit import LiveServer

from ..probe import until
from ..raw import Raw
from ..three_ways import WAYS, Clients, served
from .pairs import Pair, show
from .posting import BOUNDARY, TYPE, Answer, ask, form, post

MOST = 1_000_000  # CSAPP_MAX_FILE
#: more than one piece of it is stored at once
CONTENT = "".join(map(str, range(130_000))).encode()
HALF = 300_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module", params=WAYS)
def servers(request: pytest.FixtureRequest, place: Path) -> Iterator[list[LiveServer]]:
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{place}/{request.param.replace(' ', '')}.db",
        "CSAPP_FILES_URL": f"file://{place}/{request.param.replace(' ', '')}",
        "CSAPP_MAX_FILE": str(MOST),
    }
    with served(request, env) as servers:
        yield servers


@pytest.fixture
def clients(servers: list[LiveServer]) -> Iterator[Clients]:
    some = Clients(*servers)
    yield some
    for client in some.clients:
        client.leave()


def head(token: str, length: int) -> bytes:
    """The head of a request that uploads something."""
    lines = [
        "POST /v1/files HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {TYPE}",
        f"Authorization: Bearer {token}", f"Content-Length: {length}", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def begin_upload(server: LiveServer, token: str, body: bytes, end: int) -> None:
    """Send *body* up to *end*; then the line is cut."""
    with Raw(server) as raw:
        raw.send(head(token, len(body)) + body[:end])


class Upload:
    """An upload of *content* by the visitor of *pair*."""

    def __init__(self, pair: Pair, name: str = "u-1", content: bytes = CONTENT) -> None:
        self.pair = pair
        self.name = name
        self.content = content
        self.fields = {"conversation": pair.conversation, "upload": name, "size": len(content)}

    def send(self, begin: int, end: int, server: int = 0) -> Answer:
        """Send the bytes from *begin* to *end*."""
        fields = {**self.fields, "offset": begin}
        at = (self.pair.here, self.pair.there)[server]
        return post(at, self.pair.user_token, self.content[begin:end], "a.txt", **fields)

    def cut(self, begin: int, end: int) -> None:
        """The same, but the line is cut behind *end*, in the middle of the form."""
        body = form(self.content[begin:], "a.txt", **self.fields, offset=begin)
        missing = len(self.content) - end + len(f"\r\n--{BOUNDARY}--\r\n")
        begin_upload(self.pair.here, self.pair.user_token, body, len(body) - missing)

    def ask(self, method: str = "GET") -> Answer:
        path = f"/v1/files/uploads/{self.name}"
        return ask(self.pair.there, method, path, token=self.pair.user_token)

    @property
    def offset(self) -> int:
        answer = self.ask()
        return answer.json["offset"] if answer.status == 200 else -1

    def assert_is(self, answer: Answer) -> None:
        """It is the file of *answer*, whole."""
        assert answer.status == 201, answer
        file = answer.json["file"]
        there = ask(self.pair.there, "GET", f"/v1/files/{file}", token=self.pair.user_token)
        assert there.data == self.content


@pytest.fixture
def upload(request: pytest.FixtureRequest, clients: Clients) -> Upload:
    return Upload(Pair(clients, request.node.originalname.removeprefix("test_")[:20]))


def test_in_parts_on_either_server(upload):
    places = [0, 1, 1, 262_145, HALF, len(CONTENT) - 1]
    for number, (begin, end) in enumerate(itertools.pairwise(places)):
        answer = upload.send(begin, end, server=number % 2)
        assert (answer.status, answer.json) == (202, {"upload": "u-1", "offset": end})
    upload.assert_is(upload.send(places[-1], len(CONTENT)))


def test_what_came_before_a_cut_is_not_sent_again(upload):
    upload.cut(0, HALF)
    came = until(lambda: max(0, upload.offset))
    assert HALF - 8192 <= came <= HALF, "but what was being read"
    upload.cut(came, came + HALF)
    until(lambda: upload.offset > came)
    upload.assert_is(upload.send(upload.offset, len(CONTENT)))


def test_another_offset_is_answered_with_the_right_one(upload):
    assert upload.send(5, 9).json["offset"] == 0
    upload.send(0, HALF)
    for begin in (0, HALF - 1, HALF + 1):
        answer = upload.send(begin, begin + 10)
        assert (answer.status, answer.json["code"]) == (409, "id_conflict")
        assert answer.json["offset"] == HALF
    upload.assert_is(upload.send(HALF, len(CONTENT)))


def test_an_upload_is_of_one_file(upload, clients):
    upload.send(0, HALF)
    upload.fields["size"] += 1
    answer = upload.send(HALF, len(CONTENT))
    assert (answer.status, "offset" in answer.json) == (409, False)
    stranger = Upload(Pair(clients, "stranger"))
    assert stranger.ask().status == 404, "another's has another name"


def test_what_is_whole_is_only_described(upload):
    first = upload.send(0, len(CONTENT))
    for begin, end in ((0, len(CONTENT)), (7, 9), (len(CONTENT), len(CONTENT))):
        assert upload.send(begin, end).json == first.json
    told = upload.ask().json
    assert told == first.json | {"upload": "u-1", "offset": len(CONTENT)}


def test_an_empty_part_ends_what_has_come(upload):
    upload.send(0, HALF)
    assert upload.send(HALF, HALF).json["offset"] == HALF
    upload.assert_is(upload.send(HALF, len(CONTENT)))


def test_a_cancelled_one_is_gone(upload):
    upload.send(0, HALF)
    assert upload.ask("DELETE").status == 204
    assert [upload.ask("DELETE").status, upload.ask().status] == [404, 404]
    upload.assert_is(upload.send(0, len(CONTENT)))


def test_two_at_once_make_one_file(upload):
    """Each byte is stored by one of them; the other is told how far it has come."""
    answers: list[Answer] = []

    def send(server: int) -> None:
        while True:
            begin = max(0, upload.offset)
            end = min(len(CONTENT), begin + random.randrange(1, HALF))
            answers.append(upload.send(begin, end, server))
            if answers[-1].status == 201:
                return

    both = [threading.Thread(target=send, args=(number,)) for number in (0, 1)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert {one.status for one in answers} <= {201, 202, 409}
    upload.assert_is(answers[-1])
    assert len({one.json["file"] for one in answers if one.status == 201}) == 1


def test_more_bytes_than_were_announced(upload):
    upload.fields["size"] = HALF
    assert upload.send(0, HALF + 1).json["code"] == "too_large"
    assert upload.ask().status == 404


def test_too_large(upload):
    for size, body in ((MOST + 1, b"x"), (10, b"x" * (MOST + 1))):
        upload.content, upload.fields["size"] = body, size
        answer = upload.send(0, len(body))
        assert (answer.status, answer.json["code"]) == (413, "too_large")
    whole = post(
        upload.pair.here, upload.pair.user_token, b"x" * (MOST + 1), "a.txt",
        conversation=upload.pair.conversation,
    )  # fmt: skip
    assert (whole.status, whole.json["code"]) == (413, "too_large")


def test_a_huge_one_is_refused_at_once(upload):
    """Nobody waits until all of it has come."""
    with Raw(upload.pair.here) as raw:
        raw.send(head(upload.pair.user_token, 99_000_000_000))
        assert raw.head().split()[1] == "413"


def test_of_what_is_taken_whole_nothing_stays_after_a_cut(upload, place):
    here = upload.pair.here
    before, refused = stored(place), cut_off(here)
    body = form(CONTENT, "a.txt", conversation=upload.pair.conversation)
    begin_upload(here, upload.pair.user_token, body, len(body) - 20)
    until(lambda: cut_off(here) > refused)
    assert stored(place) == before


def stored(place: Path) -> set[Path]:
    """The content of all files."""
    return {path for path in place.glob("*/*/**/*") if path.is_file()}


def cut_off(server: LiveServer) -> float:
    """How many requests for files were answered with 400."""
    found = re.search(
        r'^csapp_refusals_total{door="files",status="400"} (.*)$', server.get("/metrics"), re.M
    )
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize(("change", "named"), [
    ({"conversation": None}, "conversation"), ({"conversation": "zz"}, "conversation"),
    ({"upload": ""}, "upload"), ({"upload": "a b"}, "upload"), ({"upload": "x" * 65}, "upload"),
    ({"upload": "ü"}, "upload"), ({"size": None}, "size"), ({"size": "-1"}, "size"),
    ({"size": "1e3"}, "size"), ({"size": "9" * 16}, "size"), ({"offset": "-1"}, "offset"),
    ({"offset": "99999999"}, "offset"), ({"more": "x"}, "more"), ({"size": "٣"}, "size"),
])  # fmt: skip
def test_what_is_wrong_is_named(upload, change: dict[str, str | None], named: str):
    fields = {key: value for key, value in {**upload.fields, **change}.items() if value is not None}
    answer = post(upload.pair.here, upload.pair.user_token, b"x", "a.txt", **fields)
    assert (answer.status, answer.json["code"]) == (400, "invalid_message")
    assert answer.json["message"].startswith(f"{named}: ")


def test_a_few_uploads_at_once(upload):
    for number in range(UNFINISHED):
        one = Upload(upload.pair, f"n-{number}")
        assert one.send(0, 10).status == 202
    refused = upload.send(0, 10)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0
    assert Upload(upload.pair, "n-0").ask("DELETE").status == 204
    assert upload.send(0, 10).status == 202


def test_what_no_message_names_is_bounded(upload):
    pair, content = upload.pair, b"x" * MOST
    for number in range(UNNAMED):
        one = Upload(pair, f"n-{number}", content)
        answer = one.send(0, MOST)
        assert answer.status == 201
    assert upload.send(0, len(CONTENT)).status == 429
    assert show(pair.user, "message_file", answer.json["file"])["type"] == "message_file_success"
    assert upload.send(0, len(CONTENT)).status == 201
