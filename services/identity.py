"""Tokens: who is who (itsdangerous timed signatures).

One salt per role, so that a token of one role is worth nothing at the door of
another. Keys are a list: the newest signs, all verify, so keys rotate without
anybody being logged out. Every token carries `sub`, `name`, `role`, `sid` and
its lifetime in seconds, and `aud`: which csapp it is for, where several applications
share a secret. Tokens without `aud` are those of before this claim, or of an
outside script; they are good everywhere until they run out.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import isnan
from numbers import Number
from typing import Any, NamedTuple

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer, want_bytes

from .bounds import TICKET_LIFETIME
from .desk.departments import Member
from .errors import CSAppError, IdentityError
from .memberships import check_priority, members_in
from .seldom import Seldom
from .settings import MAX_LIFETIME
from .wire.codes import ErrorCode

MAX_SUBJECT = 200  # characters
MAX_NAME = 200  # characters
MAX_AVATAR = 500  # characters

#: ms since 1970 until which there may be dates in a token: the year 9999
LATEST = 253_402_300_799_000

#: how the subjects of anonymous visitors begin; a host's own user ids do not
ANONYMOUS = "anonymous-"


_say = Seldom(logging.getLogger("csapp"))


class TokenRole(StrEnum):
    """What a token lets its bearer be."""

    USER = "user"
    WAITER = "waiter"
    ADMIN = "admin"


class NoIdentity(IdentityError):
    """What is given as an id can be nobody's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as a token says or a host application's callback returns.

    *subject* is stable for a person (a user id); *name* is what others see. An id that is
    no string (a number, a UUID) is taken as its text; so is a name, of which `None` is
    none, and what cannot be shown or is too long is cut out or off. Raises `NoIdentity`
    for what can be nobody's id: what is cut off one could make two people one.
    *avatar* is the address of a picture: a path that begins with `/`, or an http(s) URL.
    Anything else is none.

    *departments* may be one key, a collection of keys and of pairs of a key and a priority, or
    a mapping of keys to priorities; the first of each key counts. A waiter is a member of them,
    whatever the site's table says, with *priority* where there is no other; of a visitor
    *priority* is its own, and the first of *departments* is where it waits if it asks for none.
    Raises `IdentityError` for anything else.
    """

    subject: str
    name: str = ""
    role: TokenRole = TokenRole.USER
    #: one login; a newer login of the same waiter replaces an older one
    sid: str = ""
    avatar: str = ""
    #: each with its priority
    departments: tuple[Member, ...] = ()
    #: 0 to 9; higher ones come first
    priority: int = 0

    @property
    def is_anonymous(self) -> bool:
        """A visitor whom neither host nor accounts know."""
        return self.role is TokenRole.USER and self.subject.startswith(ANONYMOUS)

    def __post_init__(self) -> None:
        subject = id_text(self.subject)
        if not 0 < len(subject) <= MAX_SUBJECT:
            raise NoIdentity(f"subject: a string of 1 to {MAX_SUBJECT} characters is required")
        if not _is_clean(subject):
            raise NoIdentity("subject: NUL and halves of characters are not allowed")
        object.__setattr__(self, "subject", subject)
        name = name_text(self.name)
        if isinstance(self.name, str) and self.name != name:
            _say("name", logging.WARNING, "a name is told as far as it can be: not all of it is")
        object.__setattr__(self, "name", name)
        avatar = avatar_text(self.avatar)
        if self.avatar and not avatar:
            what = "a picture is left out: %s"
            _say("avatar", logging.WARNING, what, AVATARS)
        object.__setattr__(self, "avatar", avatar)
        check_priority("priority", self.priority)
        found = members_in(self.departments, self.priority)
        object.__setattr__(self, "departments", found)


def id_text(value: Any) -> str:
    """The text of an id: a string, a number, or an object whose class says what its text is.

    Raises `NoIdentity` for what would be an id that many share, or that changes: a truth,
    nothing, a collection, what is not a number, an error, and an object that can only be
    shown to a developer, such as an answer (`redirect(…)`) or a coroutine.
    """
    if type(value) is str:
        return value
    kind, plain = value.__class__, object  # of what a proxy stands for
    has_text = isinstance(value, str | Number) or kind.__str__ is not plain.__str__
    is_many = isinstance(value, Collection) and not isinstance(value, str)  # bytes as well
    is_shared = value is None or isinstance(value, bool | BaseException)
    is_shared = is_shared or (isinstance(value, float) and isnan(value))
    if is_shared or is_many or not has_text:
        raise NoIdentity(f"subject: an id is required, and not an object of {kind.__name__}")
    return str(value)


def _words(value: Any) -> str:
    """The text of *value*, a host's own object perhaps; empty for None. Never raises."""
    try:
        return "" if value is None else str(value)
    except Exception:  # it cannot say what it is
        return ""


