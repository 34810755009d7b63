"""Settings: defaults, every bad value named, nothing secret shown."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from services import instance
from services.errors import SettingsError
from services.instance import SECRET_FILE, NoSecret
from services.origin import origin_allowed
from services.settings import Settings
from services.smtp import read_url
from testkit.server import ROOT

SECRET = {"CSAPP_SECRET_KEY": "0123456789abcdef"}


def test_defaults_are_those_of_the_interface():
    settings = Settings.load(SECRET)
    assert (settings.max_users_per_waiter, settings.max_queue, settings.grace) == (5, 10_000, 20)
    assert (settings.auth_timeout, settings.heartbeat) == (10, 25)
    assert (settings.max_frame, settings.max_text) == (65_536, 4096)
    assert (settings.outbox_bytes, settings.outbox_seconds) == (1_048_576, 10)
    assert (settings.message_rate, settings.message_burst) == (10, 30)
    assert (settings.connections_per_ip, settings.trusted_proxies) == (100, 0)
    assert (settings.token_lifetime, settings.url_prefix) == (43_200, "")
    assert settings.database_url == "sqlite:///instance/csapp.db"
    assert settings.allowed_origins == ()


def test_strings_of_the_environment_and_values_of_a_config_are_the_same():
    text = Settings.load({**SECRET, "CSAPP_GRACE": "1.5", "CSAPP_MAX_QUEUE": "7"})
    typed = Settings.load({**SECRET, "CSAPP_GRACE": 1.5, "CSAPP_MAX_QUEUE": 7})
    assert text == typed


def test_lists():
    keys = "oldest-key-of-all, newer-key-than-that"
    settings = Settings.load(
        {
            "CSAPP_SECRET_KEY": keys,
            "CSAPP_ALLOWED_ORIGINS": "https://A.example/, http://b.example:8",
        }
    )
    assert settings.secret_key == ("oldest-key-of-all", "newer-key-than-that")
    assert settings.allowed_origins == ("https://a.example", "http://b.example:8")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MAX_QUEUE", "many"),
        ("PAGE", "title"),
        ("PAGE", ""),
        ("PAGE", 5),
        ("AUDIENCE", "x" * 101),
        ("AUDIENCE", "a\nb"),
        ("AUDIENCE", 5),
        ("MAX_QUEUE", "-1"),
        ("MAX_QUEUE", 1.5),
        ("MAX_QUEUE", True),
        ("GRACE", "-1"),
        ("GRACE", "nan"),
        ("GRACE", "inf"),
        ("GRACE", []),
        ("GRACE", True),
        ("MESSAGE_RATE", "fast"),
        ("MESSAGE_RATE", "-1"),
        ("MESSAGE_RATE", "nan"),
        ("MAX_FRAME", "10"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", 5),
        ("DATABASE_URL", "Off"),
        ("DATABASE_URL", "csapp.db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "mysql://host/csapp"),
        ("DATABASE_URL", "postgresql://host:port/csapp"),
        ("DATABASE_URL", "postgresql+psycopg2://host/csapp"),
        ("REDIS_URL", 5),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://localhost:port"),
        ("REDIS_URL", "redis://localhost/first"),
        ("REDIS_URL", "unix://socket"),
        ("ALLOWED_ORIGINS", "shop"),
        ("ALLOWED_ORIGINS", "https://a.example/path"),
        ("ALLOWED_ORIGINS", "http://["),
        *(
            ("ALLOWED_ORIGINS", f"https://{rest}")
            for rest in ("a:b", "a:99999", "u@a", "a?x", "a#x", "a..b", "*.a.example", "")
        ),
        ("ALLOWED_ORIGINS", 5),
        ("URL_PREFIX", "x"),
        ("URL_PREFIX", 5),
        ("SMTP_URL", "mail.example"),
        ("SMTP_URL", "http://mail.example"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://mail.example:port"),
        ("SMTP_URL", "smtp://mail.example/inbox"),
        ("SMTP_URL", 5),
        ("MAIL_FROM", "shop"),
        ("MAIL_FROM", "a@shop.example, b@shop.example"),
        ("MAIL_FROM", "a\nb@shop.example"),
        ("MAIL_FROM", 5),
        ("MAIL_TO", "a@shop.example, b"),
        ("MAIL_TO", [5]),
        ("MAIL_TO", [f"{n}@shop.example" for n in range(11)]),
        ("TEAM", "all"),
        ("TAKE", "perhaps"),
        ("TAKE", 2),
        ("QUICK_QUESTIONS", 5),
        ("QUICK_QUESTIONS", [5]),
        ("QUICK_QUESTIONS", "a|b|c|d|e"),
        ("QUICK_QUESTIONS", "x" * 81),
        ("QUICK_QUESTIONS", ["two\nlines"]),
        ("QUICK_QUESTIONS", "half a \ud83d"),
        ("QUICK_QUESTIONS", {"a": "b"}),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_what_is_allowed(key, value):
    with pytest.raises(SettingsError) as error:
        Settings.load({**SECRET, f"CSAPP_{key}": value})
    assert error.value.key == f"CSAPP_{key}"
    assert f"CSAPP_{key}={value!r} cannot be used: " in str(error.value)


@pytest.mark.parametrize(
    ("value", "is_on"), [("on", True), ("Off", False), (True, True), (False, False), ("0", False)]
)
def test_a_switch_in_every_spelling(value, is_on):
    assert Settings.load({**SECRET, "CSAPP_TAKE": value}).take is is_on


@pytest.mark.parametrize(
    "url",
    [
        "off",
        "sqlite:////var/lib/csapp/csapp.db",
        "postgresql:///csapp",
        "postgresql://csapp:word@db.example:5432/csapp?sslmode=require",
        "postgresql+psycopg://csapp@[::1]/csapp",
    ],
)
def test_databases(url, tmp_path):
    settings = Settings.load({**SECRET, "CSAPP_DATABASE_URL": url}, tmp_path / "instance")
    assert settings.database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "rediss://chat:word@redis.example:6380/1?ssl_ca_certs=/etc/ca.pem",
        "redis://[::1]:6379",
        "unix:///run/redis/redis.sock?db=2",
        "unix://:word@/run/redis.sock",
    ],
)
def test_places_of_redis(url):
    assert Settings.load({**SECRET, "CSAPP_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("HTTPS://Shop.Example:443/", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://[::1]:5000", "https://[::1]:5000"),
        ("https://[0:0::0:1]:443", "https://[::1]"),
        ("http://straße.de", "http://xn--strae-oqa.de"),
        ("http://xn--strae-oqa.de", "http://xn--strae-oqa.de"),
        ("http://strasse.de", "http://strasse.de"),
        ("https://BÜCHER.Example:8443", "https://xn--bcher-kva.example:8443"),
        ("https://σς.gr", "https://xn--3xab.gr"),
        ("https://例え。テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("https://ｗｗｗ.shop.example", "https://www.shop.example"),
        ("https://نامه\u200cای.com", "https://xn--mgba3gch31f060k.com"),
        ("https://☕.example", "https://xn--53h.example"),
        ("https://xn--53h.example", "https://xn--53h.example"),
        ("https://my_shop.büro.example", "https://my_shop.xn--bro-hoa.example"),
        ("https://shop.example.", "https://shop.example."),
    ],
)
def test_an_origin_is_known_as_browsers_send_it(written, sent):
    settings = Settings.load({**SECRET, "CSAPP_ALLOWED_ORIGINS": written})
    assert origin_allowed(sent, "chat.example", settings.allowed_origins)


@pytest.mark.parametrize("host", [
    "xn--a.example", "xn--.example", "xn--strasse-.example", "a..ü", "ü" * 64 + ".de",
    "a b.example", "a%20b", "a|b", "\u0301a.de", "א1a.de", "-ü.de", "\ufffd.de", ".", "[::x]",
    "[v1.a]",
])  # fmt: skip
def test_an_origin_that_no_browser_has_stops_the_start(host):
    with pytest.raises(SettingsError, match=r"^CSAPP_ALLOWED_ORIGINS=.*comma-separated list"):
        Settings.load({**SECRET, "CSAPP_ALLOWED_ORIGINS": f"https://{host}"})


def test_no_redis_is_needed():
    assert Settings.load({**SECRET, "CSAPP_REDIS_URL": ""}).redis_url is None


@pytest.mark.parametrize("name", ["instance", "shop-instance"])
def test_the_database_is_in_the_instance_folder_whatever_that_is_called(tmp_path, name):
    folder = tmp_path / name
    settings = Settings.load(SECRET, folder)
    assert settings.database_url == f"sqlite:///{folder}/csapp.db"
    other = {**SECRET, "CSAPP_DATABASE_URL": "sqlite:///instance/x.db?timeout=1"}
    assert Settings.load(other, folder).database_url == f"sqlite:///{folder}/x.db?timeout=1"


def test_other_relative_files_are_beside_the_instance_folder(tmp_path):
    for url in ("sqlite:///data/x.db", "sqlite:///instance"):
        settings = Settings.load({**SECRET, "CSAPP_DATABASE_URL": url}, tmp_path / "shop")
        assert settings.database_url == f"sqlite:///{tmp_path}/{url.removeprefix('sqlite:///')}"
        assert settings.former_database_url is None


def test_where_an_older_csapp_kept_the_database_is_known(tmp_path):
    settings = Settings.load(SECRET, tmp_path / "shop-instance")
    assert settings.former_database_url == f"sqlite:///{tmp_path}/instance/csapp.db"
    assert Settings.load(SECRET, tmp_path / "instance").former_database_url is None
    off = {**SECRET, "CSAPP_DATABASE_URL": "off"}
    assert Settings.load(off, tmp_path / "shop-instance").former_database_url is None


@pytest.mark.parametrize(
    "url",
    [
        "mysql://csapp:open-sesame@host/csapp",
        "postgresql//csapp:open-sesame@host/csapp",
        "postgresql://csapp:open-sesame@host:port/csapp",
        "csapp:open-sesame@host",
        "postgresql+psycopg2://host/csapp?password=open-sesame",
        "postgres://csapp:open@sesame@host/csapp",
    ],
)
def test_no_password_of_a_database_is_shown(url):
    with pytest.raises(SettingsError) as error:
        Settings.load({**SECRET, "CSAPP_DATABASE_URL": url})
    assert "sesame" not in f"{error.value} {error.value.value}"
    assert "postgresql://USER" in str(error.value)


@pytest.mark.parametrize(
    "url",
    ["smtp://ann:secret@", "smtp://ann:secret@host:port", "smtp://ann:secret%C3%A4@mail.example",
     "smtp://%C3%A4nn:secret@mail.example"],
)  # fmt: skip
def test_no_password_of_a_mail_server_is_shown(url):
    with pytest.raises(SettingsError) as error:
        Settings.load({**SECRET, "CSAPP_SMTP_URL": url, "CSAPP_MAIL_FROM": "a@shop.example"})
    assert "CSAPP_SMTP_URL" in str(error.value)
    assert "secret" not in str(error.value)


def test_mails_need_a_sender_and_a_database():
    server = {"CSAPP_SMTP_URL": "smtps://ann:p%40ss@mail.example:2465"}
    with pytest.raises(SettingsError, match="CSAPP_MAIL_FROM"):
        Settings.load({**SECRET, **server})
    sender = {"CSAPP_MAIL_FROM": "Shop <help@shop.example>"}
    with pytest.raises(SettingsError, match="CSAPP_SMTP_URL"):
        Settings.load({**SECRET, **server, **sender, "CSAPP_DATABASE_URL": "off"})
    settings = Settings.load({**SECRET, **server, **sender, "CSAPP_MAIL_TO": "a@b.example,c@d.io"})
    assert settings.mail_to == ("a@b.example", "c@d.io")
    assert read_url(settings.smtp_url) == ("mail.example", 2465, "ann", "p@ss", True)


def test_no_password_of_redis_is_shown():
    with pytest.raises(SettingsError) as error:
        Settings.load({**SECRET, "CSAPP_REDIS_URL": "redis:/:open-sesame@host/0"})
    assert "sesame" not in f"{error.value} {error.value.value}"


def test_an_unknown_key_is_a_typing_error():
    with pytest.raises(SettingsError, match="did you mean CSAPP_GRACE"):
        Settings.load({**SECRET, "CSAPP_GRAEC": "1"})


@pytest.mark.parametrize("value", ["", "short", "long-enough-to-be-a-key,short", 5, [5]])
def test_a_weak_secret_is_refused_and_not_shown(value):
    with pytest.raises(SettingsError) as error:
        Settings.load({"CSAPP_SECRET_KEY": value})
    assert "short" not in str(error.value)


def test_the_generated_secret_is_made_when_it_is_needed_once_and_private(tmp_path, monkeypatch):
    settings = Settings.load({}, tmp_path / "instance")
    assert list(tmp_path.iterdir()) == [], "an application that is imported writes nothing"
    (first,) = settings.signing_keys()
    path = tmp_path / "instance" / SECRET_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Settings.load({}, tmp_path / "instance").signing_keys() == (first,)
    path.write_text("")
    monkeypatch.setattr(instance, "WRITTEN", 0)
    with pytest.raises(NoSecret, match="damaged"):
        settings.signing_keys()


def test_git_ignores_what_is_made(tmp_path):
    Settings.load({}, tmp_path / "instance").signing_keys()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    told = ["git", "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(told, cwd=tmp_path, capture_output=True, check=True).stdout == b""


def test_a_gitignore_of_the_host_stays_as_it_is(tmp_path):
    ignored = tmp_path / ".gitignore"
    ignored.write_text("*.pem\n")
    Settings.load({}, tmp_path).signing_keys()
    assert ignored.read_text() == "*.pem\n"


def test_where_no_secret_can_be_kept_one_line_says_what_helps(tmp_path):
    (tmp_path / "instance").write_text("no folder")
    settings = Settings.load({}, tmp_path / "instance")
    with pytest.raises(NoSecret, match=r"instance/csapp-secret.*set CSAPP_SECRET_KEY") as error:
        settings.signing_keys()
    assert "\n" not in str(error.value)


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Settings.load(SECRET).grace = 1


@pytest.mark.parametrize(
    ("key", "url", "module", "extra"),
    [
        ("CSAPP_DATABASE_URL", "postgresql://csapp:open-sesame@db/csapp", "psycopg", "postgresql"),
        ("CSAPP_REDIS_URL", "redis://:open-sesame@redis", "redis", "redis"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(monkeypatch, key, url, module, extra):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else found(name)
    )
    with pytest.raises(SettingsError, match=rf"^{key}=.*pip install 'csapp\[{extra}\]'$") as error:
        Settings.load({**SECRET, key: url})
    assert "sesame" not in str(error.value)
    Settings.load(SECRET)


WITHOUT_DRIVERS = """
import sys
sys.modules["psycopg"] = sys.modules["redis"] = sys.modules["hiredis"] = None
from csapp import create_app
app = create_app({"CSAPP_SECRET_KEY": "a-secret-for-tests-only-0123456789"})
runner = app.test_cli_runner()
for words in ("migrate", "waiter list", "search hello", "doctor", "sweep --older-than 1"):
    result = runner.invoke(args=["chat", *words.split()])
    assert isinstance(result.exception, (SystemExit, type(None))), (words, result.exception)
"""


def test_no_driver_is_loaded_that_is_not_needed(tmp_path):
    """They are extras: an application on SQLite has neither."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVERS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
