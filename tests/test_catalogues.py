"""The texts of widget and console: in all languages the same, and each of them is used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.desk.explaining import Obstacle
from testkit.server import ROOT

BLUEPRINTS = ROOT / "blueprints"
FACES = {face: BLUEPRINTS / face / "static" for face in ("widget", "console")}

#: the plural categories that whole numbers of each language have, besides `other`, with the
#: numbers below a hundred that each of them is for (CLDR, *Plural Rules*; `tests/kit` asks `Intl`)
FORMS: dict[str, dict[str, set[int]]] = {
    "ar": {
        "zero": {0},
        "one": {1},
        "two": {2},
        "few": set(range(3, 11)),
        "many": set(range(11, 100)),
    },
    "de": {"one": {1}},
    "en": {"one": {1}},
    "es": {"one": {1}},
    "fr": {"one": {0, 1}},
    "ja": {},
    "ko": {},
    "pt": {"one": {0, 1}},
    "ru": {
        "one": {n for n in range(100) if n % 10 == 1 and n != 11},
        "few": {n for n in range(100) if n % 10 in (2, 3, 4) and n // 10 != 1},
        "many": {n for n in range(100) if n % 10 in (0, *range(5, 10)) or n // 10 == 1},
    },
    "zh": {},
}

#: texts that are asked for by the beginning of their key, and what may follow
BUILT = {
    "connection": ["connecting", "online", "waiting", "ended", "stopped"],
    "over": ["left", "ended", "lost", "transferred", "unanswered", "idle"],
    "transfer": ["full", "no_such_user", "unavailable"],
    "take": ["no_such_user", "full", "forbidden"],
    "inbox": ["open", "claimed", "answered", "put_away"],
    "left": ["open", "done"],
    "why": [*Obstacle],
    "lost": ["1012", "1013", "4408", "4413"],
    "ended": ["4409", "4410", "4429"],
    "alert": ["queued", "chat", "message", "left", "sound", "notify"],
    "notify": ["granted", "default", "denied", "missing"],
    "problem": None,
}

Text = str | dict[str, str]


def part(face: str, path: str) -> dict[str, Text]:
    return dict(json.loads((FACES[face] / "locales" / path).read_text()))


def catalogue(face: str, language: str) -> dict[str, Text]:
    """All texts of *face*, also those that the widget loads later."""
    later = part(face, f"later/{language}.json") if face == "widget" else {}
    return part(face, f"{language}.json") | later


def languages(face: str) -> list[str]:
    return sorted(path.stem for path in (FACES[face] / "locales").glob("*.json"))


def code(face: str) -> str:
    """All modules of *face*."""
    found = [path for path in FACES[face].rglob("*.js") if "vendor" not in path.parts]
    return "\n".join(path.read_text() for path in sorted(found))


ALL = [(face, language) for face in FACES for language in languages(face)]
EACH = pytest.mark.parametrize(("face", "language"), ALL)


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def forms(text: Text) -> dict[str, str]:
    return text if isinstance(text, dict) else {"": text}


def test_what_there_is():
    assert languages("widget") == ["ar", "de", "en", "es", "fr", "ja", "ko", "pt", "ru", "zh"]
    assert languages("console") == ["en", "zh"]


@pytest.mark.parametrize("language", languages("widget"))
def test_each_text_is_in_one_part(language: str):
    first, later = part("widget", f"{language}.json"), part("widget", f"later/{language}.json")
    assert not first.keys() & later.keys()


#: what shows the texts that are loaded later, with which it is loaded itself
LATE = (
    "log.js", "file-bubble.js", "rating.js", "foot.js", "queue.js", "deeds.js", "copy.js",
    "leave.js",
)  # fmt: skip


def test_the_first_click_says_nothing_that_comes_later():
    early = [path for path in FACES["widget"].glob("*.js") if path.name not in LATE]
    shown = "\n".join(path.read_text() for path in early)
    for key in part("widget", "later/en.json"):
        assert not re.search(rf'\bt\([^()]*"{key}"', shown), f"{key} is not there yet"


@pytest.mark.parametrize("face", FACES)
def test_a_face_knows_its_languages(face: str):
    known = re.search(r"LANGUAGES = (\[.*?\]);", code(face))
    assert known
    assert json.loads(known[1]) == languages(face)


@EACH
def test_every_catalogue_has_the_same_keys(face: str, language: str):
    assert list(catalogue(face, language)) == list(catalogue(face, "en"))


@EACH
def test_every_text_says_something(face: str, language: str):
    english = catalogue(face, "en")
    for key, text in catalogue(face, language).items():
        for form, said in forms(text).items():
            assert isinstance(said, str), key
            assert said == said.strip(), (key, form)
            assert bool(said) == bool(english[key]), (key, form)


@EACH
def test_every_text_has_the_same_gaps(face: str, language: str):
    english = catalogue(face, "en")
    for key, text in catalogue(face, language).items():
        wanted = gaps(forms(english[key]).get("other", str(english[key])))
        for form, said in forms(text).items():
            numbers = FORMS[language].get(form, set()) - {0}
            names_it = form.isdecimal() or len(numbers) == 1 or form == "zero"
            assert gaps(said) in ((wanted, wanted - {"n"}) if names_it else (wanted,)), (key, form)


@EACH
def test_every_plural_has_all_forms_of_its_language(face: str, language: str):
    english = catalogue(face, "en")
    for key, text in catalogue(face, language).items():
        assert isinstance(text, dict) == isinstance(english[key], dict), key
        if isinstance(text, dict):
            there = {form for form in text if not form.isdecimal()}
            assert there == {*FORMS[language], "other"}, key


@EACH
def test_from_right_to_left_is_told(face: str, language: str):
    assert catalogue(face, language)["direction"] == ("rtl" if language == "ar" else "ltr")


@pytest.mark.parametrize("language", languages("console"))
def test_both_sides_are_told_of_their_messages_in_the_same_words(language: str):
    widget, console = catalogue("widget", language), catalogue("console", language)
    for key in ("send", "sending", "sent", "read", "failed", "retry", "discard", "you"):
        assert widget[key] == console[key], key


# ---- against the code -------------------------------------------------------------


def built(key: str) -> bool:
    """Whether *key* is put together where it is used."""
    beginning, _, rest = key.partition("_")
    return beginning in BUILT and (BUILT[beginning] is None or rest in (BUILT[beginning] or ()))


@pytest.mark.parametrize("face", FACES)
def test_every_text_is_used(face: str):
    written = code(face) + (BLUEPRINTS / "kit" / "static" / "receipts.js").read_text()
    used = set(re.findall(r'"(\w+)"', written)) | set(re.findall(r"\b(\w+): ", written))
    for key in catalogue(face, "en").keys() - {"direction"}:
        assert key in used or built(key), f"{key} is never said"


@pytest.mark.parametrize("face", FACES)
def test_every_text_that_is_used_is_there(face: str):
    english = catalogue(face, "en")
    calls = re.findall(r"(?:\bt|#t|\brich)\(([^`]*?)[,)]", code(face))
    for call in calls:
        for key in re.findall(r'"(\w+)"', re.sub(r'===? "\w+"', "", call)):
            assert key in english, f"there is no text {key}"


@pytest.mark.parametrize("beginning", BUILT)
def test_what_is_put_together_is_there(beginning: str):
    english = catalogue("console", "en")
    assert f"`{beginning}_${{" in code("console")
    for rest in BUILT[beginning] or ():
        assert f"{beginning}_{rest}" in english


def test_no_sentence_is_left_in_the_console():
    """Between tags, and in the attributes that people read or hear."""
    attributes = r'(?:aria-label|title|placeholder|label)="[^"$]*[A-Za-z]{2}[^"$]*"'
    shown = r">\s*(?:[A-Z][a-z]+[^<>${}`=]*)</"
    for path in (FACES["console"] / "components").glob("*.js"):
        text = path.read_text()
        found = re.findall(attributes, text) + re.findall(shown, text)
        assert [one for one in found if one != 'title="Esc"'] == [], path.name


# ---- against the server -----------------------------------------------------------


def said_by_the_server() -> dict[str, str]:
    """The server's words that the console knows → the key of the text."""
    table = (FACES["console"] / "problems.js").read_text()
    return dict(re.findall(r'^  "(.+)": "(\w+)",$', table, re.MULTILINE))


def sources() -> str:
    folders: list[Path] = [BLUEPRINTS, ROOT / "services"]
    return "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))


def test_what_the_server_says_is_said_by_it():
    everything = sources()
    known = said_by_the_server()
    assert len(known) > 10
    english = catalogue("console", "en")
    for words, key in known.items():
        assert words in everything, f"the server never says: {words}"
        assert key in english


def test_every_error_code_that_a_waiter_may_meet_has_a_text():
    english = catalogue("console", "en")
    codes = ["invalid_message", "unauthenticated", "invalid_token", "expired_token", "forbidden"]
    codes += ["rate_limited", "unavailable", "internal", "too_large", "no_such_user"]
    for one in codes:
        assert f"problem_{one}" in english