def name_text(value: Any) -> str:
    """What can be shown of a name: at most `MAX_NAME` characters, empty for None. Never raises."""
    text = _words(value)
    if not _is_clean(text):
        text = text.replace("\0", "").encode(errors="replace").decode()
    return text[:MAX_NAME]


#: what can be the address of a picture
AVATARS = (
    f"a path that begins with /, or an http(s) URL, of at most {MAX_AVATAR} characters, is needed"
)


#: with a host. `urlsplit` remembers what it has split, also of somebody who is erased
_HTTP_URL = re.compile(
    r"https?://([^/?#@\s]*@)?(\[[0-9a-f:.]+\]|[^/?#@:\[\]\s]+)(:\d*)?([/?#]|\Z)", re.IGNORECASE
)


def avatar_text(value: Any) -> str:
    """*value* if it is the address of a picture (`AVATARS`), else nothing. Never raises."""
    text = _words(value)
    if len(text) > MAX_AVATAR or not is_unicode(text):
        return ""
    is_path = text.startswith("/") and text[1:2] not in ("/", "\\")  # those name a host
    if not (is_path or _HTTP_URL.match(text)):
        return ""
    return "" if any(unicodedata.category(one) == "Cc" for one in text) else text


def _is_clean(value: str) -> bool:
    return "\0" not in value and is_unicode(value)


def is_unicode(value: str) -> bool:
    """Whether *value* can be written down: halves of characters cannot, nor bytes of a terminal."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class Shown(NamedTuple):
    """What a valid token says."""

    identity: Identity
    #: ms since 1970, UTC: when it was signed
    signed: int
    #: ms since 1970, UTC: when it runs out
    expires: int
    #: ms since 1970, UTC: when the login began with a password; 0: with none
    since: int = 0


class TokenError(CSAppError):
    """A token is refused; *code* says why."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Tokens:
    """Signs and verifies with *keys* (oldest first). *now* is the wall clock in seconds.

    *audience* goes into every token, and tokens with another one are refused;
    empty: neither.
    """

    def __init__(
        self,
        keys: Sequence[str],
        lifetime: float,
        now: Callable[[], float] = time.time,
        audience: str = "",
    ) -> None:
        self.lifetime = lifetime
        self._audience = audience
        # the oldest key: what is marked stays so until that key is withdrawn
        self._marking = _derived(want_bytes(keys[0]), b"csapp.mark")
        self._now = now
        self._serializers = {role: _serializer(keys, f"token.{role}", now) for role in TokenRole}
        self._tickets = _serializer(keys, "ticket", now)
        self._browsers = _serializer(keys, "browser", now)

    def sign(self, identity: Identity, lifetime: float | None = None, since: int = 0) -> str:
        """A token for *identity*, good for *lifetime* seconds (the setting where None).

        *since*: when (ms since 1970, UTC) its bearer showed the password of an account;
        0: it has shown none.
        """
        claims: dict[str, Any] = {
            "sub": identity.subject,
            "name": identity.name,
            "role": identity.role.value,
            "sid": str(identity.sid or secrets.token_urlsafe(9)),
            "life": lifetime if lifetime is not None else self.lifetime,
            # itsdangerous counts in seconds; a revocation must know what was signed before it
            "at": int(self._now() * 1000),
        }
        if identity.avatar:
            claims["avatar"] = identity.avatar
        if identity.departments:
            own = identity.priority
            claims["departments"] = [
                one.department if one.priority == own else one for one in identity.departments
            ]
        if identity.priority:
            claims["priority"] = identity.priority
        if since:
            claims["since"] = since
        if self._audience:
            claims["aud"] = self._audience
        return str(self._serializers[identity.role].dumps(claims))

    def verify(self, token: str, role: TokenRole) -> Identity:
        """Who bears *token*. Raises `TokenError`: expired, of another role, or not ours."""
        return self.inspect(token, role).identity

    def inspect(self, token: str, role: TokenRole, grace: float = 0) -> Shown:
        """The same, with the times that revoking asks for; it may have run out *grace* s ago."""
        try:
            claims, signed = self._serializers[role].loads(token, return_timestamp=True)
        except BadData:
            raise self._refusal(token, role) from None
        if not isinstance(claims, dict):
            raise _unfit("an object of claims is required")
        if self._audience and claims.get("aud", self._audience) != self._audience:
            what = "payload.token: this token is for another application"
            raise TokenError(ErrorCode.INVALID_TOKEN, what)
        identity = _identity(claims, role)
        # Not itsdangerous' max_age: it refuses tokens from "the future", and
        # would log everybody out when the clock is set back.
        seconds = signed.timestamp()
        expires = seconds + _number(claims, "life", MAX_LIFETIME)
        if self._now() > expires + grace:
            raise TokenError(ErrorCode.EXPIRED_TOKEN, "payload.token: the token has expired")
        # Tokens of before this claim: the beginning of their second, so that none slips through.
        at = int(_number(claims, "at", LATEST, 0)) or int(seconds * 1000)
        since = int(_number(claims, "since", LATEST, 0))
        return Shown(identity, at, int(expires * 1000), since)

    def inspect_any(self, token: str) -> Shown:
        """The same for a token of whichever role."""
        for role, serializer in self._serializers.items():
            try:
                serializer.loads(token)
            except BadData:
                continue
            return self.inspect(token, role)
        raise TokenError(ErrorCode.INVALID_TOKEN, "payload.token: the token is not valid")

    def mark(self, subject: str) -> str:
        """Tells *subject* from others to whoever reads it, and says nothing of who it is."""
        return hmac.digest(self._marking, subject.encode(), hashlib.sha256).hex()[:16]

    def sign_browser(self, browser: str, marks: Sequence[str]) -> str:
        """For the browser with this id, in which those with *marks* have signed in."""
        return str(self._browsers.dumps([browser, list(marks)]))

    def read_browser(self, text: str) -> tuple[str, list[str]]:
        """Its id, and who has signed in there, by their marks; nothing where it is not ours."""
        try:
            browser, marks = self._browsers.loads(text)
        except BadData:
            return "", []
        return browser, marks

    def left(self, expires: int) -> float:
        """Seconds until *expires* (ms since 1970, UTC), by the wall clock as it is now."""
        return expires / 1000 - self._now()

    def sign_ticket(self, subject: str, place: int, department: str = "") -> str:
        """A position in the queue of *department* that only *subject* can take again."""
        return str(self._tickets.dumps([subject, place, *filter(None, [department])]))

    def read_ticket(self, ticket: str, subject: str) -> tuple[int, str] | None:
        """The place that *ticket* holds for *subject*, and in which department.

        None where it holds none, or has run out.
        """
        try:
            (bearer, place, *rest), signed = self._tickets.loads(ticket, return_timestamp=True)
        except (BadData, TypeError, ValueError):
            return None
        if self._now() > signed.timestamp() + TICKET_LIFETIME:
            return None
        department = rest[0] if rest else ""
        known = bearer == subject and type(place) is int and type(department) is str
        return (place, department) if known else None

    def _refusal(self, token: str, role: TokenRole) -> TokenError:
        for other, serializer in self._serializers.items():
            if other is role:
                continue
            try:
                serializer.loads(token)
            except BadData:
                continue
            return TokenError(ErrorCode.FORBIDDEN, f"payload.token: this is a token of a {other}")
        return TokenError(ErrorCode.INVALID_TOKEN, "payload.token: the token is not valid")


