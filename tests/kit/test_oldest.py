"""The widget's sheets say what the oldest browsers understand that `docs/widget.md` names."""

from __future__ import annotations

import re

import pytest

from blueprints.widget.pages import STATIC

#: everything with a style in it
STYLED = sorted(path for path in STATIC.rglob("*") if path.suffix in (".css", ".js"))

#: not before Chromium 110, Firefox 116 or Safari 16.5, and nothing says the same in other words
NEWER = re.compile(
    r"light-dark\(|field-sizing|interpolate-size|@starting-style|@scope|anchor-name|"
    r"^\s*&|:has\(|\b(?:oklch|lab|lch)\(from|\d(?:l|s)vh",
    re.MULTILINE,
)


@pytest.mark.parametrize("path", STYLED, ids=lambda path: path.name)
def test_nothing_newer_is_needed(path):
    text = path.read_text()
    assert NEWER.findall(text) == []
    plain = re.sub(r"^@supports[^{]*\{.*?^\}", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "color-mix(" not in plain, "plain colours come first"
    heights = re.findall(r"^.*\bd?vh\b.*$", text, re.MULTILINE)
    first = [line.strip() for line in heights if "dvh" not in line]
    dynamic = [line.strip().replace("dvh", "vh") for line in heights if "dvh" in line]
    assert [one for one in dynamic if one not in first] == [], "a plain height comes first"
