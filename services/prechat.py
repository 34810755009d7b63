"""What a site asks a visitor before a chat: the fields of a form, and what is filled in.

`CSAPP_FIELDS` declares the fields; `/v1/welcome` shows them to clients; `connect` carries the
values. They are one JSON object, name → value, in the order of the declaration: as waiters see
them, and as they are stored.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .errors import CSAppError, SettingsError
from .keys import DEPARTMENT, LANGUAGE

MAX_FIELDS = 10
MAX_OPTIONS = 50  # of one `select`
MAX_LABEL = 200  # characters: a sentence to agree to
MAX_VALUE = 4000  # characters that a declaration may allow
_NAME = re.compile(r"[a-z0-9_]{1,40}")
#: a person knows best what its address is; the form in the widget has the same
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


class FieldType(StrEnum):
    """What is filled in, and how a page asks for it."""

    TEXT = "text"
    EMAIL = "email"
    TEL = "tel"
    TEXTAREA = "textarea"
    SELECT = "select"
    CHECKBOX = "checkbox"


#: characters of a value where the declaration says nothing
USUAL_MAX = {
    FieldType.TEXT: 200, FieldType.EMAIL: 254, FieldType.TEL: 40, FieldType.TEXTAREA: 2000
}  # fmt: skip

#: what may be declared by its name alone. Clients name them in their own words.
USUAL = {"name": FieldType.TEXT, "email": FieldType.EMAIL, "question": FieldType.TEXTAREA}

#: the field that is no field of the form: clients send it as the first message
QUESTION = "question"

#: what the desk holds in place of what is too long for it
NOT_HELD = "{}"

#: texts by language tag; under "" the one for all languages
Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as `CSAPP_FIELDS` declares it."""

    name: str
    type: FieldType
    #: empty: one of `USUAL`, which clients name in their own words
    label: Texts = field(default_factory=dict)
    required: bool = False
    #: of a `select`: value → label
    options: Mapping[str, Texts] = field(default_factory=dict)
    #: characters of the value
    max: int = 0
    #: where it is asked; None: everywhere
    departments: frozenset[str] | None = None

    def is_asked_in(self, department: str) -> bool:
        """Whether visitors are asked for it who go to *department*."""
        return self.departments is None or department in self.departments


class UnfitField(CSAppError):
    """What a visitor has filled in is not what was asked; *path* is the place in the payload."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")


# ---- the declaration -------------------------------------------------------


def declared(key: str, value: Any) -> tuple[Field, ...]:
    """The fields that *value* declares: a list, or its JSON. Raises `SettingsError`."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else []
        except ValueError:
            raise SettingsError(key, value, "a list of fields as JSON") from None
    if not isinstance(value, list | tuple) or len(value) > MAX_FIELDS:
        raise SettingsError(key, value, f"a list of at most {MAX_FIELDS} fields")
    found = tuple(_Declaration(key, one).read() for one in value)
    names = [one.name for one in found]
    for one in found:
        if names.count(one.name) > 1:
            raise SettingsError(key, one.name, "each field has a name of its own")
    return found


