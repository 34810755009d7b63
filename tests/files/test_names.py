"""What files are called: as their authors say, without harm."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.files.names import MAX_NAME, NAMELESS, cleaned, suited


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Фото из Москвы 照片.jpg", "Фото из Москвы 照片.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ann\\photo.jpg", "photo.jpg"),
        ("a\0b.txt", "ab.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\u2066a\u2069\u200b.txt", "a.txt"),
        ("..", NAMELESS),
        ("", NAMELESS),
        ("   ", NAMELESS),
        (".htaccess", "htaccess"),
        ("a\ud800b.txt", "ab.txt"),
        ('a"b;c<d>.txt', "a_b;c_d_.txt"),
        ("a   b.txt", "a b.txt"),
        ("trailing. . .", "trailing"),
    ],
)
def test_a_name_is_cleaned(name, expected):
    assert cleaned(name) == expected


@pytest.mark.parametrize(
    ("name", "mime", "expected"),
    [
        ("photo.jpg", "image/jpeg", "photo.jpg"),
        ("photo.JPEG", "image/jpeg", "photo.JPEG"),
        ("photo.jpg.exe", "image/png", "photo.jpg.png"),
        ("photo.jpg", "image/png", "photo.png"),
        ("photo", "image/png", "photo.png"),
        ("page.html", "text/plain", "page.html.txt"),
        ("run.sh", "text/plain", "run.sh.txt"),
        ("numbers.csv", "text/plain", "numbers.csv"),
        ("README", "text/plain", "README"),
        ("invoice.exe", "application/pdf", "invoice.pdf"),
        ("3.5 percent", "application/pdf", "3.5 percent.pdf"),
        ("sound.xyz", "audio/x-unknown", "sound.xyz"),
        ("sound.exe", "audio/x-unknown", "sound.exe.bin"),
    ],
)
def test_its_ending_suits_the_type(name, mime, expected):
    assert suited(name, mime) == expected


@pytest.mark.parametrize("name", ["fake.png", "fake.JPEG", "fake.pdf"])
def test_a_text_is_not_called_what_only_another_type_is_called(name):
    assert suited(name, "text/plain") == f"{name}.txt"
    assert suited("notes.md", "text/plain") == "notes.md"


@given(some.text(max_size=400), some.sampled_from(["image/png", "text/plain", "application/pdf"]))
def test_whatever_it_was_called(name, mime):
    found = suited(cleaned(name), mime)
    assert 1 <= len(found) <= MAX_NAME
    assert not set(found) & set('/\\\0\r\n"<>')
    assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs") for one in found)
    assert cleaned(found) == found
    assert found not in (".", "..")
    if mime != "text/plain":
        assert found.endswith((".png", ".pdf"))


def test_a_long_name_keeps_its_ending():
    assert cleaned("a" * 300 + ".txt") == "a" * (MAX_NAME - 4) + ".txt"
    assert suited("a" * MAX_NAME, "image/png").endswith("a.png")
