"""Every part of the scoreboard runs on real pictures at tiny size, within what it said, and a planted fault shows."""

import json
from dataclasses import fields

import pytest
import torch

from supsae.evaluation.cases import World
from supsae.evaluation.pictures import methods, run
from supsae.evaluation.pictures.bench import ADAPTER, Bench
from supsae.evaluation.pictures.gallery import Gallery
from supsae.evaluation.pictures.methods import NO_EDIT, OURS, REWRITE, Method
from supsae.evaluation.pictures.parts import PARTS, SIZES, Size
from supsae.evaluation.pictures.renderer import diffusers_renderer
from supsae.evaluation.pictures.run import EvalConfig
from supsae.hosts.diffusers import studio
from supsae.supsae_core.lock import LockConfig

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_its_section_within_its_budget(board, name):
    assert json.dumps(board.sections[name], allow_nan=False)
    told, most = board.drawn[name]
    assert (
        told <= most == PARTS[name].pictures(board.size, others=7)
    )  # three baselines, two trivial edits, two of few prompts
    for example in board.found.examples[name]:
        assert example.pictures.keys() == example.faults.keys() and example.title and example.prompt


def test_what_comes_before_the_first_picture_moves_the_bar_as_well(board, learnt):
    said = {name: counts for name, counts in board.drawn.items() if name not in PARTS}
    assert [name.split()[0] for name in said] == ["encode", "encode", "fit"]
    assert said.pop("fit the baselines") == (7, 7)
    prompts = learnt.dictionary.provenance["prompts"]
    assert list(said.values()) == [(prompts + 2 * 8,) * 2, (20 + 2 * 8,) * 2]  # as the board's FEW and CALIBRATION are
    # with what ships: 50 prompts, 256 to calibrate on
    assert run.steps_before(learnt.dictionary, board.size) == prompts + 50 + 4 * 256 + methods.baselines()
    assert run.steps_before(learnt.dictionary, SIZES["quick"]) == 0


def test_a_run_says_what_it_takes(board):
    assert "pictures at most" in board.sentences[-1]
    results = board.found.results
    assert (results["schema_version"], results["settings"]["size"]) == (2, "tiny")
    assert results["seconds"].keys() == {"prepare", *PARTS} and results["pictures"] > 50
    assert results["dictionary"]["held_out"] > 0 and results["dictionary"]["concepts"] == 28


def test_headline_holds_everyone_against_the_rewrite(board):
    rows = board.sections["headline"]["rows"]
    assert list(rows)[:3] == [NO_EDIT, REWRITE, OURS]
    # no edit, the phrase deleted; with and without the lock: rewrite, SupSAE, baselines, trivial edits, learnt from few
    assert len(rows) == 2 + 2 * 9
    # nobody is held against itself
    assert "minus_rewrite" not in rows[REWRITE] and "minus_ours" not in rows[OURS]
    assert {"minus_rewrite", "minus_rewrite_lock", "minus_ours"} <= rows["flattened ridge + lock"].keys()
    assert rows[OURS]["count"] == 3 and rows["flattened ridge"]["count"] == 2
    assert rows[OURS + " + lock"]["let_through"] < 1 and "let_through" not in rows[OURS]


def test_a_blank_adapter_is_no_edit(board):
    rows = board.sections["adapters"]["rows"]
    assert rows[ADAPTER]["success"] == rows[NO_EDIT]["success"] and rows[ADAPTER]["kept"] == rows[NO_EDIT]["kept"]


def test_nothing_changes_at_position_0(board):
    found = board.sections["strength"]
    assert found["untouched_at_0"] and found["change"][0] == 0 and found["change"][4] == 1


def test_a_concept_left_in_shows_in_the_removals(learnt, tmp_path):
    models, world = studio.load_studio(), World.of(learnt.capture.plan)
    asked = methods.prepare(learnt.dictionary, models.host)
    left_in = Method("left in", lambda case, cond, pooled, strength: (cond, pooled))
    none = lambda pictures: torch.zeros(len(pictures), dtype=torch.bool)  # noqa: E731
    gallery = Gallery(diffusers_renderer(models, steps=6), tmp_path, LockConfig())

    def removed(edit):
        edits = {**asked.edits, OURS: edit}
        made = methods.Methods(models.host, edits)
        bench = Bench(learnt.dictionary, world, made, gallery, models.reader, models.reader, none, 3)
        return PARTS["removal"].run(bench, Size(removal=8)).json

    good, planted = removed(asked.edits[OURS]), removed(left_in)
    assert planted["still_shown"]["SupSAE"]["estimate"] >= 3 / 4  # nearly every value that was written is drawn
    assert planted["still_shown_difference"]["estimate"] > good["still_shown_difference"]["estimate"]
    assert good["rows"][OURS]["success"]["estimate"] > planted["rows"][OURS]["success"]["estimate"]


def test_without_pairs_held_out_the_headline_is_over_any_pairs(learnt):
    bench = Bench(learnt.dictionary, World(learnt.table), None, None, None, None, None, 3)
    assert bench.headline == "any pairs" and bench.world.pairs == "any"


@pytest.mark.parametrize("name", SIZES)
def test_sizes_ask_no_more_of_baselines_than_there_are_cases(name):
    size = SIZES[name]
    assert size.baselines <= size.headline and size.headline and size.text
    assert {one.name for one in fields(Size)} == set(vars(size))


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="There is no size 'huge' of a run. Sizes are: quick, medium, full."):
        EvalConfig("huge")
    with pytest.raises(ValueError, match="The scoreboard has no part 'beauty'. Parts are: text, headline"):
        EvalConfig("quick", parts=("beauty",))
