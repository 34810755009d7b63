"""Builds the wheel: all of csapp in the one package `csapp`.

In the repository `blueprints/` and `services/` are at top level, where they are
found at once. An application that installs csapp may have folders of the same
names, so there they are `csapp.blueprints` and `csapp.services`. Imports within
a folder are relative and stay as they are; those of another folder are changed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: what is in the repository → where it is in the package
FILES = {
    "csapp.py": "__init__.py",
    "gunicorn.conf.py": "gunicorn_conf.py",  # gunicorn -c python:csapp.gunicorn_conf
    "wsgi.py": "wsgi.py",
}
FOLDERS = ("blueprints", "services", "testkit")

#: `from services… import …`, in code and in the examples of docstrings
IMPORT = re.compile(rf"^(\s*from )({'|'.join(FOLDERS)})(?=[\w.]* import )", re.MULTILINE)


class Package(BuildHookInterface[Any]):
    """Makes the package in a temporary folder, from which hatchling takes it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """An editable installation is the checkout as it is."""
        if version == "editable":
            return
        self._made = Path(tempfile.mkdtemp(prefix="csapp-wheel-"))
        root, package = Path(self.root), self._made / "csapp"
        for name in FOLDERS:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, package / name, ignore=ignored, copy_function=_copy)
        for name, inside in FILES.items():
            _copy(str(root / name), str(package / inside))
        (package / "py.typed").touch()  # type checkers believe the annotations
        build_data["force_include"][str(package)] = "csapp"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if version != "editable":
            shutil.rmtree(self._made)


def _copy(source: str, target: str) -> None:
    data = Path(source).read_bytes()
    if source.endswith(".py"):
        data = IMPORT.sub(r"\1csapp.\2", data.decode()).encode()
    Path(target).write_bytes(data)
