"""How much of an edit a picture shows, on pictures whose change can be counted."""

import pytest
import torch

from supsae.supsae_core.editing.shown import region, share, towards


def picture(*values):
    """A picture of one row, every pixel grey."""
    return torch.tensor(values)[None, None, :, None].expand(1, 1, len(values), 3).clone()


ORIGINAL, EDITED = picture(0.5, 0.5, 0.5, 0.5), picture(1.0, 0.8, 0.51, 0.5)


def test_region_is_what_the_edit_changes():
    # changes 0.5, 0.3, 0.01 and 0; the strongest is about 0.5, a tenth of it 0.05
    assert region(ORIGINAL, EDITED).tolist() == [[[True, True, False, False]]]


def test_region_of_a_weak_edit_stops_at_the_floor():
    # changes 0.03 and 0.01: a tenth of the strongest would be 0.003, but 0.02 is the least that counts
    assert region(ORIGINAL, picture(0.53, 0.51, 0.5, 0.5)).tolist() == [[[True, False, False, False]]]


def test_an_edit_that_changes_nothing_is_refused():
    with pytest.raises(ValueError, match="changes nothing that can be seen"):
        region(ORIGINAL, ORIGINAL + 0.01)


@pytest.mark.parametrize(
    ("shown", "shares"),
    [
        (ORIGINAL, (0.0, 0.0)),
        (EDITED, (1.0, 1.0)),
        # half of 0.5 and 0.3 in the region; half of all changes along the edit
        ((ORIGINAL + EDITED) / 2, (0.5, 0.5)),
        # as far, the other way
        (2 * ORIGINAL - EDITED, (1.0, -1.0)),
        # 0.4 outside the region and none inside: (0.4 · 0.01) / (0.5² + 0.3² + 0.01²) of the edit's way
        (picture(0.5, 0.5, 0.9, 0.5), (0.0, 0.004 / 0.3401)),
    ],
)
def test_shares(shown, shares):
    inside = region(ORIGINAL, EDITED)
    assert share(shown, ORIGINAL, EDITED, inside) == pytest.approx(shares[0], abs=1e-6)
    assert towards(shown, ORIGINAL, EDITED) == pytest.approx(shares[1], abs=1e-6)
