"""Signed links to files: who has one may read that file for a while, without a token.

A link is good for one file until a time that it names. That time is rounded up, so that the
same link is given out for an hour, and browsers find the file in their caches.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from itsdangerous import BadSignature, Signer

#: s: links that are given out in the same time are the same
ROUND = 3600
#: s that a link is good for at least: a page asks for new ones
LIVES = 3600
#: s: of one in a text, which stays in the receiver's client
LIVES_IN_TEXT = 86_400

#: addresses of this server that are remembered
SITES = 64

_TIME = re.compile(r"[0-9]{1,15}")


class FileLinks:
    """Signs and reads links with *keys* (oldest first). *now* is the wall clock in seconds."""

    def __init__(self, keys: Sequence[str] = (), now: Callable[[], float] = time.time) -> None:
        self._signer = Signer(
            list(keys) or [secrets.token_urlsafe()], salt="csapp.file", sep=".",
            key_derivation="hmac", digest_method=hashlib.sha256,
        )  # fmt: skip
        self.now = now
        self.at = lru_cache(SITES)(self._at)

    def key(self, file: str, lives: int = LIVES) -> tuple[str, int]:
        """What opens *file* for *lives* s or up to an hour longer, and its end (s since 1970)."""
        ends = (int(self.now()) + lives + ROUND - 1) // ROUND * ROUND
        signature = self._signer.get_signature(f"{file}.{ends}").decode()
        return f"{ends}.{signature}", ends

    def opens(self, file: str, key: str) -> int:
        """Until when *key* opens *file* (s since 1970); 0: it does not."""
        ends = key.partition(".")[0]
        if not _TIME.fullmatch(ends):  # else what is signed might begin in *file*
            return 0
        try:
            self._signer.unsign(f"{file}.{key}".encode())
        except (BadSignature, UnicodeEncodeError):
            return 0
        return int(ends) if int(ends) > self.now() else 0

    def path(self, file: str, lives: int = LIVES) -> str:
        """The address of *file* below that of this server, with a key."""
        return f"/v1/files/{file}?key={self.key(file, lives)[0]}"

    def _at(self, site: str) -> Callable[[str], str]:
        """What returns links for texts to those who reach this server at *site*."""
        return partial(self._absolute, site)

    def _absolute(self, site: str, file: str) -> str:
        return f"{site}{self.path(file, LIVES_IN_TEXT)}"
