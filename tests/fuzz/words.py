"""What the decoder must make of any bytes, told by Python's own `json`.

`check` holds the decoder to it: the same frames with the same values are read,
everything else is refused with the right code, with the `id` wherever one can
be read; of a repeated key the last counts. What is relayed says the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from msgspec import UNSET

from services.channels import Channel
from services.conversation.conversation import Conversation
from services.conversation.rows import ConversationRow
from services.delivery import LocalDelivery
from services.desk.port import Role
from services.identity import Identity
from services.participants import Participant
from services.switchboard import Switchboard
from services.wire import codec, frames
from services.wire.codes import MALFORMED, ErrorCode, Refusal
from tests.fuzz.choices import Choices
from tests.fuzz.letter import check_letter, unframed

#: nested deeper than this, a frame may be refused or not: either is fine
DEEP = 100

#: what an error says of a frame is bounded: the deepest path through one, all in all
LONGEST_ERROR = 1200  # bytes

DECODERS = {
    "auth": (codec.Decoder(frames.Auth), {"auth"}),
    "user": (
        codec.Decoder(frames.FromUser),
        {"auth", "connect", "message_text", "disconnect"},
    ),
    "waiter": (codec.Decoder(frames.FromWaiter), {"auth", "ready", "message_text", "disconnect"}),
}

#: what must and what may be in a payload; None: there may be none
PAYLOADS: Mapping[str, tuple[str | None, str | None]] = {
    "auth": ("token", None),
    "message_text": ("message", None),
    "disconnect": (None, "uuid"),
    "connect": (None, None),
    "ready": (None, None),
}

_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(Exception):
    """Not JSON, as strictly as it can be taken."""


#: characters of a number that is not whole; `int` has the same bound by itself
LONGEST_NUMBER = 4300


class Disputed(Exception):
    """Nobody needs to agree on this."""


def _strict_float(text: str) -> float:
    if len(text) > LONGEST_NUMBER:  # decoders cut exponents off at different places
        raise Disputed
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Unreadable(text)
    return value


def _strict_constant(text: str) -> float:
    raise Unreadable(text)


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, value in pairs:
        _check_text(key)
        _check_text(value)
    return dict(pairs)


def _check_text(value: object) -> None:
    if isinstance(value, str) and _SURROGATE.search(value):
        raise Unreadable("lone surrogate")
    if isinstance(value, list):
        for one in value:
            _check_text(one)


def strict(data: bytes) -> Any:
    """The JSON value in *data*. Raises `Unreadable` or `Disputed`."""
    try:
        text = data.decode()
        value = json.loads(
            text,
            parse_float=_strict_float,
            parse_constant=_strict_constant,
            object_pairs_hook=_strict_object,
        )
        _check_text(value)
    except RecursionError:
        raise Disputed from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, too many digits
        raise Unreadable(str(error)) from None
    return value


def expected(value: Any, types: set[str]) -> ErrorCode | dict[str, Any]:
    """What *value* is worth: the fields of the frame, or why it is refused."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return ErrorCode.INVALID_MESSAGE
    kind = value["type"]
    if kind not in types:
        return ErrorCode.UNKNOWN_TYPE
    found: dict[str, Any] = {"type": kind, "id": UNSET, "to": value.get("to")}
    if "id" in value:
        found["id"] = value["id"]
        if not _is_id(value["id"]):
            return ErrorCode.INVALID_MESSAGE
    if not isinstance(found["to"], str | None):
        return ErrorCode.INVALID_MESSAGE
    needed, allowed = PAYLOADS[kind]
    payload = value.get("payload")
    if payload is None and needed is None:
        return found
    if not isinstance(payload, dict):
        return ErrorCode.INVALID_MESSAGE
    for name in (needed, allowed):
        if name is not None and (name in payload or name == needed):
            if not isinstance(payload.get(name), str):
                return ErrorCode.INVALID_MESSAGE
            found[name] = payload[name]
    return found


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64


def read(frame: Any) -> dict[str, Any]:
    """The fields of a decoded frame, as `expected` writes them."""
    kind = type(frame).__struct_config__.tag
    found = {"type": kind, "id": frame.id, "to": frame.to}
    for name in PAYLOADS[kind]:
        if name is not None and frame.payload is not None:
            value = getattr(frame.payload, name)
            if value is not UNSET:
                found[name] = value
    return found


def check(data: bytes) -> None:
    """Every decoder makes of *data* what it must. Raises `AssertionError`."""
    try:
        value = Disputed if data.count(b"[") + data.count(b"{") > DEEP else strict(data)
    except Unreadable:
        value = Unreadable
    except Disputed:
        value = Disputed
    for decoder, types in DECODERS.values():
        try:
            frame = decoder.decode(data)
        except Refusal as refusal:
            _check_refusal(refusal, value, types)
        else:
            assert value is not Unreadable, frame
            if value is not Disputed:
                assert read(frame) == expected(value, types)
            if isinstance(frame, frames.MessageText):
                _check_relayed(frame.payload.message)


def check_batch(batch: list[bytes]) -> None:
    """What comes together is read as it would be one by one. Raises `AssertionError`."""
    for decoder, _ in DECODERS.values():
        together = decoder.decode_batch(batch)
        assert len(together) == len(batch)
        for data, found in zip(batch, together, strict=True):
            assert _told(found) == _told(_decoded(decoder, data))


def _decoded(decoder: codec.Decoder, data: bytes) -> object:
    try:
        return decoder.decode(data)
    except Refusal as refusal:
        return refusal


