"""Words without their inflected endings: who looks for "orders" finds "ordered", too.

Both databases find words by their beginnings. So a word that is looked for is cut where
its ending begins, by the rules of Snowball (https://snowballstem.org), and no index has to
know any language. Irregular forms ("went", "Häuser") are found as they are spelt.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import snowballstemmer

#: languages whose endings are known, by their English names
LANGUAGES = tuple(sorted(snowballstemmer.algorithms()))

#: characters of a beginning at least: "it" would find too much
SHORTEST = 3


def beginnings(word: str, languages: Iterable[str]) -> list[str]:
    """What forms of *word* begin with, one beginning at least; none begins with another.

    A word with anything but letters is only what it is.
    """
    found = {word}
    if word.isalpha():
        folded = word.lower()
        for language in languages:
            # A stemmer holds the word at which it is: each search has its own.
            found.update(_cut(folded, snowballstemmer.stemmer(language).stemWord(folded)))
    shortest_first = sorted(found, key=lambda one: (len(one), one))
    kept: list[str] = []
    for one in shortest_first:
        if not any(one.lower().startswith(other.lower()) for other in kept):
            kept.append(one)
    return kept


def _cut(word: str, stem: str) -> Iterable[str]:
    if stem.endswith("i") and stem != word:  # "cities" has the stem "citi", and so has "city"
        cut = [stem, f"{stem[:-1]}y"]
    else:
        same = takewhile(lambda two: two[0] == two[1], zip(word, stem, strict=False))
        cut = ["".join(one for one, _ in same)]
    return [one for one in cut if len(one) >= SHORTEST]