class _Declaration:
    """One entry of `CSAPP_FIELDS`, which may hold anything."""

    KEYS = frozenset({"name", "type", "label", "required", "options", "max", "departments"})

    def __init__(self, key: str, entry: Any) -> None:
        self._key = key
        self._whole = entry
        # a name alone is asked for because it is needed
        self._entry = {"name": entry, "required": True} if isinstance(entry, str) else entry

    def _wrong(self, value: Any, allowed: str) -> SettingsError:
        return SettingsError(self._key, value, allowed)

    def read(self) -> Field:
        entry, whole = self._entry, self._whole
        if not isinstance(entry, Mapping) or (isinstance(whole, str) and whole not in USUAL):
            raise self._wrong(whole, f"a field is one of {', '.join(USUAL)}, or an object")
        if unknown := entry.keys() - self.KEYS:
            known = ", ".join(sorted(self.KEYS))
            raise self._wrong(whole, f"{sorted(map(str, unknown))[0]} is none of {known}")
        name = entry.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._wrong(whole, "name: 1 to 40 small letters, digits and _")
        kind = self._type(name)
        return Field(
            name, kind, self._label(name), self._required(), self._options(kind), self._max(kind),
            self._departments(),
        )  # fmt: skip

    def _type(self, name: str) -> FieldType:
        said: Any = self._entry.get("type", USUAL.get(name, FieldType.TEXT))
        try:
            kind = FieldType(said)
        except ValueError:
            raise self._wrong(self._whole, f"type: one of {', '.join(FieldType)}") from None
        if name == QUESTION and kind not in (FieldType.TEXT, FieldType.TEXTAREA):
            raise self._wrong(self._whole, f"type: {QUESTION} is the first message, so a text")
        return kind

    def _label(self, name: str) -> Texts:
        said = self._entry.get("label")
        if said is None and name in USUAL:
            return {}
        return self._texts("label", said)

    def _texts(self, what: str, said: Any) -> Texts:
        allowed = f"{what}: a text of at most {MAX_LABEL} characters, or texts by language"
        texts = {"": said} if isinstance(said, str) else said
        if not isinstance(texts, Mapping) or not texts:
            raise self._wrong(self._whole, allowed)
        for language, text in texts.items():
            is_language = language == "" or _is(LANGUAGE, language)
            if not is_language or not isinstance(text, str) or not _is_line(text):
                raise self._wrong(self._whole, allowed)
        return {language.lower(): text.strip() for language, text in texts.items()}

    def _required(self) -> bool:
        said = self._entry.get("required", False)
        if not isinstance(said, bool):
            raise self._wrong(self._whole, "required: true or false")
        return said

    def _options(self, kind: FieldType) -> Mapping[str, Texts]:
        said = self._entry.get("options")
        if kind is not FieldType.SELECT:
            if said is not None:
                raise self._wrong(self._whole, "options: only of the type select")
            return {}
        allowed = f"options: a list of 1 to {MAX_OPTIONS} texts, or of objects with value, label"
        if not isinstance(said, list | tuple) or not 0 < len(said) <= MAX_OPTIONS:
            raise self._wrong(self._whole, allowed)
        found: dict[str, Texts] = {}
        for one in said:
            option = {"value": one, "label": one} if isinstance(one, str) else one
            if not isinstance(option, Mapping) or option.keys() != {"value", "label"}:
                raise self._wrong(self._whole, allowed)
            value = option["value"]
            if not isinstance(value, str) or not _is_line(value) or value in found:
                raise self._wrong(self._whole, allowed)
            found[value] = self._texts("options", option["label"])
        return found

    def _max(self, kind: FieldType) -> int:
        usual = USUAL_MAX.get(kind, 0)
        said = self._entry.get("max", usual)
        if said == usual:
            return usual
        if not usual or type(said) is not int or not 1 <= said <= MAX_VALUE:
            allowed = f"max: a number of characters from 1 to {MAX_VALUE}, of what is written"
            raise self._wrong(self._whole, allowed)
        return said

    def _departments(self) -> frozenset[str] | None:
        said = self._entry.get("departments")
        if said is None:
            return None
        if not isinstance(said, list | tuple) or not all(_is(DEPARTMENT, one) for one in said):
            raise self._wrong(self._whole, "departments: a list of keys of departments")
        return frozenset(said)


