"""How fast long work goes, by a clock that is turned by hand."""

import pytest

from supsae.training.pace import SPAN, Pace, left


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def rates(*steps):
    """Return the rates after (seconds, done) each."""
    clock = Clock()
    pace, found = Pace(clock), []
    for seconds, done in steps:
        clock.now += seconds
        found.append(pace.rate(done))
    return found


def test_the_rate_is_what_was_done_since_the_first_look():
    assert rates((0, 10), (2, 14), (2, 30)) == [0, 2, 5]  # 4 in 2 s, 20 in 4 s


def test_what_was_long_ago_does_not_count():
    # looks at 0, 5, 10 … 60 s: one a second for 30 s, then ten; at 60 s only the looks of 30 s and later count
    steps = [(0 if i == 0 else 5, 5 * i if i <= 6 else 30 + 50 * (i - 6)) for i in range(13)]
    assert rates(*steps)[-1] == pytest.approx(10)
    assert SPAN == 30


def test_other_work_begins_anew():
    assert rates((0, 0), (1, 100), (1, 0), (2, 4)) == [0, 100, 0, 2]


def test_time_left():
    assert left(30, 100, 7) == 10
    assert left(100, 100, 7) == 0
    assert left(0, 100, 0) is None
