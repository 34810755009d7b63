"""What browsers get of scripts and sheets: without what only readers need.

`lean` removes comments and indentation, and in scripts the spaces round signs, the line breaks
inside of statements, and semicolons and commas before a closing bracket; it joins declarations that
follow one another. In a bundle it shortens the private names of classes (`#visit`, `_met`) and the
constants of modules (`NEAR`), which no other file can see, and with `names.py` the variables of
functions. `names.py` reads words and brackets; all else goes line by line and knows no more of the
language than that: a line that might be read in two ways (with a regular expression, for instance)
stays as it was written, and so does a text over several lines; but a constant that is one (`STYLE`)
is a sheet.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from string import ascii_lowercase

from . import names

_BEHIND = re.compile(r" // | /\* .* \*/$")
_QUOTES = "\"'`"

_STRING = re.compile(r'("(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)')
_SIGNS = re.compile(r" ?([-+*]=|[=*<>&|?:,;{}()\[\]!]+) ?")
#: between two operands only: `a + +b` is not `a++b`
_SUMS = re.compile(r"(?<=[\w)\]]) ([-+*%/]) (?=[\w(\[#$])")
#: spaces and line breaks that a sheet does not need; after a colon a value may be empty
_SHEET = re.compile(r": (?!;)|\s*\{\s*|\s*\}\n*|[,;(]\s|\n\)| > ")
_SHEET_COMMENT = re.compile(r"/\*.*?\*/|^\n", re.DOTALL | re.MULTILINE)
_SHEET_BEGINS = re.compile(r"(?:export )?const [\w$]+ = `")
#: a constant of a module, and what a bundle exports
_CONSTANT = re.compile(r"^const ([A-Z][A-Z_]+) =", re.MULTILINE)
_SENT = re.compile(r"^export .*$", re.MULTILINE)
#: behind these a line needs no end, because all statements close with a semicolon
_GOES_ON = ("{", "(", "[", ",", ";", "}")
#: where a private name may stand: behind a dot, before `in`, or where a line of a class begins
_PRIVATE = re.compile(r"(?<=\.)#\w+|#\w+(?= in )|^(?:async |get |set |static )*#\w+", re.MULTILINE)
#: one that other modules of the bundle use; not `"_blank"`, which is a text
_SHARED = re.compile(r"""(?<![\w$"'`#-])_[a-z]\w*""")


def lean(text: str, *, script: bool = False, sheet: bool = False, bundle: bool = False) -> str:
    """*text* as browsers get it; it does the same as before.

    *script* or *sheet* says what it is; *bundle*: nothing outside of *text* uses its private names
    and its constants, but for what it exports.
    """
    done = "".join(f"{line}\n" for line, _ in _lines(text))
    if bundle:
        done = names.shortened(_shortened(done))
    if script:
        return _joined(_lines(done))
    return _tight(done) if sheet else done


def _tight(sheet: str) -> str:
    """*sheet* without the spaces and line breaks that it does not need."""
    done = _SHEET.sub(lambda found: found[0].strip(), _SHEET_COMMENT.sub("", sheet))
    return re.sub(r"(?<!: );\}", "}", done)


def _joined(lines: Iterator[tuple[str, bool]]) -> str:
    """The *lines* of a script as `_lines` has them, squeezed and put behind one another."""
    pieces: list[str] = []
    before = ""  # the line before, of which a sign may be taken away
    for whole, group in groupby(lines, key=lambda line: line[1]):
        written = [line for line, _ in group]
        if whole:
            text = "".join(f"{line}\n" for line in written)
            pieces.append(_tight(text) if _SHEET_BEGINS.fullmatch(before) else text)
            before = ""
            continue
        for line in written:
            code = _squeezed(line)
            last = pieces[-1] if before else ""
            if code[0] in ")]}" and last.endswith((",", ";" if code[0] == "}" else ",")):
                pieces[-1] = last[:-1]
            elif before.startswith("const ") and last.endswith(";") and code.startswith("const "):
                pieces[-1] = f"{last[:-1]},"
                code = code.removeprefix("const ")
            pieces.append(code)
            before = line
    return "".join(pieces)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of *text* without comments and indentation, and whether each is to stay whole."""
    comment = template = False  # inside of one
    for line in map(str.strip, text.splitlines()):
        if template:
            yield line, True
            template = line.count("`") % 2 == 0
            continue
        comment = comment or line.startswith("/*")
        if not comment and line and not line.startswith("//"):
            code = _code(line)
            yield code, False
            template = code.endswith("`") and code.count("`") % 2 == 1
        comment = comment and not line.endswith("*/")


def _code(line: str) -> str:
    """*line* without the comment behind it; where that may be inside of a string, all of it."""
    found = _BEHIND.search(line)
    code = line[: found.start()] if found else line
    return line if any(code.count(quote) % 2 for quote in _QUOTES) else code.rstrip()


def _squeezed(code: str) -> str:
    """*code*, one line, without the spaces round signs; a line break only where it is needed."""
    pieces = _STRING.split(code)  # every other one is a string
    plain = [piece.replace(" / ", "") for piece in pieces[::2]]
    if any(sign in piece for piece in plain for sign in "/`'\"") or any(map(_is_odd, pieces)):
        return f"{code}\n"
    signs = [_SIGNS.sub(r"\1", _SUMS.sub(r"\1", piece)) for piece in pieces[::2]]
    pieces[::2] = [piece.replace(";}", "}") for piece in signs]
    done = "".join(pieces)
    return done if done.endswith(_GOES_ON) else f"{done}\n"


def _is_odd(piece: str) -> bool:
    """Whether *piece* begins a `${…}` of a template that ends elsewhere: a template is inside."""
    return piece.startswith("`") and piece.count("${") != piece.count("}")


def _shortened(text: str) -> str:
    """*text* with short private names and constants; the most frequent are the shortest."""
    private = Counter(found.split()[-1] for found in _PRIVATE.findall(text))
    short = {name: f"#{_letters(at)}" for at, (name, _) in enumerate(private.most_common())}

    def replace(found: re.Match[str]) -> str:
        before, sign, name = found[0].rpartition("#")
        return before + short[sign + name]

    text = _PRIVATE.sub(replace, text)
    shared = Counter(_SHARED.findall(text))
    brief = {name: f"_{_letters(at)}" for at, (name, _) in enumerate(shared.most_common())}
    text = _SHARED.sub(lambda one: brief[one[0]], text)
    sent = " ".join(_SENT.findall(text))
    constants = {name for name in _CONSTANT.findall(text) if not re.search(rf"\b{name}\b", sent)}
    often = Counter(name for name in re.findall(r"\b[A-Z][A-Z_]+\b", text) if name in constants)
    named = {name: f"${_letters(at)}" for at, (name, _) in enumerate(often.most_common())}
    return re.sub(r"(?<![.\w])[A-Z][A-Z_]+\b", lambda one: named.get(one[0], one[0]), text)


def _letters(number: int) -> str:
    """`a` … `z`, `aa` …"""
    before, last = divmod(number, len(ascii_lowercase))
    return (_letters(before - 1) if before else "") + ascii_lowercase[last]
