"""What the geometry of codes is measured by, on codes whose angles are known."""

import sys
from pathlib import Path

import pytest
import torch

from supsae.supsae_core.table.parsing import table_from_mapping


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import code_geometry

    yield code_geometry
    for name in ("code_geometry", "shared"):
        sys.modules.pop(name, None)


TABLE = table_from_mapping({"hair": ["red", "black", "grey"], "hat": ["cap", "crown"]})


def test_a_simplex_is_no_distance_from_itself(bench):
    """Three unit vectors about their mean, and two opposite ones in other dimensions."""
    three = torch.eye(5)[:3] - torch.eye(5)[:3].mean(0)
    two = torch.stack([torch.eye(5)[3], -torch.eye(5)[3]])
    assert bench.geometry(torch.cat([three, two]), TABLE) == (0, 0, 0, 0)


def test_what_is_not_a_simplex_is_told_pair_by_pair(bench):
    # (1, 0), (−1, 0) and (0, 0): cosines −1 and twice 0, so off by −0.5, 0.5 and 0.5; rms 0.5, mean 1/6; the lengths
    # 1, 1, 0 have the mean 2/3 and the deviation 1/√3. Pairs of hats are left out: they are opposite in any case.
    codes = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, -1]])
    found = bench.geometry(codes, TABLE)
    assert found == pytest.approx((0.5, 1 / 6, 3**0.5 / 2, 0), abs=1e-3)
