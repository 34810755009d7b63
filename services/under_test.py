"""What the test kit says to an application that it runs: leave the real database alone.

A host's tests import or serve its application with its own configuration, which
may name the database of its shop, or nothing, which is the one in its instance
folder. The kit says otherwise in the environment, under names that no host takes
for settings of its own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

#: environment variable: settings as JSON; they win over those of the application
SETTINGS = "TESTKIT_CSAPP_SETTINGS"

#: environment variable: a folder in which each application gets an instance folder for csapp
FOLDER = "TESTKIT_CSAPP_FOLDER"


def pass_on(environ: MutableMapping[str, str], settings: Mapping[str, str]) -> None:
    """Let a process that gets *environ* run its applications with *settings*; empty: their own."""
    chosen = {key: value for key, value in settings.items() if value}
    environ[SETTINGS] = json.dumps(chosen)
    environ.pop(FOLDER, None)


def settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that win; none where no test is running."""
    found: dict[str, Any] = json.loads(environ.get(SETTINGS) or "{}")
    return found


def instance(environ: Mapping[str, str], own: Path) -> Path:
    """The folder of an application's secret and database: *own* where no test is running."""
    folder = environ.get(FOLDER)
    return Path(tempfile.mkdtemp(dir=folder)) if folder else own
