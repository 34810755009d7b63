"""All checks, in the order in which they are shown."""

from __future__ import annotations

from . import access, departments, files, host, machine, mail, outside, serving, stores
from .finding import Finding, Level
from .setup import Check, SetUp

CHECKS: tuple[Check, ...] = (
    *serving.CHECKS,
    *outside.CHECKS,
    *host.CHECKS,
    *access.CHECKS,
    *stores.CHECKS,
    *departments.CHECKS,
    *files.CHECKS,
    *mail.CHECKS,
    *machine.CHECKS,
)


def examine(setup: SetUp) -> list[Finding]:
    """What is wrong with *setup*: the worst first, otherwise in the order of the checks."""
    found = [finding for check in CHECKS for finding in check(setup)]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))
