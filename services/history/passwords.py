"""Which passwords an account may have.

Sources: NIST SP 800-63B, *Memorized Secret Verifiers* (at least eight
characters, no rules of composition, none of a list of common ones), and OWASP's
Authentication Cheat Sheet. The list is Django's, in `vendor/`.
"""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

MIN_PASSWORD = 8  # characters
MAX_PASSWORD = 1024  # characters: longer ones only make us work

#: different characters: `abababab` has two
FEWEST = 3

#: one a line, in small letters
COMMON = Path(__file__).with_name("vendor") / "common-passwords.txt.gz"


def composed(password: str) -> str:
    """*password* as it is hashed: keyboards differ in how they write one letter."""
    return unicodedata.normalize("NFKC", password)


def unfit(password: str, names: Collection[str], public: Collection[str] = ()) -> str:
    """Why an account cannot have this password, in a sentence; `""` where it can.

    *names* are those of the account: whoever guesses begins with them. *public*
    are passwords that everybody can read somewhere. Reads a file.
    """
    password = composed(password)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        return f"{MIN_PASSWORD} to {MAX_PASSWORD} characters"
    if any("\ud800" <= letter <= "\udfff" for letter in password):  # bytes of a terminal
        return "it is not in UTF-8"
    small = password.casefold().strip()
    if any(_same_letters(small, composed(name).casefold()) for name in names):
        return "it is the name; choose something that nobody knows of you"
    if small in (one.casefold() for one in public):
        return "everybody can read it in the source; choose another"
    if small in _common():
        return "it is one of the most common ones, which are tried first; choose another"
    if len(set(small)) < FEWEST or _in_turn(small):
        return "it is one character after the other; choose something that nobody guesses"
    return ""


def _same_letters(password: str, name: str) -> bool:
    """Whether nothing but digits and signs is added to *name*: `ada-1815` for `ada`."""
    return password == name or _letters(password) == (_letters(name) or None)


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def _in_turn(text: str) -> bool:
    """Whether it goes up or down one by one: `12345678`, `hgfedcba`."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1})


def _common() -> Iterator[str]:
    """Read anew each time: passwords are set seldom, and the list would lie in memory for good."""
    with gzip.open(COMMON, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n")
