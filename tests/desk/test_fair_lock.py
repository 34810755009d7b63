"""First come, first served, whoever asks at the right moment."""

from __future__ import annotations

import subprocess
import sys
import threading

from services.desk.fair_lock import FairLock

CROWD = 20
ROUNDS = 50


def test_who_waits_first_gets_it_first():
    lock, order = FairLock(), []

    def take(number: int) -> None:
        with lock:
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(CROWD)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            while lock.waiting <= number:
                pass
    for thread in threads:
        thread.join()
    assert order == list(range(CROWD))
    with lock:
        assert lock.waiting == 0


def test_one_at_a_time():
    lock, inside, most = FairLock(), [], []

    def take() -> None:
        for _ in range(ROUNDS):
            with lock:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8 * ROUNDS
    assert set(most) == {1}


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent
from services.desk.fair_lock import FairLock
lock, order = FairLock(), []
def take(name):
    with lock:
        order.append(name)
        gevent.sleep(0)
        if name == "first":
            late.start()
first, second, killed, third = (gevent.Greenlet(take, one)
    for one in ("first", "second", "killed", "third"))
late = gevent.Greenlet(take, "late")
for one in (first, second, killed, third):
    one.start()
gevent.sleep(0)
killed.kill()
gevent.joinall([first, second, third], raise_error=True)
late.join()
print(*order, lock.waiting)
"""


def test_greenlets_keep_their_order_and_one_that_is_killed_is_passed_over():
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["first", "second", "third", "late", "0"]
