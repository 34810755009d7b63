"""Short names for the local variables of a script, which nothing else can see.

A function or a member of a class that stands at the top of a module is a *unit*. `shortened`
gives the words that a unit declares (parameters, `const`, `let`, inner functions) names of one
or two letters. A word stays where it is no variable: behind a dot, as a key, a method or a
field, in a text. `{ peer }` becomes `{ peer: a }`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from string import ascii_letters

#: words of the language, also those that are so in some places only
_LANGUAGE = frozenset(
    re.findall(
        r"\w+",
        """
        arguments as async await break case catch class const constructor continue default delete
        do else export extends false finally for from function get if import in instanceof let new
        null of return set static super switch target this throw true try typeof undefined var
        void while yield
        """,
    )
)
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:\\.|[^"\\\n])*")|(?P<number>\d[\w.]*)|(?P<private>\#\w+)
    |(?P<word>[\w$]+)|(?P<sign>=>|\?\.(?!\d)|\?\?=?|\|\|=?|&&=?|\.\.\.|[-+*]=|\+\+|--|[=!]==?|.)""",
    re.VERBOSE,
)
_REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*")
_PIECE = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*", re.DOTALL)
#: behind these a slash begins a regular expression
_BEFORE_REGEX = frozenset(
    [
        "(",
        ",",
        "=",
        ":",
        "[",
        "!",
        "&",
        "&&",
        "|",
        "||",
        "?",
        "??",
        "{",
        "}",
        ";",
        "=>",
        "return",
        "typeof",
    ]
)
#: behind these a brace begins a block; behind all else an object or a pattern
_BEFORE_BLOCK = frozenset([")", "=>", "{", "}", ";", "else", "try", "catch", "finally", "do"]) | {
    ""
}
#: behind these a member of a class begins
_BEFORE_MEMBER = frozenset(["{", "}", ";", "async", "get", "set", "static"])

#: what a word is: a variable, a name behind a dot or a key, or both at once (`{ peer }`)
_VARIABLE, _PROPERTY, _BOTH = range(3)


def shortened(script: str) -> str:
    """*script*, which has no comments, with short names for what is local."""
    code = _Code(script)
    units = [(unit, code.declared(unit)) for unit in code.units()]
    # What is declared in one unit and comes from outside in another may do both in a third.
    free = {word for unit, words in units for word in code.used(unit) if word not in words}
    free |= code.outside([unit for unit, _ in units])
    for unit, words in units:
        code.shorten(unit, words - free)
    return "".join(code.written)


def _names() -> Iterator[str]:
    """`a` … `Z`, `aa` …"""
    for number in count():
        before, last = divmod(number, len(ascii_letters))
        yield (ascii_letters[before - 1] if before else "") + ascii_letters[last]


