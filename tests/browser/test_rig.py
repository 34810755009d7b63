"""The rig itself: what it must catch, it catches."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from testkit import LiveServer

from .conftest import Axe, View, Visit
from .engines.lacking import lacking

pytestmark = pytest.mark.browser


def test_axe_sees_into_shadow_roots_under_the_strict_policy(
    bystander: LiveServer, visit: Visit, axe: Axe, view: View
) -> None:
    page = visit(f"{bystander.url}/waiter", **view)
    # while the console asks who is signed in, another <main> stands there
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.evaluate(
        """() => {
            const host = document.querySelector("main").appendChild(document.createElement("div"));
            host.id = "guest";
            host.attachShadow({ mode: "open" }).append(document.createElement("button"));
        }"""
    )
    with pytest.raises(pytest.fail.Exception, match=r"button-name .*\n  #guest >>> button"):
        axe(page)


def test_a_policy_that_is_broken_is_heard(bystander: LiveServer, visit: Visit, engine: str) -> None:
    if engine == "firefox":
        lacking("Firefox", "tell of a style that a policy forbids")
    page = visit(f"{bystander.url}/waiter", expected=("Content Security Policy",))
    with page.expect_console_message(lambda said: "style-src" in said.text):
        page.evaluate("document.head.append(document.createElement('style'))")
        page.evaluate("document.querySelector('style').textContent = 'p { color: red }'")