@cache
def _derived(secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(secret, salt, hashlib.sha256)


class _Signer(TimestampSigner):
    """Signs at the time that *now* says.

    It remembers derived keys: deriving one costs as much as verifying a token.
    """

    def __init__(self, *options: Any, now: Callable[[], float], **more: Any) -> None:
        super().__init__(*options, **more)
        self._now = now

    def get_timestamp(self) -> int:
        """Seconds since 1970, UTC."""
        return int(self._now())

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """As itsdangerous derives it with `key_derivation="hmac"`."""
        secret = self.secret_keys[-1] if secret_key is None else secret_key
        return _derived(want_bytes(secret), self.salt)


def _serializer(keys: Sequence[str], use: str, now: Callable[[], float]) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        list(keys),
        salt=f"csapp.{use}",
        signer=_Signer,
        signer_kwargs={"digest_method": hashlib.sha256, "now": now},
    )


def _identity(claims: dict[str, Any], role: TokenRole) -> Identity:
    """Who has been signed. Raises `TokenError`: scripts with the secret sign what they like."""
    sid = claims.get("sid")
    if not isinstance(sid, str) or "\0" in sid or not is_unicode(sid):
        raise _unfit("sid: a string is required")
    subject, name = claims.get("sub", ""), claims.get("name", "")
    if not isinstance(subject, str):
        raise _unfit("subject: a string is required")
    if not isinstance(name, str) or name_text(name) != name:
        raise _unfit(f"name: a string of at most {MAX_NAME} characters is required")
    departments: Any = claims.get("departments", [])
    priority = claims.get("priority", 0)
    if not isinstance(departments, list):
        raise _unfit("departments: a list is required")
    try:
        return Identity(
            subject, name, role, sid, claims.get("avatar", ""), tuple(departments), priority
        )
    except ValueError as error:
        raise _unfit(str(error)) from None


def _number(claims: dict[str, Any], name: str, most: float, default: float | None = None) -> float:
    """The claim *name*, a number of at most *most* either way. Raises `TokenError`."""
    value: Any = claims.get(name, default)
    if type(value) not in (int, float) or not abs(value) <= most:
        raise _unfit(f"{name}: a number is required, at most {most:g}")
    return float(value)


def _unfit(why: str) -> TokenError:
    return TokenError(ErrorCode.INVALID_TOKEN, f"payload.token: it was signed wrongly: {why}")
