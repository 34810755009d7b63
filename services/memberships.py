"""What a host or a token says of somebody's departments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .desk.departments import MOST_PRIORITY, Member
from .errors import IdentityError
from .keys import DEPARTMENT

#: what is said of a key that is none
KEY_RULE = "1 to 40 characters of a-z, 0-9 and - are needed"

#: departments that one identity may name: its token goes over the wire
MAX_DEPARTMENTS = 100


def members_in(given: Any, priority: int) -> tuple[Member, ...]:
    """The departments that *given* names, the first of each key; `Identity` says how.

    *priority* is that of keys which come without one. Raises `IdentityError`.
    """
    found: dict[str, Member] = {}
    for one in _entries(given):
        key, own = one if isinstance(one, tuple | list) and len(one) == 2 else (one, priority)
        if not isinstance(key, str) or (key and not DEPARTMENT.fullmatch(key)):
            raise IdentityError(f"departments: of each key {KEY_RULE}")
        check_priority("departments: priority", own)
        key = str.__str__(key)  # without what a subclass of str adds
        found.setdefault(key, Member(key, own))
        if len(found) > MAX_DEPARTMENTS:
            raise IdentityError(f"departments: at most {MAX_DEPARTMENTS}")
    return tuple(found.values())


def _entries(given: Any) -> Iterable[Any]:
    if given is None:
        return ()
    if isinstance(given, str):
        return [given]
    if isinstance(given, Mapping):
        return given.items()
    if isinstance(given, set | frozenset):
        return sorted(given, key=repr)  # a set has no order of its own
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise IdentityError("departments: a key, or a collection of keys, is required")
    return given


def check_priority(what: str, value: Any) -> None:
    """Raise `IdentityError` of *what* unless *value* is a priority."""
    if type(value) is not int or not 0 <= value <= MOST_PRIORITY:
        raise IdentityError(f"{what}: a whole number from 0 to {MOST_PRIORITY} is required")
