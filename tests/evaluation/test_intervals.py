"""Intervals are the published ones, and survive a file."""

import itertools
import json
import math

import pytest

from supsae.evaluation.intervals import (
    Interval,
    difference,
    error_interval,
    failure_ratio,
    mean_interval,
    paired_error,
    paired_interval,
    share,
    variation_interval,
    wilson,
)

Z2 = 1.959964**2


def test_wilson_at_the_ends():
    # With no success the bounds are 0 and z² / (n + z²); all successes mirror them.
    assert wilson(0, 10)[:3] == pytest.approx((0, 0, Z2 / (10 + Z2)))
    assert wilson(10, 10)[:3] == pytest.approx((1, 10 / (10 + Z2), 1))
    assert wilson(0, 0)[1:] == (0, 1, 0)


def test_wilson_in_the_middle_is_symmetric():
    # p = ½: half-width = z √(1/4n + z²/4n²) / (1 + z²/n) = (z / 2) / √(n + z²).
    half = Z2**0.5 / 2 / (10 + Z2) ** 0.5
    assert wilson(5, 10)[:3] == pytest.approx((0.5, 0.5 - half, 0.5 + half))


def answers(both, first, second, neither):
    return [True] * (both + first) + [False] * (second + neither), [
        *[True] * both, *[False] * first, *[True] * second, *[False] * neither,
    ]  # fmt: skip


FULL, HALF = Z2 / (10 + Z2), Z2**0.5 / 2 / (10 + Z2) ** 0.5
REACHES = {
    # All succeed twice: φ is 0 (a margin is empty), so both reaches are those of Wilson's 10 of 10, z² / (10 + z²).
    (10, 0, 0, 0): FULL,
    # 5 both, 5 neither: φ = (25 − 10/2) / √5⁴ = 0.8, both Wilson reaches w, so each side is w √(2 − 1.6).
    (5, 0, 0, 5): HALF * 0.4**0.5,
}


@pytest.mark.parametrize("counts", REACHES)
def test_paired_interval_narrows_with_correlation(counts):
    reach = REACHES[counts]
    assert paired_interval(*answers(*counts))[:3] == pytest.approx((0, -reach, reach))


def test_paired_interval_is_antisymmetric_and_holds_the_difference():
    for counts in itertools.product((0, 1, 4), repeat=4):
        if sum(counts):
            one, other = answers(*counts)
            there, back = paired_interval(one, other), paired_interval(other, one)
            assert there.low <= there.estimate <= there.high
            assert there.low >= -1 and there.high <= 1
            assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-12)


def test_difference_without_pairs_is_wider():
    # Wilson of 10 of 10 reaches z² / (10 + z²) down and 0 up, so both sides are that reach: √(a² + 0²).
    assert difference(wilson(10, 10), wilson(10, 10))[:3] == pytest.approx((0, -FULL, FULL))


def test_variation_interval_takes_chance_off():
    # The same values in both lists: nothing to exchange, so nothing by chance and nothing measured.
    assert variation_interval([(["a", "b"], ["a", "b"])])[:3] == (0, 0, 0)
    # All of 100 pairs go from a to b: 1 measured; exchanged at random it is |50 − 50| by binomial chance, under 0.3.
    far = variation_interval([(["a"] * 100, ["b"] * 100)])
    assert far.estimate == 1 and 0.7 < far.low < 0.95 and far.high == 1 and far.count == 100
    # Half of them go one way and half the other: 0 measured, and chance alone reaches well above.
    level = variation_interval([(["a"] * 50 + ["b"] * 50, ["b"] * 50 + ["a"] * 50)])
    assert level.estimate == 0 and level.low == 0 and 0 < level.high < 0.2


def test_failure_ratio_counts_failures_case_by_case():
    # 1 failure for every 2: a half; of the cases resampled it is never below 0
    found = failure_ratio([False, True, True, True], [False, False, True, True])
    assert found.estimate == 0.5 and 0 <= found.low <= 0.5 <= found.high
    assert failure_ratio([False, True], [True, True]).high == math.inf  # nothing to compare with


def test_a_mean_by_hand():
    # 1, 2, 3: spread 1 with n − 1, so the half-width is 1.96 / √3.
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 2 - 1.959964 / 3**0.5, 2 + 1.959964 / 3**0.5, 3))


@pytest.mark.parametrize("value", [wilson(1, 3), share([]), failure_ratio([False], [True])], ids=str)
def test_json_reads_back(value):
    found = Interval.parse(json.loads(json.dumps(value.json(), allow_nan=False)))
    assert found.count == value.count
    for one, other in zip(found[:3], value[:3], strict=True):
        assert one == pytest.approx(other, abs=5e-5, nan_ok=True)


def test_an_error_is_the_root_of_a_share_of_squares():
    # every case has 1 of 4 squares off: ½, whichever cases are drawn
    assert error_interval([1, 1, 1], [4, 4, 4]) == (0.5, 0.5, 0.5, 3)
    # (1 + 9) of (4 + 36): again ½; drawn apart they are ½ each, so together too
    assert error_interval([1, 9], [4, 36])[:3] == pytest.approx((0.5, 0.5, 0.5))
    wide = error_interval([0, 4], [4, 4])  # drawn alone the one is 0 and the other 1
    assert wide == (pytest.approx(0.5**0.5), 0, 1, 2)
    assert math.isnan(error_interval([0.0], [0.0]).estimate) and math.isnan(error_interval([], []).estimate)


def test_paired_errors_keep_what_cases_have_in_common():
    # one leaves ¼ of the squares of every case, the other 1/9: ½ − ⅓, though the cases differ in size
    found = paired_error(([1, 25], [4, 100]), ([1, 4], [9, 36]))
    assert found[:3] == pytest.approx((1 / 6, 1 / 6, 1 / 6))
