"""Servers that are killed in the middle: no half file, no message without its file, and no file
without a message after an hour.

A worker is killed (SIGKILL) once, at each point of an upload; another one takes its place. Then
the client goes on and comes to its end, or gives up, and an hour passes.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.conversation.kinds import FILE
from services.conversation.rows import key_of
from services.files.folder import FolderStore
from services.files.port import ALWAYS
from services.files.uploads import Files
from services.history.files import FileTables
from services.history.opening import open_store
from services.settings import Settings
from testkit import Client, LiveServer
from testkit.client import Closed
from testkit.postgres import Postgres
from testkit.redis import RedisServer
from testkit.server import SECRET

from ..probe import come_back, next_frame
from .posting import ask, post

CONTENT = "".join(map(str, range(90_000))).encode()
PART = 150_000
HOST = "tests.files.killed_host:app"
HOURS = 2 * 3_600_000  # ms

#: each leaves something else behind: `before advance`, say, would be `after put piece/` again
POINTS = [
    "before begin", "after begin", "after put piece/", "after advance", "before put content/",
    "after put content/", "after keep", "after delete", "before name", "after name",
]  # fmt: skip

#: what a client meets while its server is killed
LOST = (OSError, http.client.HTTPException, Closed)


class Site:
    """Servers of one desk, one of which is killed at *point*."""

    def __init__(self, folder: Path, point: str, database: str, **more: str) -> None:
        self.folder, self.database = folder, database
        self.killed = folder / "killed"
        self.env = {
            "CSAPP_DATABASE_URL": database, "CSAPP_FILES_URL": f"file://{folder}/files",
            "CSAPP_GRACE": "60", "KILL_AT": point, "KILLED": str(self.killed), **more,
        }  # fmt: skip
        self.servers: list[LiveServer] = []
        self.conversation = ""

    def __enter__(self) -> Site:
        count = 2 if "CSAPP_REDIS_URL" in self.env else 1
        self.servers = [LiveServer.gunicorn(HOST, self.env) for _ in range(count)]
        return self

    def __exit__(self, *error: object) -> None:
        for server in self.servers:
            with contextlib.suppress(AssertionError):
                server.quit()

    def meet(self) -> None:
        """A waiter serves ann."""
        with contextlib.ExitStack() as stack:
            waiter = self.come("waiter", stack, at=-1)
            waiter.say("ready")
            next_frame(waiter, "ready")
            user = self.come("user", stack)
            user.say("connect")
            self.conversation = next_frame(user, "connect_success")["payload"]["conversation"]
            next_frame(user, "event")

    def come(self, role: str, stack: ExitStack, at: int = 0) -> Client:
        server = self.servers[at]
        client = come_back(server, role)
        stack.callback(client.drop)
        token = server.token(role, "ann" if role == "user" else "wim")
        client.say("auth", {"token": token, "version": 2})
        next_frame(client, "auth_success")
        return client

    # ---- as clients do -------------------------------------------------

    def upload(self, *, insist: bool) -> str:
        """The id of the file; empty: the client has given up."""
        while True:
            for server in reversed(self.servers):
                with contextlib.suppress(*LOST):
                    if file := self._send(server):
                        return file
                if not insist and self.killed.exists():
                    return ""

    def _send(self, server: LiveServer) -> str:
        token = server.token("user", "ann")
        state = ask(server, "GET", "/v1/files/uploads/u-1", token=token)
        begin = state.json["offset"] if state.status == 200 else 0
        fields = {"conversation": self.conversation, "upload": "u-1", "size": len(CONTENT)}
        some = CONTENT[begin : begin + PART]
        answer = post(server, token, some, "a.txt", **fields, offset=begin)
        assert answer.status in (201, 202, 409, 503), answer
        file: str = answer.json["file"] if answer.status == 201 else ""
        return file

    def show(self, file: str, *, insist: bool) -> bool:
        """Whether a message that names *file* is stored."""
        while True:
            with contextlib.suppress(*LOST), ExitStack() as stack:
                user = self.come("user", stack)
                user.say("message_file", {"file": file}, id="m-1")
                return next_frame(user, "message_file_success")["reply_id"] == "m-1"
            if not insist:
                return False

    # ---- afterwards ----------------------------------------------------

    def settle(self) -> tuple[list[str], list[str], list[str]]:
        """Once all servers have ended and an hour is over: messages, rows and contents of files."""
        for server in self.servers:
            server.quit()
        store = open_store(self.database, lock_wait=5.0, answer_wait=60.0)
        try:
            tables, contents = FileTables(store), FolderStore(self.folder / "files")
            settings = Settings.load({"CSAPP_SECRET_KEY": SECRET})
            files = Files(tables, contents, settings, lambda: round(time.time() * 1000))
            self._age()
            files.sweep(round(time.time() * 1000) + HOURS)
            chat = key_of(self.conversation)
            assert chat is not None
            named = [
                FILE.payload_of(one.body, one.data)["file"]
                for one in store.entries(chat) if one.kind == FILE.number
            ]  # fmt: skip
            rows = [one.id for one in tables.of_conversation(chat)]
            keys = sorted(
                key for prefix in ("content/", "thumb/", "piece/", "draft/")
                for key in contents.older_than(prefix, ALWAYS)
            )  # fmt: skip
            for file in rows:
                row = tables.find(file)
                assert row is not None
                assert files.open(row).read(0, len(CONTENT) + 1) == CONTENT
            return named, rows, keys
        finally:
            store.close()

    def _age(self) -> None:
        """The files of the folder are two hours old."""
        before = time.time() - HOURS / 1000
        for path in (self.folder / "files").rglob("*"):
            os.utime(path, (before, before))


Build = Callable[[str, str], Site]


@pytest.fixture
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    with ExitStack() as stack:

        def build(way: str, point: str) -> Site:
            if way == "one worker":
                return stack.enter_context(Site(tmp_path, point, f"sqlite:///{tmp_path}/csapp.db"))
            postgres: Postgres = request.getfixturevalue("postgres")
            redis = stack.enter_context(RedisServer())
            url = postgres.database()
            store = open_store(url, lock_wait=5.0, answer_wait=60.0)
            store.migrate()
            store.close()
            return stack.enter_context(Site(tmp_path, point, url, CSAPP_REDIS_URL=redis.url))

        yield build


#: with several, at the points between which something is stored in another place
CASES = [
    *(("one worker", point) for point in POINTS),
    *(("two workers", point) for point in POINTS if point.startswith("after")),
]


@pytest.mark.parametrize(("way", "point"), CASES)
def test_a_client_goes_on_where_it_was(build: Build, way: str, point: str):
    site = build(way, point)
    site.meet()
    file = site.upload(insist=True)
    assert site.show(file, insist=True)
    assert site.killed.exists(), "it was killed"
    assert site.settle() == ([file], [file], [f"content/{file}"])


@pytest.mark.parametrize(("way", "point"), CASES)
def test_of_what_is_given_up_nothing_stays(build: Build, way: str, point: str):
    site = build(way, point)
    site.meet()
    file = site.upload(insist=False)
    if file:
        site.show(file, insist=False)
    assert site.killed.exists(), "it was killed"
    assert site.settle() == ([], [], [])
