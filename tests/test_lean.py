"""`blueprints/kit/lean.py` and `names.py` change no script: another minifier judges.

What it makes of a script before and after is the same, because it gives all local variables names
of its own, leaves out the same spaces, and joins the same declarations.
"""

from __future__ import annotations

import re

import minify
import pytest

from blueprints.kit import names
from blueprints.kit.assets import BUNDLES
from blueprints.kit.bundle import BLUEPRINTS, bundle
from blueprints.kit.lean import lean

MODULES = sorted(
    f"{path.parts[0]}/{'/'.join(path.parts[2:])}"
    for found in BLUEPRINTS.glob("*/static/**/*.js")
    if (path := found.relative_to(BLUEPRINTS)) and "vendor" not in path.parts
)
#: what only `lean` makes smaller: a sheet in a script, and spaces in `html` texts that mean nothing
SHEET = re.compile(r"(?<=STYLE = )`[^`]*`")
SPACES = re.compile(r"(?<=\})\s+|\s*\n\s*|(?<=`)\s+|\s+(?=`)")


def minified(script: str) -> str:
    """*script* as the other minifier writes it. Raises where it is none."""
    return SPACES.sub("", minify.string("application/javascript", SHEET.sub("``", script)))


def source(module: str) -> str:
    """The file of *module*."""
    face, _, path = module.partition("/")
    return (BLUEPRINTS / face / "static" / path).read_text("utf-8")


def test_the_modules_are_found():
    assert {"widget/panel.js", "widget/widget.js", "kit/base-client.js"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_stays_what_it_is(module):
    written = source(module)
    assert minified(lean(written, script=True)) == minified(written)


@pytest.mark.parametrize("module", BUNDLES)
def test_a_bundle_with_short_names_stays_what_it_is(module):
    written = lean(bundle(module))
    assert minified(names.shortened(written)) == minified(written)


@pytest.mark.parametrize(
    ("script", "shorter"),
    [
        ("function f(event) {\n  return event;\n}\n", True),
        ("function f(event) {\n  return { event };\n}\n", True),
        # a name of the page, which a function next to it uses for itself
        ("function f(event) {\n  return event;\n}\nfunction g() {\n  return event;\n}\n", False),
    ],
)
def test_a_name_of_the_page_keeps_its_name(script, shorter):
    done = names.shortened(script)
    assert (len(done) < len(script)) == shorter
    assert minified(done) == minified(script)
