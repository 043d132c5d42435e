"""The portraits: reproducible, every factor visible, bad factors refused."""

import numpy as np
import pytest

from supsae.portraits.scene import (
    BACKGROUNDS,
    CLOTHING,
    EXPRESSIONS,
    EYEWEAR,
    FACTORS,
    HAIR_BEHIND,
    HAIR_COLORS,
    HAIR_FRONT,
    HATS,
    IRIS_COLORS,
    SIZE,
    Nuisance,
    draw_people,
    draw_portrait,
    sample_factors,
)

FIRST = {category: values[0] for category, values in FACTORS.items()}
PAIRS = [
    (category, a, b) for category, values in FACTORS.items() for i, a in enumerate(values) for b in values[i + 1 :]
]
TABLES = {
    "background": [BACKGROUNDS],
    "hair": [HAIR_COLORS],
    "haircut": [HAIR_BEHIND, HAIR_FRONT],
    "eyes": [IRIS_COLORS],
    "eyewear": [EYEWEAR],
    "hat": [HATS],
    "clothing": [CLOTHING],
    "expression": [EXPRESSIONS],
}


def test_every_value_has_a_drawing():
    assert TABLES.keys() == FACTORS.keys()
    for category, tables in TABLES.items():
        assert all(tuple(table) == FACTORS[category] for table in tables)


def test_same_inputs_give_the_same_bytes():
    rng = np.random.default_rng(0)
    factors, nuisance = sample_factors(rng), Nuisance.sample(rng)
    picture = draw_portrait(factors, nuisance)
    assert (picture.mode, picture.size) == ("RGB", (SIZE, SIZE))
    assert picture.tobytes() == draw_portrait(factors, nuisance).tobytes()


def test_samples_are_reproducible_and_cover_all_values():
    # A value of a category of at most four is missed by 200 uniform draws with probability below 0.75**200 = 1e-25.
    rng = np.random.default_rng(0)
    drawn = [sample_factors(rng) for _ in range(200)]
    assert drawn[0] == sample_factors(np.random.default_rng(0))
    assert Nuisance.sample(np.random.default_rng(1)) == Nuisance.sample(np.random.default_rng(1))
    for category, values in FACTORS.items():
        assert {factors[category] for factors in drawn} == set(values)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("category", "a", "b"), PAIRS)
def test_one_changed_factor_is_visible(category, a, b, seed):
    # The smallest feature is one iris (the eyepatch may hide the other): a disc 12 px across without the pupil, 6 px
    # across, and the highlight, 4 px across: pi * (36 - 9 - 4) = 72 px, times 0.94**2 at the smallest scale = 63.
    # Rims mix with their neighbours, so ask for 50 pixels that change by more than 30 levels in some channel.
    rng = np.random.default_rng(seed)
    factors, nuisance = sample_factors(rng), Nuisance.sample(rng)
    before, after = (np.asarray(draw_portrait({**factors, category: value}, nuisance), dtype=int) for value in (a, b))
    assert (abs(after - before).max(axis=-1) > 30).sum() >= 50


def test_two_people_stand_side_by_side_and_one_changes_alone():
    # Nobody reaches over the middle: arms and hair end 62 px from the axis at the largest scale, moved by 3 at most.
    rng = np.random.default_rng(0)
    people = [sample_factors(rng) | {"background": "snow"} for _ in range(2)]
    nuisances = [Nuisance.sample(rng) for _ in range(2)]
    both = np.asarray(draw_people(people, nuisances), dtype=int)
    assert both.shape == (SIZE, 2 * SIZE, 3)
    for side, category in ((0, "hair"), (1, "clothing")):
        other = [value for value in FACTORS[category] if value != people[side][category]][0]
        changed = [person | {category: other} if side == i else person for i, person in enumerate(people)]
        moved = (np.asarray(draw_people(changed, nuisances), dtype=int) != both).any(-1)
        halves = moved[:, :SIZE], moved[:, SIZE:]
        assert halves[side].sum() >= 50 and not halves[1 - side].any()


def test_the_nuisance_moves_the_person_and_keeps_the_background():
    # Above the shoulders a hatless person is within 37 px of the axis, plus 2 px of edge: x >= 64 - 3 - 37 - 2 = 22.
    still, moved = (np.asarray(draw_portrait(FIRST, Nuisance(x=x))) for x in (-3, 3))
    assert not np.array_equal(still, moved)
    np.testing.assert_array_equal(still[:16, :16], moved[:16, :16])


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({k: v for k, v in FIRST.items() if k != "hat"}, "categories.*expected exactly.*'hat'"),
        ({**FIRST, "shoes": "red"}, "shoes.*expected exactly"),
        ({**FIRST, "hat": "fez"}, "hat is 'fez', expected one of .*'top hat'"),
    ],
)
def test_bad_factors_are_refused(factors, message):
    with pytest.raises(ValueError, match=message):
        draw_portrait(factors, Nuisance())
