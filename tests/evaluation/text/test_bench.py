"""Edits of rows judged against everyone, from capture to page, on Portraits' encoders and on a few encodings."""

import json
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from supsae.cli import parser
from supsae.evaluation.baselines import sparse_direction
from supsae.evaluation.baselines.paper import PaperConfig
from supsae.evaluation.baselines.topk import TopKConfig
from supsae.evaluation.report import files
from supsae.evaluation.results import Hooks
from supsae.evaluation.text import asked, bench, reconstruction, rivals
from supsae.evaluation.text.asked import Counts, draw_asked, same_lengths
from supsae.evaluation.text.bench import BenchConfig, run_bench
from supsae.evaluation.text.figures import SWAPS
from supsae.evaluation.text.rows import RANKED, measured, truths
from supsae.evaluation.text.trivial import PhraseMeans
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.training.capture import CaptureConfig
from supsae.training.fit import fit_dictionary
from supsae.training.solvers.exact import ExactConfig

pytestmark = pytest.mark.slow

SPLITS = {
    "seen pairs", "seen pairs, other length", "unseen pairs", "unseen pairs, other length", "adds", "removals",
    "one of two mentions", "among distractors", *(f"{n} edits" for n in range(1, 6)),
}  # fmt: skip


QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
"""One candidate in place of the search for the best ridges."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """All that is trained by steps takes few of them: who wins is measured in benchmarks/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bench.ENCODINGS, "quick", (40, 60))
        patch.setattr(bench, "CaptureConfig", partial(CaptureConfig, calibration=6))
        patch.setattr(bench, "fit_dictionary", partial(fit_dictionary, config=QUICK))
        patch.setattr(reconstruction, "PaperConfig", partial(PaperConfig, epochs=6))
        patch.setattr(reconstruction.topk, "TopKConfig", partial(TopKConfig, steps=20))
        few = partial(sparse_direction.fit, config=TopKConfig(steps=20))
        patch.setitem(rivals.BASELINES, "sparse direction", few)
        patch.setitem(asked.SIZES, "quick", Counts(swaps=2, others=1, several=1))
        patch.setitem(reconstruction.PROMPTS, "quick", 80)
        hooks, folder = Hooks(lambda said: None, lambda name, total: lambda done: None), tmp_path_factory.mktemp("run")
        config = BenchConfig("quick", seed=1, mention=0.75)
        return run_bench(PortraitsText(), captions.table(), config, folder, hooks)


def test_everyone_is_judged_on_every_kind_of_edit(run):
    section = run.results["sections"]["rows"]
    everyone = {rivals.OURS, rivals.TOLD, rivals.LEVELS, rivals.REPLACE, rivals.SHORTCUT, rivals.DELTA}
    for size in ("40", "60"):
        rows = section["rows"][size]
        assert rows.keys() == SPLITS | {SWAPS}
        for found in rows.values():
            assert found.keys() == everyone | rivals.BASELINES.keys() | rivals.TOLD_BASELINES.keys()
            assert all("minus_ours" in one for name, one in found.items() if name != rivals.OURS)
    assert section["cases"] == 4 * 1 + 4 * 1 + 5 and rows[SWAPS][rivals.OURS]["error"]["count"] == 4
    assert sum(section["profile"].values()) == pytest.approx(1, abs=1e-3)


def test_it_is_written_as_numbers_a_page_and_lines(run, tmp_path):
    made = files.write(run, tmp_path)
    assert json.loads(made["results"].read_text(encoding="utf-8"))["sections"]["rows"]["encodings"] == [40, 60]
    page = made["report"].read_text(encoding="utf-8")
    assert "Edits in the text encoders’ rows" in page and "Error, unseen pairs" in page
    assert "The paper’s model, part by part" in page
    summary = files.summary(run.results)
    assert "60 encodings by 'portraits'" in summary and "of 16 prompts kept aside" in summary


@pytest.fixture(scope="module")
def judged(learnt):
    world = bench.World(learnt.table, learnt.held_out, wording=captions.WORDING)
    cases, notes = draw_asked(world, learnt.host, Counts(swaps=4, others=2, several=1), 3)
    assert not notes
    return list(truths(learnt.host, learnt.table, cases))


def test_cases_are_what_their_splits_say(learnt, judged):
    for truth in judged:
        case, split = truth.asked.case, truth.asked.split
        if "pairs" in split:
            assert same_lengths(learnt.host, case) == ("other length" not in split)
        assert len(case.edits) == (int(split[0]) if "edits" in split else 1)
        assert len(truth.around) <= RANKED and (len(truth.around) > 8 or len(case.after) < 5)


def test_the_rewrite_itself_has_no_error_and_no_edit_has_all(judged):
    for truth in judged:
        perfect = truth.before.cond.clone()
        for block in truth.blocks:
            perfect[block.here, block.columns] = truth.after.cond[block.there, block.columns]
        found = measured(truth, SimpleNamespace(edit=lambda *_, made=perfect: made, in_place=False))
        assert sum(found.off.values()) == 0 and found.nearest
        found = measured(truth, SimpleNamespace(edit=lambda *_, made=truth.before.cond: made, in_place=False))
        assert found.off == found.whole and not found.refused


def refuse(*_):
    raise ValueError("no")


def test_who_refuses_has_made_no_edit(judged):
    found = measured(judged[0], SimpleNamespace(edit=refuse, in_place=True))
    assert found.refused and not found.nearest and found.off == found.whole


def test_trivial_edits_write_mean_tokens(learnt, judged):
    """The shortcut adds the old phrase's mean residual; nothing but the phrase moves."""
    means = PhraseMeans.fit(learnt.capture)
    truth = next(one for one in judged if one.asked.split == "seen pairs")
    plain, kept = (means.edit(truth.asked, truth.before, truth.after, kept=kept) for kept in (False, True))
    changed = [block for block in truth.blocks if block.kind == "swapped phrase"]
    rows = sorted(row for block in changed for row in block.here)
    others = [row for row in range(len(plain)) if row not in rows]
    assert torch.equal(plain[others], truth.before.cond[others])
    for block in changed:
        apart = (kept - plain)[block.here, block.columns]
        torch.testing.assert_close(apart, apart[:1].expand_as(apart), rtol=0, atol=1e-5)


REFUSED = {
    "a dictionary": (("some.safetensors", "--text"), "--text fits dictionaries itself"),
    "a table alone": (("--table", "some.yaml"), "Add --text."),
    "no such host": (("--text", "--host", "theirs"), "There is no text host 'theirs'. There are: minilm, encoder"),
    "no folder": (("--text", "--host", "encoder"), "needs a text encoder's folder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_gets_a_sentence(name, capsys, tmp_path):
    argv, sentence = REFUSED[name]
    assert parser.main(["eval", *argv, "--out", str(tmp_path / "new")]) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "new").exists()
