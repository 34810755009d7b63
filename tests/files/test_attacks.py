"""Attacks on uploads, over HTTP: what lies, what hides, what has an evil name, what is rubbish."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from testkit import LiveServer

from ..raw import Raw
from ..three_ways import Clients
from .pairs import Pair
from .posting import BOUNDARY, TYPE, Answer, ask, form, links, png, post

SCRIPT = b"<script>alert(document.cookie)</script>"


@pytest.fixture(scope="module", params=["gunicorn", "flask"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("attacked")
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{folder}/csapp.db", "CSAPP_CONNECTIONS_PER_IP": "0",
        "CSAPP_FILES_URL": f"file://{folder}/files",
    }  # fmt: skip
    start = LiveServer.gunicorn if request.param == "gunicorn" else LiveServer.flask
    with start(env=env) as server:
        yield server
        assert "Traceback" not in server.log


@pytest.fixture
def pair(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Pair]:
    clients = Clients(server)
    name = re.sub(r"\W+", "-", request.node.name)
    yield Pair(clients, name[:60])
    for client in clients.clients:
        client.leave()


def send(pair: Pair, content: bytes, name: str = "cat.png") -> Answer:
    return post(pair.here, pair.user_token, content, name, conversation=pair.conversation)


def read(pair: Pair, answer: Answer) -> Answer:
    """What a link to the file of *answer* leads to."""
    assert answer.status == 201, answer
    file = answer.json["file"]
    return ask(pair.here, "GET", links(pair.here, pair.user_token, file)[file]["url"])


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"


@pytest.mark.parametrize("content", [
    SVG, b'<?xml version="1.0"?>\n' + SVG, b"\xef\xbb\xbf" + SVG, b"<!-- x -->\n" + SVG,
    b"<!DOCTYPE html><html>" + SCRIPT, b"\n \t<html>" + SCRIPT, SCRIPT, b"<iframe src=x></iframe>",
    b"MZ" + bytes(200), b"\x7fELF" + bytes(200), b"PK\x03\x04" + bytes(200), bytes(100),
    b"\xff" * 100, "<html>".encode("utf-16"),
], ids=lambda content: f"{content[:12]!r}")  # fmt: skip
@pytest.mark.parametrize("name", ["cat.png", "words.txt", "x"])
def test_no_name_makes_it_what_it_is_not(pair, content: bytes, name: str):
    answer = send(pair, content, name)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_type"), answer


def picture(kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 60)).save(data, kind, **options)
    return data.getvalue()


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("evil.js", "alert(1)")
    return data.getvalue()


@pytest.mark.parametrize("content", [
    picture("GIF") + b"/*" + SCRIPT + b"*/", picture("PNG") + zipped(), picture("JPEG") + SCRIPT,
    png(3, 3, (b"tEXt", b"Comment\0" + SCRIPT)), png(3, 3, (b"iTXt", b"a\0\0\0\0\0" + SCRIPT)),
    picture("JPEG", comment=SCRIPT), picture("WEBP") + zipped() + SCRIPT,
], ids=["gif", "png", "jpeg", "text", "itext", "comment", "webp"])  # fmt: skip
def test_what_hides_in_a_picture_is_gone(pair, content: bytes):
    there = read(pair, send(pair, content))
    assert there.headers["Content-Type"].startswith("image/")
    assert not any(evil in there.data for evil in (b"script", b"PK\x03\x04", b"evil.js"))
    assert there.headers["X-Content-Type-Options"] == "nosniff"


def test_a_text_that_calls_itself_a_page_is_never_shown(pair):
    there = read(pair, send(pair, b"Hello.\n", "page.html"))
    assert there.headers["Content-Type"].startswith("text/plain")
    assert there.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in there.headers["Content-Security-Policy"]


NAMES = [
    "../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "C:\\x.txt", "a\0b.txt", "x" * 5000,
    "\u202egnp.exe", "a\u2066b.txt", "....//....//x", "%2e%2e%2fx", "a\tb.txt", ".", "..", "",
    " ", "a\u0007b", "photo.jpg.exe", "💥.txt", "a;b=c.txt", "aux.txt", "</script>.txt", "a\x85b",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: f"{name[:20]!r}")
def test_no_name_leads_anywhere(pair, name: str):
    answer = send(pair, b"Hello\n", name)
    there = read(pair, answer)
    said = answer.json["name"]
    assert said
    assert len(said) <= 200
    assert not re.search(r"[\x00-\x1f\x7f-\x9f/\\\u202a-\u202e\u2066-\u2069]", said)
    head = there.headers["Content-Disposition"]
    assert re.fullmatch(r"attachment; filename=\"[ -~]*\"; filename\*=UTF-8''[!-~]+", head), head
    assert unquote(head.partition("''")[2]) == said


def test_a_name_adds_no_header(pair):
    """A client that quotes nothing: the rest of the line is another header of the part, or junk."""
    for name in ('a"\r\nX-Evil: 1\r\n\r\nb', "a%0d%0aSet-Cookie: x=1", 'a\\"b'):
        answer = send(pair, b"Hello\n", name)
        if answer.status == 201:
            head = read(pair, answer).headers
            assert "X-Evil" not in head
            assert "Set-Cookie" not in head
        else:
            assert answer.status == 400


def test_ids_lead_nowhere(pair):
    send(pair, b"Hello\n", "a.txt")
    for bad in ("..", "%2e%2e", "..%2fx", "%00", "a" * 5000, ".csapp-folder", "content", "*", "%ff",
                "uploads", "links", "a/thumb/b", "' OR 1=1 --".replace(" ", "%20")):  # fmt: skip
        for end in ("", "/thumb", "?key=1.x", "?key="):
            answer = ask(pair.here, "GET", f"/v1/files/{bad}{end}", token=pair.user_token)
            assert answer.status in (403, 404, 405), (bad, end, answer)
    for bad in ("%00", "..", "%ff", "x" * 5000):
        answer = ask(pair.here, "GET", f"/v1/files/uploads/{bad}", token=pair.user_token)
        assert answer.status in (404, 405), bad


def rubbish(pair: Pair, chance: random.Random) -> bytes:
    """A request for an upload that is somehow wrong."""
    body = bytearray(
        form(b"Hello\r\n--x\r\n" * 9, "a.txt", conversation=pair.conversation, upload="u", size=117)
    )
    bits = [b"\r\n", f"--{BOUNDARY}".encode(), b"--", b"\0", b"name=", b'"', b"\xff\xfe", b";",
            b"Content-Disposition", b"size", b"-1"]  # fmt: skip
    for _ in range(chance.randrange(5)):
        place = chance.randrange(len(body))
        if chance.random() < 0.5:
            body[place:place] = chance.choice(bits)
        else:
            del body[place : place + chance.randrange(60)]
    kind = chance.choice([TYPE] * 6 + ["", "multipart/form-data", "text/x", TYPE + "x", "é;=;"])
    length = chance.choice([f"Content-Length: {len(body) + one}" for one in (0, 0, 0, 0, 9, -9)])
    if chance.random() < 0.2:
        length = "Transfer-Encoding: chunked"
        body = bytearray(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    head = [f"{chance.choice(['POST'] * 9 + ['PUT'])} /v1/files HTTP/1.1", "Host: x",
            f"Authorization: Bearer {pair.user_token}", f"Content-Type: {kind}", length,
            "Connection: close", "", ""]  # fmt: skip
    return "\r\n".join(head).encode("latin-1") + bytes(body)


@pytest.mark.parametrize("seed", range(4))
def test_rubbish_is_refused_in_words(pair, seed: int):
    chance = random.Random(seed)
    for _ in range(40):
        with Raw(pair.here) as raw:
            raw.send(rubbish(pair, chance))
            raw.sock.shutdown(1)  # nothing more comes
            data = b""
            while some := raw.sock.recv(65_536):
                data += some
        status = data.split()[1] if data else b"none"
        assert status in (b"201", b"202", b"400", b"405", b"409", b"413", b"415", b"429"), data
