"""Departments in which visitors would wait for nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.doctor import Finding, Level, SetUp, examine
from services.history import facts, tables
from services.history.departments import Change, DepartmentTables, Overflow
from services.history.opening import open_store

from .conftest import says

#: `looked(change)`: what is found after *change* of the departments in a good set-up
Looked = Callable[[Callable[[DepartmentTables], None]], list[Finding]]


@pytest.fixture
def looked(good: SetUp, tmp_path: Path) -> Looked:
    (tmp_path / "instance").mkdir(exist_ok=True)
    url = good.settings.database_url

    def look(change: Callable[[DepartmentTables], None], **more: object) -> list[Finding]:
        with contextlib.closing(open_store(url)) as store:
            store.migrate()
            change(DepartmentTables(store))
        return examine(replace(good, store=facts.look(url), **more))

    return look


def account(departments: DepartmentTables, name: str, *, disabled: bool = False) -> None:
    values = {"name": name, "display_name": name, "password": "", "created": 1}
    with departments._store.engine.begin() as connection:
        connection.execute(sa.insert(tables.account).values(disabled=disabled, **values))


def test_a_site_without_departments_is_well(looked):
    assert looked(lambda departments: None) == []
    assert looked(lambda departments: account(departments, "ada")) == []
    assert looked(lambda departments: departments.change("", Change(max_queue=5))) == []


def served(departments: DepartmentTables) -> None:
    """Each department has somebody, `""` an account without membership."""
    account(departments, "lin")
    departments.add("sales", Change(members={"ada": 1}))


def test_a_department_without_members_is_named(looked):
    assert looked(served) == []
    finding = says(
        looked(lambda departments: departments.add("support")),
        Level.WARNING,
        "the department support has no member and no overflow: who asks for it waits for nobody",
    )
    assert "chat department set support --member NAME, or --overflow" in finding.remedy
    for change in (
        Change(overflow=Overflow("sales", 60)),
        Change(overflow=Overflow("", 0)),
        Change(overflow=Overflow(), members={"mia": 0}),
        Change(no_members=["mia"], enabled=False),
    ):
        assert (
            looked(lambda departments, change=change: departments.change("support", change)) == []
        )


def test_an_overflow_to_a_closed_department_is_none(looked):
    def close(departments: DepartmentTables) -> None:
        served(departments)
        departments.add("support", Change(overflow=Overflow("sales", 60)))
        departments.change("sales", Change(enabled=False))

    says(looked(close), Level.WARNING, "the department support has no member")


def test_those_who_ask_for_none_wait_for_nobody(looked):
    def everybody_belongs_somewhere(departments: DepartmentTables) -> None:
        account(departments, "ada")
        account(departments, "lin", disabled=True)
        departments.add("closed", Change(enabled=False))
        departments.add("sales", Change(members={"ada": 1}))

    finding = says(
        looked(everybody_belongs_somewhere), Level.WARNING, "who ask for none wait for nobody"
    )
    assert "chat department set '' --overflow sales:0" in finding.remedy
    for change in (
        Change(overflow=Overflow("sales", 60)),
        Change(overflow=Overflow(), members={"ada": 0}),
    ):
        assert looked(lambda departments, change=change: departments.change("", change)) == []
    say_none = Change(no_members=["ada"])
    says(
        looked(lambda departments: departments.change("", say_none)), Level.WARNING, "ask for none"
    )
    assert looked(lambda departments: account(departments, "mia")) == []


def test_what_an_application_says_of_its_waiters_is_not_known(looked):
    finding = says(
        looked(lambda departments: departments.add("sales", Change(members={"ada": 1})),
               names_waiters=True),
        Level.HINT, "ask for none wait for nobody, unless your application names others",
    )  # fmt: skip
    assert "--member NAME" in finding.remedy
