"""What Python and Lua share about the desk is written once, in Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import fields

from services.desk import scripts
from services.desk.events import KINDS, Decision
from services.desk.scripts import ARGUMENTS, FOLDER, SCRIPTS, WORDS, load, with_values
from services.desk.vocabulary import (
    HEAD,
    Answer,
    Counter,
    Entry,
    Field,
    Key,
    Mark,
    Refusal,
    Sender,
)

LUA = sorted(FOLDER.rglob("*.lua"))

COMMENT = re.compile(r"--.*")
TEXT = re.compile(r"'([^']*)'|\"([^\"]*)\"")

#: what a script calls a participant
PARTICIPANT = "user|waiter|one|other|newcomer"


def code(path: Path) -> str:
    """What stands in a script besides comments."""
    return COMMENT.sub("", path.read_text())


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def texts(words: dict[str, str]) -> set[str]:
    """Those of these words whose values are texts, as they would stand in a script."""
    found = {value[1:-1] for value in words.values() if value.startswith("'")}
    return found - {""}


OWNED = {value: kind for kind, words in WORDS.items() for value in texts(words)}


@pytest.mark.parametrize("path", LUA, ids=name)
def test_no_script_holds_a_text_that_is_declared(path: Path) -> None:
    held = {one or other for one, other in TEXT.findall(code(path))}
    assert {text: OWNED[text] for text in held & OWNED.keys()} == {}


@pytest.mark.parametrize("path", LUA, ids=name)
def test_no_script_counts_arguments_or_holds_a_number_that_is_declared(path: Path) -> None:
    assert "ARGV" not in code(path)
    lengthy = {value for value in WORDS["CONSTANT"].values() if int(value) > 100}
    unit = {"1000000"}  # µs in a second, too
    assert lengthy & {*re.findall(r"\d+", code(path))} <= unit


def tables(source: str, begin: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Each table in *source* that begins so: what the pattern captures, and the rest of it."""
    for found in begin.finditer(source):
        depth, end = 1, found.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        yield found.group(1), source[found.end() : end - 1]


OF_ALL = {one.name for one in fields(Decision)}  # `write` tells these
EVENT = re.compile(r"\{\s*event = EVENT\.(\w+)")


def posted() -> list[tuple[str, set[str]]]:
    """Each event that a script writes, with the names of its fields."""
    return [
        (event, {*re.findall(r"(?:^|,)\s*(\w+) =", rest)})
        for path in LUA
        for event, rest in tables(code(path), EVENT)
    ]


def test_each_event_that_a_script_writes_has_the_fields_that_are_declared() -> None:
    for event, posted_fields in posted():
        declared = [one for one in fields(KINDS[event]) if one.name not in OF_ALL]
        assert posted_fields <= {one.encode_name for one in declared}, event
        assert {one.encode_name for one in declared if one.required} <= posted_fields, event


POSTS = re.compile(
    r"(?<!function )\b(?:post_event|post_to_siblings|write|confide)\((?!event,)(.{9})"
)


def test_each_event_is_written_as_such_a_table() -> None:
    begun = {first for path in LUA for first in POSTS.findall(code(path))}
    assert begun == {"{ event ="}
    uses = [word for path in LUA for word in re.findall(r"\bEVENT\.(\w+)", code(path))]
    assert sorted(uses) == sorted(event for event, _ in posted())
    assert {*uses} == {*KINDS}, "each kind is written somewhere"


@pytest.mark.parametrize("path", LUA, ids=name)
def test_whatever_is_asked_of_the_desk_or_a_participant_is_declared(path: Path) -> None:
    source = code(path)
    assert {*re.findall(r"\bdesk\.(\w+)", source)} <= {*Counter}
    if path.stem == "former":  # events as the release before reads them
        return
    asked = {*re.findall(rf"\b(?:{PARTICIPANT})\.(\w+)", source)}
    assert asked <= {*Field, "uuid"}


def test_a_word_that_is_not_declared_is_found_when_scripts_are_loaded() -> None:
    assert with_values("return KEY.queue .. ARG.user", ("worker", "user")) == (
        "return 'line' .. ARGV[2]"
    )
    for word in ("KEY.cue", "EVENT.met", "ARG.waiter", "COLOUR.red"):
        with pytest.raises(LookupError, match=re.escape(word)):
            with_values(f"return {word}", ("worker", "user"))


def test_each_script_is_declared_and_is_told_nothing_that_it_does_not_use() -> None:
    assert {path.stem for path in FOLDER.glob("*.lua")} == {*ARGUMENTS} == {*SCRIPTS}
    parts = {path.stem for path in (FOLDER / "prelude").glob("*.lua")}
    assert parts == {part for script in ARGUMENTS for part in scripts.parts_of(script)}
    for script, arguments in ARGUMENTS.items():
        used = {*re.findall(r"\bARG\.(\w+)", code(FOLDER / f"{script}.lua"))}
        assert {*arguments} <= used <= {*arguments, *HEAD}, script


def test_each_declared_word_is_used_by_a_script_or_by_python() -> None:
    in_lua = {word for path in LUA for word in re.findall(r"\b[A-Z]+\.[a-z_]+\b", code(path))}
    folder = FOLDER.parent
    in_python = {
        word
        for path in folder.glob("*.py")
        for word in re.findall(r"\b[A-Z][a-z]+\.[A-Z_]+\b", path.read_text())
    }
    unused = {
        f"{kind}.{word}"
        for kind, words in WORDS.items()
        for word in words
        if f"{kind}.{word}" not in in_lua
        and not any(one.endswith(f".{word.upper()}") for one in in_python)
    }
    everything = {f"COUNTER.{one.name.lower()}" for one in Counter}  # desk.NAME
    given = {"REASON.idle"}  # to `part`, from outside of the desk
    assert unused - everything - given - {f"FIELD.{one.name.lower()}" for one in Field} == set()


DECLARING = (
    "vocabulary.py",
    "events.py",
    "explaining.py",
    "port.py",
    "questions.py",
    "former_letters.py",
)


def literals(path: Path) -> set[str]:
    """The texts in a module, but for docstrings."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            found.add(value.decode() if isinstance(value, bytes) else value)
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FOLDER.parent.glob("*.py")) if path.name not in DECLARING],
    ids=lambda path: path.name,
)
def test_no_module_holds_a_word_of_redis_that_is_declared(path: Path) -> None:
    words = {str(word) for word in (*Key, *Entry, *Mark, *Refusal, *Answer, Sender.DESK)}
    arguments = {*HEAD} | {name for script in ARGUMENTS.values() for name in script}
    parts = {part for script in SCRIPTS for part in scripts.parts_of(script)}
    others = parts | arguments  # names of files and arguments are as they are
    assert literals(path) & (words - others) == set()


def test_a_script_that_reads_needs_no_more_than_the_base() -> None:
    for script in scripts.READING:
        assert len(load(script)) < len(load("tick")) / 1.5, script
