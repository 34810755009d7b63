"""Coverage-guided: the decoder against Python's own `json`.

Run as `python -m tests.fuzz.fuzz_decoder -max_total_time=3600 CORPUSDIR`.
"""

from __future__ import annotations

import sys

import atheris

# The decoder is C, which the fuzzer cannot see into. `json` written in Python,
# instrumented, shows it the grammar instead.
sys.modules["_json"] = None  # type: ignore[assignment]
for name in [name for name in sys.modules if name.partition(".")[0] == "json"]:
    del sys.modules[name]

with atheris.instrument_imports(include=["json", "services.wire"]):
    import json

    import services.wire.codec  # noqa: F401  # before anything else imports it


def main() -> None:
    from tests.fuzz import driver, words

    assert json.decoder.c_scanstring is None
    driver.fuzz(words.check_script, words.SEEDS, longest=400)


if __name__ == "__main__":
    main()
