"""One bounded stream for each worker: the letters that others write to it.

Two kinds of letters are in it. The desk's own go to `RedisDesk.receive`, which
puts them in the order of its decisions. The others are what workers `post`:
hints, of which any may be lost and none is read twice. The writer numbers them
for each addressee; the reader drops repeats (a pipeline whose outcome was
unknown is sent again). The reader calls `on_gap` when a number is missing, or
when letters may be lost for another reason.

Three loops (`loops.py`), started by `start`: one reads, one writes, one is the
desk's (`RedisDesk.beat`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import redis

from ..loops import Loops, Starts
from .redis import BEAT, RedisDesk
from .redis_client import TIMEOUT, client
from .vocabulary import MOST_LETTERS, Entry, Key, Sender

log = logging.getLogger("csapp.desk")

BATCH = 500  # letters read at once
BLOCK = 1.0  # s that a read waits for the first letter
RETRY = 0.25  # s between two tries while Redis is away
TRIES = 3  # at a batch that cannot be sent though Redis is there

#: the fields of an entry and two senders, as they are read
SENDER, NUMBER, LETTER, FIRST = (field.encode() for field in Entry)
OF_DESK, OF_NOBODY = (sender.encode() for sender in Sender)

#: letters that one worker holds for others while Redis is away, and their bytes
MOST_WAITING = 10_000  # letters
MOST_BYTES = 8 << 20

#: workers of whose letters the last number is known; more than ever live at once
MOST_SENDERS = 4096


#: worker, number, whether it is the first that this one ever sends it, the letter itself
Numbered = tuple[str, int, bool, bytes]


class Mailbox:
    """The mailbox of *desk*'s worker, and the way to all others'.

    *read(sender, letters)* gets other workers' letters; *on_events()* is called
    when the desk has events to take; *on_gap()* once after letters may have
    been lost: what depends on them is to be looked up. All three are called in
    the loops named above and may wait.
    """

    def __init__(
        self,
        desk: RedisDesk,
        read: Callable[[str, list[bytes]], None],
        on_events: Callable[[], None],
        on_gap: Callable[[], None],
        timeout: float = TIMEOUT,
    ) -> None:
        self._desk = desk
        self._read_letters = read
        self._on_events = on_events
        self._on_gap = on_gap
        self._reads = client(desk.url, BLOCK + timeout)
        self._writes = client(desk.url, timeout)
        self._closed = False
        # reading
        self._joins = 0
        self._away = False
        self._gap = False  # letters may have been lost, and `on_gap` has not been called yet
        self._senders: OrderedDict[str, int | None] = OrderedDict()
        # writing
        self._posted = threading.Event()
        self._sending = threading.Lock()  # one pipeline at a time
        self._batch: list[Numbered] = []  # under way, or to be sent again
        self._failures = 0  # in a row, of the kind that is not expected
        self._lock = threading.Lock()  # of what follows; never held while anything is waited for
        self._waiting: list[tuple[str, bytes]] = []
        self._bytes = 0
        #: the number of the last letter to each worker
        self._numbers: dict[str, int] = {}
        self._cheated: set[str] = set()  # workers whose first letter was dropped

    def start(self, runtime: Starts, loops: Loops | None = None) -> None:
        """Begin to read, write and tick. The desk has joined by now."""
        loops = loops or Loops(runtime)
        loops.start("the mailbox's reader", lambda: self._read_on(runtime.sleep))
        loops.start("the mailbox's writer", lambda: self._write_on(runtime.sleep))
        loops.every(BEAT, "the desk's ticks", lambda: self._desk.beat(self._on_events), vital=True)

    def close(self) -> None:
        """Write what waits, give the lease back and end the loops."""
        self.settle()
        self._closed = True
        self._posted.set()
        self._desk.close()

    # ---- writing -------------------------------------------------------

    def post(self, worker: str, letter: bytes) -> None:
        """Let *worker*, another one, have *letter*, which is not empty. Never waits.

        All that is posted in one round of the loop goes at once.
        """
        with self._lock:
            self._waiting.append((worker, letter))
            self._bytes += len(letter)
            if len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES:
                self._forget()
        self._posted.set()

    def _forget(self) -> None:
        """Drop what waits. The addressees notice by an empty letter or a missing number."""
        workers = {worker for worker, _ in self._waiting}
        for worker in workers:
            if worker in self._numbers:
                self._numbers[worker] += 1
            else:
                self._cheated.add(worker)
        self._waiting = [(worker, b"") for worker in workers]
        self._bytes = 0

    def _number(self) -> list[Numbered]:
        """All that waits, with its numbers."""
        batch: list[Numbered] = []
        with self._lock:
            for worker, letter in self._waiting:
                last = self._numbers.get(worker)
                # beginning above all that it was ever sent, should it have been gone meanwhile
                number = time.time_ns() // 1000 if last is None else last + 1
                first = last is None and worker not in self._cheated
                self._cheated.discard(worker)
                self._numbers[worker] = number
                batch.append((worker, number, first, letter))
            self._waiting.clear()
            self._bytes = 0
        return batch

    def settle(self) -> None:
        """Return when all that was posted is in its mailboxes, or cannot be brought there now."""
        try:
            self._send()
        except redis.RedisError as error:
            _letters_wait(error)

    def _send(self) -> None:
        """Send what waits, in one pipeline; what fails is sent again with the same numbers."""
        with self._sending:
            if self._batch:
                self._transmit()
            self._batch = self._number()
            if self._batch:
                self._transmit()

    def _transmit(self) -> None:
        pipeline = self._writes.pipeline(transaction=False)
        for worker, number, first, letter in self._batch:
            entry: dict[Any, Any] = {
                Entry.SENDER: self._desk.worker,
                Entry.NUMBER: number,
                Entry.LETTER: letter,
            }
            if first:
                entry[Entry.FIRST] = 1
            mailbox = self._desk.prefix + Key.MAILBOX + worker
            pipeline.xadd(mailbox, entry, maxlen=MOST_LETTERS, nomkstream=True)
        for (worker, *_), added in zip(self._batch, pipeline.execute(), strict=True):
            if added is None:  # that worker is gone
                self._numbers.pop(worker, None)
        self._batch = []

    def _write_on(self, sleep: Callable[[float], None]) -> bool:
        """Send what is posted next; False once closed."""
        self._posted.wait()
        if self._closed:
            self._writes.close()
            return False
        self._posted.clear()
        try:
            self._send()
        except redis.RedisError as error:
            _letters_wait(error)
            sleep(RETRY)
            self._posted.set()
        except BaseException:
            self._give_up()
            self._posted.set()
            raise
        else:
            self._failures = 0
        return True

    def _give_up(self) -> None:
        """Drop a batch that cannot be sent, so that the rest can: its addressees miss a number."""
        self._failures += 1
        if self._failures < TRIES:
            return
        with self._sending, self._lock:
            workers = {worker for worker, *_ in self._batch if worker in self._numbers}
            for worker in workers:
                self._numbers[worker] += 1
            self._batch = [(worker, self._numbers[worker], False, b"") for worker in workers]

    # ---- reading -------------------------------------------------------

    def _read_on(self, sleep: Callable[[float], None]) -> bool:
        """Hand on what comes next; False once closed."""
        if self._closed:
            self._reads.close()
            return False
        try:
            self.read(BLOCK)
            self._away = False
        except redis.RedisError as error:
            if not self._away:
                log.warning("the mailbox cannot be read: %s", error)
            self._away = True
            sleep(RETRY)
        return True

    def read(self, block: float | None) -> None:
        """Hand on what is in the mailbox, after waiting for up to *block* seconds for it.

        Raises `redis.RedisError`.
        """
        desk = self._desk
        begun, place = desk.joins, desk.mailbox_read
        self._joins = self._joins or begun
        found: Any = self._reads.xread(
            {desk.prefix + Key.MAILBOX + desk.worker: place},
            count=BATCH,
            block=None if block is None else round(block * 1000),
        )
        entries = found[0][1] if found else []
        self._gap |= not self._begin_again()
        try:
            self._hand_on(entries)
        except BaseException:
            self._gap = True
            raise
        finally:
            if entries and desk.joins == begun:
                desk.mailbox_read = entries[-1][0].decode()
        if self._gap:
            self._on_gap()
            self._gap = False

    def _hand_on(self, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Hand on *entries*. An error in one sender's letters does not stop those of the others."""
        failure: Exception | None = None
        for sender, some in groupby((entry for _, entry in entries), lambda entry: entry[SENDER]):
            try:
                if sender == OF_DESK:
                    self._desk.receive([(int(entry[NUMBER]), entry[LETTER]) for entry in some])
                    self._on_events()
                elif sender != OF_NOBODY:
                    self._gap |= not self._hand_on_letters(sender.decode(), some)
            except Exception as error:
                failure = error
        if failure is not None:
            raise failure

    def _hand_on_letters(self, sender: str, entries: Iterable[dict[bytes, bytes]]) -> bool:
        """Hand on a sender's letters; whether none is missing."""
        whole, news = True, []
        for entry in entries:
            new, follows = self._is_new(sender, int(entry[NUMBER]), first=FIRST in entry)
            whole &= follows
            if new and entry[LETTER]:
                news.append(entry[LETTER])
        if news:
            self._read_letters(sender, news)
        return whole

    def _begin_again(self) -> bool:
        """False when the desk has joined once more: letters that were under way may be lost."""
        joins = self._desk.joins
        again = self._joins != joins
        if again:
            for sender in self._senders:
                self._senders[sender] = None
        self._joins = joins
        return not again

    def _is_new(self, sender: str, number: int, *, first: bool) -> tuple[bool, bool]:
        """Whether this letter was not read before, and whether none before it is missing."""
        known = sender in self._senders
        last = self._senders.get(sender)
        if last is not None and number <= last:
            return False, True
        self._senders[sender] = number
        self._senders.move_to_end(sender)
        if len(self._senders) > MOST_SENDERS:
            self._senders.popitem(last=False)
        if known:
            return True, last is None or number == last + 1
        return True, first


def _letters_wait(error: redis.RedisError) -> None:
    log.info("letters wait: %s", type(error).__name__)  # its words hold the letters
