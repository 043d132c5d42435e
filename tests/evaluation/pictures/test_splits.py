"""Cases are what their split says, and the same every time."""

import numpy as np
import pytest

from supsae.evaluation.cases import World
from supsae.evaluation.pictures import splits
from supsae.evaluation.pictures.splits import SPLITS
from supsae.portraits import captions
from supsae.supsae_core.editing.edits import Add, Remove
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table

TABLE = captions.table()
COUNT = 8


@pytest.fixture(scope="module")
def world(learnt):
    return World.of(learnt.capture.plan)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_says_in_the_rewrite_what_is_wanted(world, split):
    found = splits.draw(split, world, COUNT, seed=3)
    assert len(found) == COUNT and found == splits.draw(split, world, COUNT, seed=3)
    for case in found:
        assert set(case.before) == set(case.prompt.support(TABLE)) and not prompts.has_pair(case.before, world.held_out)
        assert case.prompt.text not in world.texts and prompts.length(case.rewrite.text) <= captions.LONGEST
        for category, value in case.wanted.items():
            says = {TABLE.concepts[one].name for one in case.after if TABLE.concepts[one].category == category}
            assert says == (set() if value is None else {value})
        untouched = {one for one in case.before if TABLE.concepts[one].category not in case.wanted}
        assert untouched == {one for one in case.after if TABLE.concepts[one].category not in case.wanted}


def test_a_longer_draw_begins_with_the_shorter_one(world):
    assert splits.draw("unseen pairs", world, 6, seed=3) == splits.draw("unseen pairs", world, COUNT, seed=3)[:6]


def test_unseen_pairs_and_seen_tuples_are_what_they_say(world):
    assert all(prompts.has_pair(one.after, world.held_out) for one in splits.draw("unseen pairs", world, COUNT, 3))
    assert all(frozenset(one.after) in world.supports for one in splits.draw("seen tuples", world, COUNT, 3))
    unseen = splits.draw("unseen tuples", world, COUNT, 3)
    assert not any(frozenset(one.after) in world.supports for one in unseen)
    assert not any(prompts.has_pair(one.after, world.held_out) for one in unseen)


def test_kinds_of_edits(world):
    kinds = {name: {type(e) for c in splits.draw(name, world, COUNT, 3) for e in c.edits} for name in SPLITS}
    assert kinds.pop("unmentioned") == {Add} and kinds.pop("removal") == {Remove}
    assert len(set(map(frozenset, kinds.values()))) == 1  # swaps all others


def test_shuffled_prompts_carry_more_fillers(world):
    def fillers(split):
        texts = [case.prompt.text for case in splits.draw(split, world, 40, 3)]
        return sum(filler in text for text in texts for filler in captions.WORDING.fillers)

    assert fillers("shuffled") > 2 * fillers("unseen pairs")  # 0.5 against 0.15 behind every phrase


@pytest.mark.parametrize("split, itself", [("paraphrased company", False), ("paraphrased itself", True)])
def test_paraphrases_are_words_outside_the_table(world, split, itself):
    known = {phrase.text for phrase in TABLE.phrases}
    for case in splits.draw(split, world, COUNT, 3):
        strange = []
        for mention in case.prompt.mentions:
            said = prompts.trim(" ".join(case.prompt.words[mention.start : mention.stop]))
            if said not in known:
                strange.append(TABLE.phrases[mention.phrase].concept)
                assert said in captions.PARAPHRASES[str(TABLE.concepts[strange[-1]])]
        changed = set(case.before) - set(case.after)
        assert strange and (set(strange) <= changed if itself else not set(strange) & changed)


def test_several_edits_are_nested(world):
    (nested,) = splits.several(world, 1, np.random.default_rng(0))
    assert [len(case.edits) for case in nested] == [1, 2, 3, 4, 5]
    assert len({(case.prompt.text, case.seed) for case in nested}) == 1
    assert all(later.edits[: len(case.edits)] == case.edits for case, later in zip(nested, nested[1:], strict=False))
    assert len({TABLE.category_of[TABLE.index(edit.concept)] for edit in nested[-1].edits}) == 5


def test_a_reworded_mention_keeps_its_punctuation_and_moves_the_later_ones():
    table = parse_table("hair: {red: [red hair], blond: [blond hair]}\nhat: {crown: [a crown], cap: [a cap]}")
    prompt = prompts.Prompt(("red", "hair,", "a", "crown."), (prompts.Mention(0, 0, 2), prompts.Mention(2, 2, 4)))
    made = splits.reworded(table, prompt, 0, "copper coloured mane")
    assert made.text == "copper coloured mane, a crown."
    assert [(m.start, m.stop) for m in made.mentions] == [(0, 3), (3, 5)]


def test_what_cannot_be_drawn_is_said():
    nothing = World(parse_table("hair: [red, blond]"), supports=(frozenset(),))
    with pytest.raises(ValueError, match="No 'swap' with unseen pairs can be drawn"):
        splits.draw("unseen pairs", nothing, 1, seed=0)
    with pytest.raises(ValueError, match="No case of the split 'seen tuples'"):
        splits.draw("seen tuples", nothing, 1, seed=0)
