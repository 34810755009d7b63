"""Scripts and sheets as browsers get them.

The files of the widget and of the kit are written to be read, and there is no
build step: they lose their comments and their indentation on the way out, and
travel packed (`lean.py`). So the budgets of `docs/widget.md` hold behind any web
server.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from flask import Response, request

from ..refusals import nothing_here
from .bundle import BLUEPRINTS, bundle
from .lean import lean

#: the endings of files that `lean` makes smaller
TEXTS = (".js", ".css", ".json")

#: modules that are sent with all that they import, as one file (`bundle.py`)
BUNDLES = (
    "widget/widget.js",
    "widget/page.js",
    "widget/panel.js",
    "widget/csapp-client.js",
    "widget/copy.js",
    "widget/emoji.js",
    "widget/leave.js",
    "widget/rating.js",
    "widget/log.js",
    "widget/preview.js",
    "kit/files.js",
    "kit/gallery.js",
)


def asset(folder: Path, name: str) -> tuple[bytes, bytes]:
    """The bytes of *name* in *folder* as browsers get them: plain, and gzipped.

    Raises `FileNotFoundError` where *folder* has no such file.
    """
    try:
        path = (folder / name).resolve()
        found = folder in path.parents and path.is_file()
    except (OSError, ValueError):  # NUL in it, or longer than a name can be
        found = False
    if not found:
        raise FileNotFoundError(name)
    address = f"{folder.parent.name}/{name}"
    if address in BUNDLES:
        changed = max(one.stat().st_mtime_ns for one in BLUEPRINTS.glob("*/static/*.js"))
        return _read(path, changed, address)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)  # more than there are: a page of the console asks for most of them
def _read(path: Path, changed: int, whole: str = "") -> tuple[bytes, bytes]:
    data = bundle(whole).encode() if whole else path.read_bytes()
    if path.suffix in TEXTS:
        kind = {"script": path.suffix == ".js", "sheet": path.suffix == ".css"}
        data = lean(data.decode(), **kind, bundle=bool(whole)).encode()
    return data, gzip.compress(data, 9, mtime=0)


def send(folder: Path, name: str) -> Response:
    """*name* of *folder*, gzipped where the browser accepts that; 304 where it has it already.

    Pages of any origin may read it: a browser runs a module of another origin only with
    `Access-Control-Allow-Origin`. Raises `HTTPRefusal` (404) where there is no such file.
    """
    try:
        plain, packed = asset(folder, name)
    except FileNotFoundError:
        raise nothing_here() from None
    takes = request.accept_encodings["gzip"] > 0
    response = Response(packed if takes else plain, mimetype=mimetypes.guess_type(name)[0])
    if takes:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.add_etag()
    # Launcher and panel are always of the same release, whatever the host lets be cached.
    response.cache_control.no_cache = True
    response.headers["Access-Control-Allow-Origin"] = "*"  # it is the same for everybody
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.make_conditional(request)
    return response
