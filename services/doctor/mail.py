"""The mail server: what is said to visitors reaches it."""

from __future__ import annotations

from collections.abc import Iterator

from .. import smtp
from ..settings import Settings
from .finding import Finding, fault, hint
from .setup import Check, SetUp


def look(settings: Settings) -> str:
    """Why the mail server cannot be used, on one line; empty: it can, or there is none. Waits."""
    if not settings.smtp_url:
        return ""
    try:
        with smtp.connected(smtp.read_url(settings.smtp_url)):
            return ""
    except (OSError, ValueError) as error:  # what smtplib raises of its own is an OSError
        return smtp.words(error)


def server(setup: SetUp) -> Iterator[Finding]:
    """It answers, and takes the password."""
    if setup.mail_problem:
        yield fault(
            f"the mail server cannot be used: {setup.mail_problem}; mails about messages that "
            "visitors leave wait, and are given up after two days",
            "host, port, user and password of CSAPP_SMTP_URL; a firewall may be between",
        )


def recipients(setup: SetUp) -> Iterator[Finding]:
    """Somebody is told of what visitors leave."""
    settings = setup.settings
    if settings.smtp_url and not settings.mail_to:
        yield hint(
            "nobody gets a mail when a visitor leaves a message: CSAPP_MAIL_TO is empty",
            "CSAPP_MAIL_TO=team@shop.example, unless the inbox of the console is enough",
        )
    if settings.mail_to and not settings.smtp_url:
        yield hint(
            "CSAPP_MAIL_TO is set, and no mail is sent: CSAPP_SMTP_URL is not",
            "CSAPP_SMTP_URL=smtp://USER:PASSWORD@HOST:PORT",
        )


CHECKS: tuple[Check, ...] = (server, recipients)
