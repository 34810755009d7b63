"""The reader of forms with a file: whatever comes, in pieces of whatever size."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from blueprints.multipart import HELD, MAX_FIELDS, MAX_VALUE, READ, Cut, FileForm, FormError

BOUNDARY = "xYzZy"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
#: what looks like the end of a part, and is none
LOOKALIKES = b"\r\n--xYzZ\r\n--xYzZyy\r--\n--\r\n\r\nxYzZy--\r\n-xYzZy\x00\xff" * 3


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    more = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def body(content: bytes, **fields: str) -> bytes:
    some = b"".join(part(name, value.encode()) for name, value in fields.items())
    return some + part("file", content, "cat.png") + f"--{BOUNDARY}--\r\n".encode()


def reading(data: bytes, size: int = READ) -> Callable[[int], bytes]:
    """Returns *data*, at most *size* bytes at once."""
    place = 0

    def read(most: int) -> bytes:
        nonlocal place
        begin, place = place, min(len(data), place + min(most, size))
        return data[begin:place]

    return read


def read_into(content: bytearray, form: FileForm) -> None:
    form.begin()
    for some in form.content():
        content += some


def read_all(form: FileForm) -> bytes:
    content = bytearray()
    read_into(content, form)
    return bytes(content)


@pytest.mark.parametrize("size", [1, 2, 3, 7, READ])
def test_a_file_comes_as_it_was_sent(size: int):
    form = FileForm(reading(body(LOOKALIKES, conversation="5c", upload="u-1"), size), TYPE)
    assert read_all(form) == LOOKALIKES
    assert form.fields == {"conversation": "5c", "upload": "u-1"}
    assert (form.filename, form.is_whole) == ("cat.png", True)


def test_an_empty_file_is_a_file():
    form = FileForm(reading(body(b"")), TYPE)
    assert (read_all(form), form.is_whole) == (b"", True)


def test_a_form_without_a_file_is_told_so():
    end = f"--{BOUNDARY}--\r\n".encode()
    for data in (end, part("size", b"5") + end):
        with pytest.raises(FormError, match=r"^file: is required$"):
            FileForm(reading(data), TYPE).begin()
    with pytest.raises(FormError, match=r"^file: a file name is required$"):
        FileForm(reading(part("file", b"Hello") + end), TYPE).begin()


def test_what_is_cut_off_is_the_beginning_of_what_was_sent():
    whole = body(LOOKALIKES, conversation="5c")
    end = len(whole) - len(f"--{BOUNDARY}--\r\n")
    for length in range(end):
        form, content = FileForm(reading(whole[:length], 11), TYPE), bytearray()
        with pytest.raises(Cut):
            read_into(content, form)
        assert LOOKALIKES.startswith(content)
        assert not form.is_whole


@pytest.mark.parametrize("data", [
    b"", b"rubbish", b"--xYzZy", b"--xYzZy--\r\n", b"\r\n" * 99, b"--xYzZy\r\n\r\n\r\n",
    part("conversation", b"5c") + b"--xYzZy--\r\n",
    b"--xYzZy\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xYzZy--\r\n",
    b"--xYzZy\r\nContent-Disposition: form-data; name=\xff\r\n\r\nx\r\n--xYzZy--\r\n",
    part("conversation", b"\xff") + part("file", b"", "x"),
    part("a", b"1") + part("a", b"2") + part("file", b"", "x"),
    part("other", b"", "x"),
])  # fmt: skip
def test_rubbish_is_refused_in_words(data: bytes):
    with pytest.raises((FormError, Cut)) as error:
        read_all(FileForm(reading(data), TYPE))
    assert str(error.value)


@pytest.mark.parametrize("kind", [
    "", "text/plain", "multipart/form-data", "multipart/form-data; boundary=",
    f"multipart/form-data; boundary={'x' * 71}", "multipart/mixed; boundary=x",
    "multipart/form-data; boundary=ü", "multipart/form-data; boundary*=utf-8''%ff",
])  # fmt: skip
def test_only_forms_with_a_boundary_are_read(kind: str):
    with pytest.raises(FormError, match="Content-Type"):
        FileForm(reading(b""), kind)


def endless(data: bytes) -> Callable[[int], bytes]:
    """Sends *data* again and again; fails where more is taken than a bounded reader takes."""
    taken = 0

    def read(most: int) -> bytes:
        nonlocal taken
        taken += most
        assert taken < 100 * HELD, "whatever comes is taken"
        return (data * (most // len(data) + 1))[:most]

    return read


@pytest.mark.parametrize("begin", [
    b"", b"--xYzZy\r\n", b"--xYzZy\r\nContent-Disposition: form-data; name=a; x=",
    b"--xYzZy\r\nContent-Disposition: form-data; name=a\r\n\r\n", b"--xYzZy" + b" " * 40_000,
])  # fmt: skip
@pytest.mark.parametrize("more", [b"a", b" ", b"\r", b"\n", b"-", b"--xYzZ", b"\r\n\t"])
def test_what_never_ends_is_not_held(begin: bytes, more: bytes):
    rest, begun = endless(more), reading(begin)
    with pytest.raises(FormError):
        FileForm(lambda most: begun(most) or rest(most), TYPE).begin()


def test_fields_are_few_and_short():
    many = b"".join(part(f"n{number}", b"") for number in range(MAX_FIELDS + 1))
    for data in (many, part("a", b"x" * (MAX_VALUE + 1))):
        with pytest.raises(FormError):
            read_all(FileForm(reading(data + part("file", b"", "x")), TYPE))


def mutations(seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    bits = [b"--xYzZy", b"--", b"\r\n", b"\r\n\r\n", b'"', b";", b"filename*=UTF-8''%ff", b"\0",
            b"Content-Disposition:", b"name=", b"=?utf-8?", b"\xff"]  # fmt: skip
    for _ in range(300):
        data = bytearray(body(LOOKALIKES, conversation="5c", size="3"))
        for _ in range(chance.randrange(1, 8)):
            place = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[place:place] = chance.choice(bits)
                case 1:
                    del data[place : place + chance.randrange(1, 40)]
                case 2:
                    data[place] = chance.randrange(256)
                case _:
                    data[place:place] = data[chance.randrange(len(data)) :][:80]
        yield bytes(data)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_is_a_form_or_is_refused(seed: int):
    for data in mutations(seed):
        size = random.Random(len(data)).choice([1, 13, READ])
        form = FileForm(reading(data, size), TYPE)
        try:
            read_all(form)
        except (FormError, Cut):
            assert not form.is_whole
