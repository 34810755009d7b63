"""Coverage-guided: sessions of users and waiters against a model of who may hear what.

Run as `python -m tests.fuzz.fuzz_session -max_total_time=3600 CORPUSDIR`.
"""

from __future__ import annotations

import atheris

with atheris.instrument_imports(include=["services"]):
    import services.session  # noqa: F401  # before anything else imports it


def main() -> None:
    from tests.fuzz import driver, world

    driver.fuzz(world.run_script, world.SEEDS, longest=400)


if __name__ == "__main__":
    main()