def _is(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _is_line(text: str) -> bool:
    """One line of words: no control characters, no halves of characters."""
    return len(text.strip()) > 0 and len(text) <= MAX_LABEL and not _has_control(text)


def _has_control(text: str, but: str = "") -> bool:
    return any(unicodedata.category(one) in ("Cc", "Cs") and one not in but for one in text)


# ---- what clients are shown ------------------------------------------------


def in_language(texts: Texts, locale: str) -> str:
    """The text in the language of *locale*: of the tag, or what it begins with, else English."""
    tag = locale.lower().replace("_", "-")
    while tag and tag not in texts:
        tag = tag.rpartition("-")[0]
    return texts.get(tag) or texts.get("en") or next(iter(texts.values()), "")


def described(fields: Iterable[Field], locale: str) -> list[dict[str, Any]]:
    """What a client has to know of *fields* to ask for them, in the language of *locale*."""
    return [_described(one, locale) for one in fields]


def _described(one: Field, locale: str) -> dict[str, Any]:
    options = [
        {"value": value, "label": in_language(label, locale)}
        for value, label in one.options.items()
    ]
    found: dict[str, Any] = {
        "name": one.name, "type": one.type, "label": in_language(one.label, locale),
        "required": one.required, "max": one.max, "options": options,
    }  # fmt: skip
    if one.departments is not None:
        found["departments"] = sorted(one.departments)
    return {key: value for key, value in found.items() if value or key == "required"}


# ---- what is filled in -----------------------------------------------------


def checked(fields: Sequence[Field], given: Mapping[str, Any], department: str) -> str:
    """What was *given*, as it is stored; "" for nothing. Raises `UnfitField`.

    Of a field that is not asked for in *department* nothing is stored. `question` is not
    required here: it comes as the first message.
    """
    known = {one.name for one in fields}
    for name in given:
        if name not in known:
            shown = f".{name}" if _is(_NAME, name) else ""
            raise UnfitField(f"payload.fields{shown}", "there is no such field")
    filled: dict[str, str | bool] = {}
    for one in fields:
        value = _checked(one, given.get(one.name, ""), f"payload.fields.{one.name}")
        if value and one.is_asked_in(department):
            filled[one.name] = value
        elif one.required and one.is_asked_in(department) and one.name != QUESTION:
            raise UnfitField(f"payload.fields.{one.name}", "is required")
    return json.dumps(filled, ensure_ascii=False) if filled else ""


def checked_contact(name: str, email: str) -> tuple[str, str]:
    """How a visitor who leaves a message can be reached. Raises `UnfitField`."""
    given = {"name": name, "email": email}
    found = [_checked(one, given[one.name], f"payload.contact.{one.name}") for one in _CONTACT]
    return str(found[0]), str(found[1])


_CONTACT = (
    Field("name", FieldType.TEXT, max=USUAL_MAX[FieldType.TEXT]),
    Field("email", FieldType.EMAIL, max=USUAL_MAX[FieldType.EMAIL]),
)


def _checked(one: Field, value: Any, path: str) -> str | bool:
    """*value* of the field at *path*; empty or false: nothing is filled in. Raises `UnfitField`."""
    if one.type is FieldType.CHECKBOX:
        if value != "" and not isinstance(value, bool):
            raise UnfitField(path, "true or false")
        return bool(value)
    if not isinstance(value, str):
        raise UnfitField(path, "a text")
    text = value.strip()
    lines = "\n\r\t" if one.type is FieldType.TEXTAREA else ""
    if _has_control(text, lines):
        raise UnfitField(path, "characters that cannot be shown are not allowed")
    if one.max and len(text) > one.max:
        raise UnfitField(path, f"at most {one.max} characters")
    if text and one.type is FieldType.EMAIL and not _ADDRESS.fullmatch(text):
        raise UnfitField(path, "an e-mail address such as name@shop.example")
    if text and one.type is FieldType.SELECT and text not in one.options:
        raise UnfitField(path, "none of the options")
    return text


def filled_in(stored: str) -> dict[str, str | bool]:
    """The values of a conversation, name → value, as they are stored."""
    try:
        found = json.loads(stored) if stored else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def name_in(stored: str) -> str:
    """The name that the visitor has filled in; "": none."""
    name = filled_in(stored).get("name", "")
    return name if isinstance(name, str) else ""
