"""Rows of a mix in a part of sampling: where it is cut, and how strong an edit is there."""

import pytest

from supsae.supsae_core.editing.between import Between
from supsae.supsae_core.editing.edits import Clear, Keep, Turn, Weigh
from supsae.supsae_core.editing.when import When, faded, stretches
from supsae.supsae_core.editing.windows import Window

RED, HAT, EYES = Turn("hair: red", 1.0), Clear("hat", 1.0), Keep("eyes")


def cut(edits, whens, *ends):
    """Return where stretches begin and end, and the strength of each edit in them."""
    found = stretches(edits, {one: When(Window(*window)) for one, window in whens.items()}, *ends)
    return [(start, end, [getattr(here, "strength", None) for _, here in some]) for start, end, some in found]


CUT = {
    "always": (([RED, HAT], {}), [(0, 1, [1, 1])]),
    "from the middle on": (([RED], {RED: (0.5, 1)}), [(0, 0.5, []), (0.5, 1, [1])]),
    "one always": (([RED, HAT], {HAT: (0, 0.25)}), [(0, 0.25, [1, 1]), (0.25, 1, [1])]),
    "kept always": (([RED, EYES], {RED: (0, 0.5)}), [(0, 0.5, [1, None]), (0.5, 1, [None])]),
    "an entry of a part": (([RED], {RED: (0.5, 1)}, 0.25, 0.75), [(0.25, 0.5, []), (0.5, 0.75, [1])]),
    "outside an entry's part": (([RED], {RED: (0.5, 1)}, 0, 0.5), [(0, 0.5, [])]),
    # a ramp of a quarter from 0.5 on, in four steps: in the middle of the first it is an eighth of the way
    "a ramp": (
        ([RED], {RED: (0.5, 1, 0.25)}),
        [(0, 0.5, []), (0.5, 0.5625, [0.125]), (0.5625, 0.625, [0.375]), (0.625, 0.6875, [0.625]),
         (0.6875, 0.75, [0.875]), (0.75, 1, [1])],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), CUT.values(), ids=CUT)
def test_sampling_is_cut_where_something_changes(given, wanted):
    found = cut(*given)
    assert [(*part[:2], part[2]) for part in found] == [(start, end, pytest.approx(s)) for start, end, s in wanted]


@pytest.mark.parametrize(
    ("edit", "weight", "wanted"),
    [
        (RED, 1.0, RED),
        (RED, 0.0, None),
        (RED, 0.5, Turn("hair: red", 0.5)),
        (Weigh("hair", 1.5), 0.5, Weigh("hair", 1.25)),  # 1 is where it changes nothing
        (Weigh("hair", 1.5), 0.0, None),
        (Between("hair: blond", 0.3, "hair: red"), 0.5, Between("hair: blond", 0.3, "hair: red")),
        (Between("hair: blond", 0.3, "hair: red"), 0.4, None),
        (EYES, 0.0, EYES),
    ],
)
def test_an_edit_part_of_the_way(edit, weight, wanted):
    assert faded(edit, weight) == wanted
