"""Mail servers: what names one, what an address is, and how one mail is handed over.

smtplib waits as sockets do: where gevent has patched them, only for the greenlet that calls.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from .errors import CSAppError
from .origin import host_in_ascii

#: s that a server may take for each answer
PATIENCE = 10.0

PORTS = {"smtp": 587, "smtps": 465}

_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


class MailError(CSAppError):
    """A mail was not handed over. The text names no address."""


class NotNow(MailError):
    """The server cannot be used, or wants the mail later."""


class Refused(MailError):
    """The server will never take this mail."""


class MailServer(NamedTuple):
    """Where mails are handed over."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    #: the connection is encrypted from its beginning
    is_encrypted: bool = False

    @property
    def is_here(self) -> bool:
        """It is on this machine."""
        return bool(_LOOPBACK.fullmatch(self.host))


def read_url(url: str) -> MailServer:
    """The server that *url* names: `smtp://USER:PASSWORD@HOST:PORT`, `smtps://…`.

    Raises `ValueError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("no URL of a mail server")
    if not parts.hostname or parts.port == 0 or bool(parts.username) != bool(parts.password):
        raise ValueError("a host is needed, and user and password go together")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isprintable():
        raise ValueError("user and password have characters that cannot be sent")
    host = host_in_ascii(parts.hostname)
    port = parts.port or PORTS[parts.scheme]
    return MailServer(host, port, user, password, parts.scheme == "smtps")


def read_address(text: str) -> Address:
    """The address *text*, maybe with a name: `Shop <help@shop.example>`. Raises `ValueError`."""
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not local or not domain or re.search(r"\s", address):
        raise ValueError("no address")
    if not local.isascii() or not text.isprintable():
        raise ValueError("an address with such characters cannot be used")
    found = Address(name, local, host_in_ascii(domain))
    if parseaddr(found.addr_spec)[1] != found.addr_spec:
        raise ValueError("no address")
    return found


def read_plain_address(text: str) -> Address:
    """The address *text*, without a name or anything else. Raises `ValueError`."""
    if parseaddr(text)[1] != text:
        raise ValueError("no address, or more than one")
    return read_address(text)


def send(server: MailServer, message: EmailMessage) -> None:
    """Hand *message* over. Waits. Raises `NotNow`, `Refused`.

    Of several recipients one that the server takes is enough.
    """
    name = message["From"].addresses[0].domain
    with _failing(), connected(server, name) as smtp:
        smtp.send_message(message)


@contextlib.contextmanager
def connected(server: MailServer, name: str = "localhost") -> Iterator[smtplib.SMTP]:
    """A connection on which *server* takes mails; *name* is what this machine says it is.

    Waits. Raises `OSError` or `SMTPException`.
    """
    smtp: smtplib.SMTP
    if server.is_encrypted:
        smtp = smtplib.SMTP_SSL(
            server.host, server.port, name, timeout=PATIENCE, context=_context(server)
        )
    else:
        smtp = smtplib.SMTP(server.host, server.port, name, timeout=PATIENCE)
    with smtp:
        if not server.is_encrypted:
            _encrypt(server, smtp)
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp


def _encrypt(server: MailServer, smtp: smtplib.SMTP) -> None:
    """Encrypt the connection where the server can; a password goes over no other line."""
    smtp.ehlo_or_helo_if_needed()
    if smtp.has_extn("starttls"):
        smtp.starttls(context=_context(server))
        smtp.ehlo()
    elif server.password and not server.is_here:
        raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, and the password is not sent")


def _context(server: MailServer) -> ssl.SSLContext:
    """Who it is is checked where a password or an encrypted connection is asked for."""
    context = ssl.create_default_context()
    if server.is_here or not (server.password or server.is_encrypted):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _kind(*codes)(f"the recipient is refused ({max(codes, default=0)})") from None
    except smtplib.SMTPDataError as error:
        raise _kind(error.smtp_code)(f"the mail is refused ({error.smtp_code})") from None
    except smtplib.SMTPNotSupportedError as error:
        raise NotNow(words(error)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotNow(words(error)) from None


def _kind(*codes: int) -> type[MailError]:
    return Refused if codes and all(500 <= code < 600 for code in codes) else NotNow


def words(error: Exception) -> str:
    """*error* of a connection, without an address: what a server says may quote one."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    if isinstance(error, smtplib.SMTPNotSupportedError | OSError) and not isinstance(
        error, smtplib.SMTPRecipientsRefused
    ):
        return str(error) or type(error).__name__
    return type(error).__name__
