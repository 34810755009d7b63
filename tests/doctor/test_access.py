"""Secrets, modes, origins, proxies and keys."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from services.doctor import Level
from services.doctor.access import guessable
from services.instance import SECRET_FILE, ignore_in_git, shown_to_git
from services.settings import Settings

from .conftest import SERVING, says


def test_nothing_is_wrong_with_a_good_set_up(sick):
    assert sick() == []


@pytest.mark.parametrize(
    "key",
    [
        "a-secret-for-tests-only-0123456789",
        "ChangeMe-ChangeMe-ChangeMe",
        "my.Password.1234",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "abababababababababababab",
        "0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz",
        "zyxwvutsrqponmlkjihgfedcba",
    ],
)
def test_a_secret_that_can_be_guessed(sick, key):
    said = says(sick(secret_key=("9f2c41d07b6e58a3c90d1e4f", key)), Level.FAULT, "can be guessed")
    assert key not in str(said)
    assert "openssl rand" in said.remedy


def test_random_secrets_are_good():
    chance = Random(1)  # the same each time: a few in a million of the shortest are refused
    for _ in range(2000):
        short, long, wide = map(chance.randbytes, (8, 32, 48))
        for key in (short.hex(), long.hex(), b64encode(wide).decode()):
            assert not guessable(key), key


def test_a_generated_secret_where_there_may_be_several_machines(sick, good):
    configured = {**good.configured, "CSAPP_SECRET_KEY": None}
    found = sick(configured=configured, environment={}, redis_url="redis://127.0.0.1")
    says(found, Level.WARNING, "another machine")
    assert sick(configured=configured, environment={}) == []


def test_files_that_others_may_read(sick, good):
    configured = {**good.configured, "CSAPP_SECRET_KEY": None}
    Settings.load({}, good.instance).signing_keys()
    own = good.instance / SECRET_FILE
    assert sick(configured=configured, environment={}) == []
    own.chmod(0o640)
    said = says(sick(configured=configured, environment={}), Level.FAULT, "(mode 0640)")
    assert f"chmod 600 {own}" in said.remedy
    assert sick() == [], "a secret of one's own counts, not what is in the file"
    own.unlink()
    good.instance.chmod(0o777)
    says(sick(), Level.FAULT, f"others may write to {good.instance} (mode 0777)")
    good.instance.chmod(0o700)
    (good.instance / "csapp.db").touch(mode=0o600)
    assert sick() == []
    os.chmod(good.instance / "csapp.db", 0o644)
    says(sick(), Level.WARNING, "conversations")


def test_any_origin(sick):
    says(sick(allowed_origins=("*",)), Level.WARNING, "CSAPP_ALLOWED_ORIGINS")
    assert sick(allowed_origins=("https://shop.example",)) == []


@pytest.mark.parametrize(
    "binds",
    [["unix:/run/x.sock"], ["127.0.0.1:8000"], ["[::1]:8000"], ["localhost:80", "127.0.0.2:1"]],
)
def test_a_proxy_that_is_not_believed(sick, binds):
    serving = replace(SERVING, binds=binds)
    assert sick(serving=serving) == []
    said = says(sick(serving=serving, trusted_proxies=0), Level.HINT, "its 100 connections")
    assert "CSAPP_TRUSTED_PROXIES=1" in said.remedy
    says(
        sick(serving=serving, trusted_proxies=0, connections_per_ip=0), Level.HINT, "look like one"
    )


def test_what_a_proxy_that_is_not_believed_costs(sick):
    tcp, unix = (replace(SERVING, binds=[bind]) for bind in ("127.0.0.1:8000", "unix:/run/x.sock"))
    says(sick(serving=tcp, trusted_proxies=0), Level.HINT, "100 connections and 50 places")
    says(sick(serving=unix, trusted_proxies=0), Level.HINT, "without an address, and no bound")


def test_bounds_by_address_that_are_lifted(sick):
    said = says(sick(connections_per_ip=0), Level.HINT, "lifts all bounds by address")
    assert "CSAPP_CONNECTIONS_PER_IP=100" in said.remedy


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "[::]:8000", ":8000", "10.0.0.1:80", "box:80"])
def test_a_proxy_that_others_get_past(sick, bind):
    serving = replace(SERVING, binds=["127.0.0.1:8000", bind])
    says(sick(serving=serving), Level.HINT, bind)
    assert sick(serving=serving, trusted_proxies=0) == []


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("CSAPP_GRACE", "5", "goes by another value"),
        ("CSAPP_GRACE", "soon", "goes by another value"),
        ("CSAPP_REDIS_URL", "redis://127.0.0.1", "goes by another value"),
        ("CSAPP_PRESENCE", "1", "no such setting"),
    ],
)
def test_keys_in_the_environment_that_the_application_does_not_read(sick, key, value, words):
    said = says(sick(environment={key: value}), Level.WARNING, words)
    assert key in said.what


def test_values_are_the_same_however_they_are_written(sick):
    same = {"CSAPP_GRACE": "20.0", "CSAPP_ALLOWED_ORIGINS": "", "CSAPP_TRUSTED_PROXIES": "1"}
    assert sick(environment=same) == []


def test_accounts_with_passwords_that_everybody_knows(sick):
    said = says(sick(readable=("demo-ada",)), Level.WARNING, "the account demo-ada")
    assert "chat waiter password demo-ada" in said.remedy


def test_a_secret_that_can_be_kept_nowhere(sick, good):
    there_is_none = {"configured": {"CSAPP_TRUSTED_PROXIES": 1}, "environment": {}}
    assert sick(**there_is_none) == []
    assert not good.instance.exists(), "looking makes nothing"
    good.instance.write_text("no folder")
    says(sick(**there_is_none), Level.FAULT, "no secret can be kept")


def test_logins_that_outlive_a_sign_out(sick):
    said = says(sick(recheck=0), Level.HINT, "CSAPP_RECHECK is 0")
    assert "chat.revoke" in said.what
    said = says(sick(token_lifetime=60 * 86_400), Level.HINT, "good for 60 days")
    assert "CSAPP_TOKEN_LIFETIME" in said.remedy
    assert sick(token_lifetime=30 * 86_400) == []


def git(folder: Path, *args: str) -> None:
    names = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *args], cwd=folder, check=True, capture_output=True)


def test_what_git_would_take(sick, good, tmp_path):
    secret, database = good.instance / SECRET_FILE, good.instance / "csapp.db"
    good.instance.mkdir(mode=0o700)
    assert shown_to_git([secret, database]) == {}
    for file in (secret, database):
        file.touch(mode=0o600)
    assert shown_to_git([secret, database]) == {}, "there is no repository"
    git(tmp_path, "init")
    found = sick(shown_to_git=shown_to_git([secret, database]))
    assert [(one.level, one.what.split(":")[0]) for one in found] == [
        (Level.WARNING, f"git does not ignore {secret}"),
        (Level.WARNING, f"git does not ignore {database}"),
    ]
    git(tmp_path, "add", ".")
    found = sick(shown_to_git=shown_to_git([secret, database]))
    assert [(one.level, one.what.split(":")[0]) for one in found] == [
        (Level.FAULT, f"{secret} is in git's repository"),
        (Level.FAULT, f"{database} is in git's repository"),
    ]
    git(tmp_path, "rm", "--cached", "-r", ".")
    ignore_in_git(good.instance)
    assert shown_to_git([secret, database]) == {}


def test_a_machine_without_git(good, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert shown_to_git([good.instance / SECRET_FILE]) == {}


def test_few_connections_for_those_who_share_an_address(sick):
    said = says(sick(connections_per_ip=10), Level.HINT, "share 10 connections and 10 places")
    assert said.remedy == "CSAPP_CONNECTIONS_PER_IP=100"
    assert sick(connections_per_ip=20) == []


@pytest.mark.parametrize(
    ("recheck", "words"),
    [(7200, "up to 7200 s"), (999_999, "up to 43200 s"), (5, "CSAPP_RECHECK is 5")],
)
def test_the_host_is_asked_too_seldom_or_too_often(sick, recheck, words):
    says(sick(recheck=recheck), Level.HINT, words)
    assert sick(recheck=recheck, token_lifetime=300) == [] or recheck == 5
