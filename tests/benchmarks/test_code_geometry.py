"""What the geometry of codes is measured by, on codes whose angles are known."""

import pytest
import torch

from supsae.supsae_core.table.parsing import table_from_mapping

TABLE = table_from_mapping({"hair": ["red", "black", "grey"], "hat": ["cap", "crown"]})
EYE = torch.eye(5)
KNOWN = {
    # three unit vectors about their mean, and two opposite ones in other dimensions: no distance from a simplex
    "simplex": (torch.cat([EYE[:3] - EYE[:3].mean(0), EYE[3:4], -EYE[3:4]]), (0, 0, 0, 0)),
    # (1, 0), (−1, 0) and (0, 0): cosines −1 and twice 0, so off by −0.5, 0.5 and 0.5; rms 0.5, mean 1/6; the lengths
    # 1, 1, 0 have the mean 2/3 and the deviation 1/√3. Pairs of hats are left out: they are opposite in any case.
    "line": (torch.stack([EYE[0], -EYE[0], 0 * EYE[0], EYE[2], -EYE[2]]), (0.5, 1 / 6, 3**0.5 / 2, 0)),
}


@pytest.mark.parametrize(("codes", "wanted"), KNOWN.values(), ids=KNOWN)
def test_geometry_by_hand(benchmark, codes, wanted):
    assert benchmark("code_geometry").geometry(codes, TABLE) == pytest.approx(wanted, abs=1e-3)
