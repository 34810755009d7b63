"""Buckets and counters, with a clock of their own."""

from __future__ import annotations

from services.limits import ConnectionCount, KeyedBuckets, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate():
    clock = Clock()
    bucket = TokenBucket(2, 5, clock)
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 1000
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]


def test_each_key_has_its_own_bucket_and_full_ones_are_forgotten():
    clock = Clock()
    buckets = KeyedBuckets(1, 2, clock)
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    assert buckets.take("b")
    for number in range(KeyedBuckets.SWEEP_AT):
        buckets.take(str(number))
    assert not buckets.take("a"), "an empty bucket is remembered"
    clock.now += 10
    buckets.take("somebody new")
    assert len(buckets._buckets) < 10
    assert buckets.take("a")


def test_buckets_are_bounded_also_where_none_of_them_is_full(monkeypatch):
    monkeypatch.setattr(KeyedBuckets, "SWEEP_AT", 10)
    monkeypatch.setattr(KeyedBuckets, "MOST", 100)
    buckets = KeyedBuckets(1 / 86_400, 2, Clock())
    sweeps, sweep = [], KeyedBuckets._sweep
    monkeypatch.setattr(KeyedBuckets, "_sweep", lambda self: (sweeps.append(1), sweep(self)))
    for number in range(1000):
        buckets.take(str(number))
        assert len(buckets._buckets) <= 100
    assert len(sweeps) < 25, "each one looks at all of them"
    assert [buckets.take("999"), buckets.take("999")] == [True, False]


def test_connections_are_counted_in_and_out():
    count = ConnectionCount(most=3, most_per_address=2)
    assert [count.enter("a"), count.enter("a"), count.enter("a")] == ["", "", "address"]
    assert count.enter("b") == ""
    assert count.enter("c") == "full"
    count.leave("a")
    assert count.enter("a") == ""
    for address in ("a", "a", "b"):
        count.leave(address)
    assert count.total == 0
    assert count._by_address == {}


def test_no_limit_and_unknown_addresses():
    count = ConnectionCount(most=100, most_per_address=0)
    assert all(count.enter("a") == "" for _ in range(50))
    count = ConnectionCount(most=100, most_per_address=1)
    assert all(count.enter("") == "" for _ in range(50))
