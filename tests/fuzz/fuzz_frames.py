"""Coverage-guided: the two lanes of the frame reader against wsproto.

Run as `python -m tests.fuzz.fuzz_frames -max_total_time=3600 CORPUSDIR`.
"""

from __future__ import annotations

import atheris

with atheris.instrument_imports(include=["services", "wsproto"]):
    import services.transport.frames  # noqa: F401  # before anything else imports it


def main() -> None:
    from tests.fuzz import driver, lanes

    driver.fuzz(lanes.check_script, lanes.SEEDS, longest=600)


if __name__ == "__main__":
    main()
