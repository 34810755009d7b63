"""Language tags, as they are stored."""

from __future__ import annotations

from functools import lru_cache

from ..keys import LANGUAGE

MAX_TAG = 35  # characters of a language tag, as many as `initialize` takes

#: lengths of parts of a tag: scripts (`Hant`) and countries (`TW`)
_SCRIPT, _COUNTRY = 4, 2


def canonical_tag(tag: str) -> str:
    """*tag* as RFC 5646 writes it, such as `de-AT` and `zh-Hant`; empty where it is none.

    What separates its parts may also be `_`, as in the locales of Babel.
    """
    return "" if len(tag) > MAX_TAG else _canonical(tag)


@lru_cache(maxsize=256)  # those who speak the same language share its tag
def _canonical(tag: str) -> str:
    tag = tag.replace("_", "-")
    if not LANGUAGE.fullmatch(tag):
        return ""
    language, *others = tag.lower().split("-")
    form = {_SCRIPT: str.title, _COUNTRY: str.upper}
    return "-".join([language, *(form.get(len(one), str.lower)(one) for one in others)])
