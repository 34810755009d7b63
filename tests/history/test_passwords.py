"""Passwords that are tried first are nobody's."""

from __future__ import annotations

import pytest

from services.history.passwords import MAX_PASSWORD, MIN_PASSWORD, unfit

NAMES = ("ada", "Ada Lovelace")


@pytest.mark.parametrize(
    "password",
    ["password", "12345678", "Password", "PASSWORD1", "qwertyuiop", "iloveyou", "football",
     "trustno1", "passw0rd", "p@ssw0rd", "1q2w3e4r", "letmein123", "admin1234", " password ",
     "ｐａｓｓｗｏｒｄ"],
)  # fmt: skip
def test_common_ones_are_refused(password):
    assert "most common" in unfit(password, NAMES)


@pytest.mark.parametrize(
    "password", ["aaaaaaaa", "abababab", "        ", "34567890"[::-1], "lmnopqrst", "тттттттт"]
)
def test_one_character_after_the_other_is_refused(password):
    assert unfit(password, NAMES)


@pytest.mark.parametrize(
    ("password", "names"),
    [("margarete", ("margarete", "M")), ("MARGARETE", ("margarete", "M")),
     ("ada lovelace", NAMES), ("AdaLovelace", NAMES), ("adalovelace-1815", NAMES),
     ("ada12345", NAMES), ("2024!!ada", NAMES), ("81524-71", ("81524-71", "x")),
     ("ａｄａ１２３４５", NAMES)],
)  # fmt: skip
def test_the_name_is_refused_whatever_digits_are_added(password, names):
    assert "the name" in unfit(password, names)


@pytest.mark.parametrize("password", ["", "short", "x" * 7, "xy" * (MAX_PASSWORD // 2) + "z"])
def test_its_length(password):
    assert f"{MIN_PASSWORD} to {MAX_PASSWORD} characters" in unfit(password, NAMES)


def test_what_everybody_can_read_is_refused():
    assert "source" in unfit("Ada-at-the-desk", ("bob",), {"ada-at-the-desk"})


@pytest.mark.parametrize(
    "password",
    ["correct horse", "Adabei und doch nicht", "81524-70", "密码是很长的一句话", "x" * 5 + "yzw",
     "jE7$kq2!", "ada and bob and eve"],
)  # fmt: skip
def test_everything_else_is_fit_and_nothing_is_asked_of_its_composition(password):
    assert unfit(password, NAMES) == ""
