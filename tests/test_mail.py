"""Mails about messages that were left, to a real mail server."""

from __future__ import annotations

import contextlib
import email
import email.policy
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from services import smtp
from services.clock import Clock
from services.conversation.rows import MESSAGE, ConversationRow
from services.departments import Departments
from services.history import care, left_messages
from services.history import mail as stored
from services.history.departments import Change, DepartmentTables
from services.history.inbox import Sight
from services.history.left_messages import Deed, Leaving, LeftMessageTable
from services.history.mail import LEASE, MailTable, Wanted
from services.history.opening import open_store
from services.history.sql import SQLStore
from services.mail import LONG_PAUSE, PATIENCE, PAUSES, Mailing
from services.mail_texts import LANGUAGES, texts_in
from services.metrics import Meters
from services.seldom import Seldom
from services.settings import Settings
from services.smtp import DEADLINE, MailServer, NotNow, Refused, read_address, read_url, send
from testkit.ports import free_port
from testkit.server import ROOT, SECRET

from . import three_ways
from .probe import until
from .test_left_messages import Site
from .three_ways import WAYS, asks

HOUR = 3_600_000
NOW = 1_800_000_000_000
ALL = Sight({""}, ())


class Post:
    """A mail server, which may refuse, and what it was given."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        #: what it answers in the place of taking a mail
        self.refusal = ""
        #: the same, by recipients
        self.refuses: dict[str, str] = {}
        self.logins: list[tuple[bytes, bytes]] = []
        self.was_encrypted: list[bool] = []
        self.farewell = "221 Bye"
        #: called with each mail
        self.on_mail: Callable[[], None] = lambda: None

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:
        return self.farewell

    async def handle_RCPT(  # the server calls it so
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.refusal:
            return self.refusal
        self.was_encrypted.append(session.ssl is not None)
        found = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        self.got.append(found)
        self.recipients.append(envelope.rcpt_tos)
        self.on_mail()
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, how: str, data: Any):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss:word", handled=False)


def serving(post: Post, **options: Any) -> Iterator[str]:
    """The address of *post*: host and port."""
    port = free_port()
    controller = Controller(post, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        controller.stop()


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def address(post: Post) -> Iterator[str]:
    yield from serving(post)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'csapp.db'}"
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture
def store(url: str) -> Iterator[SQLStore]:
    with closing(open_store(url)) as store:
        store.migrate()
        yield store


class Here:
    """A runtime that waits where it is called."""

    name = "threads"

    def __init__(self) -> None:
        self.called: list[str] = []

    def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        self.called.append(function.__name__)
        return function(*args)


class Office:
    """A site with a store, a clock, and as many workers as ask for one."""

    def __init__(self, store: SQLStore, address: str) -> None:
        self.table = LeftMessageTable(store, Wanted(left=True, answers=True))
        self.mails = MailTable(store)
        self.now = NOW
        self.clock = Clock(lambda: self.now / 1000)
        self.settings = Settings.load(
            {
                "CSAPP_SECRET_KEY": SECRET, "CSAPP_SMTP_URL": f"smtp://{address}",
                "CSAPP_MAIL_FROM": "Shop <help@shop.example>",
                "CSAPP_MAIL_TO": "team@shop.example, boss@shop.example",
            }
        )  # fmt: skip
        self.meters = Meters(lambda: 0.0)
        self.is_draining = False
        self.keys = iter(range(1, 1000))
        self.runtime = Here()
        runtime: Any = self.runtime
        self.departments = Departments(DepartmentTables(store), runtime, self.clock.now)

    def worker(self) -> Mailing:
        runtime: Any = self.runtime
        return Mailing(
            self.mails, self.settings, runtime, self.clock, self.meters, lambda: self.is_draining,
            self.departments,
        )  # fmt: skip

    def leaves(self, text: str = "Do you ship?", **more: Any) -> int:
        """The key of a message of a visitor of its own."""
        key = next(self.keys)
        row = ConversationRow(
            key, f"uuid-{key}", f"user-{key}", opened=self.now, ended=self.now, reason=MESSAGE,
            page=more.pop("page", ""),
        )  # fmt: skip
        self.table.leave(Leaving(row, more.pop("department", ""), text, None, **more))
        return key

    def answers(self, key: int, text: str = "Yes, we do") -> None:
        who = Deed(key, "uuid-ada", "ada", "Ada", "", self.now, text)
        self.table.answer(ALL, who)


@pytest.fixture
def office(store: SQLStore, address: str) -> Office:
    return Office(store, address)


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


# ---- what is said --------------------------------------------------------------


def test_the_site_is_told_of_a_message(office: Office, post: Post):
    office.leaves(
        "Do you ship\nto Åland? 🚢", name="Ann Müller", email="ann@example.org",
        page="https://shop.example/plates",
    )  # fmt: skip
    office.worker().look()
    (message,), (recipients,) = post.got, post.recipients
    assert recipients == ["team@shop.example", "boss@shop.example"]
    assert message["From"] == "Shop <help@shop.example>"
    assert message["Subject"] == "Message from Ann Müller"
    assert message["Reply-To"] == "ann@example.org"
    assert message["Message-ID"] == "<csapp.1.1@shop.example>"
    assert text_of(message).splitlines() == [
        "Do you ship", "to Åland? 🚢", "", "Name: Ann Müller", "E-mail: ann@example.org",
        "Page: https://shop.example/plates", "Date: 2027-01-15 08:00 UTC",
    ]  # fmt: skip
    office.worker().look()
    assert len(post.got) == 1
    assert office.mails.waiting() == 0
    assert office.meters.mails.read() == {"sent": 1, "given_up": 0}


def test_the_visitor_is_sent_the_answer_in_its_language(office: Office, post: Post):
    key = office.leaves(email="ann@bücher.example", language="de-AT", page="https://shop.example/")
    office.worker().look()
    office.now += HOUR
    office.answers(key)
    office.worker().look()
    _, message = post.got
    assert post.recipients[1] == ["ann@xn--bcher-kva.example"]
    assert message["Subject"] == "Antwort auf Ihre Nachricht"
    assert text_of(message).split("\n\n") == [
        "Ada hat Ihnen geantwortet:", "Yes, we do", "Ihre Nachricht vom 2027-01-15 08:00 UTC:",
        "> Do you ship?", "Sie haben von dieser Seite geschrieben:", "https://shop.example/\n",
    ]  # fmt: skip


def test_times_are_in_the_zone_of_the_departments_hours(
    office: Office, post: Post, store: SQLStore
):
    tables = DepartmentTables(store)
    tables.add("sales", Change(hours="mo-fr 9:00-17:00", zone="Asia/Tokyo"))
    tables.add("care", Change())
    office.departments.read()
    key = office.leaves(department="sales", email="ann@shop.example", language="de")
    office.leaves(department="care")
    office.answers(key)
    while office.mails.waiting():
        office.worker().look()
    for_sales, for_care, answer = map(text_of, post.got)
    assert "Date: 2027-01-15 17:00 (Asia/Tokyo)" in for_sales
    assert "Date: 2027-01-15 08:00 UTC" in for_care
    assert "Ihre Nachricht vom 2027-01-15 17:00 (Asia/Tokyo):" in answer


def test_a_zone_that_this_machine_does_not_know_keeps_no_mail_back(
    office: Office, post: Post, store: SQLStore
):
    DepartmentTables(store).add("sales", Change(zone="Asia/Tokyo"))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE department SET zone = 'Mars/Olympus'")
    office.departments.read()
    office.leaves(department="sales")
    office.leaves(department="gone")
    office.worker().look()
    assert ["Date: 2027-01-15 08:00 UTC" in text_of(one) for one in post.got] == [True, True]


def test_who_has_left_no_address_gets_no_mail(office: Office, post: Post):
    office.answers(office.leaves())
    office.worker().look()
    assert [message["Subject"] for message in post.got] == ["Message from a visitor"]
    assert post.got[0]["Reply-To"] is None


@pytest.mark.parametrize(
    "bad",
    ['"a"<b@c>,d@e', "ä@example.org", "a,b@example.org", "x@a..b",
     "=?utf-8?q?v=2Cw=40evil.example=2C?=@x.example"],
)  # fmt: skip
def test_what_is_no_address_is_given_up(office: Office, post: Post, bad: str, caplog: Any):
    office.answers(office.leaves(email=bad))
    office.worker().look()
    assert len(post.got) == 1, "the site is told of it all the same"
    assert office.mails.waiting() == 0
    assert bad not in caplog.text


@pytest.mark.parametrize(
    ("name", "subject"),
    [("Ann\r\nBcc: eve@example.org", "Message from Ann Bcc: eve@example.org"),
     ("a\u2028b\x85c\x1cd", "Message from a b c d"),
     ("\x01\x7f", "Message from a visitor"),
     ("=?utf-8?q?Eve=0D=0ABcc:_eve@example.org=0D=0A=0D=0Aforged?=",
      "Message from = ?utf-8?q?Eve=0D=0ABcc:_eve@example.org=0D=0A=0D=0Aforged?="),
     ("=?utf-8?b?/////w==?=", "Message from = ?utf-8?b?/////w==?=")],
)  # fmt: skip
def test_no_name_adds_a_header_or_keeps_the_mail_back(
    office: Office, post: Post, name: str, subject: str
):
    office.leaves(name=name)
    office.worker().look()
    (message,) = post.got
    shown = message["Subject"].replace(" ", "")  # a long line is folded
    assert (shown, message["Bcc"]) == (subject.replace(" ", ""), None)
    assert text_of(message).startswith("Do you ship?")


def test_the_widgets_languages_have_words():
    locales = (ROOT / "blueprints" / "widget" / "static" / "locales").glob("*.json")
    assert {path.stem for path in locales} == LANGUAGES
    assert texts_in("zh-Hant-TW") is texts_in("zh")
    assert texts_in("xx") is texts_in("") is texts_in("en")
    for language in LANGUAGES:
        texts = texts_in(language)
        assert "{name}" in texts.answered
        assert "{date}" in texts.asked


# ---- again and again -----------------------------------------------------------


def test_a_mail_is_tried_again_for_two_days(office: Office, post: Post, caplog: Any):
    post.refusal = "451 later"
    office.leaves(email="ann@example.org")
    began, times = office.now, [office.now]
    while office.mails.waiting():
        office.worker().look()
        if office.mails.take(office.now) is not None:
            raise AssertionError("it is not due")
        office.now += 30_000
        with office.mails._store.engine.connect() as connection:
            due = connection.exec_driver_sql("SELECT due FROM mail").scalar()
        if due is not None and due > office.now:
            office.now = due
            times.append(due)
    pauses = [after - before for before, after in pairwise(times)]
    assert tuple(pauses[:4]) == PAUSES
    assert set(pauses[4:]) == {LONG_PAUSE}
    assert PATIENCE <= times[-1] - began < PATIENCE + LONG_PAUSE
    assert office.meters.mails.read() == {"sent": 0, "given_up": 1}
    assert "ann@example.org" not in caplog.text
    assert "451" in caplog.text


def test_a_mail_that_cannot_be_written_keeps_no_other_back(
    office: Office, post: Post, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    """A fault of ours: it is tried again, since an update may mend it, and has an end."""
    office.leaves("Bad", department="sales")
    office.leaves("Good")
    wall, faults = Departments.wall, []

    def broken(departments: Departments, key: str, at: float) -> Any:
        if key == "sales":
            faults.append(office.now)
            raise KeyError(key)
        return wall(departments, key, at)

    monkeypatch.setattr(Departments, "wall", broken)
    office.worker().look()
    assert [text_of(one).splitlines()[0] for one in post.got] == ["Good"]
    assert office.mails.waiting() == 1
    assert "mail 1 cannot be written" in caplog.text
    office.now += PAUSES[0]
    office.worker().look()
    assert len(faults) == 2
    office.now += PATIENCE
    office.worker().look()
    assert office.mails.waiting() == 0
    assert office.meters.mails.read() == {"sent": 1, "given_up": 1}


def test_its_id_stays_the_same(office: Office, post: Post):
    office.leaves()
    office.leaves()
    post.refusal = "451 later"
    office.worker().look()
    office.now += PAUSES[0]
    post.refusal = ""
    office.worker().look()
    ids = {message["Message-ID"] for message in post.got}
    assert ids == {"<csapp.1.1@shop.example>", "<csapp.2.2@shop.example>"}


def test_a_server_that_is_away_is_asked_once_a_look(store: SQLStore):
    office = Office(store, f"127.0.0.1:{free_port()}")
    for _ in range(3):
        office.leaves()
    office.worker().look()
    assert sum(office.mails.take(office.now) is not None for _ in range(3)) == 2


def test_a_recipient_who_is_refused_is_given_up_at_once(office: Office, post: Post):
    office.answers(office.leaves(email="ann@example.org"))
    post.refuses = {"ann@example.org": "550 no such user", "boss@shop.example": "550 gone"}
    worker = office.worker()
    worker.look()
    assert post.recipients == [["team@shop.example"]], "one of the site is enough"
    assert worker.waiting == 0
    assert office.meters.mails.read() == {"sent": 1, "given_up": 1}


def test_a_recipient_who_is_to_wait_is_tried_again(office: Office, post: Post):
    office.leaves()
    post.refuses = dict.fromkeys(("team@shop.example", "boss@shop.example"), "450 later")
    worker = office.worker()
    worker.look()
    assert worker.waiting == 1


def test_one_worker_sends_a_mail_and_another_one_if_it_dies(office: Office, post: Post):
    office.leaves()
    assert office.mails.take(office.now) is not None  # a worker that dies now
    office.worker().look()
    assert post.got == []
    office.now += LEASE + 1
    office.worker().look()
    assert len(post.got) == 1


def test_a_server_that_stops_begins_no_mail(office: Office, post: Post):
    office.leaves()
    office.is_draining = True
    office.worker().look()
    assert (post.got, office.mails.waiting()) == ([], 1)


@pytest.mark.parametrize("farewell", ["421 closing", "500 what?", "no answer"])
def test_how_a_server_takes_leave_does_not_matter(office: Office, post: Post, farewell: str):
    post.farewell = farewell
    office.leaves()
    office.worker().look()
    assert (len(post.got), office.mails.waiting()) == (1, 0)
    assert office.meters.mails.read()["sent"] == 1


def test_what_goes_wrong_on_the_way_is_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    def challenged(*_: Any) -> None:
        raise ValueError("Incorrect padding")  # smtplib, of a challenge that is no Base64

    monkeypatch.setattr(smtplib.SMTP, "ehlo", challenged)
    office.leaves()
    worker = office.worker()
    worker.look()
    assert worker.waiting == 1
    assert office.meters.mails.read() == {"sent": 0, "given_up": 0}


def test_the_settings_of_encryption_are_made_once_and_beside_the_loop(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    made: list[int] = []
    make = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda: made.append(1) or make())
    worker = office.worker()
    for _ in range(2):
        office.leaves()
        worker.look()
    assert len(made) == office.runtime.called.count("context_for") == 1


def test_how_many_wait_is_known_after_each_mail(office: Office, post: Post):
    worker = office.worker()
    waited: list[int] = []
    post.on_mail = lambda: waited.append(worker.waiting)
    for _ in range(3):
        office.leaves()
    worker.look()
    assert waited[1:] == [2, 1]
    assert worker.waiting == 0


# ---- bounds, erasure -------------------------------------------------------------


def test_with_too_many_mails_the_message_is_stored_all_the_same(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    monkeypatch.setattr(stored, "MOST", 2)
    monkeypatch.setattr(left_messages, "_say", Seldom(left_messages.log))
    for _ in range(4):
        office.leaves()
    assert office.mails.waiting() == 2
    assert len(office.table.page(ALL).messages) == 4
    assert caplog.text.count("mails wait: there is none") == 1


def test_nothing_is_sent_of_who_is_erased(office: Office, post: Post):
    first, _ = office.leaves(), office.leaves()
    care.erase(office.mails._store, f"user-{first}", pause=lambda _: None)
    assert office.mails.waiting() == 1
    office.worker().look()
    assert [message["Message-ID"] for message in post.got] == ["<csapp.2.2@shop.example>"]


def test_an_entry_that_is_not_stored_has_no_mail(office: Office, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> bool:
        raise RuntimeError

    monkeypatch.setattr(stored, "put", broken)
    with pytest.raises(RuntimeError):
        office.leaves()
    assert office.table.page(ALL).messages == []


# ---- the server ------------------------------------------------------------------


def message() -> EmailMessage:
    found = EmailMessage()
    found["From"], found["To"] = read_address("help@shop.example"), "ann@example.org"
    found.set_content("hello")
    return found


def test_a_password_goes_over_an_encrypted_connection(post: Post, certificate: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    options = {"authenticator": post.authenticate}
    for address in serving(post, tls_context=context, require_starttls=True, **options):
        send(read_url(f"smtp://ann:p%40ss%3Aword@{address}"), message())
    for address in serving(post, ssl_context=context, auth_require_tls=False, **options):
        send(read_url(f"smtps://ann:p%40ss%3Aword@{address}"), message())
        with pytest.raises(NotNow, match="535"):
            send(read_url(f"smtps://ann:wrong@{address}"), message())
    assert post.logins[:2] == [(b"ann", b"p@ss:word")] * 2
    assert len(post.got) == 2


def test_no_password_goes_to_another_machine_in_the_clear(
    post: Post, monkeypatch: pytest.MonkeyPatch
):
    options = {"authenticator": post.authenticate, "auth_require_tls": False}
    for address in serving(post, **options):
        server = read_url(f"smtp://ann:p%40ss%3Aword@{address}")
        send(server, message())
        with monkeypatch.context() as patch:
            patch.setattr(MailServer, "is_here", property(lambda _: False))
            with pytest.raises(NotNow, match="STARTTLS"):
                send(server, message())
    assert len(post.logins) == len(post.got) == 1


def test_a_certificate_is_checked_where_a_password_is_sent(
    post: Post, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setattr(MailServer, "is_here", property(lambda _: False))
    for address in serving(post, tls_context=context, authenticator=post.authenticate):
        with pytest.raises(NotNow, match="certificate"):
            send(read_url(f"smtp://ann:p%40ss%3Aword@{address}"), message())
        send(read_url(f"smtp://{address}"), message())
    assert post.logins == []
    assert post.was_encrypted == [True]


def test_a_mail_that_is_refused_for_good(post: Post, address: str):
    post.refusal = "554 no"
    with pytest.raises(Refused, match="554"):
        send(read_url(f"smtp://{address}"), message())


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_one_mail_has_an_end_with_a_server_that_never_ends(
    scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smtp, "DEADLINE", 0.3)
    assert 2 * DEADLINE * 1000 < LEASE
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def greet_for_ever() -> None:
            sock: socket.socket = listener.accept()[0]
            with contextlib.suppress(OSError), closing(sock):
                if scheme == "smtps":
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(certificate)
                    sock = context.wrap_socket(sock, server_side=True)
                while True:
                    sock.sendall(b"220-welcome\r\n")

        server = threading.Thread(target=greet_for_ever, daemon=True)
        server.start()
        with pytest.raises(NotNow, match="too long"):
            send(read_url(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"), message())
        server.join()


# ---- running servers ---------------------------------------------------------------


@pytest.mark.parametrize("kind", WAYS)
def test_a_message_and_its_answer_are_mailed_once(
    kind: str, post: Post, address: str, tmp_path: Path
):
    env = {
        "CSAPP_DATABASE_URL": f"sqlite:///{tmp_path / 'served.db'}", "CSAPP_HEARTBEAT": "3600",
        "CSAPP_SMTP_URL": f"smtp://{address}", "CSAPP_MAIL_FROM": "help@shop.example",
        "CSAPP_MAIL_TO": "team@shop.example",
    }  # fmt: skip
    with three_ways.serving(kind, env) as servers:
        site = Site(*servers)
        ann, wim = site.come("user", "ann"), site.come("waiter", "wim", at=1)
        contact = {"email": "ann@example.org"}
        conversation = site.leaves(ann, contact=contact)["payload"]["conversation"]
        asks(wim, "answer_message", {"conversation": conversation, "message": "Yes"})
        until(lambda: len(post.got) >= 2)

        def counted(name: str) -> int:
            pages = [server.get("/metrics") for server in dict.fromkeys(servers)]
            lines = [line for page in pages for line in page.splitlines()]
            return sum(int(float(line.split()[1])) for line in lines if line.startswith(name + " "))

        until(lambda: counted("csapp_mails_sent_total") == 2)
        until(lambda: counted("csapp_mails_waiting") == 0)  # at the next look of the other worker
    assert sorted(post.recipients) == [["ann@example.org"], ["team@shop.example"]]
