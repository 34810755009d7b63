"""The scripts of the desk, as Redis gets them.

A script is the parts of the prelude that it needs (`lua/prelude/`) and its own
file (`lua/`). Words in capitals with a dot are declared in Python; their values
are put in their places here, when this module is imported. So a script looks
nothing up, and a word that nobody declares is found at the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path

from . import former_letters
from .events import KINDS, Reason, Role
from .port import Absence, Obstacle
from .questions import QUESTIONS
from .vocabulary import (
    ARGUMENTS,
    CONSTANTS,
    HEAD,
    Answer,
    Counter,
    Entry,
    Field,
    Key,
    Mark,
    Refusal,
    Reply,
    Sender,
)

FOLDER = Path(__file__).with_name("lua")

#: what every script needs, in this order: a part knows only those before it, and of what the
#: arguments only `HEAD`
BASE = ("keys", "clock", "participants", "former", "letters")
#: and those that change who serves whom
DECIDING = (
    *BASE,
    "departments",
    "grace",
    "answers",
    "places",
    "queue",
    "pools",
    "serving",
    "choosing",
    "matching",
)
#: of these the base is enough
READING = ("bounds", "colleagues", "explain", "figures", "team", "waiting")
#: what some scripts need besides: each part costs Redis time whenever a script runs
BESIDES = {
    "arrive": ("coming", "presence"),
    "assign": ("coming",),
    "colleagues": ("departments",),
    "configure": ("coming", "moving"),
    "connect": ("departing", "lengths", "moving"),
    "drop": ("presence", "losing"),
    "explain": ("departments", "queue", "moving"),
    "figures": ("departments", "lengths"),
    "freeze": ("presence",),
    "join": ("presence", "losing"),
    "leave": ("presence", "losing", "departing"),
    "quit": ("retiring",),
    "ready": ("duty",),
    "recall": ("coming", "presence", "losing", "duty", "taking_up"),
    "restore": ("coming", "losing", "taking_up"),
    "tick": (
        "presence",
        "losing",
        "departing",
        "retiring",
        "moving",
        "lengths",
        "rounds",
        "duty",
    ),
    "transfer": ("moving",),
    "unready": ("duty",),
    "waiting": ("departments", "lengths"),
}

_WORD = re.compile(r"\b([A-Z]+)\.([a-z_]+)\b")
_COMMENT = re.compile(r"--.*")


def _words(members: Iterable[Enum]) -> dict[str, str]:
    return {member.name.lower(): lua(member.value) for member in members}


def lua(value: object) -> str:
    """*value* as Lua writes it: a text, a number, a list or a mapping of such."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'[{lua(key)}] = {lua(one)}' for key, one in value.items())} }}"
    if isinstance(value, Iterable):
        return f"{{ {', '.join(map(lua, value))} }}"
    return str(value)


#: the declared words, by their first half: the value of each, as Lua writes it
WORDS: dict[str, dict[str, str]] = {
    "ANSWER": _words(Answer),
    "ASK": {name: lua(name) for name in QUESTIONS},
    "ABSENCE": _words(Absence),
    "CONSTANT": {name: lua(number) for name, number in CONSTANTS.items()},
    "COUNTER": _words(Counter),
    "ENTRY": _words(Entry),
    "EVENT": {name: lua(name) for name in KINDS},
    "FIELD": _words(Field),
    "KEY": _words(Key),
    "LIST": {
        "counters": lua(Counter),
        "fields": lua(Field),
        "former": lua(former_letters.SHAPES),
    },
    "MARK": _words(Mark),
    "OBSTACLE": _words(Obstacle),
    "REASON": _words(Reason),
    "REFUSED": _words(Refusal),
    "REPLY": _words(Reply),
    "ROLE": _words(Role),
    "SENDER": _words(Sender),
}


def arguments_of(name: str) -> tuple[str, ...]:
    """The arguments of a script, in the order of its ARGV."""
    return HEAD + ARGUMENTS[name]


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of the prelude that a script needs, in their order."""
    return (BASE if name in READING else DECIDING) + BESIDES.get(name, ())


@cache
def with_values(source: str, arguments: tuple[str, ...]) -> str:
    """*source* with the values of all declared words. Raises `LookupError` for another word."""
    words = WORDS | {
        "ARG": {name: f"ARGV[{place}]" for place, name in enumerate(arguments, 1)},
    }

    def value(found: re.Match[str]) -> str:
        kind, name = found.groups()
        if name not in words.get(kind, ()):
            raise LookupError(f"a script of the desk says {kind}.{name}, which is not declared")
        return words[kind][name]

    return _WORD.sub(value, _COMMENT.sub("", source))


def load(name: str) -> str:
    """The whole of a script.

    What stands behind the base is within a function. Its functions find the locals of the base
    as upvalues of that one, at once; Lua searches locals of the function around, and all
    functions are made anew whenever a script runs. Half of the prelude's time is saved so.
    """
    prelude = [with_values(_text(f"prelude/{part}"), HEAD) for part in parts_of(name)]
    prelude.insert(len(BASE), "return (function()")
    return "\n".join((*prelude, with_values(_text(name), arguments_of(name)), "end)()"))


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text()


#: every script, by its name
SCRIPTS: dict[str, str] = {name: load(name) for name in ARGUMENTS}
