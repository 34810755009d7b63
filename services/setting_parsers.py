"""What a setting may be: reads the value that a host or an operator has given.

Each parser takes the key and the value, returns the value as `Settings` has it, and raises
`SettingsError`, which names the key, the value and what is allowed. No error shows a secret.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from . import file_places as places
from . import smtp
from .endings import LANGUAGES
from .errors import SettingsError
from .instance import MIN_SECRET_CHARS
from .origin import DEFAULT_PORTS, host_in_ascii

MAX_AUDIENCE = 100  # characters: it is in every token

MAX_MAIL_TO = 10  # addresses: the mail server answers for each

MAX_SEARCH_LANGUAGES = 5  # each of them makes a search find more that is not meant

MAX_QUICK_QUESTIONS = 4  # that a visitor may begin with
MAX_QUICK_QUESTION = 80  # characters: they stand on buttons


def whole(minimum: int, maximum: int) -> Callable[[str, Any], int]:
    def parse(key: str, value: Any) -> int:
        allowed = f"a whole number from {minimum} to {maximum}"
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            raise SettingsError(key, value, allowed) from None
        if type(number) is not int or not minimum <= number <= maximum:
            raise SettingsError(key, value, allowed)
        return number

    return parse


def seconds(minimum: float, maximum: float) -> Callable[[str, Any], float]:
    def parse(key: str, value: Any) -> float:
        allowed = f"a number of seconds from {minimum:g} to {maximum:g}"
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise SettingsError(key, value, allowed) from None
        if isinstance(value, bool) or not minimum <= number <= maximum:
            raise SettingsError(key, value, allowed)
        return number

    return parse


def rate(key: str, value: Any) -> float:
    allowed = "a number of messages a second, 0 for no limit"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise SettingsError(key, value, allowed) from None
    if isinstance(value, bool) or not 0 <= number < 1e9:
        raise SettingsError(key, value, allowed)
    return number


def words(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    return tuple(item.strip() for item in items if item.strip())


def secret_keys(key: str, value: Any) -> tuple[str, ...]:
    allowed = f"a comma-separated list of secrets of at least {MIN_SECRET_CHARS} characters"
    if not isinstance(value, str | list | tuple) or not all(isinstance(v, str) for v in value):
        raise SettingsError(key, "…", allowed)
    keys = words(value)
    if not keys or any(len(one) < MIN_SECRET_CHARS for one in keys):
        raise SettingsError(key, "…", allowed)  # the value stays out of logs
    return keys


#: a SQLite URL that names a file; what follows a fourth slash is absolute
_SQLITE = re.compile(r"sqlite:///(?!:memory:|file:)(?P<file>[^?]+)(?P<rest>\?.*)?")
_POSTGRESQL = re.compile(r"postgresql(\+psycopg)?://[^/?#]*/?[^/#]*")


def database_url(key: str, value: Any) -> str:
    allowed = (
        "sqlite:///FILE, postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
        "or 'off' (relay without history or accounts)"
    )
    if not isinstance(value, str):
        raise SettingsError(key, value, allowed)
    if value == "off" or _SQLITE.fullmatch(value):
        return value
    try:
        fits = _POSTGRESQL.fullmatch(value) and urlsplit(value).port != 0
    except ValueError:  # a port that is no number
        fits = False
    if not fits:
        raise SettingsError(key, _without_password(value), allowed)
    return value


def _without_password(url: str) -> str:
    """What may be shown of a URL that cannot be used."""
    secret = "@" in url or "password" in url.lower()
    return re.split(r"[^\w+]", url)[0] + "…" if secret else url


def placed(url: str, place: Callable[[Path], Path]) -> str:
    """*url* with the file of a SQLite URL where *place* says.

    A folder may be called what a URL has to escape: `100%41`, `who?`.
    """
    match = _SQLITE.fullmatch(url)
    if match is None:
        return url
    file = str(place(Path(unquote(match["file"]))))
    return f"sqlite:///{file.replace('%', '%25').replace('?', '%3F')}{match['rest'] or ''}"


def files_url(key: str, value: Any) -> str:
    allowed = (
        "file:///FOLDER, s3://BUCKET/PREFIX?endpoint=https://…&region=… "
        "or 'off' (no files are sent)"
    )
    if not isinstance(value, str):
        raise SettingsError(key, value, allowed)
    try:
        if value != "off":
            places.read(value)
    except ValueError:
        raise SettingsError(key, _without_password(value), allowed) from None
    return value


def file_types(key: str, value: Any) -> tuple[str, ...]:
    allowed = (
        "a comma-separated list of MIME types such as application/pdf or audio/*; "
        f"of images {', '.join(places.IMAGES)} or image/*, which means these"
    )
    if not isinstance(value, str | list | tuple) or not all(isinstance(v, str) for v in value):
        raise SettingsError(key, value, allowed)
    found = tuple(dict.fromkeys(one.lower() for one in words(value)))
    if not found or not all(map(places.is_type, found)):
        raise SettingsError(key, value, allowed)
    return found


def schema(key: str, value: Any) -> str:
    allowed = "the name of a schema: small letters, digits and _, at most 63"
    if not isinstance(value, str) or not re.fullmatch(r"(?!pg_)[a-z_][a-z0-9_]{0,62}", value):
        raise SettingsError(key, value, allowed)
    return value


_REDIS = re.compile(
    r"rediss?://([^/?#@]*@)?[^/?#@]+(/\d*)?(\?[^#]*)?|unix://([^/?#@]*@)?/[^?#]+(\?[^#]*)?"
)


def redis_url(key: str, value: Any) -> str | None:
    allowed = (
        "redis://:PASSWORD@HOST:PORT/NUMBER, rediss://… (TLS), unix:///PATH?db=NUMBER or nothing"
    )
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise SettingsError(key, value, allowed)
    try:
        fits = _REDIS.fullmatch(value) and urlsplit(value).port != 0
    except ValueError:  # a port that is no number
        fits = False
    if not fits:
        raise SettingsError(key, _without_password(value), allowed)
    return value


def origins(key: str, value: Any) -> tuple[str, ...]:
    allowed = "a comma-separated list of origins such as https://shop.example, or *"
    if not isinstance(value, str | list | tuple) or not all(isinstance(v, str) for v in value):
        raise SettingsError(key, value, allowed)
    return tuple(one if one == "*" else _origin(key, one, allowed) for one in words(value))


def _origin(key: str, value: str, allowed: str) -> str:
    """*value* as browsers write it: in small letters, no usual port, names in ASCII."""
    try:
        parts = urlsplit(value.lower())
        host, port = host_in_ascii(parts.hostname or ""), parts.port
    except ValueError:  # half an address in brackets, a port that is no number, no such name
        raise SettingsError(key, value, allowed) from None
    is_future = "[" in parts.netloc and ":" not in host  # "[v1.x]": no browser has such
    further = parts.path.strip("/"), parts.query, parts.fragment, parts.username, is_future
    if parts.scheme not in DEFAULT_PORTS or not host or "*" in host or any(further):
        raise SettingsError(key, value, allowed)
    shown = f"[{host}]" if ":" in host else host
    usual = port in (None, DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{shown}" if usual else f"{parts.scheme}://{shown}:{port}"


def audience(key: str, value: Any) -> str:
    allowed = f"a name of at most {MAX_AUDIENCE} characters that can be printed"
    if not isinstance(value, str) or len(value) > MAX_AUDIENCE or not value.isprintable():
        raise SettingsError(key, value, allowed)
    return value.strip()


T = TypeVar("T", bound=StrEnum)


def one_of(kind: type[T]) -> Callable[[str, Any], T]:
    def parse(key: str, value: Any) -> T:
        try:
            return kind(value)
        except ValueError:
            raise SettingsError(key, value, f"one of {', '.join(kind)}") from None

    return parse


def smtp_url(key: str, value: Any) -> str:
    allowed = (
        "smtp://USER:PASSWORD@HOST:PORT, smtps://… (encrypted from the beginning) or nothing; "
        "user and password in ASCII"
    )
    if not isinstance(value, str):
        raise SettingsError(key, value, allowed)
    try:
        if value:
            smtp.read_url(value)
    except ValueError:
        raise SettingsError(key, _without_password(value), allowed) from None
    return value


def mail_from(key: str, value: Any) -> str:
    addresses = mail_to(key, value)
    if len(addresses) > 1:
        raise SettingsError(key, value, "one address")
    return addresses[0] if addresses else ""


def mail_to(key: str, value: Any) -> tuple[str, ...]:
    allowed = (
        f"at most {MAX_MAIL_TO} addresses such as help@shop.example or Shop <help@shop.example>, "
        "comma-separated"
    )
    if not isinstance(value, str | list | tuple) or not all(isinstance(v, str) for v in value):
        raise SettingsError(key, value, allowed)
    found = words(value)
    if len(found) > MAX_MAIL_TO:
        raise SettingsError(key, value, allowed)
    try:
        for one in found:
            smtp.read_address(one)
    except ValueError:
        raise SettingsError(key, value, allowed) from None
    return found


_SWITCH = {"on": True, "yes": True, "true": True, "1": True} | {
    "off": False, "no": False, "false": False, "0": False
}  # fmt: skip


def switch(key: str, value: Any) -> bool:
    known = value if isinstance(value, bool) else _SWITCH.get(str(value).lower())
    if known is None:
        raise SettingsError(key, value, "on or off")
    return known


def languages(key: str, value: Any) -> tuple[str, ...]:
    allowed = (
        f"at most {MAX_SEARCH_LANGUAGES} of {', '.join(LANGUAGES)}, comma-separated; nothing: "
        "words are found as they are spelt"
    )
    if not isinstance(value, str | list | tuple) or not all(isinstance(v, str) for v in value):
        raise SettingsError(key, value, allowed)
    found = tuple(one.lower() for one in words(value))
    if len(found) > MAX_SEARCH_LANGUAGES or not set(found) <= set(LANGUAGES):
        raise SettingsError(key, value, allowed)
    return found


def questions(key: str, value: Any) -> tuple[str, ...]:
    allowed = (
        f"at most {MAX_QUICK_QUESTIONS} texts of at most {MAX_QUICK_QUESTION} characters: "
        "a list, or one string with a line or | between"
    )
    items = re.split(r"[\n|]", value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(one, str) for one in items):
        raise SettingsError(key, value, allowed)
    found = tuple(one.strip() for one in items if one.strip())
    if len(found) > MAX_QUICK_QUESTIONS or not all(map(_is_question, found)):
        raise SettingsError(key, value, allowed)
    return found


def _is_question(text: str) -> bool:
    """One line of words: no control characters, no halves of characters."""
    unfit = any(unicodedata.category(one) in ("Cc", "Cs") for one in text)
    return len(text) <= MAX_QUICK_QUESTION and not unfit


def url_prefix(key: str, value: Any) -> str:
    if value in (None, "", "/"):
        return ""
    if not isinstance(value, str) or not value.startswith("/") or value != value.strip():
        raise SettingsError(key, value, "a path that begins with /, such as /support")
    return value.rstrip("/")
