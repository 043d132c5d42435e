"""Tasks are what their split says, and the same every time."""

import numpy as np
import pytest

from supsae.evaluation.pictures import tasks
from supsae.evaluation.pictures.tasks import SPLITS, World
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.editing.edits import Add, Remove
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture
from supsae.training.capture import CaptureConfig

TABLE = captions.table()
COUNT = 12


@pytest.fixture(scope="module")
def world():
    config = CaptureConfig(prompts=200, calibration=4, held_out=0.12)
    return World.of(capture.plan(TABLE, PortraitsText(), config, captions.WORDING))


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_says_in_the_rewrite_what_is_wanted(world, split):
    found = tasks.draw(split, world, COUNT, seed=3)
    assert len(found) == COUNT and found == tasks.draw(split, world, COUNT, seed=3)
    for task in found:
        assert set(task.before) == set(task.prompt.support(TABLE)) and not prompts.has_pair(task.before, world.held_out)
        assert task.prompt.text not in world.texts and prompts.length(task.rewrite.text) <= captions.LONGEST
        for category, value in task.wanted.items():
            says = {TABLE.concepts[one].name for one in task.after if TABLE.concepts[one].category == category}
            assert says == (set() if value is None else {value})
        untouched = {one for one in task.before if TABLE.concepts[one].category not in task.wanted}
        assert untouched == {one for one in task.after if TABLE.concepts[one].category not in task.wanted}


def test_a_longer_draw_begins_with_the_shorter_one(world):
    assert tasks.draw("unseen pairs", world, 6, seed=3) == tasks.draw("unseen pairs", world, COUNT, seed=3)[:6]


def test_unseen_pairs_and_seen_tuples_are_what_they_say(world):
    assert all(prompts.has_pair(one.after, world.held_out) for one in tasks.draw("unseen pairs", world, COUNT, 3))
    assert all(frozenset(one.after) in world.supports for one in tasks.draw("seen tuples", world, COUNT, 3))
    unseen = tasks.draw("unseen tuples", world, COUNT, 3)
    assert not any(frozenset(one.after) in world.supports for one in unseen)
    assert not any(prompts.has_pair(one.after, world.held_out) for one in unseen)


def test_kinds_of_edits(world):
    kinds = {name: {type(e) for t in tasks.draw(name, world, COUNT, 3) for e in t.edits} for name in SPLITS}
    assert kinds.pop("unmentioned") == {Add} and kinds.pop("removal") == {Remove}
    assert len(set(map(frozenset, kinds.values()))) == 1  # swaps all others


def test_shuffled_prompts_carry_more_fillers(world):
    def fillers(split):
        texts = [task.prompt.text for task in tasks.draw(split, world, 40, 3)]
        return sum(filler in text for text in texts for filler in captions.WORDING.fillers)

    assert fillers("shuffled") > 2 * fillers("unseen pairs")  # 0.5 against 0.15 behind every phrase


@pytest.mark.parametrize("split, itself", [("paraphrased company", False), ("paraphrased itself", True)])
def test_paraphrases_are_words_outside_the_table(world, split, itself):
    known = {phrase.text for phrase in TABLE.phrases}
    for task in tasks.draw(split, world, COUNT, 3):
        strange = []
        for mention in task.prompt.mentions:
            said = prompts.trim(" ".join(task.prompt.words[mention.start : mention.stop]))
            if said not in known:
                strange.append(TABLE.phrases[mention.phrase].concept)
                assert said in captions.PARAPHRASES[str(TABLE.concepts[strange[-1]])]
        changed = set(task.before) - set(task.after)
        assert strange and (set(strange) <= changed if itself else not set(strange) & changed)


def test_several_edits_are_nested(world):
    (nested,) = tasks.several(world, 1, np.random.default_rng(0))
    assert [len(task.edits) for task in nested] == [1, 2, 3, 4, 5]
    assert len({(task.prompt.text, task.seed) for task in nested}) == 1
    assert all(later.edits[: len(task.edits)] == task.edits for task, later in zip(nested, nested[1:], strict=False))
    assert len({TABLE.category_of[TABLE.index(edit.concept)] for edit in nested[-1].edits}) == 5


def test_a_reworded_mention_keeps_its_punctuation_and_moves_the_later_ones():
    table = parse_table("hair: {red: [red hair], blond: [blond hair]}\nhat: {crown: [a crown], cap: [a cap]}")
    prompt = prompts.Prompt(("red", "hair,", "a", "crown."), (prompts.Mention(0, 0, 2), prompts.Mention(2, 2, 4)))
    made = tasks.reworded(table, prompt, 0, "copper coloured mane")
    assert made.text == "copper coloured mane, a crown."
    assert [(m.start, m.stop) for m in made.mentions] == [(0, 3), (3, 5)]


def test_what_cannot_be_drawn_is_said():
    nothing = World(parse_table("hair: [red, blond]"), frozenset(), frozenset(), (frozenset(),))
    with pytest.raises(ValueError, match="No 'swap' with unseen pairs can be drawn"):
        tasks.draw("unseen pairs", nothing, 1, seed=0)
    with pytest.raises(ValueError, match="No task of the split 'seen tuples'"):
        tasks.draw("seen tuples", nothing, 1, seed=0)
