"""What browsers get does what was written, in fewer bytes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from blueprints.kit.lean import lean

WRITTEN = r"""
/**
 * What it is for.
 */
const url = "http://host/*";  // behind
// alone
const odd = "it's // no comment"; /* but this stays: it might be a string */
const sheet = (wide) => `
  .a { margin: calc(1px + 2px) ${wide ? "auto" : "0"}; }
  /* a note */
  --night: ;
`;
const sums = (a, b) => [a + b, a - b, a + +b, a - -b, a+-b, -a];
const words = (a) => `${a ? `one  =  ${a}` : "no, thanks"} { b : c }`;
const pattern = /[ ,] = /; // behind
const ENDS = "a;}b,]"; // it's
const half = (a) => a / 2;
const STYLE = `
  /* why */
  .wide,
  .narrow > .b { width: calc(1px + ${half(4)}px) ${half(8)}px; }

  .c {
    content: "a" / "b";
  }
`;
class One {
  _shown = "_shown";
  #long = 1;
  static #count = 0;
  get #twice() {
    return this.#long * 2;
  }
  async #later() {
    return "#long, { a: 1 }";
  }
  async told() {
    One.#count += 1;
    const { _shown: shown } = this;
    const rest = One.#count % 7;
    if (/;}/.test(ENDS)) {
      this._shown += "it's"; // it's
    }
    const kept = [
      /a b/.test("a b"), // "it
      half(One.#count),
    ];
    const all = [this.#twice, await this.#later(), One.#count, #long in this, "#long"];
    return [...all, shown, rest, kept, this._shown];
  }
}
const list = [
  1, // one
  2,
]
  .map((one) => one + 1)
  .join();
new One().told().then((told) => {
  const found = "a = b".search(pattern);
  const said = [url, odd, sheet(true), sums(3, 2), words(1), words(0), found, told, list];
  said.push(STYLE, ENDS);
  console.log(JSON.stringify(said));
});
"""


def told(text: str, folder: Path) -> list[object]:
    """What it says; of sheets only white space, comments and the last semicolon may have gone."""
    said: list[object] = json.loads(run(text, folder))
    for at in (2, -2):
        sheet = re.sub(r"/\*.*?\*/|(?<! )\s*(?=\n)|\n", "", str(said[at]))
        said[at] = re.sub(r" *([{}:;,>]) *|^ *", r"\1", sheet).replace(";}", "}")
    return said


def run(text: str, folder: Path) -> str:
    (folder / "run.mjs").write_text(text)
    done = subprocess.run(
        ["node", str(folder / "run.mjs")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_does_what_it_did(tmp_path: Path):
    sent = lean(WRITTEN, script=True, bundle=True)
    assert told(sent, tmp_path) == told(WRITTEN, tmp_path)
    assert len(sent) < 0.8 * len(WRITTEN)
    assert "#twice" not in sent
    assert "this._shown" not in sent
    assert (
        '.wide,.narrow>.b{width:calc(1px + ${half(4)}px) ${half(8)}px}.c{content:"a" / "b"}`'
        in sent
    )
    assert "What it is for" not in sent


def test_a_sheet_says_what_it_said():
    written = """
    /* why */
    .a > .b, .c :hover {
      margin: calc(1px + 2px) auto; /* behind */
      --night: ;
      font: 16px "Segoe UI", sans-serif;
    }

    @media print {
      .a,
      .b {
        width: max(
          1px,
          2px
        );
        --day: ;
      }
    }
    """
    assert lean(written, sheet=True) == (
        ".a>.b,.c :hover{margin:calc(1px + 2px) auto;--night: ;"
        'font:16px "Segoe UI",sans-serif}@media print{.a,.b{width:max(1px,2px);--day: ;}}'
    )


def test_what_is_not_ours_is_left_alone():
    written = "const a = { b: 1 };\nclass C {\n  #long = 1;\n}\n"
    assert lean(written) == "const a = { b: 1 };\nclass C {\n#long = 1;\n}\n"
