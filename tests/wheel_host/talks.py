"""What the host's checks have in common."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

from csapp.testkit import Client, LiveServer, assert_receives


def chat(settings: Mapping[str, str], *words: str) -> str:
    """What a command of the host's says."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "chat", *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def talk(server: LiveServer) -> None:
    """Let a visitor and a waiter meet and say something."""
    with Client.waiter(server, "ada") as ada, Client.user(server, "ann") as ann:
        ada.ready()
        ann.say("connect")
        assert_receives(ann, "connect_success", uuid=ada.uuid)
        assert_receives(ada, "new_connection", uuid=ann.uuid)
        ann.text("hello")
        assert_receives(ada, "message_text", message="hello", from_=ann.uuid)
        ada.text("good morning", to=ann.uuid)
        assert_receives(ann, "message_text", message="good morning")


def send_files(server: LiveServer) -> None:
    """Let a visitor send its waiter a text file and a photo, which is turned upright."""
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6
    photo = io.BytesIO()
    Image.new("RGB", (64, 32), "red").save(photo, "JPEG", exif=turned)
    with Client(server, "waiter") as ben, Client(server, "user") as amy:
        for client, name in ((ben, "ben"), (amy, "amy")):
            token = server.token(client.role, name)
            client.say("auth", {"token": token, "version": 2})
            assert frame(client, "auth_success")["payload"]["files"]["max"]
        ben.say("ready")
        frame(ben, "ready")
        amy.say("connect")
        conversation = frame(amy, "connect_success")["payload"]["conversation"]
        for kind, name, content in (
            ("message_file", "a.txt", b"hello"),
            ("message_image", "a.jpg", photo.getvalue()),
        ):
            sent = upload(server, server.token("user", "amy"), conversation, name, content)
            amy.say(kind, {"file": sent["file"]}, id=name)
            seen = frame(ben, kind)["payload"]
            assert (seen["name"], seen["file"]) == (name, sent["file"])
            asked = Request(f"{server.url}/v1/files/{sent['file']}")
            asked.add_header("Authorization", f"Bearer {server.token('waiter', 'ben')}")
            with urlopen(asked) as answer:
                found = answer.read()
            if kind == "message_file":
                assert found == content
            else:
                assert (seen["width"], seen["height"]) == (32, 64)
                with Image.open(io.BytesIO(found)) as picture:
                    assert (picture.size, dict(picture.getexif())) == ((32, 64), {})


def frame(client: Client, kind: str) -> dict[str, Any]:
    """The next frame of this type."""
    while True:
        found: dict[str, Any] = client.receive()
        if found["type"] == kind:
            return found


def upload(
    server: LiveServer, token: str, conversation: str, name: str, content: bytes
) -> dict[str, Any]:
    """What the server says of a file that was sent."""
    parts = [
        b'name="conversation"\r\n\r\n' + conversation.encode(),
        f'name="file"; filename="{name}"\r\n\r\n'.encode() + content,
    ]
    body = b"".join(b"--line\r\nContent-Disposition: form-data; " + one + b"\r\n" for one in parts)
    asked = Request(f"{server.url}/v1/files", body + b"--line--\r\n", method="POST")
    asked.add_header("Content-Type", "multipart/form-data; boundary=line")
    asked.add_header("Authorization", f"Bearer {token}")
    with urlopen(asked) as answer:
        said: dict[str, Any] = json.load(answer)
    return said