def _told(found: object) -> object:
    return (found.code, found.reply_id) if isinstance(found, Refusal) else found


def _check_refusal(refusal: Refusal, value: Any, types: set[str]) -> None:
    assert refusal.code in MALFORMED
    if value is Unreadable:
        assert refusal.code is ErrorCode.INVALID_JSON, refusal.code
        assert refusal.reply_id is None
    elif value is not Disputed:
        assert refusal.code == expected(value, types), refusal.message
        reply_id = value.get("id") if isinstance(value, dict) else None
        assert refusal.reply_id == (reply_id if _is_id(reply_id) else None)
    answer = frames.Error(id="1", to="2", payload=frames.TextPayload(refusal.message))
    if refusal.reply_id is not None:
        answer.reply_id = refusal.reply_id
    written = codec.encode(answer)
    assert len(written) <= LONGEST_ERROR, len(written)
    said = strict(written)
    assert said["payload"] == {"message": refusal.message}
    assert said.get("reply_id") == refusal.reply_id


def _check_relayed(message: str) -> None:
    """A text that was read goes out with the same words, in one frame to the letter."""
    sender = Participant("sender", Role.USER, Identity("ann"))
    receiver = Participant("receiver", Role.WAITER, Identity("wim"))
    put: list[bytes] = []
    told = SimpleNamespace(put_and_remember=put.append)
    receiver.connections = (told,)  # type: ignore[assignment]
    assert _SWITCHBOARD.relay(
        Channel(sender, receiver, Conversation(ConversationRow(1, "sender", "ann"))), [message]
    )
    (data,) = put
    (said,) = unframed(data)
    check_letter(Role.WAITER, said)
    assert said["payload"]["message"] == message
    assert (said["type"], said["from"], said["to"]) == ("message_text", "sender", "receiver")


_SWITCHBOARD = Switchboard(None, LocalDelivery(1 << 20))  # type: ignore[arg-type]  # it asks no desk


# ---- frames out of a fuzzer's bytes ----------------------------------------

#: what JSON is made of here: right, nearly right, and wrong
TOKENS = tuple(
    token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
    for token in (
        *'{}[]:," ',
        '"type":',
        '"id":',
        '"to":',
        '"payload":',
        '"message":',
        '"token":',
        '"uuid":',
        '"x":',
        '"auth"',
        '"connect"',
        '"ready"',
        '"message_text"',
        '"disconnect"',
        '{"type":"message_text","payload":{"message":"',
        '{"type":"connect"}',
        '{"type":"ready"}',
        '{"type":"message_text","payload":{"message":"m"}}',
        '{"type":',
        '{"type":"connect"',
        '{"type":"ready","payload":{}',
        '{"type":"disconnect","payload":{"uuid":"',
        '{"type":"auth","payload":{"token":"',
        ',"payload":{"message":"m"}',
        '"}}',
        '","id":"7"',
        ',"to":null',
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-1.5e3",
        "1e999",
        "-1e400",
        "1e-999",
        "NaN",
        "-Infinity",
        "9" * 30,
        "9" * 5000,
        "01",
        '""',
        '"a"',
        '"' + "i" * 64 + '"',
        '"' + "i" * 65 + '"',
        '"' + "🙂" * 64 + '"',
        r"\n",
        r"\u0000",
        r"\ud83d\ude42",
        r"\ud83d",
        r"\udc00",
        r"\u0022",
        r"\q",
        r"\"",
        "\\",
        "é",
        "€",
        "🙂",
        "\x00",
        "\x1f",
        "\x7f",
        "\u2028",
        "\ufeff",
        "\ud800",
        b"\xff",
        b"\xc0\xaf",
        b"\xe2\x82",
        "\t\r\n",
        "[[[[[[[[[[",
        "]]]]]]]]]]",
        '{"a":{"a":{"a":',
        "x" * 1000,
    )
)


def _made(choices: Choices) -> list[bytes]:
    """Frames made of `TOKENS` and of other bytes; `CUT` begins another."""
    batch = [b""]
    while choices.more:
        token = choices.byte()
        if token & 127 == CUT:
            batch.append(b"")
        else:
            batch[-1] += TOKENS[token & 127] if token & 127 < len(TOKENS) else bytes((token,))
    return batch


def check_script(data: bytes) -> None:
    """`check` the JSON in a fuzzer's bytes: as it is, or made of `TOKENS`; one frame or many."""
    choices = Choices(data)
    batch = _made(choices) if choices.byte() & 1 else choices.take(len(data)).split(b"\n\n")
    for one in batch[:4]:
        check(one)
    check_batch(batch)


#: begins another frame, where frames are made of `TOKENS`
CUT = 127


def _scripted(text: bytes) -> bytes:
    return b"\0" + text


SEEDS = (
    *(
        _scripted(text)
        for text in (
            b'{"type":"message_text","id":"1","to":"u","payload":{"message":"m"}}',
            b'{"type":"auth","payload":{"token":"t"},"id":"2"}',
            b'{"type":"connect","payload":null,"x":[1,2.5,{"y":true}]}',
            b'{"type":"ready","payload":{}}',
            b'{"type":"disconnect","payload":{"uuid":"u"},"to":null}',
            b'{"type":"message_text","payload":{"message":"\\ud83d\\ude42\\n"}}',
        )
    ),
    *(bytes((1, token)) for token in range(len(TOKENS))),
    *(bytes((1, token, CUT, token)) for token in range(len(TOKENS))),
)
