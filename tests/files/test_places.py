"""What the settings say of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from services import file_places
from services.errors import SettingsError
from services.file_places import Bucket, Folder
from services.settings import Settings

from .conftest import settings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///var/lib/files", Folder(Path("/var/lib/files"))),
        ("file:/var/lib/files", Folder(Path("/var/lib/files"))),
        ("file:///a%20b%3F", Folder(Path("/a b?"))),
        ("s3://files", Bucket("files")),
        ("s3://my.files/chat/live/", Bucket("my.files", "chat/live/")),
        (
            "s3://KEY:s%2Fe%40t@files/x?endpoint=https://s3.example:9000/&region=eu",
            Bucket("files", "x/", "https://s3.example:9000", "eu", "KEY", "s/e@t"),
        ),
    ],
)
def test_a_place_is_read(url, expected):
    assert file_places.read(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "file:", "file://host/path", "file:///", "/var/files", "http://x/y", "s3://", "s3:///x",
        "s3://UPPER_CASE", "s3://a", "s3://KEY@files", "s3://:secret@files", "s3://files?other=1",
        "s3://files?endpoint=ftp://x", "s3://files?endpoint=https://u:p@x", "s3://files#x",
        "s3://files:80/x", "file:///a?b", 7, None.__class__,
    ],
)  # fmt: skip
def test_what_is_no_place_is_named(url):
    with pytest.raises(SettingsError) as refused:
        settings(files_url=url)
    assert refused.value.key == "CSAPP_FILES_URL"


def test_no_secret_is_shown():
    with pytest.raises(SettingsError) as refused:
        settings(files_url="s3://KEY:topsecret@files?wrong=1")
    assert "topsecret" not in str(refused.value)
    place = file_places.read("s3://KEY:topsecret@files/x?endpoint=http://a")
    assert "topsecret" not in repr(place)
    assert file_places.shown("s3://KEY:topsecret@files/x?endpoint=http://a") == (
        "s3://files/x/ at http://a"
    )
    assert file_places.shown("file:///a/b") == "/a/b"


def test_a_relative_folder_is_found_from_the_instance_folder(tmp_path: Path):
    instance = tmp_path / "what it is called?"
    for url, expected in (
        (None, instance / "files"),
        ("file:instance/sent", instance / "sent"),
        ("file:sent", tmp_path / "sent"),
        ("file:///srv/sent", Path("/srv/sent")),
    ):
        loaded = Settings.load({"CSAPP_FILES_URL": url}, instance)
        assert file_places.read(loaded.files_url) == Folder(expected)


@pytest.mark.parametrize(
    ("types", "mime", "is_allowed"),
    [
        ("image/*", "image/png", True),
        ("image/*", "image/svg+xml", False),
        ("audio/*", "audio/mpeg", True),
        ("audio/*", "video/mp4", False),
        ("Application/ZIP, text/plain", "application/zip", True),
        ("application/zip", "application/zipper", False),
    ],
)
def test_types_that_are_allowed(types, mime, is_allowed):
    assert file_places.is_allowed(mime, settings(file_types=types).file_types) == is_allowed


@pytest.mark.parametrize("types", ["", "png", "*/*", "image/svg+xml", "image/tiff", "a/b/c", 7])
def test_types_that_cannot_be_named(types):
    with pytest.raises(SettingsError):
        settings(file_types=types)
