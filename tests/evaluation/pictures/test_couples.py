"""Prompts of two people ask for a change of one, and only the other's picture may count against it."""

import numpy as np
import pytest

from supsae.evaluation.cases import World
from supsae.evaluation.outcomes import JudgedCase, Observed, Outcome
from supsae.evaluation.pictures import couples
from supsae.portraits import captions
from supsae.supsae_core.table.parsing import parse_table

TABLE = captions.table()
WORLD = World(TABLE, wording=captions.WORDING, longest=captions.LONGEST)


@pytest.mark.parametrize("seed", range(4))
def test_one_of_two_is_asked_for_and_the_rewrite_says_it(seed):
    (case,) = couples.draw_couples(WORLD, 1, np.random.default_rng(seed))
    (edit,), ((goal, value),) = case.edits, case.wanted.items()
    side, category = goal.split(" ")
    changed = [at for at, (old, new) in enumerate(zip(case.before, case.after, strict=True)) if old != new]
    assert [case.places[at] for at in changed] == [goal] and edit.concept == f"{category}: {value}"
    # the other one has the same category, with another value than the one that goes or comes
    own = [at for at, one in enumerate(case.before) if TABLE.concepts[one].category == category]
    assert len(own) == 2 and own[edit.occurrence - 1] == changed[0]
    assert len({*(case.before[at] for at in own), case.after[changed[0]]}) == 3
    words = case.prompt.text.replace(",", " ,").split()
    first = min((words.index(name), name) for name in ("left", "right"))[1]
    assert case.places[0].startswith(first) and side in ("left", "right")


def test_a_table_of_two_values_a_category_is_refused():
    small = parse_table("hair:\n  red: red hair\n  blond: blond hair\n")
    with pytest.raises(ValueError, match="no category with three values"):
        couples.draw_couples(World(small), 1, np.random.default_rng(0))


def test_the_other_person_is_told_apart():
    (case,) = couples.draw_couples(WORLD, 1, np.random.default_rng(0))
    ((goal, _),) = case.wanted.items()
    side, category = goal.split(" ")
    other = {"left": "right", "right": "left"}[side]
    look = Observed({}, {}, False, 1.0)

    def judged(**kept):
        outcome = Outcome(True, {f"{other} {category}": True, f"{other} mood": True, f"{side} mood": True} | kept)
        return JudgedCase(case, look, outcome, outcome)

    found = [judged(), judged(**{f"{other} mood": False}), judged(**{f"{side} mood": False})]
    told = couples.other_kept(found)
    # the same category stays in all three; of everything about the other person one of three is lost
    assert told["other_same_category"]["estimate"] == 1 and told["other_kept"]["estimate"] == 0.6667
