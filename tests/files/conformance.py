"""What every store of content does; the suites of folder and bucket inherit it."""

from __future__ import annotations

import io

import pytest

from services.files.pieces import key_of
from services.files.port import ALWAYS, ContentStore, FilesUnavailable, NoContent

ID = "abcdefghijklmnopqrstuv"


def put(contents: ContentStore, key: str, data: bytes) -> str:
    contents.put(key, io.BytesIO(data), len(data))
    return key


class ContentStoreCases:
    """*contents* is an empty store."""

    def test_what_is_put_is_read(self, contents: ContentStore):
        key = put(contents, f"content/{ID}", b"0123456789")
        assert contents.size(key) == 10
        assert contents.read(key) == b"0123456789"
        assert contents.read(key, 3) == b"3456789"
        assert contents.read(key, 3, 4) == b"3456"
        assert contents.read(key, 8, 100) == b"89"
        for start in (10, 11, 1000):
            assert contents.read(key, start, 5) == b""
        assert contents.read(key, 0, 0) == b""

    def test_big_content_is_whole(self, contents: ContentStore):
        data = bytes(range(256)) * 80_000  # 20 MB
        key = put(contents, f"content/{ID}", data)
        assert contents.size(key) == len(data)
        assert contents.read(key, 10_000_000, 1000) == data[10_000_000:10_001_000]
        assert contents.read(key) == data

    def test_what_is_not_there_is_said(self, contents: ContentStore):
        for ask in (contents.read, contents.size):
            with pytest.raises(NoContent):
                ask(f"content/{ID}")
        with pytest.raises(NoContent):
            contents.read(f"content/{ID}", 3, 4)

    def test_what_was_there_is_replaced(self, contents: ContentStore):
        key = put(contents, f"content/{ID}", b"first")
        put(contents, key, b"second one")
        assert contents.read(key) == b"second one"

    def test_only_so_many_bytes_are_taken(self, contents: ContentStore):
        source = io.BytesIO(b"0123456789")
        contents.put(f"content/{ID}", source, 4)
        assert contents.read(f"content/{ID}") == b"0123"

    @pytest.mark.parametrize("size", [11, 20_000_000])
    def test_content_that_is_too_short_is_not_stored(self, contents: ContentStore, size: int):
        with pytest.raises(FilesUnavailable):
            contents.put(f"content/{ID}", io.BytesIO(b"0123456789"), size)
        assert list(contents.older_than("content/", ALWAYS)) == []
        assert list(contents.older_than("draft/", ALWAYS)) == []

    def test_what_is_deleted_is_gone(self, contents: ContentStore):
        keys = [put(contents, key_of(ID, n, 1), b"x") for n in range(3)]
        contents.delete([keys[0], keys[2], f"content/{ID}"])
        contents.delete(keys[:1])
        contents.delete([])
        assert list(contents.older_than(f"piece/{ID}/", ALWAYS)) == [keys[1]]

    def test_keys_are_found_by_their_beginning(self, contents: ContentStore):
        other = "abcdefghijklmnopqrstuw"
        keys = {put(contents, key_of(ID, n * 10, 10), b"0" * 10) for n in range(5)}
        put(contents, key_of(other, 0, 1), b"x")
        put(contents, f"content/{ID}", b"x")
        put(contents, f"thumb/{ID}", b"x")
        assert set(contents.older_than(f"piece/{ID}/", ALWAYS)) == keys
        assert len(list(contents.older_than("piece/", ALWAYS))) == 6
        assert list(contents.older_than("content/", ALWAYS)) == [f"content/{ID}"]
        assert list(contents.older_than("content/", 0)) == []

    def test_it_can_be_checked(self, contents: ContentStore):
        contents.check()
        assert list(contents.older_than("draft/", ALWAYS)) == []
