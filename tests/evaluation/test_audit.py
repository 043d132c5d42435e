"""What is counted over seeds: which concepts edits ask for, what counts as shown, and what is said of it."""

import numpy as np
import pytest

from supsae.drawing.pairs import LARGE, thumbnail
from supsae.evaluation.audit import AskedConcept, Seen, asked_of, by_seed, is_right, sheet, shows, tell, values
from supsae.portraits.captions import table
from supsae.supsae_core.editing.between import Between
from supsae.supsae_core.editing.edits import Add, Clear, Keep, Remove, Scale, Swap, Turn, Weigh

RED, CROWN = "hair: red", "hat: crown"
SAID = (table().index("hair: blond"), table().index(CROWN))
ASKED = {
    "swap": (Swap(RED), [AskedConcept(RED, True)]),
    "turn": (Turn(RED, 0.8), [AskedConcept(RED, True)]),
    "away from it": (Swap(RED, -1.0), [AskedConcept(RED, False)]),
    "add": (Add(CROWN), [AskedConcept(CROWN, True)]),
    "remove": (Remove(CROWN), [AskedConcept(CROWN, False)]),
    "remove backwards": (Remove(CROWN, -0.5), [AskedConcept(CROWN, True)]),
    "nothing": (Swap(RED, 0.0), [AskedConcept(RED, None)]),
    "scale": (Scale(CROWN, 1.5), [AskedConcept(CROWN, None)]),
    "clear what is said": (Clear("hat"), [AskedConcept(CROWN, False)]),
    "clear what is not": (Clear("eyewear"), []),
    "weigh": (Weigh("hair", 0.5), [AskedConcept("hair: blond", None)]),
    "upper end": (Between(RED, 0.5, other="hair: black"), [AskedConcept(RED, None), AskedConcept("hair: black", True)]),
    "lower end": (
        Between(RED, -1.0, other="hair: black"),
        [AskedConcept(RED, True), AskedConcept("hair: black", None)],
    ),
    "middle": (Between(RED, 0.0, other="hair: black"), [AskedConcept(RED, None), AskedConcept("hair: black", None)]),
    "keep": (Keep("hair"), []),
}


@pytest.mark.parametrize(("edit", "wanted"), ASKED.values(), ids=ASKED)
def test_what_an_edit_asks_for(edit, wanted):
    assert asked_of(table(), [edit], SAID) == wanted


def test_of_two_people_one_is_enough_and_what_is_unreadable_shows_nothing():
    both = {"left hair": "black", "right hair": "red", "left hat": "unreadable", "right hat": "none"}
    assert shows(both, RED) and not shows(both, "hair: blond") and not shows(both, CROWN)
    assert values(both, [AskedConcept(RED, True)]) == "black, red"


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        ([AskedConcept(RED, True)], True),
        ([AskedConcept(RED, True), AskedConcept(CROWN, True)], False),
        ([AskedConcept(RED, True), AskedConcept(CROWN, False)], True),
        ([AskedConcept(RED, None)], None),
        ([AskedConcept("hair: teal", True, named=False)], None),
        ([], None),
    ],
)
def test_a_picture_is_as_asked_if_everything_wanted_is_there(asked, right):
    assert is_right({"hair": "red", "hat": "none"}, asked) is right


def test_what_is_unreadable_is_never_as_asked():
    read = {"hair": "red", "hat": "unreadable"}
    assert is_right(read, [AskedConcept(CROWN, False)]) is False and is_right(read, [AskedConcept(RED, True)]) is True


def seen(*after, eyes=(), before="blond"):
    """Return a seed for every hair colour after the edit; eyes turn blue with the seeds that are named."""
    return [
        Seen(seed, {"hair": before, "eyes": "green"}, {"hair": hair, "eyes": "blue" if seed in eyes else "green"})
        for seed, hair in enumerate(after)
    ]


def test_counts_come_with_intervals_and_failed_seeds():
    # Wilson with z² = 3.84: of 0 of 4 the upper end is z² / (4 + z²) = 49 %; of 3 of 4 the middle is
    # (0.75 + 0.48) / 1.96 = 0.628 and half the reach 1.96 √(0.75 · 0.25 / 4 + 3.84 / 64) / 1.96 = 0.327: 30 … 95 %
    assert tell(seen("red", "black", "red", "red", eyes=(2, 3)), [AskedConcept(RED, True)]).splitlines() == [
        "hair: red in 0 of 4 pictures before (0% … 49%), in 3 of 4 after (30% … 95%).",
        "As asked in 3 of 4 pictures (30% … 95%).",
        "Not with these seeds: 1.",
        "What else reads differently after the edit, in how many of 4 pictures: eyes 2.",
    ]


def test_what_nobody_wants_or_can_name_is_not_judged():
    told = tell(
        seen("red", "red"), [AskedConcept("hair: teal", True, named=False), AskedConcept("hair: blond", None)]
    ).splitlines()
    assert told == [
        "hair: teal: the reader has no name for it. Judge with your own eyes.",
        "hair: blond in 2 of 2 pictures before (34% … 100%), in 0 of 2 after (0% … 66%).",
        "Nothing else reads differently after the edit.",
    ]


def test_what_nobody_can_name_is_not_said_to_be_as_asked():
    told = tell(seen("red"), [AskedConcept("hair: teal", True, named=False), AskedConcept(RED, True)]).splitlines()
    assert told[2].startswith("As asked in 1 of 1 pictures")
    assert told[3] == "That is about what the reader has a name for alone."


def test_every_seed_has_a_line():
    assert by_seed(seen("red", "black", eyes=(1,)), [AskedConcept(RED, True)]).splitlines() == [
        "seed 0: hair blond → red (as asked)",
        "seed 1: hair blond → black (not as asked); also eyes green → blue",
    ]
    assert by_seed(seen("blond", eyes=(0,)), []) == "seed 0: eyes green → blue"


@pytest.mark.parametrize("read", [True, False])
def test_a_sheet_has_two_pictures_for_every_seed(read):
    made = [
        (np.full((LARGE, LARGE, 3), shade, np.uint8), np.full((LARGE, LARGE, 3), 200, np.uint8)) for shade in (1, 2)
    ]
    found = np.asarray(sheet([0, 1], made, seen("red", "red") if read else [], [AskedConcept(RED, True)], "title"))
    assert [int((found == shade).all(-1).sum()) for shade in (1, 2, 200)] == [LARGE**2, LARGE**2, 2 * LARGE**2]
    green = (found == (38, 134, 84)).all(-1).any()
    assert green == read


def test_thumbnails_are_small_enough_for_many():
    assert thumbnail(np.zeros((1024, 512, 3), np.uint8)).shape == (256, 128, 3)
    assert thumbnail(np.zeros((64, 64, 3), np.uint8)).shape == (192, 192, 3)
