"""`make chaos`: `python -m tests.chaos --kills 500 [--postgres] [--redis]`."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from .fleet import Fleet
from .model import Bug
from .scenario import Scenario, Stage
from .victim import Victim, model, real


def main() -> int:
    """0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    parser.add_argument("--redis", action="store_true", help="several workers, on one Redis")
    parser.add_argument("--servers", type=int, default=2, help="with --redis")
    parser.add_argument("--workers", type=int, default=2, help="of each server, with --redis")
    parser.add_argument("--model", action="store_true", help="the model instead of csapp")
    parser.add_argument("--bug", choices=[bug.name for bug in Bug], help="of the model")
    parser.add_argument("--transfers", action="store_true", help="waiters hand users over")
    parser.add_argument("--departments", action="store_true", help="they come, change and go")
    parser.add_argument("--log", type=Path, help="where to write what the server wrote")
    args = parser.parse_args()
    with ExitStack() as stack:
        if args.postgres:
            from testkit.postgres import Postgres

            database = stack.enter_context(Postgres()).database()
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            database = f"sqlite:///{folder}/chaos.db"
        bugs = [args.bug] if args.bug else []
        stage: Stage
        if args.model or bugs:
            stage = Victim(model(database, *bugs))
        elif args.redis:
            stage = Fleet(database, args.servers, args.workers, args.seed)
        else:
            stage = Victim(real(database))
        is_real = not (args.model or bugs)
        scenario = Scenario(
            stage, database, args.kills, args.seed, args.users, version_1=is_real,
            transfers=args.transfers and is_real, departments=args.departments and is_real,
        )  # fmt: skip
        try:
            report = scenario.run()
        finally:
            if args.log:
                args.log.write_text(stage.log)
    for line in [*report.stories, *report.problems[:20]]:
        print(line)
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
