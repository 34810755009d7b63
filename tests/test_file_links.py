"""Signed links to files: for one file, for a while, and the same ones for an hour."""

from __future__ import annotations

from services.file_links import LIVES, LIVES_IN_TEXT, ROUND, FileLinks

OLD, NEW = "an-old-key-of-the-site", "a-new-key-of-the-site"
NOON = 1_800_000_000.0


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


def test_a_key_opens_its_file_until_its_end():
    clock = Clock()
    links = FileLinks([OLD], clock)
    key, ends = links.key("f-1")
    assert LIVES <= ends - NOON < LIVES + ROUND
    clock.now = ends - 1
    assert links.opens("f-1", key) == ends
    clock.now = ends
    assert links.opens("f-1", key) == 0


def test_the_same_link_is_given_out_for_a_while():
    clock = Clock()
    links = FileLinks([OLD], clock)
    clock.now = NOON // ROUND * ROUND + 1
    first = links.key("f-1")
    clock.now += ROUND - 2
    assert links.key("f-1") == first
    clock.now += 2
    assert links.key("f-1") != first


def test_a_key_of_before_is_good_until_it_is_withdrawn():
    key, _ = FileLinks([OLD], Clock()).key("f-1")
    assert FileLinks([OLD, NEW], Clock()).opens("f-1", key)
    assert not FileLinks([NEW], Clock()).opens("f-1", key)


def test_what_was_changed_opens_nothing():
    links = FileLinks([OLD], Clock())
    key, ends = links.key("f-1")
    signature = key.partition(".")[2]
    for file, bad in [
        ("f-2", key), ("f-1", ""), ("f-1", "."), ("f-1", f"{ends + ROUND}.{signature}"),
        ("f-1", key[:-1]), ("f-1", f"{key}x"), ("f-1", "é"), ("f-1", "\ud800"), ("", key),
        ("f-1.1", key), ("f-1", f"{ends}.{ends}.{signature}"),
        (f"f-1.{ends}", signature), (f"f-1.{key}", ""),
    ]:  # fmt: skip
        assert links.opens(file, bad) == 0, (file, bad)


def test_a_link_in_a_text_is_absolute_and_good_for_a_day():
    links = FileLinks([OLD], Clock())
    address, _, key = links.at("https://shop.example/support")("f-1").partition("?key=")
    assert address == "https://shop.example/support/v1/files/f-1"
    assert links.opens("f-1", key) >= NOON + LIVES_IN_TEXT
    assert links.at("https://a") is links.at("https://a"), "one for all participants of a site"
