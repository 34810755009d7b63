"""The departments: no visitor waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.departments import DepartmentRow, Departments
from .finding import Finding, hint, warning
from .setup import Check, SetUp

SET = "flask --app … chat department set"


def members(setup: SetUp) -> Iterator[Finding]:
    """Each department that visitors may ask for has members, or passes visitors on."""
    found = setup.store.departments if setup.store else None
    if found is None:
        return
    for row in found.departments:
        if row.key and row.enabled and not _has_members(found, row.key) and not _flows(found, row):
            yield _finding(
                setup,
                f"the department {row.key} has no member and no overflow: who asks for it waits "
                "for nobody",
                f"{SET} {row.key} --member NAME, or --overflow KEY:SECONDS, or --disable",
            )


def those_who_ask_for_none(setup: SetUp) -> Iterator[Finding]:
    """Where there are departments, somebody serves visitors who ask for none."""
    found = setup.store.departments if setup.store else None
    if setup.store is None or found is None or not any(one.key for one in found.departments):
        return
    row = next((one for one in found.departments if not one.key), DepartmentRow(""))
    if setup.store.free_accounts or _has_members(found, "") or _flows(found, row):
        return
    yield _finding(
        setup,
        "every waiter is a member of a department, so visitors who ask for none wait for nobody",
        f"{SET} '' --overflow {_some_key(found)}:0, or {SET} '' --member NAME",
    )


def _has_members(found: Departments, key: str) -> bool:
    return any(one.department == key for one in found.memberships)


def _flows(found: Departments, row: DepartmentRow) -> bool:
    """Whether visitors of *row* go on to another department, which has to be open."""
    to = row.overflow.to
    is_open = {one.key: one.enabled for one in found.departments} | {"": True}
    return to is not None and is_open.get(to, False)


def _some_key(found: Departments) -> str:
    """A department that serves, if there is any."""
    usual = [one.key for one in found.departments if one.key and one.enabled]
    return next((key for key in usual if _has_members(found, key)), (usual or ["KEY"])[0])


def _finding(setup: SetUp, what: str, remedy: str) -> Finding:
    """A hint where the application names waiters: it may name their departments as well."""
    if setup.names_waiters:
        return hint(f"{what}, unless your application names others", remedy)
    return warning(what, remedy)


CHECKS: tuple[Check, ...] = (members, those_who_ask_for_none)
