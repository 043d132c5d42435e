"""How pictures are sampled: buckets of steps, and options that cannot be."""

import pytest

from supsae.supsae_core.capture.sampling import Sampling
from supsae.supsae_core.encoders.sites import parse_sites


def sampling(**changes):
    values = {
        "sites": parse_sites("txt@1"), "steps": 8, "cfg": 3.0, "width": 128, "height": 64, "image": "mean",
        "buckets": 3, "sigmas": tuple(1 - i / 8 for i in range(8)), "hidden": 192, "fingerprint": {},
    }  # fmt: skip
    return Sampling(**(values | changes))


def test_buckets_are_runs_of_steps():
    # 8 steps in 3 runs: 3, 3 and 2; noise levels 1, 7/8 … 1/8
    how = sampling()
    assert [list(run) for run in how.runs] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert how.centres == pytest.approx((0.875, 0.5, 0.1875)) and how.tokens == 8 * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sites": parse_sites("cond, txt@1")}, "captured at txt@i and img@i, not at cond"),
        ({"image": "most"}, "no reduction 'most' of the image stream. Choose mean, attention, positions"),
        ({"buckets": 9}, "8 steps at 8 noise levels cannot be divided into 9 buckets"),
        ({"sigmas": (1.0,)}, "8 steps at 1 noise levels"),
        ({"width": 100}, "100 × 64 does not fit SD3. Width and height are multiples of 16"),
    ],
)
def test_options_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        sampling(**change)
