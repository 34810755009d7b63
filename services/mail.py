"""Sends mails about messages that were left: to the site, and answers to visitors.

`CSAPP_SMTP_URL` names the server. The mails wait in the database (`history/mail.py`), so none is
lost; one that cannot be sent is tried again after 1, 5, 15 and 60 minutes, and then every 6
hours, for two days.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from . import smtp
from .errors import Unavailable
from .history.mail import Kind, Mail, MailTable
from .mail_texts import texts_in
from .metrics import Meters
from .runtime import Runtime
from .seldom import Seldom
from .settings import Settings

if TYPE_CHECKING:
    from .clock import Clock
    from .departments import Departments
    from .loops import Loops

log = logging.getLogger("csapp")

#: s between two looks
LOOK = 2.0

#: ms until a mail is tried again, after one attempt, two and so on; and after more
PAUSES = (60_000, 300_000, 900_000, 3_600_000)
LONG_PAUSE = 6 * 3_600_000

#: ms after which a mail is given up
PATIENCE = 2 * 86_400_000


class Mailing:
    """Sends what waits in *table*, as *settings* say. *is_draining*: begin no more.

    Times in mails are by the clock on the wall of the department, as *departments* say.
    """

    def __init__(
        self, table: MailTable, settings: Settings, runtime: Runtime, clock: Clock, meters: Meters,
        is_draining: Callable[[], bool], departments: Departments,
    ) -> None:  # fmt: skip
        self._table = table
        self._runtime = runtime
        self._clock = clock
        self._meters = meters
        self._is_draining = is_draining
        self._departments = departments
        self._server = smtp.read_url(settings.smtp_url)
        #: made for the first mail
        self._context: ssl.SSLContext | None = None
        self._from = smtp.read_address(settings.mail_from)
        self._to = tuple(smtp.read_address(one) for one in settings.mail_to)
        self._say = Seldom(log)
        #: mails that wait, after the last look or the last mail
        self.waiting = 0

    def start(self, loops: Loops) -> None:
        """Look every 2 s."""
        loops.every(LOOK, "the mails", self.look)

    def look(self) -> None:
        """Send what is due. Waits for the database and the server."""
        try:
            is_going_on = True
            while is_going_on:
                is_going_on = self._send_next()
                self.waiting = self._runtime.blocking(self._table.waiting)
        except Unavailable as error:
            self._say("store", logging.WARNING, "mails wait for the database: %s", error)

    def _send_next(self) -> bool:
        """Send the mail that is due first. False: none is, or the server cannot be used."""
        if self._is_draining():
            return False
        mail = self._runtime.blocking(self._table.take, self._clock.ms())
        return mail is not None and self._send(mail)

    def _send(self, mail: Mail) -> bool:
        """Send *mail*, or see to it that it is tried again. False: the server cannot be used."""
        try:
            message = self._written(mail)
        except ValueError as error:
            self._give_up(mail, error)
            return True
        except Exception as error:  # ours: an update may mend it, and the next ones go on
            log.exception("mail %d cannot be written", mail.n)
            self._try_later(mail, error)
            return True
        if self._context is None:  # on the loop it would be felt
            self._context = self._runtime.blocking(smtp.context_for, self._server)
        try:
            smtp.send(self._server, message, self._context)
        except smtp.Refused as error:
            self._give_up(mail, error)
            return True
        except (smtp.NotNow, ValueError) as error:  # smtplib's, of what the server has said
            self._say("server", logging.WARNING, "no mail can be sent: %s", error)
            self._try_later(mail, error)
            return False
        self._meters.mails.add("sent")
        self._runtime.blocking(self._table.remove, mail.n)
        return True

    def _try_later(self, mail: Mail, error: Exception) -> None:
        """Postpone *mail*, or give it up after two days."""
        now = self._clock.ms()
        if now - mail.queued >= PATIENCE:
            self._give_up(mail, error)
            return
        pause = PAUSES[mail.tries] if mail.tries < len(PAUSES) else LONG_PAUSE
        self._runtime.blocking(self._table.postpone, mail.n, now + pause)

    def _give_up(self, mail: Mail, error: Exception) -> None:
        log.error("mail %d is given up: %s", mail.n, error)
        self._meters.mails.add("given_up")
        self._runtime.blocking(self._table.remove, mail.n)

    # ---- what is said --------------------------------------------------

    def _written(self, mail: Mail) -> EmailMessage:
        """*mail* as it is sent; each time that it is tried with the same id and date.

        Raises `ValueError` for what no mail can be made of.
        """
        message = EmailMessage(policy=SMTP)
        message["From"] = self._from
        message["Message-ID"] = f"<csapp.{mail.n}.{mail.chat:x}@{self._from.domain}>"
        message["Date"] = datetime.fromtimestamp(mail.queued / 1000, UTC)
        write = _write_answer if mail.kind == Kind.ANSWER else self._write_left
        write(message, mail, self._shown(mail))
        message.as_bytes()  # what cannot be sent as a mail raises here, before a server is asked
        return message

    def _shown(self, mail: Mail) -> str:
        """When the visitor has left its message."""
        wall = self._departments.wall(mail.department, mail.left / 1000)
        return f"{wall} {f'({wall.zone})' if wall.zone else 'UTC'}"

    def _write_left(self, message: EmailMessage, mail: Mail, left: str) -> None:
        """For the site: what a visitor has written, and when it was *left*."""
        if not self._to:
            raise ValueError("CSAPP_MAIL_TO names nobody any more")
        message["To"] = self._to
        message["Subject"] = f"Message from {_in_header(mail.name) or 'a visitor'}"
        message["Auto-Submitted"] = "auto-generated"
        if (visitor := _address(mail)) is not None:
            message["Reply-To"] = visitor
        about = {
            "Name": mail.name, "E-mail": mail.email, "Department": mail.department,
            "Page": mail.page, "Date": left,
        }  # fmt: skip
        lines = [f"{name}: {value}" for name, value in about.items() if value]
        message.set_content("\n".join([mail.text, "", *lines, ""]))


def _write_answer(message: EmailMessage, mail: Mail, left: str) -> None:
    """For the visitor: what a waiter has answered to what was *left* then."""
    visitor = _address(mail)
    if visitor is None:
        raise ValueError("the visitor's address cannot be used")
    texts = texts_in(mail.language)
    message["To"] = visitor
    message["Subject"] = texts.subject
    quoted = "\n".join(f"> {line}" for line in mail.asked.splitlines())
    answered = texts.answered.format(name=mail.waiter) if mail.waiter else texts.answer
    parts = [answered, mail.text, texts.asked.format(date=left), quoted]
    if mail.page.startswith(("http://", "https://")):
        parts += [texts.page, mail.page]
    message.set_content("\n\n".join(parts) + "\n")


def _address(mail: Mail) -> Address | None:
    """The visitor's; None: it has left none that can be used."""
    try:
        return smtp.read_plain_address(mail.email)
    except ValueError:
        return None


def _in_header(words: str) -> str:
    """*words* of a visitor in one line of plain text, whatever they hold.

    `=?` would begin an encoded word (RFC 2047), which `email.policy` decodes: into line breaks,
    if somebody wants so, and with that into other headers.
    """
    line = "".join(one for one in " ".join(words.split()) if one.isprintable())
    return line.replace("=?", "= ?")
