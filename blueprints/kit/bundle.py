"""A module and all that it imports, as one: what a visitor's browser asks for in one go.

Many small modules would be as many requests, one after the other. Each of them may fail, and a
browser does not ask again for a module that another one imports. Gzipped one by one, they are a
fifth larger. The modules stand in one scope, in the order in which a browser would run them; a
module that declares a name which another one has already declared gets a scope of its own. Only
the few forms of import and export that our modules use are known here, each on one line; any
other raises `ValueError`.
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
_DECLARED = re.compile(r"(?:(?:async )?function|class|const|let) ([{\[].*?[}\]]|\w+)")


class _Module:
    """One file: what it imports, declares and exports, and its lines without either."""

    def __init__(self, name: str) -> None:
        face, _, path = name.partition("/")
        self.name = name
        self.needs: list[str] = []
        self.exports: list[str] = []
        self.declared: set[str] = set()
        self.lines: list[str] = []
        for line in (BLUEPRINTS / face / "static" / path).read_text("utf-8").splitlines():
            self._read(line)

    def _read(self, line: str) -> None:
        if found := _IMPORT.fullmatch(line):
            self._need(found[2])
            for theirs, mine in re.findall(r"(\w+) as (\w+)", found[1]):
                self._take(f"const {mine} = {theirs};")
        elif found := _PASSED_ON.fullmatch(line):
            self._need(found[3])
            self.exports += found[1].split(", ") if found[1] else ["..."]
        elif found := _LISTED.fullmatch(line):
            self.exports += found[1].split(", ")
        elif found := _EXPORT.fullmatch(line):
            self.exports.append(found[2])
            self._take(f"{found[1]} {found[2]}{found[3]}")
        elif line.startswith(("import ", "export ")):
            raise ValueError(f"{self.name}: what kind of import or export is this? {line}")
        else:
            self._take(line)

    def _take(self, line: str) -> None:
        if found := _DECLARED.match(line):
            self.declared.update(re.findall(r"\w+", found[1]))
        self.lines.append(line)

    def _need(self, where: str) -> None:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), where))
        if other not in self.needs:
            self.needs.append(other)

    def joined(self, taken: set[str]) -> str:
        """The module's code for a scope that has the names *taken* already; adds its own to them.

        If it declares a name of *taken*, its code becomes a function that runs at once, and only
        what it exports enters the scope.
        """
        body = "\n".join(self.lines)
        if not self.declared & taken:
            taken |= self.declared
            return body
        shared = self.declared.intersection(self.exports)
        if shared & taken:
            raise ValueError(
                f"{self.name}: another module has {', '.join(sorted(shared & taken))}, too"
            )
        taken |= shared
        names = ", ".join(sorted(shared))
        return f"const {{ {names} }} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"


def bundle(name: str) -> str:
    """The module *name* (`widget/panel.js`) with all that it imports.

    One that exports nothing becomes a classic script, in which nothing is a name of the page.
    What is imported while it runs (`import(…)`) stays outside. Raises `FileNotFoundError`, and
    `ValueError` for an import or export of a form that is not known here, and where two modules
    export something under the same name.
    """
    found: dict[str, _Module] = {}

    def collect(one: str) -> None:
        module = _Module(one)
        for other in module.needs:
            if other not in found:
                collect(other)
        found[one] = module  # after what it needs

    collect(name)
    taken: set[str] = set()
    modules = [module.joined(taken) for module in found.values()]
    entry = found[name]
    if not entry.exports:
        return "\n".join(["(() => {", *modules, "})();"]) + "\n"
    while entry.exports == ["..."]:  # it only passes on
        entry = found[entry.needs[0]]
    return "\n".join([*modules, f"export {{ {', '.join(entry.exports)} }};"]) + "\n"
