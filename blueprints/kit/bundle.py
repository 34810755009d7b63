"""A module and all that it imports, as one: what a visitor's browser asks for in one go.

Many small modules would be as many questions, one behind the other, each of which may get
no answer (and a browser does not ask again for what a module imports); packed one by one
they are a fifth larger. The files stay what they are: each becomes a function that returns
what it exports, in the order in which a browser would run them. Only the few forms of import
and export that our own modules use are known here, one a line; of any other it is said.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

#: `widget/panel.js`, as addresses have it below `csapp-static/`, is `widget/static/panel.js`
BLUEPRINTS = Path(__file__).parent.parent

_IMPORT = re.compile(r'import \{ (.+) \} from "(\.\.?/.+)";')
_PASSED_ON = re.compile(r'export (?:\{ (.+) \}|(\*)) from "(\.\.?/.+)";')
_LISTED = re.compile(r"export \{ (.+) \};")
_EXPORT = re.compile(r"export ((?:async )?function|class|const) (\w+)(.*)")


class _Module:
    """One file: what it imports, what it exports, and its lines without either."""

    def __init__(self, name: str) -> None:
        face, _, path = name.partition("/")
        self.name = name
        self.needs: list[str] = []
        self.exports: list[str] = []
        self._lines: list[str] = []
        for line in (BLUEPRINTS / face / "static" / path).read_text("utf-8").splitlines():
            self._read(line)

    def _read(self, line: str) -> None:
        if found := _IMPORT.fullmatch(line):
            self._need(found[2], found[1])
        elif found := _PASSED_ON.fullmatch(line):
            self.exports += found[1].split(", ") if found[1] else [f"...{self._id(found[3])}"]
            self._need(found[3], found[1] or "")
        elif found := _LISTED.fullmatch(line):
            self.exports += found[1].split(", ")
        elif found := _EXPORT.fullmatch(line):
            self.exports.append(found[2])
            self._lines.append(f"{found[1]} {found[2]}{found[3]}")
        elif line.startswith(("import ", "export ")):
            raise ValueError(f"{self.name}: what kind of import or export is this? {line}")
        else:
            self._lines.append(line)

    def _need(self, where: str, names: str) -> None:
        other = self._resolve(where)
        if other not in self.needs:
            self.needs.append(other)
        if names:
            self._lines.append(f"const {{ {names.replace(' as ', ': ')} }} = {_id(other)};")

    def _id(self, where: str) -> str:
        return _id(self._resolve(where))

    def _resolve(self, where: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.name), where))

    def wrapped(self) -> str:
        """A function that is run at once."""
        body = "\n".join(self._lines)
        told = ", ".join(self.exports)
        return f"const {_id(self.name)} = (() => {{\n{body}\nreturn {{ {told} }};\n}})();"

    def exported(self) -> str:
        """What the whole exports: all that this one does. Its own names, no others' of `*`."""
        return f"export const {{ {', '.join(self.exports)} }} = {_id(self.name)};"


def _id(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def bundle(name: str) -> str:
    """The module *name* (`widget/panel.js`) with all that it imports.

    One that exports nothing becomes a classic script, in which nothing is a name of the page.
    What is imported while it runs (`import(…)`) stays outside. Raises `FileNotFoundError`, and
    `ValueError` for an import or export of a form that is not known here.
    """
    found: dict[str, _Module] = {}

    def collect(one: str) -> None:
        module = _Module(one)
        for other in module.needs:
            if other not in found:
                collect(other)
        found[one] = module  # after what it needs

    collect(name)
    modules = [module.wrapped() for module in found.values()]
    entry = found[name]
    if not entry.exports:
        return "\n".join(["(() => {", *modules, "})();"]) + "\n"
    while entry.exports and entry.exports[0].startswith("..."):  # it only passes on
        entry = found[entry.needs[0]]
    return "\n".join([*modules, entry.exported()]) + "\n"
