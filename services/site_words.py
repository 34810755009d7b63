"""What the site says to visitors by itself, as a worker knows it.

`queue_words.py` sends users in the queue theirs. What stands in conversations is written by
`Delivery.write_event`, behind the event of the first match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .history.tags import canonical_tag
from .history.words import Occasion, WordsRow


class Words(NamedTuple):
    """What the site says."""

    what: str
    text: str


class SiteWords:
    """All texts, in the order in which they were first set."""

    def __init__(self, rows: Iterable[WordsRow] = ()) -> None:
        self._texts: dict[tuple[str, str], dict[str, WordsRow]] = {}
        for row in rows:
            self._texts.setdefault((row.what, row.department), {})[row.language] = row

    def __bool__(self) -> bool:
        return bool(self._texts)

    def find(self, what: Occasion, department: str, language: str) -> WordsRow | None:
        """What is said in *department* to a visitor of this *language*; None: nothing.

        The language counts more than the department: a visitor is rather spoken to by the whole
        site than in a language that it may not read.
        """
        nearest: Sequence[Mapping[str, WordsRow]] = [
            self._texts.get((what, key), {}) for key in dict.fromkeys((department, ""))
        ]
        tag = canonical_tag(language)
        while tag:
            for texts in nearest:
                if tag in texts:
                    return texts[tag]
            tag = tag.rpartition("-")[0]
        return next((row for texts in nearest for row in texts.values()), None)

    def at_match(
        self, department: str, language: str, waiter: str, named: Callable[[str, str], str]
    ) -> list[Words]:
        """What is said when the first waiter, with this name, has come.

        *named* is the name of a department in a language.
        """
        found = (
            self.find(what, department, language) for what in (Occasion.GREETING, Occasion.FIRST)
        )
        return [
            Words(row.what, filled(row.text, named(department, row.language), waiter))
            for row in found
            if row is not None
        ]


def filled(text: str, department: str, name: str = "") -> str:
    """*text* with the name of the department, and that of the waiter where one has come."""
    return text.replace("{department}", department).replace("{name}", name)
