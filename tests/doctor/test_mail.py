"""The mail server, as `chat doctor` looks at it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from services.doctor import Level, SetUp, mail
from testkit.ports import free_port

from .conftest import Sick, says

FROM = {"mail_from": "help@shop.example", "mail_to": ("team@shop.example",)}


def test_a_server_that_answers_is_well(good: SetUp, sick: Sick):
    port = free_port()
    settings = replace(good.settings, smtp_url=f"smtp://127.0.0.1:{port}", **FROM)
    assert "refused" in mail.look(settings)
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        assert mail.look(settings) == ""
        with_password = replace(settings, smtp_url=f"smtp://ann:secret@127.0.0.1:{port}")
        problem = mail.look(with_password)
    finally:
        controller.stop()
    assert problem
    assert "secret" not in problem
    assert mail.look(good.settings) == ""
    assert sick(smtp_url=settings.smtp_url, **FROM) == []


def test_a_server_that_cannot_be_used_is_a_fault(sick: Sick):
    found = sick(smtp_url="smtp://127.0.0.1:1", mail_problem="no route", **FROM)
    assert "given up" in says(found, Level.FAULT, "no route").what


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"smtp_url": "smtp://127.0.0.1:1", "mail_from": "a@b.example"}, "nobody gets a mail"),
        ({"mail_to": ("team@shop.example",)}, "no mail is sent"),
    ],
)
def test_who_is_told_of_messages(sick: Sick, settings, words):
    says(sick(**settings), Level.HINT, words)
