"""Cases are what their split says, and the same every time."""

import numpy as np
import pytest

from supsae.evaluation import cases
from supsae.evaluation.cases import World, reworded
from supsae.evaluation.pictures import splits
from supsae.evaluation.pictures.splits import SPLITS
from supsae.portraits import captions
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table

TABLE = captions.table()
COUNT = 4


@pytest.fixture(scope="module")
def world(learnt):
    return World.of(learnt.capture.plan)


@pytest.fixture(scope="module")
def drawn(world):
    return {split: splits.draw(split, world, COUNT, seed=3) for split in SPLITS}


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_says_in_the_rewrite_what_is_wanted(world, drawn, split):
    assert len(drawn[split]) == COUNT
    for case in drawn[split]:
        assert set(case.before) == set(case.prompt.support(TABLE)) and not prompts.has_pair(case.before, world.held_out)
        assert case.prompt.text not in world.texts and prompts.length(case.rewrite.text) <= captions.LONGEST
        for category, value in case.wanted.items():
            says = {TABLE.concepts[one].name for one in case.after if TABLE.concepts[one].category == category}
            assert says == (set() if value is None else {value})
        untouched = {one for one in case.before if TABLE.concepts[one].category not in case.wanted}
        assert untouched == {one for one in case.after if TABLE.concepts[one].category not in case.wanted}


@pytest.mark.parametrize("split", ["unseen pairs", "seen tuples", "shuffled"])
def test_a_longer_draw_begins_with_the_shorter_one(world, drawn, split):
    assert splits.draw(split, world, COUNT - 1, seed=3) == drawn[split][:-1]


def test_unseen_pairs_and_seen_tuples_are_what_they_say(world, drawn):
    assert all(prompts.has_pair(one.after, world.held_out) for one in drawn["unseen pairs"])
    assert all(frozenset(one.after) in world.supports for one in drawn["seen tuples"])
    assert not any(frozenset(one.after) in world.supports for one in drawn["unseen tuples"])
    assert not any(prompts.has_pair(one.after, world.held_out) for one in drawn["unseen tuples"])


def test_kinds_of_edits(drawn):
    others = {"unmentioned": {Add}, "removal": {Remove}}
    for name, some in drawn.items():
        assert {type(edit) for case in some for edit in case.edits} == others.get(name, {Swap})


def test_shuffled_prompts_carry_more_fillers(world):
    def fillers(split):
        text = " ".join(case.prompt.text for case in splits.draw(split, world, 24, 3))
        return sum(map(text.count, captions.WORDING.fillers))

    assert fillers("shuffled") > 2 * fillers("unseen pairs")  # 0.5 against 0.15 behind every phrase


@pytest.mark.parametrize("split, itself", [("paraphrased company", False), ("paraphrased itself", True)])
def test_paraphrases_are_words_outside_the_table(drawn, split, itself):
    known = {phrase.text for phrase in TABLE.phrases}
    for case in drawn[split]:
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
    made = reworded(table, prompt, 0, "copper coloured mane")
    assert made.text == "copper coloured mane, a crown."
    assert [(m.start, m.stop) for m in made.mentions] == [(0, 3), (3, 5)]


def test_what_cannot_be_drawn_is_said(monkeypatch):
    monkeypatch.setattr(cases, "TRIES", 50)
    monkeypatch.setattr(splits, "TRIES", 50)
    nothing = World(parse_table("hair: [red, blond]"), supports=(frozenset(),))
    with pytest.raises(ValueError, match="No 'swap' with unseen pairs can be drawn"):
        splits.draw("unseen pairs", nothing, 1, seed=0)
    with pytest.raises(ValueError, match="No case of the split 'seen tuples'"):
        splits.draw("seen tuples", nothing, 1, seed=0)
