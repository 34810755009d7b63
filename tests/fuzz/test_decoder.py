"""The decoder against Python's `json`: what one reads the other reads, and nothing else."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import words

texts = st.one_of(
    st.text(max_size=20), st.sampled_from(["", "\0", "i" * 64, "i" * 65, "🙂" * 64, "\u2028\x7f"])
)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
payloads = st.one_of(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("message", "token", "uuid", "x"), texts | values)
    ),
    values,
)
frames = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["auth", "connect", "ready", "message_text", "disconnect"])
        | values,
    },
    optional={"id": texts | values, "to": texts | values, "payload": payloads, "x": values},
)
written = st.builds(
    lambda frame, ascii, spaced: json.dumps(
        frame, ensure_ascii=ascii, indent=1 if spaced else None
    ).encode(errors="surrogatepass"),
    frames,
    st.booleans(),
    st.booleans(),
)
made = st.lists(st.sampled_from(words.TOKENS), max_size=12).map(b"".join)


def repeated(frame: bytes, fields: list[tuple[str, object]]) -> bytes:
    """*frame* with *fields* once more, behind what it has."""
    more = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in fields)
    return frame.rstrip()[:-1] + more.encode(errors="surrogatepass") + b"}"


fields = st.tuples(st.sampled_from(["type", "id", "to", "payload", "x"]), texts | payloads)


@settings(max_examples=200)
@given(st.one_of(written, made, st.builds(repeated, written, st.lists(fields, max_size=3))))
def test_it_reads_what_json_reads(data):
    words.check(data)


@settings(max_examples=80)
@given(written, st.integers(0, 300), st.binary(max_size=3), st.integers(0, 3))
def test_it_reads_what_json_reads_of_what_was_damaged(data, at, instead, gone):
    at %= len(data) + 1
    words.check(data[:at] + instead + data[at + gone :])


@settings(max_examples=80)
@given(st.lists(st.one_of(written, made, st.sampled_from(words.TOKENS)), max_size=5))
def test_a_batch_is_read_as_one_by_one(batch):
    words.check_batch(batch)
