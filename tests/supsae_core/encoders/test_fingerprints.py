"""Fingerprints: the same for the same values, apart in proportion, and never "the same" for want of numbers."""

import math

import pytest
import torch

from supsae.supsae_core.encoders import fingerprints


def test_scaling_by_a_tenth_is_a_distance_of_a_tenth():
    # |1.1 v − v| / |v| = 0.1 for any v; five decimals are kept, hence the tolerance
    values = torch.linspace(-1, 1, 50)
    here, there = ({"cond": fingerprints.project(v)} for v in (1.1 * values, values))
    assert fingerprints.distance(here, there) == pytest.approx(0.1, abs=1e-4)
    assert fingerprints.distance(there, there) == 0


def test_nothing_in_common_is_not_the_same():
    assert fingerprints.distance({"cond": (1.0,)}, {}) == math.inf
    assert fingerprints.distance({"cond": (1.0,)}, {"pooled": (1.0,)}) == math.inf
