"""Who has served a visitor last: one call for many, and nobody is held up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from services import last_waiters
from services.history.port import StoreError
from services.last_waiters import LastWaiters

from .probe import until


class SlowStore:
    """Answers when a test says so."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.error: Exception | None = None

    def last_waiters(self, users: Sequence[str]) -> dict[str, str]:
        self.asked.append([*users])
        self.is_asked.set()
        self.may_answer.wait(10)
        if self.error is not None:
            raise self.error
        return {user: f"waiter of {user}" for user in users if user != "new"}


class Threads:
    """A runtime of threads."""

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        threading.Thread(target=function, args=args, daemon=True).start()

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def known(store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> LastWaiters:
    monkeypatch.setattr(last_waiters, "PATIENCE", 10.0)
    runtime: Any = Threads()
    return LastWaiters(store, runtime)  # type: ignore[arg-type]


def test_without_a_database_nobody_is_known() -> None:
    assert LastWaiters().find("ann") == ""


def test_one_call_answers_for_all_who_have_come_meanwhile(
    known: LastWaiters, store: SlowStore
) -> None:
    found: dict[str, str] = {}

    def find(user: str) -> None:
        found[user] = known.find(user)

    first = threading.Thread(target=find, args=["ann"])
    first.start()
    store.is_asked.wait(10)
    others = [threading.Thread(target=find, args=[user]) for user in ("bob", "cid", "new")]
    for one in others:
        one.start()
    until(lambda: len(known._asked) == 3)
    store.may_answer.set()
    for one in (first, *others):
        one.join()
    assert [sorted(some) for some in store.asked] == [["ann"], ["bob", "cid", "new"]]
    assert found == {user: f"waiter of {user}" for user in ("ann", "bob", "cid")} | {"new": ""}


def test_a_slow_database_holds_nobody_up(
    known: LastWaiters, store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_waiters, "PATIENCE", 0.0)
    assert known.find("ann") == ""
    store.may_answer.set()


@pytest.mark.parametrize("error", [StoreError("it is away"), OSError("no threads")])
def test_after_a_failure_everybody_is_answered_at_once(
    store: SlowStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(last_waiters, "PATIENCE", 0.0)
    begun: list[Any] = []
    runtime: Any = SimpleNamespace(spawn=lambda *work: begun.append(work), blocking=_call)
    known = LastWaiters(store, runtime)  # type: ignore[arg-type]
    store.error = error
    store.may_answer.set()
    known.find("bob")
    (question,) = known._asked
    look, *rest = begun.pop()
    look(*rest)
    assert question.answered.is_set()
    assert question.waiter == ""
    known.find("cid")
    assert len(begun) == 1, "the next one is looked up"


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)
