"""Windows: which noise levels lie inside, and how the ramp fades."""

import pytest

from supsae.supsae_core.editing.windows import Window


def to_sigma(percent):
    return 1 - percent  # the simplest falling schedule


@pytest.mark.parametrize(
    ("window", "weights"),
    [  # at noise levels 1, 0.9, 0.75, 0.5, 0.25, 0
        (Window(), (1, 1, 1, 1, 1, 1)),
        (Window(0.25, 0.75), (0, 0, 1, 1, 0, 0)),  # 0.75 is the start and inside, 0.25 the end and outside
        (Window(0.0, 0.5), (1, 1, 1, 0, 0, 0)),
        (Window(0.5, 1.0), (0, 0, 0, 1, 1, 1)),
        (Window(0.0, 1.0, 0.5), (1, 1, 1, 1, 1, 1)),  # no fade where sampling itself starts and ends
        (Window(0.05, 1.0, 0.2), (0, 0.25, 1, 1, 1, 1)),  # 0.95 − 0.9 is a quarter of the ramp
        (Window(0.0, 0.85, 0.2), (1, 1, 1, 1, 0.5, 0)),  # 0.25 − 0.15 is half of it
    ],
)
def test_weights(window, weights):
    found = [window.weight(sigma, to_sigma) for sigma in (1, 0.9, 0.75, 0.5, 0.25, 0)]
    assert found == pytest.approx(weights)


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (0.6, 0.4), (-0.1, 1), (0, 1.1)])
def test_a_window_must_hold_something(start, end):
    with pytest.raises(ValueError, match="Start must be below end"):
        Window(start, end)


@pytest.mark.parametrize("ramp", [-0.1, 0.3])
def test_a_ramp_must_fit(ramp):
    with pytest.raises(ValueError, match=r"may be 0 … 0.25, half the window"):
        Window(0.25, 0.75, ramp)
