"""Every script of the pages can be read by an engine: `make check` loads none of them."""

from __future__ import annotations

import subprocess

from testkit.server import ROOT

PARSE = """
    import { readFileSync } from "node:fs";
    import { SourceTextModule } from "node:vm";
    for (const path of process.argv.slice(1)) {
        try {
            new SourceTextModule(readFileSync(path, "utf8"), { identifier: path });
        } catch (error) {
            console.error(`${path}: ${error.stack.split("\\n", 4).join("\\n")}`);
            process.exitCode = 1;
        }
    }
"""


def test_scripts_can_be_parsed():
    scripts = sorted(str(path) for path in (ROOT / "blueprints").glob("*/static/**/*.js"))
    assert len(scripts) > 50
    options = ["--no-warnings", "--experimental-vm-modules", "--input-type=module"]
    done = subprocess.run(
        ["node", *options, "-e", PARSE, *scripts],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
