"""What the running chat answers to pages of its own address (`chat doctor --url`)."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import replace

import pytest

from services.doctor import ITSELF, Answers, Level, ask
from services.history import facts as history
from services.history.lock import ServingLock
from services.history.opening import open_store
from testkit.ports import free_port

from .conftest import says

URL = "https://shop.example/support"


def answers(ready: tuple[int, str] = (200, ""), token: tuple[int, str] = (200, "")) -> Answers:
    return Answers(url=URL, ready=ready, token=token)


def test_all_is_well(sick):
    assert sick(answers=answers()) == []


@pytest.mark.parametrize(
    ("ready", "words"),
    [
        ((0, "TimeoutError: timed out"), "nobody answers at https://shop.example/support"),
        ((503, "the desk cannot be reached"), "answers 503: the desk cannot be reached"),
        ((302, ""), "answers 302: the chat does not say why"),
    ],
)
def test_nobody_serves(sick, ready, words):
    says(sick(answers=answers(ready, token=ready)), Level.FAULT, words)


@pytest.mark.parametrize(
    ("token", "level", "words"),
    [
        ((403, "the origin is X"), Level.FAULT, f"pages of {URL} are refused: the origin is X"),
        ((400, ""), Level.FAULT, "get no token: 400"),
        ((403, ""), Level.FAULT, "get no token: 403"),
        ((429, "too many tokens"), Level.WARNING, "hands out no more tokens"),
        ((401, f"{ITSELF}: 302"), Level.WARNING, "who have not signed in get no token"),
        ((403, f"{ITSELF}: 403"), Level.WARNING, "who have not signed in get no token"),
        ((429, f"{ITSELF}: 429"), Level.FAULT, "get no token: 429"),
        ((400, f"{ITSELF}: 400"), Level.FAULT, "get no token: 400"),
    ],
)
def test_pages_are_refused(sick, token, level, words):
    says(sick(answers=answers(token=token)), level, words)


@pytest.mark.parametrize(
    "url",
    ["shop.example", "ftp://shop.example", "https://", "http://[", "https://a@b", "http://a:b"],
)
def test_what_is_no_address_is_said(url):
    with pytest.raises(ValueError, match=r"address|Port|IPv6"):
        ask(url)


def test_a_name_beyond_ascii_is_asked_for_as_browsers_do():
    status, words = ask("http://☕.invalid/chät").ready
    assert (status, "gaierror" in words) == (0, True), words


def test_a_server_that_is_not_there(sick):
    nobody = ask(f"http://127.0.0.1:{free_port()}/support/")
    says(sick(answers=nobody), Level.FAULT, "ConnectionRefusedError")


def test_who_it_is_that_serves_the_database(sick, good):
    url = good.settings.database_url
    with closing(open_store(url)) as store:
        store.migrate()
    lock = ServingLock(str(good.store.path))
    lock.take(shared=False)
    try:
        refused = answers(ready=(503, "another process serves the database; one at a time does"))
        found = sick(answers=refused, store=history.look(url))
        said = says(found, Level.FAULT, "another process serves the database")
        assert f"process {os.getpid()}" in said.remedy
    finally:
        lock.release()


@pytest.mark.parametrize(("shift", "words"), [(-60, "60 s ahead of"), (60, "60 s behind")])
def test_a_machine_with_another_time(sick, live_server, shift, words):
    begun = int(time.time())
    ahead = ask(live_server.url, now=lambda: begun + shift).clock_ahead
    assert 0 <= ahead + shift <= time.time() - begun
    there = replace(answers(), clock_ahead=float(-shift))
    says(sick(answers=there), Level.WARNING, words)
