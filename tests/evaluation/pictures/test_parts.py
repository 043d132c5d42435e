"""Every part of the scoreboard runs on real pictures at tiny size, and says the same twice."""

import json

import pytest
import torch

from supsae.evaluation.baselines import low_rank
from supsae.evaluation.pictures import methods, parts
from supsae.evaluation.pictures.bench import Bench, Way
from supsae.evaluation.pictures.gallery import Adapter, Gallery
from supsae.evaluation.pictures.methods import NO_EDIT, OURS, REWRITE, Method
from supsae.evaluation.pictures.painter import diffusers_painter
from supsae.evaluation.pictures.parts import PARTS, SIZES, Size
from supsae.evaluation.pictures.tasks import World
from supsae.hosts.diffusers import studio
from supsae.portraits import captions, reader
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.lock import LockConfig
from supsae.training import capture
from supsae.training.capture import CaptureConfig

TINY = Size(headline=2, rivals=2, calibration=2, split=1, several=1, curve=2, removal=2, adapter=2, text=8)
RIVAL = "stand still"


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


@pytest.fixture(scope="module")
def learnt():
    return load_dictionary(DICTIONARY)


@pytest.fixture(scope="module")
def world(models, learnt):
    held_out = frozenset(frozenset(pair) for pair in learnt.provenance["held_out"])
    config = CaptureConfig(prompts=60, calibration=4)
    return World.of(capture.plan(learnt.table, models.host, config, captions.WORDING, held_out))


def bench(models, learnt, world, folder, steps, edit=None):
    """One of SupSAE, an edit that does nothing, and adapters that change nothing."""
    asked = methods.prepare(learnt, models.host)
    asked.edits[RIVAL] = Method(RIVAL, lambda task, cond, pooled, strength: (cond, pooled))
    if edit:
        asked.edits[OURS] = edit
    blank = low_rank.blank(models.transformer, "hat: crown", 1, torch.Generator().manual_seed(0))
    adapters = {"hat: crown": Adapter("blank", lambda strength: low_rank.adapted(models.transformer, blank, strength))}
    one = reader.load_reader()
    made = Gallery(diffusers_painter(models, steps=steps), folder, LockConfig())
    none = lambda pictures: torch.zeros(len(pictures), dtype=torch.bool)  # noqa: E731
    return Bench(learnt, world, asked, made, one, one, none, 3, "unseen pairs", adapters)


@pytest.fixture(scope="module")
def quick(models, learnt, world, tmp_path_factory):
    return bench(models, learnt, world, tmp_path_factory.mktemp("pictures"), steps=1)


@pytest.mark.parametrize("name", PARTS)
def test_every_part_tells_the_same_twice_within_its_budget(quick, name):
    told = []
    quick.told = told.append
    first = PARTS[name].run(quick, TINY)
    drawn = sum(told)
    again = PARTS[name].run(quick, TINY)
    assert json.dumps(first.json, allow_nan=False) == json.dumps(again.json)
    assert PARTS[name].tasks(TINY) > 0 and drawn <= PARTS[name].pictures(TINY, rivals=1)
    for example in first.examples:
        assert example.pictures.keys() == example.faults.keys() and example.title and example.prompt


def test_headline_holds_everyone_against_the_rewrite(quick):
    rows = PARTS["headline"].run(quick, TINY).json["rows"]
    assert list(rows)[:3] == [NO_EDIT, REWRITE, OURS]
    assert rows.keys() == {str(Way(name, lock)) for name in (REWRITE, OURS, RIVAL) for lock in (False, True)} | {
        NO_EDIT
    }
    still = rows[f"{RIVAL} + lock"]
    assert still["let_through"] == 0 and still["lock"] and still["strength"] == 1  # held to itself
    # nobody is held against itself; what stands still succeeds nowhere and so falls behind
    assert "minus_rewrite" not in rows[REWRITE] and "minus_ours" not in rows[OURS] and "minus_ours" in still
    assert all(row["count"] == 2 for row in rows.values())


def test_a_dictionary_without_pairs_held_out_has_a_headline(quick, models, learnt, world, tmp_path):
    from dataclasses import replace

    any_pairs = bench(models, learnt, replace(world, held_out=frozenset()), tmp_path, steps=1)
    any_pairs.headline = "any pairs"
    assert PARTS["headline"].run(any_pairs, TINY).json["split"] == "any pairs"


def test_a_concept_left_in_shows_in_the_removals(models, learnt, world, tmp_path):
    size = Size(**{**vars(TINY), "removal": 6})
    left_in = Method("left in", lambda task, cond, pooled, strength: (cond, pooled))
    planted = bench(models, learnt, world, tmp_path, 16, left_in)
    found = PARTS["removal"].run(planted, size).json
    assert found["still_shown"]["SupSAE"]["estimate"] >= 5 / 6  # every value that was written is drawn
    assert found["still_shown_difference"]["estimate"] > 0.3 and found["total_variation"]["mean"]["estimate"] > 0.3
    good = PARTS["removal"].run(bench(models, learnt, world, tmp_path, 16), size).json
    assert good["still_shown_difference"]["estimate"] <= 0.2
    assert good["rows"][OURS]["success"]["estimate"] > found["rows"][OURS]["success"]["estimate"]


@pytest.mark.parametrize("name", SIZES)
def test_sizes_ask_no_more_rivals_than_there_are_tasks(name):
    size = SIZES[name]
    assert size.rivals <= size.headline and size.headline and size.text


def test_parts_stand_in_the_order_they_run():
    assert list(parts.PARTS)[:2] == ["text", "headline"]
