"""Many modules as one: they do what they did, and what is not understood is not sent."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from blueprints.kit import bundle as bundling
from blueprints.kit.assets import BUNDLES
from blueprints.kit.bundle import bundle
from blueprints.kit.lean import lean

MODULES = {
    "face/main": """
import { one as first, say } from "../kit/one.js";
import { Two } from "./two.js";
export { three } from "../kit/one.js";
const KEY = "main";
export const told = () => [KEY, first, say(), new Two().key, counted()];
export async function later() {
  return KEY;
}
import_is_a_name();
function import_is_a_name() {}
const counted = () => globalThis.loaded;
""",
    "face/two": """
import { one } from "../kit/one.js";
const KEY = "two";
export class Two {
  key = `${KEY} ${one}`;
}
""",
    "kit/one": """
globalThis.loaded = (globalThis.loaded ?? 0) + 1;
const KEY = "one";
const three = 3;
export const one = 1;
export const say = () => KEY;
export { three };
""",
    "face/door": 'export * from "./main.js";',
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MODULES.items():
        face, _, path = name.partition("/")
        folder = tmp_path / face / "static"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{path}.js").write_text(text)
    monkeypatch.setattr(bundling, "BLUEPRINTS", tmp_path)
    return tmp_path


def run(text: str, script: str, folder: Path) -> str:
    (folder / "sent.mjs").write_text(text)
    code = f"import * as sent from './sent.mjs'; {script}"
    (folder / "run.mjs").write_text(code)
    done = subprocess.run(
        ["node", str(folder / "run.mjs")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["face/main.js", "face/door.js"])
def test_it_does_what_the_modules_do(house: Path, name: str):
    """Names of one are not those of another, and each runs once."""
    script = "console.log(JSON.stringify([sent.told(), sent.three, await sent.later()]))"
    assert run(bundle(name), script, house) == '[["main",1,"one","two 1",1],3,"main"]'
    assert run(bundle(name), "console.log(Object.keys(sent).join())", house) == "later,three,told"


def test_one_that_exports_nothing_is_a_classic_script(house: Path):
    script = (
        'import { one } from "../kit/one.js";\nglobalThis.said = [one, typeof globalThis.KEY];\n'
    )
    (house / "face" / "static" / "script.js").write_text(script)
    (house / "sent.cjs").write_text(bundle("face/script.js") + "console.log(said.join());\n")
    done = subprocess.run(
        ["node", str(house / "sent.cjs")], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("1,undefined\n", "")


@pytest.mark.parametrize(
    "line",
    [
        'import * as one from "../kit/one.js";',
        'import one from "../kit/one.js";',
        'import "../kit/one.js";',
        "import { one",
        'import { one } from "elsewhere";',
        "export default 1;",
        "export let one = 1;",
    ],
)
def test_what_it_does_not_know_is_told(house: Path, line: str):
    (house / "face" / "static" / "odd.js").write_text(line)
    with pytest.raises(ValueError, match=r"face/odd\.js: what kind of"):
        bundle("face/odd.js")


def test_two_things_of_one_name_are_told(house: Path):
    (house / "face" / "static" / "odd.js").write_text(
        'import { one } from "../kit/one.js";\nimport { Two } from "./two.js";\n'
        "export const say = () => [one, Two];\n"
    )
    with pytest.raises(ValueError, match=r"face/odd\.js: another module has say, too"):
        bundle("face/odd.js")


@pytest.mark.parametrize("name", BUNDLES)
def test_no_module_hides_what_browsers_have_from_the_others(name: str):
    """In one scope, a `const origin` of one would be the `origin` of all."""
    window = "close event focus frames history length location name open origin parent print"
    window += (
        " scroll self status stop top screen fetch alert blur caches crypto navigator external"
    )
    declared = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", bundle(name), re.M)
    assert sorted(set(declared) & set(window.split())) == []


@pytest.mark.parametrize("name", BUNDLES)
def test_ours_are_understood(name: str, tmp_path: Path):
    assert not [line for line in bundle(name).splitlines() if line.startswith("import ")]
    for text in (bundle(name), lean(bundle(name), script=True, bundle=True)):
        (tmp_path / "sent.mjs").write_text(text)
        command = ["node", "--check", str(tmp_path / "sent.mjs")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
