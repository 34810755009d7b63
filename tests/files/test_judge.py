"""Of which type a file is: what it holds says so, and nothing else."""

from __future__ import annotations

import io
import zipfile

import pytest

from services.file_places import USUAL
from services.files.errors import Rejected
from services.files.judge import judge, types_of

from . import pictures


def zipped(**files: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("_", "."), text)
    return written.getvalue()


PLAIN = {
    "ascii": b"Where is my parcel?\r\n",
    "utf-8": "Где моя посылка? 包裹在哪儿？ 📦\n".encode(),
    "a mark in front": b"\xef\xbb\xbfhello",
    "a small letter": b"a < b, and b > c; if (x<y) return",
    "csv": b"name,city\nAnn,Paris\n",
    "begins like a bitmap": b"BM is short for bookmark",
    "begins like a program": b"MZ is how it begins",
    "begins like an archive": b"PK, see you",
    "tabs and pages": b"a\tb\f\n",
}


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_text_is_text(content):
    assert judge(io.BytesIO(content), USUAL) == "text/plain"


OURS = {
    "image/png": pictures.png, "image/jpeg": pictures.jpeg, "image/webp": pictures.webp,
    "image/gif": pictures.gif, "application/pdf": lambda: b"%PDF-1.7\n\xe2\xe3 1 0 obj",
}  # fmt: skip


@pytest.mark.parametrize("mime", OURS)
def test_what_may_be_sent_is_known_by_its_beginning(mime):
    assert judge(io.BytesIO(OURS[mime]()), USUAL) == mime


LIES = {
    "a page": b"<!DOCTYPE html><html><script>alert(1)</script>",
    "a page below a text": b"Dear all,\n\n<script src=//x.example></script>",
    "a page in capitals": b"  \n<HTML><BODY ONLOAD=alert(1)>",
    "a page behind a mark": b"\xef\xbb\xbf<script>alert(1)</script>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a drawing with a head": b'<?xml version="1.0"?>\n<!-- x -->\n<svg onload="alert(1)"></svg>',
    "a document of XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///">]>',
    "a script": b"#!/bin/sh\nrm -rf /\n",
    "a page of a server": b"<?php system($_GET['c']); ?>",
    "rich text": b"{\\rtf1 \\object}",
    "a program": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 200,
    "a program of Linux": b"\x7fELF\2\1\1" + b"\0" * 200,
    "an archive": zipped(a_txt="hello"),
    "an archive called a document": zipped(word_document="x"),
    "half a character": "é".encode()[:1] + b" half",
    "other encodings": "Где моя посылка?".encode("utf-16"),
    "a null": b"hello\0world",
    "an escape": b"\x1b[31mred",
    "late rubbish": b"hello " * 100_000 + b"\xff\xfe",
    "a bitmap": b"BM" + b"\0" * 60,
    "a tiff": b"II*\0" + b"\0" * 60,
    "heic": b"\0\0\0\x18ftypheic" + b"\0" * 60,
    "a video": b"\0\0\0\x18ftypmp42" + b"\0" * 60,
    "a late PDF": b"\n%PDF-1.7\n\xe2\xe3\0",
    "nothing known": bytes(range(256)),
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES)
def test_what_is_something_else_is_refused(content):
    with pytest.raises(Rejected) as refused:
        judge(io.BytesIO(content), USUAL)
    assert refused.value.code == "type"


def test_a_type_that_the_site_takes_is_known():
    content = io.BytesIO(zipped(a_txt="hello"))
    assert judge(content, ("application/zip",)) == "application/zip"
    assert judge(content, ("application/*",)).startswith("application/")
    for types in (("text/*",), ("image/*",)):
        with pytest.raises(Rejected):
            judge(content, types)


def test_of_images_only_those_that_are_made_anew_are_taken():
    for content in (b'<svg onload="alert(1)"/>', b"II*\0" + b"\0" * 60, b"BM" + b"\0" * 60):
        with pytest.raises(Rejected):
            judge(io.BytesIO(content), ("image/*",))
    assert judge(io.BytesIO(pictures.png()), ("image/*",)) == "image/png"


def test_a_character_that_two_readings_share_is_read():
    content = ("a" * (262_144 - 1) + "é").encode()
    assert types_of(io.BytesIO(content))[0] == "text/plain"


def test_a_pdf_that_holds_a_page_is_a_pdf():
    assert types_of(io.BytesIO(b"%PDF-1.4\n<script>alert(1)</script>"))[0] == "application/pdf"
