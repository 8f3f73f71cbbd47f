"""When a shard is read again: at once, unless a steady stream would only be taken in more and smaller steps."""

import pytest

from consumers.pace import STEADY, STEP_S, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_event_alone_waits_for_nothing(clock: Clock) -> None:
    pace = Pace(clock)
    for pause_s in (0.001, 0.005, 10.0, 0.25):
        clock.now += pause_s
        pace.begin(1)
        assert pace.rest_s() == 0


def test_the_first_of_many_waits_for_nothing(clock: Clock) -> None:
    pace = Pace(clock)
    clock.now += 60
    pace.begin(1_000)
    assert pace.rest_s() == 0


def test_a_steady_stream_is_read_a_step_apart(clock: Clock) -> None:
    pace = Pace(clock)
    pace.begin(1)
    clock.now += STEP_S / 4
    pace.begin(STEADY // 2)
    for _ in range(5):
        assert pace.rest_s() == pytest.approx(STEP_S)
        # What it takes to handle a batch is part of the step.
        clock.now += 0.008
        assert pace.rest_s() == pytest.approx(STEP_S - 0.008)
        clock.now += pace.rest_s()
        pace.begin(2 * STEADY)


def test_what_takes_longer_than_a_step_is_followed_at_once(clock: Clock) -> None:
    pace = Pace(clock)
    clock.now += 0.01
    pace.begin(50_000)
    clock.now += 0.5
    assert pace.rest_s() == 0


def test_a_stream_that_ends_is_no_longer_waited_for(clock: Clock) -> None:
    pace = Pace(clock)
    clock.now += 0.01
    pace.begin(500)
    clock.now += STEP_S
    pace.begin(1)
    assert pace.rest_s() == 0
