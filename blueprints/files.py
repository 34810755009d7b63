"""Files over HTTP: they are uploaded, linked to and read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any, TypeVar, cast
from urllib.parse import quote

from flask import Blueprint, Request, Response, current_app, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from services.conversation.kinds import Side
from services.errors import Unavailable
from services.file_links import LIVES
from services.files.port import NoContent
from services.files.uploads import Described, Files, Stored
from services.history.files import FileRow
from services.history.rights import may_read
from services.identity import TokenRole
from services.origin import client_address
from services.server import ChatServer
from services.wire.codes import ErrorCode, HTTPRefusal

from .answers import jsonify, uncached
from .cors import shared
from .door import Door
from .extension import Extension
from .multipart import Cut, FileForm, FormError
from .request_data import bearer, json_object
from .slow_bodies import SlowBody
from .uploads import Reception, Sender, no_such_file

MAX_FORM = 16_384  # bytes of an upload's form beside the file
MAX_BODY = 16_384  # bytes of a request for links
MOST_LINKS = 100
MAX_ID = 64  # characters
SOME = 262_144  # bytes of content that are read at once

#: what browsers show inline; all else is an attachment
INLINE = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))

SIDES = {TokenRole.USER: Side.USER, TokenRole.WAITER: Side.WAITER}

T = TypeVar("T")


def blueprint(extension: Extension) -> Blueprint:
    """`/v1/files` and what is below it."""
    door = Door("csapp_files", __name__)
    views = ("upload", "upload_state", "cancel_upload", "file_links", "read_file", "read_thumb")
    door.after_request(shared(extension.server, *views, methods="GET, POST, DELETE"))
    desk = _FileDesk(extension)
    _for_uploads(door, desk)
    _for_readers(door, desk)
    return door


class _FileDesk:
    """What the views share."""

    def __init__(self, extension: Extension) -> None:
        self.extension = extension
        self.server: ChatServer = extension.server

    @property
    def files(self) -> Files:
        """The files of this site. Raises `HTTPRefusal` where there are none, and `Unavailable`."""
        files = self.server.house.files
        if files is None:
            raise HTTPRefusal(404, ErrorCode.UNAVAILABLE, "this server takes no files")
        return files

    def sender(self, incoming: Request) -> Sender:
        """Who shows its token. Raises `HTTPRefusal`, and `Unavailable`."""
        shown = bearer(incoming, self.server.tokens.inspect_any)
        if self.server.house.revocations.is_revoked(shown.identity, shown.signed):
            what = "this login was signed out"
            raise HTTPRefusal(401, ErrorCode.INVALID_TOKEN, what, {"WWW-Authenticate": "Bearer"})
        side = SIDES.get(shown.identity.role)
        if side is None:
            what = "a token of a visitor or a waiter is needed"
            raise HTTPRefusal(403, ErrorCode.FORBIDDEN, what)
        address = client_address(incoming.environ, self.server.settings.trusted_proxies)
        return Sender(side, shown.identity.subject, address)

    def count_question(self, sender: Sender) -> None:
        """Count a question of *sender* to the store. Raises `HTTPRefusal` for too many."""
        if not self.server.house.bounds.questions.take(sender.whose):
            raise HTTPRefusal.too_many("too many questions in too short a time")

    def blocking(self, function: Callable[..., T], *args: Any) -> T:
        """What *function* returns, which blocks."""
        result: T = self.server.runtime.blocking(function, *args)
        return result

    def is_reader(self, row: FileRow, sender: Sender) -> bool:
        """Whether *sender* may read the file of *row*. Blocks."""
        if (row.side, row.author) == (sender.side, sender.subject):
            return True
        store = self.server.store
        chat = store.conversation(row.chat) if store is not None and row.named else None
        if store is None or chat is None:
            return False
        return may_read(store, chat, sender.side, sender.subject)


# ---- uploads ---------------------------------------------------------------


def _for_uploads(door: Blueprint, desk: _FileDesk) -> None:
    server = desk.server

    @door.post("/v1/files")
    def upload() -> Response:
        """Take a file, or a part of it."""
        most = server.settings.max_file + MAX_FORM
        with SlowBody(request, most) as body:
            files, sender = desk.files, desk.sender(request)
            try:
                form = FileForm(body.read, request.headers.get("Content-Type", ""))
                taken = Reception(server, files, sender, desk.extension.callbacks.file).take(form)
            except FormError as error:
                raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, str(error)) from None
            except Cut as error:
                status = 408 if body.is_late else 400
                raise HTTPRefusal(status, ErrorCode.INVALID_MESSAGE, str(error)) from None
        if isinstance(taken, FileRow):
            response = jsonify(upload=taken.upload, offset=taken.received)
            response.status_code = 202
        else:
            response = jsonify(_shown(taken))
            response.status_code = 201
        return uncached(response)

    def find(name: str) -> FileRow:
        sender = desk.sender(request)
        desk.count_question(sender)
        find_upload = desk.files.tables.find_upload
        row = desk.blocking(find_upload, sender.side, sender.subject, name)
        if row is None:
            raise no_such_file()
        return row

    @door.get("/v1/files/uploads/<name>")
    def upload_state(name: str) -> Response:
        """How much of an upload has come."""
        row = find(name)
        whole = _shown(desk.files.described(row)) if row.kept else {}
        more = {"upload": name, "offset": row.size if row.kept else row.received, "size": row.size}
        return uncached(jsonify(whole | more))

    @door.delete("/v1/files/uploads/<name>")
    def cancel_upload(name: str) -> Response:
        """Forget an upload."""
        desk.blocking(desk.files.cancel, find(name))
        return Response(status=204)


def _shown(described: Described) -> dict[str, Any]:
    return {name: value for name, value in asdict(described).items() if value is not None}


# ---- reading ---------------------------------------------------------------


def _for_readers(door: Blueprint, desk: _FileDesk) -> None:
    server = desk.server

    @door.post("/v1/files/links")
    def file_links() -> Response:
        """Addresses of files that need no token for a while."""
        sender = desk.sender(request)
        body = json_object(request, '{"files": […]}', MAX_BODY)
        asked = body.get("files")
        if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, "files: a list of ids is required")
        if len(asked) > MOST_LINKS or any(len(one) > MAX_ID for one in asked):
            what = f"files: at most {MOST_LINKS} ids, of at most {MAX_ID} characters"
            raise HTTPRefusal(400, ErrorCode.INVALID_MESSAGE, what)
        desk.count_question(sender)
        links, ends = server.house.links, server.house.links.key("", LIVES)[1]
        root = f"{request.environ.get('SCRIPT_NAME', '')}{server.settings.url_prefix}"
        found = {}
        for row in desk.blocking(_readable, desk, asked, sender):
            key = links.key(row.id, LIVES)[0]
            address = f"{root}/v1/files/{row.id}"
            found[row.id] = {"url": f"{address}?key={key}"}
            if row.thumb:
                found[row.id]["thumb"] = f"{address}/thumb?key={key}"
        return uncached(jsonify(links=found, expires_in=max(1, int(ends - links.now()))))

    @door.get("/v1/files/<file>")
    def read_file(file: str) -> Response:
        """The content of a file."""
        return _content(desk, file, thumb=False)

    @door.get("/v1/files/<file>/thumb")
    def read_thumb(file: str) -> Response:
        """A small picture of an image."""
        return _content(desk, file, thumb=True)


def _readable(desk: _FileDesk, asked: list[str], sender: Sender) -> list[FileRow]:
    """The rows of those that *sender* may read. Blocks."""
    find, rows = desk.files.tables.find, []
    for file in dict.fromkeys(asked):
        row = find(file)
        if row is not None and row.kept and desk.is_reader(row, sender):
            rows.append(row)
    return rows


def _content(desk: _FileDesk, file: str, *, thumb: bool) -> Response:
    key, files = request.args.get("key"), desk.files
    fresh = LIVES  # s
    if key is not None:
        links = desk.server.house.links
        fresh = int(links.opens(file, key) - links.now())
        if fresh <= 0:
            what = "this link is not good, or not any more"
            raise HTTPRefusal(403, ErrorCode.FORBIDDEN, what)
    sender = None if key is not None else desk.sender(request)
    if sender is not None:
        desk.count_question(sender)
    row = desk.blocking(files.tables.find, file)
    if row is None or not (sender is None or desk.blocking(desk.is_reader, row, sender)):
        raise no_such_file()
    try:
        stored = desk.blocking(files.open, row, thumb)
    except NoContent:
        raise no_such_file() from None
    return _sent(desk.server, row, stored, fresh, thumb=thumb, by_link=sender is None)


def _sent(
    server: ChatServer, row: FileRow, stored: Stored, fresh: int, *, thumb: bool, by_link: bool
) -> Response:
    content = FileWrapper(cast("IO[bytes]", _Content(server, stored)), SOME)
    response: Response = current_app.response_class(
        content, mimetype=stored.mime, direct_passthrough=True
    )
    response.content_length = stored.size
    kind = "inline" if stored.mime in INLINE else "attachment"
    response.headers["Content-Disposition"] = disposition(kind, row.name)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.cache_control.private = True
    response.cache_control.max_age = fresh
    response.cache_control.immutable = True
    if by_link:
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    else:
        response.vary.add("Authorization")
    response.set_etag(f"{row.id}-thumb" if thumb else row.id)
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=stored.size)
    except RequestedRangeNotSatisfiable:
        headers = {"Content-Range": f"bytes */{stored.size}"}
        what = "Range: there are no such bytes"
        raise HTTPRefusal(416, ErrorCode.INVALID_MESSAGE, what, headers) from None
    return response


def disposition(kind: str, name: str) -> str:
    """The header for a file called *name* (RFC 6266): in ASCII, and as it is."""
    plain = "".join(one if " " <= one <= "~" and one not in '"\\%' else "_" for one in name)
    exact = quote(name, safe="!#$&+-.^_`|~", errors="replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"


class _Content(io.RawIOBase):
    """Content as a file: each read is done in a native thread."""

    def __init__(self, server: ChatServer, stored: Stored) -> None:
        self._server = server
        self._stored = stored
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._stored.size}
        self._place = max(0, begin[whence] + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._stored.size - self._place)
        count = left if size < 0 else min(size, left)
        if not count:
            return b""
        try:
            data: bytes = self._server.runtime.blocking(self._stored.read, self._place, count)
        except (NoContent, Unavailable) as error:  # the answer has begun: it ends too early
            raise OSError(str(error)) from None
        self._place += len(data)
        return data
