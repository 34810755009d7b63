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

#: the console's modules are sent as they are
MODULES = sorted(
    f"{face}/{path.name}"
    for face in ("kit", "widget")
    for path in (BLUEPRINTS / face / "static").glob("*.js")
)
#: a sheet in a script, which only `lean` makes smaller
SHEET = re.compile(r"(?<=STYLE = )`[^`]*`")


def minified(script: str) -> str:
    """*script* as the other minifier writes it. Raises where it is none."""
    return str(minify.string("application/javascript", SHEET.sub("``", script)))


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
        # a name of the module, beside one of the function's own
        (
            "const limit = 5;\nfunction f(list) {\n"
            "  for (const limit of list) use(limit);\n  return limit;\n}\n",
            True,
        ),
        # a name of the page, which a function next to it uses for itself
        ("function f(event) {\n  return event;\n}\nfunction g() {\n  return event;\n}\n", False),
    ],
)
def test_a_name_of_the_page_keeps_its_name(script, shorter):
    done = names.shortened(script)
    assert (len(done) < len(script)) == shorter
    assert minified(done) == minified(script)
