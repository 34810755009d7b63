"""The servers that the tests share: the three ways of running, and TLS."""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gevent import monkey
from hypothesis import settings

from blueprints import password_hashing
from services.under_test import FOLDER
from testkit import LiveServer
from testkit.postgres import Postgres
from testkit.redis import RedisServer

from . import clocked, forks

pytest_plugins = ["testkit.plugin"]
# Here and not in tests/desk: tests of other folders import some of them, perhaps earlier.
pytest.register_assert_rewrite(
    "tests.desk.conformance",
    "tests.desk.crew",
    "tests.desk.crowd",
    "tests.desk.helpers",
    "tests.desk.office",
    "tests.desk.stateful",
)

# Our own tests say which database they mean, and look at what an application does by itself.
os.environ.setdefault(FOLDER, "")
LiveServer.database = "off"

#: s; nobody waits for the end of these (`clocked.let_pass`), and everybody returns in time
GRACE, AUTH_TIMEOUT = 60, 60
SETTINGS = {
    "CSAPP_GRACE": str(GRACE),
    "CSAPP_AUTH_TIMEOUT": str(AUTH_TIMEOUT),
    "CSAPP_HEARTBEAT": "3600",  # clients do not read while they wait for others
    "CSAPP_MESSAGE_RATE": "0",
    "CSAPP_CONNECTIONS_PER_IP": "0",
    "CSAPP_MAX_USERS_PER_WAITER": "2",
}


#: the same examples each time: what chance may find is looked for by `make fuzz`
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """A run in a shell's background ignores the keyboard, and what it starts would, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


#: the files that take longest begin first, so that nobody waits for one of them in the end
LONGEST = (
    "test_v2.py",
    "shared/test_chats.py",
    "browser/test_story.py",
    "test_ends.py",
    "browser/test_widget.py",
    "browser/test_pages_swapped.py",
    "browser/test_console_reading.py",
    "browser/test_languages.py",
    "browser/test_console_writing.py",
    "test_hostile_requests.py",
    "client/test_client.py",
    "browser/test_console.py",
    "browser/test_console_queue.py",
    "browser/test_widget_faces.py",
    "browser/test_pages_storage.py",
    "browser/test_pages_cached.py",
    "test_one_process.py",
    "chaos/test_chaos.py",
    "browser/test_console_door.py",
    "browser/test_widget_typing.py",
    "browser/test_widget_files.py",
    "browser/test_console_looks.py",
    "test_erasure.py",
    "browser/test_pages_scripts.py",
    "browser/test_pages_focus.py",
    "browser/test_console_keys.py",
    "browser/test_pages_corner.py",
    "browser/test_pages_pieces.py",
    "browser/test_engines.py",
    "test_operation.py",
    "browser/test_embedding.py",
    "browser/test_console_tools.py",
    "test_metrics.py",
    "bounds/test_places.py",
    "doctor/test_serving.py",
    "browser/test_console_logins.py",
    "test_sign_in.py",
)


@pytest.hookimpl(trylast=True)  # after a shuffle
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put `LONGEST` first; all else stays in its order."""
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """A test file that imports `wsgi` turns every thread of this process into a greenlet."""
    if monkey.is_module_patched("socket"):
        raise pytest.UsageError("something that the tests import has patched this process")


#: the files whose own servers do not start as forks: they are about starting, or about loading
#: csapp anew, or they change a module before csapp imports it
STARTED_ALONE = (
    "deploy/test_compose.py",
    "faults/test_restarts.py",
    "test_clock.py",
    "test_one_process.py",
    "test_operation.py",
    "test_restart.py",
    "test_succession.py",
)


@pytest.fixture(scope="session", autouse=True)
def fork_servers() -> Iterator[None]:
    """Servers start as forks (`forks.py`), those that several files share as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveServer, "popen", staticmethod(forks.popen))
        yield
    forks.close()


@pytest.fixture(scope="module", autouse=True)
def started_alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The servers of a file of `STARTED_ALONE` start by themselves."""
    tests = Path(__file__).parent
    with pytest.MonkeyPatch.context() as patch:
        if request.path in {tests / name for name in STARTED_ALONE}:
            patch.setattr(LiveServer, "popen", staticmethod(subprocess.Popen))
        yield


#: what passwords cost where nobody waits for a test
COST = password_hashing.COST


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process a hash costs next to nothing; servers of their own take what is right."""
    monkeypatch.setattr(password_hashing, "COST", "scrypt:1024:8:1")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        signed.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client's context that trusts *certificate*."""
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture(scope="session")
def serve(certificate: Path) -> Iterator[Callable[[str], LiveServer]]:
    """`serve("gunicorn")`: the server run in that way, started once."""
    files = ["--certfile", str(certificate), "--keyfile", str(certificate)]
    ways: dict[str, Callable[[], LiveServer]] = {
        "gunicorn": lambda: LiveServer.gunicorn(clocked.GUNICORN, SETTINGS),
        "tls": lambda: LiveServer.gunicorn(
            clocked.GUNICORN, SETTINGS, files, tls=trusting(certificate)
        ),
        "flask": lambda: LiveServer.flask(clocked.THREADS, SETTINGS),
        "embedded": lambda: LiveServer.gunicorn("tests.host:app", SETTINGS, prefix="/support"),
    }
    running: dict[str, LiveServer] = {}
    with ExitStack() as stack:

        def started(way: str) -> LiveServer:
            if way not in running:
                running[way] = stack.enter_context(ways[way]())
            return running[way]

        yield started


@pytest.fixture(scope="session")
def live_server(serve: Callable[[str], LiveServer]) -> LiveServer:
    """The one that most tests use: gunicorn with a gevent worker."""
    return serve("gunicorn")


@pytest.fixture(params=["gunicorn", "tls", "flask", "embedded"])
def any_server(request: pytest.FixtureRequest, serve: Callable[[str], LiveServer]) -> LiveServer:
    """Each way of running in turn."""
    return serve(request.param)


@pytest.fixture(scope="session")
def echo_server() -> Iterator[LiveServer]:
    """The echo application."""
    with LiveServer.gunicorn("tests.echo:app", health="/") as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server that the tests share; who breaks it mends it."""
    with Postgres() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis on which no other desk is."""
    with RedisServer() as redis:
        yield redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis that the tests share; each test has a desk of its own on it."""
    with RedisServer() as server:
        yield server
