"""The choices of a canned reply: what a visitor may answer with one click."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

FEWEST = 2
MOST = 10
MAX_CHOICE = 80  # characters, as in `message_choice`

_UNFIT = re.compile("[\x00\ud800-\udfff]")


def clean(choices: Iterable[str]) -> tuple[str, ...]:
    """*choices* as they are stored: each on one line, without space around it."""
    return tuple(" ".join(one.split()) for one in choices)


def fault(choices: tuple[str, ...]) -> str:
    """What is wrong with *choices*; empty: nothing. None at all are fine."""
    if not choices:
        return ""
    if not FEWEST <= len(choices) <= MOST:
        return f"choices: {FEWEST} to {MOST} of them, or none"
    if any(not one or len(one) > MAX_CHOICE or _UNFIT.search(one) for one in choices):
        return f"choices: a choice has up to {MAX_CHOICE} characters, and not none"
    if len(set(choices)) < len(choices):
        return "choices: two of them are the same"
    return ""


def packed(choices: Iterable[str]) -> str:
    """*choices* as a column holds them."""
    return json.dumps([*choices], ensure_ascii=False)


def unpacked(stored: str) -> tuple[str, ...]:
    """The choices that a column holds."""
    return tuple(json.loads(stored))
