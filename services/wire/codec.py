"""Bytes to typed frames and back.

Decoding is strict and takes two lanes. The fast one is one msgspec call
straight into a union that forbids unknown fields. Whatever it refuses is read
once more, generically: that finds unknown fields to ignore, the last of
repeated keys, numbers that overflow anywhere in the frame, and the name of the
field that is wrong together with the `id` to answer.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Any, get_args, get_type_hints

import msgspec

from . import frames
from .codes import ErrorCode, Refusal

#: unique for the life of this process, so that ids of two workers never meet
_PROCESS = secrets.token_hex(4)
_count = itertools.count(1).__next__

_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode

_AT = re.compile(r" - at `\$\.?(.*?)`$")
#: the only pattern in `frames/`
_PATTERN = re.compile(r"^Expected `str` matching regex .*")
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def new_id() -> str:
    """An `id` for a server frame, unique over workers and restarts."""
    return f"{_PROCESS}{_count():x}"


def encode(frame: frames.ServerFrame) -> bytes:
    """The frame as UTF-8 JSON, without the WebSocket header."""
    return _encode(frame)


class Voice:
    """Writes the texts of one sender to one receiver: the hot path of the whole server.

    It joins what never changes, made once for the two, with the texts and new
    ids. *heads* has the transport's header for each length in bytes.
    """

    __slots__ = ("_after", "_fixed", "_heads")

    def __init__(self, sender: str, to: str, heads: Mapping[int, bytes]) -> None:
        self._after = _text_parts(sender, to)[2]
        self._fixed = len(_TEXT_BEGIN) + len(_TEXT_ID) + len(self._after)
        self._heads = heads

    def texts(self, messages: list[str]) -> bytes:
        """A `frames.Text` for each of *messages*, encoded, each behind its header, in one piece."""
        number = b"%x" % _count()
        fixed, heads, after = self._fixed + len(number), self._heads, self._after
        if len(messages) == 1:
            encoded = _encode(messages[0])
            head = heads[fixed + len(encoded)]
            return _join((head, _TEXT_BEGIN, encoded, _TEXT_ID, number, after))
        parts: list[bytes] = []
        for encoded, suffix in zip(map(_encode, messages), _suffixes(len(messages)), strict=True):
            head = heads[fixed + len(encoded) + len(suffix)]
            parts += head, _TEXT_BEGIN, encoded, _TEXT_ID, number, suffix, after
        return _join(parts)


class FullVoice:
    """The same in version 2, for one conversation."""

    __slots__ = ("_after", "_fixed", "_heads")

    def __init__(self, sender: str, to: str, conversation: str, heads: Mapping[int, bytes]) -> None:
        payload = frames.TextPayload("<message>")
        whole = _encode(
            frames.Text2(
                id="<id>", to=to, from_=sender, conversation=conversation, seq=_SEQ, payload=payload
            )
        )
        rest = whole.split(b"<id>")[1]
        self._after = rest.removesuffix(b"%d}" % _SEQ)
        self._fixed = len(_TEXT_BEGIN) + len(_TEXT_ID) + len(self._after)
        self._heads = heads

    def texts(self, messages: list[str], seqs: Iterable[int], date: str) -> bytes:
        """A `frames.Text2` for each of *messages*, with its number of *seqs*, in one piece."""
        number = b"%x" % _count()
        heads, after, end = self._heads, self._after, b',"date":"%b"}' % date.encode()
        fixed = self._fixed + len(number) + len(end)
        parts: list[bytes] = []
        suffixes = _suffixes(len(messages))
        for encoded, suffix, seq in zip(map(_encode, messages), suffixes, seqs, strict=True):
            place = b"%d" % seq
            head = heads[fixed + len(encoded) + len(suffix) + len(place)]
            parts += head, _TEXT_BEGIN, encoded, _TEXT_ID, number, suffix, after, place, end
        return _join(parts)


_SEQ = 1_234_567  # stands where the number belongs

#: they make the ids of one run of texts differ, which share a number
_SUFFIXES = tuple(b".%x" % number for number in range(256))


def _suffixes(count: int) -> Iterable[bytes]:
    if count <= len(_SUFFIXES):
        return _SUFFIXES[:count]
    return (b".%x" % number for number in range(count))


def _text_parts(sender: str, to: str) -> tuple[bytes, bytes, bytes]:
    """An encoded `frames.Text`, cut where the message and the id belong."""
    payload = frames.TextPayload("<message>")
    whole = _encode(frames.Text(id="<id>", to=to, from_=sender, payload=payload))
    before, rest = whole.split(b'"<message>"')
    between, after = rest.split(b"<id>")
    return before, between + _PROCESS.encode(), after


_join = b"".join
_TEXT_BEGIN, _TEXT_ID, _ = _text_parts("", "")


def _renew() -> None:
    """A forked worker is another process than the one that imported this module."""
    global _PROCESS, _TEXT_ID  # noqa: PLW0603
    _PROCESS = secrets.token_hex(4)
    _TEXT_ID = _text_parts("", "")[1]


os.register_at_fork(after_in_child=_renew)


class _Known:
    """One frame type of a union, with what the slow lane needs to ignore unknown fields.

    *wider*: the type of the same frame when its payload has a field that *member* does not know.
    """

    def __init__(self, member: Any, wider: Any = None) -> None:
        self.member = member
        self.wider = None if wider is None else _Known(wider)
        self.fields = {"type", *member.__struct_encode_fields__}
        hints = get_args(get_type_hints(member)["payload"]) or (get_type_hints(member)["payload"],)
        payload: Any = hints[0]
        self.payload_fields = set(payload.__struct_encode_fields__)

    def convert(self, generic: dict[str, Any]) -> Any:
        kept = {name: value for name, value in generic.items() if name in self.fields}
        payload = kept.get("payload")
        if isinstance(payload, dict):
            if self.wider is not None and self._is_wider(payload):
                return self.wider.convert(generic)
            kept["payload"] = {k: v for k, v in payload.items() if k in self.payload_fields}
        return msgspec.convert(kept, self.member)

    def _is_wider(self, payload: dict[str, Any]) -> bool:
        assert self.wider is not None  # noqa: S101  # `convert` has looked
        more = self.wider.payload_fields - self.payload_fields
        return not more.isdisjoint(payload)


class Decoder:
    """From UTF-8 bytes to members of *union*, the frames that one role may send.

    What the fast lane refuses goes to the slow one, which finds the frame
    after all or raises `Refusal` with `invalid_json`, `unknown_type` or
    `invalid_message`, the name of the field, and the frame's `id` wherever one
    could be read. Source: docs/protocol.md, *Frames*.

    *wider*: types that stand for members with the same tag when a payload has a field that only
    they know. They are made by the slow lane, so that the fast one need not know them.
    """

    #: how the fast lane fails
    _REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

    def __init__(
        self,
        union: UnionType | type[frames.ClientFrame],
        wider: Iterable[type[frames.ClientFrame]] = (),
    ) -> None:
        members: tuple[Any, ...] = get_args(union) or (union,)
        others = {one.__struct_config__.tag: one for one in wider}
        tags = [(one.__struct_config__.tag, one) for one in members]
        self._known = {tag: _Known(one, others.get(tag)) for tag, one in tags}
        self._fast: Callable[[bytes], Any] = msgspec.json.Decoder(union).decode

    def decode(self, data: bytes) -> Any:
        """One frame. Raises `Refusal`."""
        try:
            return self._fast(data)
        except self._REFUSED:
            return _decode_slowly(data, self._known)

    def decode_batch(self, batch: list[bytes]) -> list[Any]:
        """The frames of *batch*; a `Refusal` stands where one is refused."""
        try:
            return list(map(self._fast, batch))
        except self._REFUSED:
            return [self._decode_or_refuse(data) for data in batch]

    def _decode_or_refuse(self, data: bytes) -> Any:
        try:
            return self.decode(data)
        except Refusal as refusal:
            return refusal


def _decode_slowly(data: bytes, known: dict[Any, _Known]) -> Any:
    try:
        generic = _decode_any(data)
    except RecursionError:
        raise Refusal(ErrorCode.INVALID_JSON, "the JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = _AT.sub("", str(error))  # the path may be as deep as the frame is long
        raise Refusal(ErrorCode.INVALID_JSON, f"not valid JSON: {what}") from None
    if not isinstance(generic, dict):
        raise Refusal(ErrorCode.INVALID_MESSAGE, "frame: a JSON object is required")
    reply_id = _readable_id(generic.get("id"))
    kind = generic.get("type")
    if not isinstance(kind, str):
        raise Refusal(ErrorCode.INVALID_MESSAGE, "type: a string is required", reply_id)
    if kind not in known:
        raise Refusal(ErrorCode.UNKNOWN_TYPE, f"type: {kind[:64]!r} is not known here", reply_id)
    try:
        return known[kind].convert(generic)
    except msgspec.ValidationError as error:
        raise Refusal(ErrorCode.INVALID_MESSAGE, _name_field(str(error)), reply_id) from None


def _readable_id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 64 else None


def _name_field(text: str) -> str:
    """msgspec's sentence with the field's path in front: `payload.message: Expected …`."""
    path = ""
    if found := _AT.search(text):
        path, text = found[1], text[: found.start()]
    text = _PATTERN.sub("NUL is not allowed", text)
    if missing := _MISSING.fullmatch(text):
        path, text = f"{path}.{missing[1]}".lstrip("."), "is required"
    return f"{path or 'frame'}: {text}"
