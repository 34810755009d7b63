"""The wheel, ticked by hand."""

from __future__ import annotations

from services.timers import TICK, Wheel


class StillRuntime:
    """A runtime that runs nothing by itself."""

    name = "still"

    def spawn(self, function, *args) -> None: ...


def lived(wheel: Wheel, seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        wheel.tick()


def wheel_of(happened: list[str]) -> Wheel:
    wheel = Wheel(StillRuntime())
    wheel.after(1.0, lambda: happened.append("one"))
    wheel.after(2.0, lambda: happened.append("two"))
    return wheel


def test_a_timer_fires_once_and_not_too_early():
    happened: list[str] = []
    wheel = wheel_of(happened)
    lived(wheel, 1.0)
    assert happened == []
    lived(wheel, 2 * TICK)
    assert happened == ["one"]
    lived(wheel, 10)
    assert happened == ["one", "two"]
    assert wheel._slots == {}


def test_a_cancelled_timer_does_not_fire_even_by_one_of_the_same_tick():
    happened: list[str] = []
    wheel = Wheel(StillRuntime())
    timers = []
    for name in "ab":

        def fire(name: str = name) -> None:
            happened.append(name)
            for timer in timers:
                timer.cancel()

        timers.append(wheel.after(1.0, fire))
    lived(wheel, 2)
    assert len(happened) == 1


def test_a_timer_that_raises_stops_nothing(caplog):
    happened: list[str] = []
    wheel = Wheel(StillRuntime())
    wheel.after(1.0, lambda: 1 / 0)
    wheel.after(1.0, lambda: happened.append("other"))
    wheel.every_tick(lambda: happened.append("tick"))
    lived(wheel, 1.2)
    assert happened.count("other") == 1
    assert happened.count("tick") == 12
    assert "a timer failed" in caplog.text


def test_timers_that_are_taken_back_leave_nothing_behind():
    wheel = Wheel(StillRuntime())
    one, other = (wheel.after(3600, lambda: None) for _ in range(2))
    one.cancel()
    one.cancel()
    assert len(wheel._slots) == 1
    other.cancel()
    assert wheel._slots == {}
