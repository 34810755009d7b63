"""Search in bulk: `python -m bench.search [--messages N] [URL]`.

A database of a million messages in 40,000 conversations, in SQLite unless a URL is given, and
how long (ms; median, and the longest of ten) the first page of a search takes, for a waiter
who has served every tenth visitor and for one who has served every thousandth.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.conversation.kinds import RATING, TEXT
from services.history import tables
from services.history.browse import browse
from services.history.opening import open_store
from services.history.search import Found, search, visitors
from services.history.search_filters import Filters
from services.history.sql import SQLStore
from services.history.word_index import PIECE_CHARACTERS, index_slice

CHATS = 40_000
VISITORS = 10_000
DEPARTMENTS = ("", "sales", "help", "returns")
DAY = 86_400_000  # ms
BEGAN = 1_767_323_045_000
WORDS = 20_000  # different ones; the n-th is as common as 1/n
LENGTH = 8  # words of a message
ROUNDS = 10
AT_ONCE = 20_000  # rows

BUSY, RARE = "waiter-busy", "waiter-rare"


def fill(store: SQLStore, messages: int) -> None:
    """Make conversations, their messages in the order of arrival, and ratings of every tenth."""
    store.migrate()
    chance = random.Random(1)
    words = [f"w{number:x}" for number in range(WORDS)]
    common = list(accumulate(1 / (number + 10) for number in range(WORDS)))
    step = 365 * DAY // CHATS

    def chats() -> Iterator[dict[str, Any]]:
        for key in range(1, CHATS + 1):
            yield {
                "key": key, "user": f"uuid-{key}", "user_subject": f"user-{key % VISITORS}",
                "waiter_subject": f"waiter-{key % 50}", "opened": BEGAN + key * step,
                "ended": BEGAN + key * step + 600_000, "department": DEPARTMENTS[key % 4],
            }  # fmt: skip

    def services() -> Iterator[dict[str, Any]]:
        for key in range(1, CHATS + 1):
            yield {"waiter": f"waiter-{key % 50}", "chat": key}
            if key % 10 == 0:
                yield {"waiter": BUSY, "chat": key}
            if key % 1000 == 0:
                yield {"waiter": RARE, "chat": key}

    def entries() -> Iterator[dict[str, Any]]:
        each = messages // CHATS
        for n in range(messages):
            key, seq = 1 + n // each, 1 + n % each
            said = " ".join(chance.choices(words, cum_weights=common, k=LENGTH))
            is_rating = seq == each and key % 10 == 0
            yield {
                "chat": key, "seq": seq, "side": 1 + (n % 2 and not is_rating), "author": "x",
                "kind": RATING.number if is_rating else TEXT.number, "body": said,
                "date": BEGAN + key * step + seq,
                "data": f'{{"rate": {1 + key // 10 % 5}}}' if is_rating else None,
            }  # fmt: skip

    for table, rows in (
        (tables.chat, chats()), (tables.service, services()), (tables.message, entries()),
    ):  # fmt: skip
        while some := list(islice(rows, AT_ONCE)):
            with store.engine.begin() as connection:
                connection.execute(sa.insert(table), some)
    while (
        store.name == "sqlite"
        and index_slice(store, most=50_000, characters=50 * PIECE_CHARACTERS).added
    ):
        pass
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def measure(store: SQLStore) -> dict[str, tuple[float, float]]:
    """ms of each search: the median, and the longest."""
    month = Filters(since=BEGAN + 100 * DAY, until=BEGAN + 130 * DAY)
    filters = {
        "": Filters(),
        "department": Filters(department="sales"),
        "waiter": Filters(waiter="waiter-0"),
        "a month": month,
        "one star": Filters(ratings=frozenset({1})),
        "five of them": Filters("waiter-0", "", month.since, month.until, frozenset({1, 2})),
    }
    queries = {"a common word": "w0", "a rare word": "w4e1f", "a beginning": "w1", "two": "w1 w2"}
    found: dict[str, tuple[float, float]] = {}
    for waiter in (BUSY, RARE):
        for words, query in queries.items():
            for narrowed, some in filters.items():
                name = f"{waiter}: {words}{narrowed and ', '}{narrowed}"

                def look(query: str = query, some: Filters = some, who: str = waiter) -> Found:
                    return search(
                        store, query, readable_by=who, limit=30, endings=("english",), filters=some
                    )

                found[name] = timed(store, look)
        for narrowed, some in filters.items():
            if some:

                def list_all(some: Filters = some, who: str = waiter) -> Found:
                    return browse(store, some, readable_by=who, limit=30)

                found[f"{waiter}: no words, {narrowed}"] = timed(store, list_all)
    return found


def timed(store: SQLStore, look: Callable[[], Found]) -> tuple[float, float]:
    """ms that a page takes, with what is shown of its conversations."""
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        visitors(store, {hit.chat for hit in look().hits})
        times.append((time.perf_counter() - before) * 1000)
    return statistics.median(times), max(times)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="an empty database")
    parser.add_argument("--messages", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        url = options.url or f"sqlite:///{Path(directory) / 'history.db'}"
        store = open_store(url, answer_wait=3600)
        before = time.perf_counter()
        fill(store, options.messages)
        seconds = time.perf_counter() - before
        print(f"{store.name}: {options.messages:,} messages, made in {seconds:.0f} s")
        for name, (median, longest) in measure(store).items():
            print(f"  {name:<48}{median:9.1f} ms{longest:9.1f} ms")
        store.close()


if __name__ == "__main__":
    main()
