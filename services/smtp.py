"""Mail servers: what names one, what an address is, and how one mail is handed over.

smtplib waits as sockets do: where gevent has patched them, only for the greenlet that calls.
"""

from __future__ import annotations

import contextlib
import io
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .errors import CSAppError
from .origin import host_in_ascii

#: s that a server may take for each answer
PATIENCE = 10.0

#: s that one connection may take in all: well below the lease of a mail (`history/mail.py`)
DEADLINE = 120.0

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
    if not (user + password).isascii() or not (user + password).isprintable():
        # smtplib encodes both in ASCII
        raise ValueError("user and password may have printable characters of ASCII only")
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
    if "=?" in text:  # an encoded word, which `email.policy` decodes
        raise ValueError("no address")
    return read_address(text)


def send(server: MailServer, message: EmailMessage, context: ssl.SSLContext | None = None) -> None:
    """Hand *message* over. Waits. Raises `NotNow`, `Refused`.

    Of several recipients one that the server takes is enough. *context*: `context_for(server)`,
    for those who send more than one mail.
    """
    name = message["From"].addresses[0].domain
    with _failing(), connected(server, name, context) as client:
        client.send_message(message)


def context_for(server: MailServer) -> ssl.SSLContext:
    """The settings of encrypted connections to *server*. Takes tens of ms of the processor.

    The server's certificate is checked where a password or an encrypted connection is asked for.
    """
    context = ssl.create_default_context()
    if server.is_here or not (server.password or server.is_encrypted):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def connected(
    server: MailServer, name: str = "localhost", context: ssl.SSLContext | None = None
) -> Iterator[smtplib.SMTP]:
    """A connection on which *server* takes mails; *name* is what this machine says it is.

    Waits, but no longer than `DEADLINE` once it is connected. Raises `OSError`, of which those of
    smtplib are kinds. How the connection ends is not asked: a mail that was taken is taken.
    """
    context = context or context_for(server)
    client = _Encrypted(server, name, context) if server.is_encrypted else _Plain(server, name)
    try:
        if not server.is_encrypted:
            _encrypt(server, client, context)
        if server.user:
            client.login(server.user, server.password)
        yield client
        with contextlib.suppress(OSError):
            client.quit()
    finally:
        client.close()


def _encrypt(server: MailServer, client: smtplib.SMTP, context: ssl.SSLContext) -> None:
    """Encrypt the connection where the server can; a password goes over no other connection."""
    client.ehlo_or_helo_if_needed()
    if client.has_extn("starttls"):
        client.starttls(context=context)
        client.ehlo()
    elif server.password and not server.is_here:
        raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, and the password is not sent")


# ---- connections that end in time --------------------------------------------


class _Deadline:
    """The end of what may be done on one connection."""

    def __init__(self) -> None:
        self._end = time.monotonic() + DEADLINE

    def bound(self, sock: socket.socket) -> None:
        """Let the next call of *sock* wait for a while. Raises `TimeoutError` after the end."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("it takes too long")
        sock.settimeout(min(PATIENCE, left))


class _Answers(io.RawIOBase):
    """What comes in on *sock*. Each byte may be late, but not all of them together."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._deadline.bound(self._sock)
        return self._sock.recv_into(buffer)


class _Bounded(smtplib.SMTP):
    """A client that gives up at its deadline, also with a server that sends a byte at a time."""

    _deadline: _Deadline
    # smtplib makes both, and a new `file` after STARTTLS
    sock: socket.socket | None
    file: Any | None

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self._deadline.bound(self.sock)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Answers(self.sock, self._deadline))
        return super().getreply()


class _Plain(_Bounded):
    def __init__(self, server: MailServer, name: str) -> None:
        self._deadline = _Deadline()
        super().__init__(server.host, server.port, name, timeout=PATIENCE)


class _Encrypted(_Bounded, smtplib.SMTP_SSL):
    def __init__(self, server: MailServer, name: str, context: ssl.SSLContext) -> None:
        self._deadline = _Deadline()
        smtplib.SMTP_SSL.__init__(
            self, server.host, server.port, name, timeout=PATIENCE, context=context
        )


# ---- what goes wrong -----------------------------------------------------------


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
