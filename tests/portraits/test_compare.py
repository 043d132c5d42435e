"""What the reader sees between two pictures; the pictures are renders, whose values are known."""

import numpy as np
import pytest
import torch

from supsae.portraits import scene
from supsae.portraits.compare import can_name, readings, reads_nothing, seen_changes

SAID = {
    "background": "snow", "hair": "red", "haircut": "long", "eyes": "green", "eyewear": "none", "hat": "none",
    "clothing": "hoodie", "expression": "smile",
}  # fmt: skip


def rendered(**changes):
    drawn = scene.draw_portrait(SAID | changes, scene.Nuisance.sample(np.random.default_rng(3)))
    return torch.from_numpy(np.asarray(drawn, np.float32) / 255)


def test_what_changed_is_named_and_what_stayed_too():
    found = {one.category: one for one in seen_changes(rendered(), rendered(hair="black", hat="crown"))}
    assert set(found) == set(SAID)
    assert {name for name, one in found.items() if one.before != one.after} == {"hair", "hat"}
    assert found["hair"][1:3] == ("red", "black") and found["hat"][1:3] == ("none", "crown")
    assert all({one.before, one.after} <= set(one.values) for one in found.values())


def test_enlarged_pictures_read_the_same():
    small = [rendered(), rendered(hair="blue")]
    large = [one.repeat_interleave(4, 0).repeat_interleave(4, 1) for one in small]
    assert seen_changes(*large) == seen_changes(*small)


def test_two_people_are_told_apart():
    both = [torch.cat([rendered(), rendered(hair=hair)], 1) for hair in ("red", "black")]
    moved = [one for one in seen_changes(*both) if one.before != one.after]
    assert [one.category for one in moved] == ["right hair"]


STRANGE = {
    "another size": (torch.zeros(128, 128, 3), torch.zeros(128, 256, 3)),
    "no square": (torch.zeros(128, 200, 3), torch.zeros(128, 200, 3)),
    "too small": (torch.zeros(64, 64, 3), torch.zeros(64, 64, 3)),
}


@pytest.mark.parametrize(("before", "after"), STRANGE.values(), ids=STRANGE)
def test_of_other_pictures_nothing_is_said(before, after):
    assert seen_changes(before, after) is None


def test_pictures_are_read_together_and_of_others_nothing():
    assert readings(torch.stack([rendered(), rendered(hair="black")])) == [SAID, SAID | {"hair": "black"}]
    assert readings(torch.zeros(2, 64, 64, 3)) is None
    assert reads_nothing({"hair": "unreadable"}) and not reads_nothing(SAID)


def test_what_the_reader_can_name():
    assert can_name("hair: red") and not can_name("hair: teal") and not can_name("shoes: red")
