"""What the settings say of files: where their content is, and of which types they may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

#: the images that are taken: browsers show them, and they are freed of all that is not the picture
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")

#: what may be sent where the settings say nothing
USUAL = (*IMAGES, "application/pdf", "text/plain")

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/(\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,60})")
_FILE = re.compile(r"file:(?P<path>///[^?#]+|/[^/?#][^?#]*|[^/?#][^?#]*)")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine, or one that several machines have."""

    path: Path


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in a store that speaks S3."""

    name: str
    #: of all keys; empty, or with a / at its end
    prefix: str = ""
    #: http(s)://HOST[:PORT]; empty: Amazon's
    endpoint: str = ""
    region: str = ""
    #: empty: the credentials of the machine
    key: str = ""
    secret: str = field(default="", repr=False)


def is_type(value: str) -> bool:
    """Whether *value* may stand in the list of types."""
    if value.startswith("image/"):
        return value == "image/*" or value in IMAGES
    return _TYPE.fullmatch(value) is not None


def is_allowed(mime: str, types: tuple[str, ...]) -> bool:
    """Whether a file of the type *mime* may be sent, by the list of the settings."""
    if mime in types:
        return True
    kind = mime.partition("/")[0]
    return f"{kind}/*" in types and (kind != "image" or mime in IMAGES)


def read(url: str) -> Folder | Bucket:
    """The place that *url* names. Raises `ValueError`."""
    match = _FILE.fullmatch(url)
    if match is not None:
        path = unquote(match["path"])
        if "\0" in path:
            raise ValueError(url)
        return Folder(Path(path[2:] if path.startswith("///") else path))
    parts = urlsplit(url)
    if parts.scheme != "s3" or parts.fragment or parts.port is not None:
        raise ValueError(url)
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    endpoint, region = options.pop("endpoint", ""), options.pop("region", "")
    name = parts.hostname or ""
    key, secret = unquote(parts.username or ""), unquote(parts.password or "")
    if options or not _BUCKET.fullmatch(name) or bool(key) != bool(secret):
        raise ValueError(url)
    if endpoint:
        _check_endpoint(endpoint)
    prefix = unquote(parts.path).strip("/")
    return Bucket(name, prefix and f"{prefix}/", endpoint.rstrip("/"), region, key, secret)


def _check_endpoint(url: str) -> None:
    parts = urlsplit(url)
    further = parts.username, parts.query, parts.fragment, parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(further):
        raise ValueError(url)
    if parts.port == 0:
        raise ValueError(url)


def placed(url: str, place: Callable[[Path], Path]) -> str:
    """*url* with a relative folder where *place* says."""
    match = _FILE.fullmatch(url)
    if match is None or match["path"].startswith("/"):
        return url
    return f"file://{quote(str(place(Path(unquote(match['path'])))))}"


def shown(url: str) -> str:
    """*url* as it may be shown: without a password."""
    if url == "off":
        return url
    place = read(url)
    if isinstance(place, Folder):
        return str(place.path)
    at = f" at {place.endpoint}" if place.endpoint else ""
    return f"s3://{place.name}/{place.prefix}{at}"
