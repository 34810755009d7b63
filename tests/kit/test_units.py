"""The modules that widget and console share, by themselves; and what `Intl` knows of plurals."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from testkit.server import ROOT
from tests.test_catalogues import FORMS

HERE = Path(__file__).parent


def node(*args: str) -> str:
    done = subprocess.run(
        ["node", *args], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_units():
    node("--test", *map(str, sorted(HERE.glob("*.test.mjs"))))


def test_the_forms_of_plurals_are_those_of_the_languages():
    """For whole numbers: `many` of French is for millions."""
    script = """
        const found = {};
        for (const language of process.argv.slice(1)) {
            const rules = new Intl.PluralRules(language);
            found[language] = Array.from({ length: 100 }, (_, n) => rules.select(n));
        }
        console.log(JSON.stringify(found));
    """
    there = json.loads(node("-e", script, *FORMS))
    for language, forms in FORMS.items():
        for n, category in enumerate(there[language]):
            assert category == next((one for one, of in forms.items() if n in of), "other"), n


def test_the_kit_knows_no_face_and_no_face_the_other():
    folders = {name: ROOT / "blueprints" / name / "static" for name in ("kit", "widget", "console")}
    for face, folder in folders.items():
        for path in folder.rglob("*.js"):
            named = re.findall(r'(?:from|import\()\s*"(?:\.\.?/)+(\w+)/', path.read_text())
            known = {face} if face == "kit" else {face, "kit"}
            assert not set(named) & folders.keys() - known, path