def _tokens(script: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each token. The `${` and `}` of a template are signs."""
    at, before = 0, ""
    templates: list[int] = []  # for each that is open, how many braces are open in its `${…}`
    while at < len(script):
        ends = script[at] == "}" and templates and templates[-1] == 0
        if ends:
            templates.pop()
            yield "sign", "}"
        if ends or script[at] == "`":
            end = _PIECE.match(script, at + 1).end()  # type: ignore[union-attr]  # it may be empty
            goes_on = script[end] == "$"
            yield "text", script[at:end].removeprefix("}") + ("" if goes_on else "`")
            if goes_on:
                templates.append(0)
                yield "sign", "${"
            at, before = end + 1 + goes_on, "{" if goes_on else "`"
            continue
        regex = _REGEX.match(script, at) if script[at] == "/" and before in _BEFORE_REGEX else None
        found = regex or _TOKEN.match(script, at)
        assert found  # noqa: S101  # the last sign is any character
        if templates:
            templates[-1] += (found[0] == "{") - (found[0] == "}")
        yield "text" if regex else str(found.lastgroup), found[0]
        at = found.end()
        before = before if found.lastgroup == "space" and not regex else found[0]


class _Code:
    """The tokens of a script. Numbers count those that are no spaces."""

    def __init__(self, script: str) -> None:
        tokens = list(_tokens(script))
        #: all tokens, as they are to be written
        self.written = [text for _, text in tokens]
        self._places = [at for at, (kind, _) in enumerate(tokens) if kind != "space"]
        self._text = [tokens[at][1] for at in self._places]
        self._kinds = [tokens[at][0] for at in self._places]
        self._closed: dict[int, int] = {}  # of each bracket that opens, the one that closes it
        self._around: list[str] = []  # of each token, the innermost bracket; "class": of one
        self._depths: list[int] = []  # how many functions, classes and objects are around it
        self._match()
        self._roles = {
            nth: self._role(nth) for nth, kind in enumerate(self._kinds) if kind == "word"
        }
        #: the words that may get another name, if they are declared
        self._variables = {
            nth
            for nth, role in self._roles.items()
            if role != _PROPERTY and self._text[nth] not in _LANGUAGE
        }

    def _match(self) -> None:
        still: list[tuple[int, str]] = []
        is_class = False
        for nth, text in enumerate(self._text):
            is_sign = self._kinds[nth] == "sign"
            if is_sign and text in (")", "]", "}"):
                self._closed[still.pop()[0]] = nth
            self._around.append(still[-1][1] if still else "")
            self._depths.append(len(still))
            if is_sign and text in ("(", "[", "{", "${"):
                before = self._text[nth - 1] if nth else ""
                how = text
                if text == "{":
                    how = "class" if is_class else "block" if before in _BEFORE_BLOCK else "object"
                    is_class = False
                still.append((nth, how))
            elif text == "class" and (not nth or self._text[nth - 1] != "."):
                is_class = True

    def _at(self, nth: int) -> str:
        return self._text[nth] if 0 <= nth < len(self._text) else ""

    def _role(self, nth: int) -> int:
        around, before, behind = self._around[nth], self._at(nth - 1), self._at(nth + 1)
        if before in (".", "?.") or (around == "class" and before in _BEFORE_MEMBER):
            return _PROPERTY
        if around != "object":
            return _VARIABLE
        begins = before in ("{", ",")
        is_method = behind == "(" and self._at(self._closed[nth + 1] + 1) == "{"
        if is_method or (begins and behind == ":"):
            return _PROPERTY
        return _BOTH if begins and behind in (",", "}", "=") else _VARIABLE

    # ---- units ---------------------------------------------------------------

    def units(self) -> Iterator[range]:
        """The functions and the members of classes at the top, but not within one another."""
        nth = 0
        while nth < len(self._text):
            end = self._end_of_unit(nth)
            if end:
                yield range(nth, end)
            nth = end or nth + 1

    def _end_of_unit(self, nth: int) -> int:
        """Where the unit that begins with *nth* ends; 0: none begins there."""
        text, around = self._text[nth], self._around[nth]
        if text == "function" and around in ("", "block") and self._at(nth + 2) == "(":
            body = self._closed[nth + 2] + 1
            return self._closed[body] + 1
        if around != "class" or self._at(nth - 1) not in ("{", "}", ";"):
            return 0
        while True:
            if self._at(nth) == ";" and self._around[nth] == "class":
                return nth + 1
            if self._at(nth) in ("(", "[", "{", "${"):
                closed = self._closed[nth]
                is_body = self._at(nth) == "{" and self._at(nth - 1) == ")"
                nth = closed
                if is_body:
                    return nth + 1
            nth += 1

    # ---- names ---------------------------------------------------------------

    def used(self, unit: range) -> Counter[str]:
        """The variables that *unit* uses, and how often."""
        return Counter(self._text[nth] for nth in unit if nth in self._variables)

    def outside(self, units: list[range]) -> set[str]:
        """The variables of the module itself: one may stand beside a function's own."""
        within = {nth for unit in units for nth in unit}
        return {self._text[nth] for nth in self._variables if nth not in within}

    def shorten(self, unit: range, words: set[str]) -> None:
        """Give *words* short names in *unit*."""
        used = self.used(unit)
        free = (name for name in _names() if name not in used and name not in _LANGUAGE)
        often = [word for word, _ in used.most_common() if word in words]
        short = dict(zip(often, islice(free, len(often)), strict=True))
        for nth in unit:
            word = self._text[nth]
            if nth in self._variables and word in short:
                key = f"{word}: " if self._roles[nth] == _BOTH else ""
                self.written[self._places[nth]] = key + short[word]

    def declared(self, unit: range) -> set[str]:
        """The words that *unit* declares: parameters, constants, variables, inner functions."""
        found: set[str] = set()
        for nth in unit:
            text, behind = self._text[nth], self._at(nth + 1)
            if text == "(":
                if self._is_parameters(nth):
                    found |= self._words(nth)
            elif self._roles.get(nth) != _VARIABLE:
                continue
            elif text in ("const", "let", "catch"):
                found |= self._words(nth + 1)
            elif text == "function":  # the unit itself keeps its name
                found |= self._words(nth + 2) | (
                    self._words(nth + 1) if nth > unit.start else set()
                )
            elif behind == "=>":
                found.add(text)
        return found - _LANGUAGE

    def _is_parameters(self, nth: int) -> bool:
        behind = self._at(self._closed[nth] + 1)
        before = nth - 1
        is_method = behind == "{" and self._roles.get(before) == _PROPERTY
        is_private = behind == "{" and self._kinds[before] == "private"
        return behind == "=>" or is_method or is_private

    def _words(self, nth: int) -> set[str]:
        """The words that a pattern or a list of parameters declares; not those of its defaults."""
        found: set[str] = set()
        end = self._closed.get(nth, nth) + 1
        while nth < end:
            if self._text[nth] == "=":
                depth = self._depths[nth]
                while nth < end and self._depths[nth] >= depth:
                    if self._text[nth] == "," and self._depths[nth] == depth:
                        break
                    nth += 1
            elif nth in self._variables:
                found.add(self._text[nth])
            nth += 1
        return found
