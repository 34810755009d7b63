"""Words in and out: what is read, what is refused and how it is named."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.wire import codec, frames
from services.wire.codes import ErrorCode, Refusal

user = codec.Decoder(frames.FromUser)
waiter = codec.Decoder(frames.FromWaiter)
wider = codec.Decoder(frames.FromUser, wider=[frames.ChosenText])


def refusal(data: bytes | str, decoder: codec.Decoder = user) -> Refusal:
    with pytest.raises(Refusal) as refused:
        decoder.decode(data.encode() if isinstance(data, str) else data)
    return refused.value


def test_each_role_has_its_own_words():
    assert type(user.decode(b'{"type":"connect"}')) is frames.Connect
    assert type(waiter.decode(b'{"type":"ready","payload":null}')) is frames.Ready
    assert refusal('{"type":"ready"}', user).code is ErrorCode.UNKNOWN_TYPE
    assert refusal('{"type":"connect"}', waiter).code is ErrorCode.UNKNOWN_TYPE


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        ("", "invalid_json", ""),
        ("{", "invalid_json", ""),
        ('{"type":"connect"} {}', "invalid_json", ""),
        ('{"type":"connect","x":NaN}', "invalid_json", ""),
        ('{"type":"connect","x":1e999}', "invalid_json", ""),
        ('{"type":"connect","x":"\\udc00"}', "invalid_json", ""),
        ('{"type":"connect","x":' + "[" * 10_000 + "]" * 10_000 + "}", "invalid_json", "deep"),
        ('{"type":"connect","x":' + "7" * 5000 + "}", "invalid_json", ""),
        ("[]", "invalid_message", "frame:"),
        ("{}", "invalid_message", "type:"),
        ('{"type":null}', "invalid_message", "type:"),
        ('{"type":"no-such-type"}', "unknown_type", "type:"),
        ('{"type":"connect","id":null}', "invalid_message", "id:"),
        ('{"type":"connect","id":""}', "invalid_message", "id:"),
        ('{"type":"connect","to":5}', "invalid_message", "to:"),
        ('{"type":"connect","payload":5}', "invalid_message", "payload:"),
        ('{"type":"message_text"}', "invalid_message", "payload:"),
        ('{"type":"message_text","payload":null}', "invalid_message", "payload:"),
        ('{"type":"message_text","payload":{}}', "invalid_message", "payload.message:"),
        ('{"type":"message_text","payload":{"message":[]}}', "invalid_message", "payload.message:"),
        ('{"type":"auth","payload":{"token":1}}', "invalid_message", "payload.token:"),
    ],
)
def test_what_is_wrong_is_named(data, code, field):
    refused = refusal(data)
    assert refused.code == code
    assert field in refused.message


def test_the_id_of_a_refused_frame_is_found_wherever_it_can_be():
    assert refusal('{"id":"7","type":"nonsense"}').reply_id == "7"
    assert refusal('{"type":"message_text","payload":{"message":1},"id":"8"}').reply_id == "8"
    assert refusal('{"id":8,"type":"nonsense"}').reply_id is None
    assert refusal('{"id":"' + "x" * 65 + '","type":"nonsense"}').reply_id is None


def test_unknown_fields_are_ignored_at_every_level():
    read = user.decode(b'{"type":"message_text","x":[{}],"payload":{"message":"m","y":1},"id":"1"}')
    assert read == frames.MessageText(id="1", payload=frames.TextPayload("m"))
    assert user.decode(b'{"type":"connect","payload":{"ticket":"later"}}').payload is not None


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"connect","type":"message_text","payload":{"message":"m"}}',
        b'{"payload":{"message":"1"},"type":"message_text","payload":{"message":"m"}}',
        b'{"type":"message_text","payload":{"message":"1","message":"m"}}',
        b'{"type":"message_text","payload":5,"payload":{"message":"m"}}',
    ],
)
def test_of_a_repeated_key_the_last_counts(data):
    assert user.decode(data).payload.message == "m"


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_decode_or_be_refused(data):
    for decoder in (user, waiter):
        with suppress(Refusal):
            decoder.decode(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["connect", "message_text", "auth", "disconnect", "x"])},
        optional={"id": json_values, "to": json_values, "payload": json_values, "x": json_values},
    )
)
def test_no_json_does_anything_but_decode_or_be_refused(value):
    try:
        frame = user.decode(json.dumps(value).encode())
    except Refusal:
        return
    assert type(frame) in {frames.Connect, frames.MessageText, frames.Auth, frames.Disconnect}


pieces = st.one_of(
    st.sampled_from(
        [
            b'{"type":"connect","id":"1"}',
            b'{"type":"message_text","payload":{"message":"m"}}',
            b'{"type":"connect"}\n{"type":"connect"}',
            b'{"type":"connect"}{"type":"connect"}',
            b'{"type":\n"connect"}',
            b'{"type":"connect"',
            b"}",
            b"",
            b" ",
            b"\n",
            b'{"type":"nonsense","id":"2"}',
        ]
    ),
    st.binary(max_size=20),
)


@given(st.lists(pieces, max_size=6))
@example([b'{"type":"connect"}{"type":"connect"}', b""])
@example(
    [
        b'{"type":"message_text","payload":',
        b'{"message":"a"}}',
        b'{"type":"connect"}{"type":"connect"}',
    ]
)
def test_a_batch_is_read_as_its_frames_are_one_by_one(batch):
    together = user.decode_batch(batch)
    assert len(together) == len(batch)
    for data, found in zip(batch, together, strict=True):
        if isinstance(found, Refusal):
            alone = refusal(data)
            assert (alone.code, alone.message, alone.reply_id) == (
                found.code,
                found.message,
                found.reply_id,
            )
        else:
            assert user.decode(data) == found


class Heads(dict[int, bytes]):
    """Headers of three bytes."""

    def __missing__(self, length: int) -> bytes:
        return length.to_bytes(3, "big")


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1, max_size=9))
def test_the_hot_path_writes_what_the_structs_would(messages):
    rest = codec.Voice("sender", "receiver", Heads()).texts(messages)
    ids = set()
    for message in messages:
        length = int.from_bytes(rest[:3], "big")
        fast, rest = json.loads(rest[3 : 3 + length]), rest[3 + length :]
        payload = frames.TextPayload(message)
        slow = frames.Text(id=fast["id"], to="receiver", from_="sender", payload=payload)
        assert fast == json.loads(codec.encode(slow))
        ids.add(fast["id"])
    assert not rest
    assert len(ids) == len(messages)


def test_a_run_of_any_length_has_ids_of_its_own():
    written = codec.Voice("sender", "receiver", Heads()).texts(["x"] * 1000)
    assert len(set(re.findall(rb'"id":"([^"]+)"', written))) == 1000


def test_optional_fields_are_left_out():
    bare = json.loads(codec.encode(frames.Initialize(id="1", to="u")))
    assert bare == {"type": "initialize", "id": "1", "to": "u"}


def test_ids_are_never_used_twice():
    assert len({codec.new_id() for _ in range(10_000)}) == 10_000


def test_a_payload_with_a_field_of_the_wider_type_is_that_type():
    plain = b'{"type":"message_text","payload":{"message":"x","more":1}}'
    chosen = b'{"type":"message_text","id":"1","payload":{"message":"x","choice":"a","more":1}}'
    assert type(wider.decode(plain)) is frames.MessageText
    assert type(wider.decode(chosen)) is frames.ChosenText
    first, second, third = wider.decode_batch([plain, chosen, plain])
    assert (type(first), type(third)) == (frames.MessageText, frames.MessageText)
    assert (second.reply_id, second.payload.choice) == ("1", "a")
    assert type(user.decode(chosen)) is frames.MessageText, "version 1 knows no choices"
    refused = refusal('{"type":"message_text","payload":{"message":"x","choice":5}}', wider)
    assert "payload.choice:" in refused.message
