"""The history in bulk: `python -m bench.history [--messages N] [--chats N] [URL]`.

A database of a million messages in 20,000 chats, in SQLite unless a URL is
given, and how long (ms, medians) it takes to load the newest 50 messages of a
chat, the newest 50 chats of a waiter and all open chats, and to commit.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from services.conversation.kinds import Side
from services.conversation.rows import EntryRow
from services.history.opening import open_store
from services.history.port import Batch
from services.history.sql import SQLStore

WAITERS = 200
ROUNDS = 200

#: numbers 1 … :count, for both databases
NUMBERS = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {count})"

CHATS = (
    NUMBERS + ' INSERT INTO chat (key, "user", user_subject, waiter_subject, opened, ended) '
    "SELECT i, 'uuid-' || i, 'user-' || (i % {users}), 'waiter-' || (i % {waiters}), i, "
    "CASE WHEN i > {count} - 1000 THEN NULL ELSE i END FROM c"
)

SERVICES = "INSERT INTO service (waiter, chat) SELECT waiter_subject, key FROM chat"

#: in the order of arrival: the messages of a conversation lie far from each other
MESSAGES = (
    NUMBERS + " INSERT INTO message (chat, seq, side, author, client_id, kind, body, date) "
    "SELECT 1 + (i - 1) % {chats}, 1 + (i - 1) / {chats}, 1 + i % 2, 'user-' || (i % {chats}), "
    "'00000000-0000-4000-8000-' || i, 1, "
    "'Hello, this is message number ' || i || ', as long as people write.', i FROM c"
)


def fill(store: SQLStore, messages: int, chats: int) -> None:
    """Make so many rows in an empty database."""
    store.migrate()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN" if store.name == "sqlite" else "SELECT 1")
        for statement in (
            CHATS.format(count=chats, users=chats // 4 or 1, waiters=WAITERS),
            SERVICES,
            MESSAGES.format(count=messages, chats=chats),
        ):
            connection.execute(sa.text(statement))
        if store.name == "sqlite":
            connection.exec_driver_sql("COMMIT")
        else:
            connection.commit()
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def median(work: Callable[[], object]) -> float:
    """ms that *work* takes."""
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return statistics.median(times) * 1000


def measure(store: SQLStore, messages: int, chats: int) -> dict[str, float]:
    """ms for each of the things that a server asks of the history; medians."""
    chance = random.Random(1)
    ends = dict.fromkeys(range(1, chats + 1), messages // chats + 1)

    def some() -> int:
        return chance.randint(1, chats)

    def waiter() -> str:
        return f"waiter-{chance.randrange(WAITERS)}"

    def commit(count: int) -> None:
        said = []
        for chat in chance.sample(range(1, chats + 1), count):
            ends[chat] += 1
            said.append(EntryRow(chat, ends[chat], 1, "ann", f"b-{ends[chat]}", 1, "hello", 1))
        store.commit(Batch(entries=said))

    return {
        "newest 50 messages of a chat": median(lambda: store.entries(some())),
        "first 50 messages of a chat": median(lambda: store.entries(some(), newest=False)),
        "newest 50 chats of a waiter": median(
            lambda: store.conversations_of(Side.WAITER, waiter())
        ),
        "one chat": median(lambda: store.conversation(some())),
        "all 1000 open chats": median(store.open_conversations),
        "find 10 client ids": median(
            lambda: store.find(some(), 1, "ann", [f"none-{number}" for number in range(10)])
        ),
        "commit 1 message": median(lambda: commit(1)),
        "commit 100 messages": median(lambda: commit(min(100, chats))),
    }


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="an empty database")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--chats", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        url = options.url or f"sqlite:///{Path(directory) / 'history.db'}"
        store = open_store(url, answer_wait=3600)  # a million rows are one statement
        before = time.perf_counter()
        fill(store, options.messages, options.chats)
        print(
            f"{store.name}: {options.messages:,} messages in {options.chats:,} chats, "
            f"made in {time.perf_counter() - before:.0f} s"
        )
        for name, figure in measure(store, options.messages, options.chats).items():
            print(f"  {name:<32}{figure:9.3f} ms")
        store.close()


if __name__ == "__main__":
    main()
