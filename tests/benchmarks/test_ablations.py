"""The ablations measure what the package does: their default is the package's edit, and a variant changes one thing."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from supsae.supsae_core.editing.apply import apply
from supsae.training import calibration

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = ("ablations", "variants", "text_measures", "shared")


@pytest.fixture(scope="module")
def lab(learnt):
    """The benchmark's modules, a fit to 40 prompts, and swaps from calibration prompts."""
    sys.path.insert(0, str(FOLDER))
    found = {name: importlib.import_module(name) for name in NAMES}
    made = found["variants"].Fit(learnt.capture, list(learnt.capture.read()), 40)
    yield SimpleNamespace(**found, fit=made, tasks=made.calibration[:6])
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        del sys.modules[name]


def undone(lab, variant):
    """Return what is left undone of the spans, the roles and the pooled vector."""
    sums = lab.ablations._undone(variant, lab.tasks)
    return {name: lab.text_measures.ratio(sums[name])["estimate"] for name in ("spans", "roles", "pooled")}


def test_the_default_is_the_packages_own_edit(lab):
    dictionary = lab.fit.default.dictionary
    for one in lab.tasks:
        made = apply(dictionary, one.before.cond, one.before.pooled, one.edits, one.reading)
        rows, pooled = lab.text_measures.step(lab.fit.default, one)
        torch.testing.assert_close(made.cond, one.before.cond + rows)
        torch.testing.assert_close(made.pooled, one.before.pooled + pooled)


def test_kinds_of_rows_are_the_rows_that_calibration_pairs(lab):
    for one in lab.tasks:
        for name, kinds in one.paired.items():
            pairs = [pair for here, there in kinds.values() for pair in zip(here, there, strict=True)]
            layouts = (one.reading.layouts[name], one.target.layouts[name])
            assert sorted(pairs) == sorted(zip(*calibration.paired_rows(*layouts), strict=True))


def test_gains_are_those_of_fitting(lab, learnt):
    known = [row for row in learnt.capture.read() if row.entry.set != "fit"]
    calibrated, _ = calibration.calibrate(lab.fit.default.dictionary, known)
    for name, part in lab.fit.default.dictionary.parts.items():
        plain = replace(part, gains=torch.ones_like(part.gains))
        assert not torch.equal(part.gains, plain.gains)
        # Gains are ⟨Δ, Δ_word⟩ / ‖Δ‖² at strength 1: of a calibrated dictionary they are about 1.
        assert calibrated.parts[name].gains.mean().item() == pytest.approx(1, abs=0.02)


def test_roles_left_as_they_are_leave_their_whole_change_undone(lab):
    before, after = (undone(lab, one) for one in (lab.fit.default, lab.variants.still(lab.fit, *lab.variants.ROLES)))
    assert after["roles"] == 1 > before["roles"]
    assert after["pooled"] == before["pooled"] < 1


def test_what_is_not_kept_of_a_row_is_what_the_dictionary_does_not_explain(lab):
    variant = lab.variants.dropped(lab.fit, "others")
    one = lab.tasks[0]
    moved, kept = (lab.text_measures.step(made, one)[0] for made in (variant, lab.fit.default))
    laid = lab.text_measures.laid_out(variant, one.before, one.reading, "t5")
    some = [laid.rows.index(row) for row in one.paired["t5"]["others"][0]]
    off = lab.text_measures.decoded(variant, "t5", laid) - laid.x
    torch.testing.assert_close((moved - kept)[[laid.rows[i] for i in some]], off[some])


def test_phrases_without_effects_decode_alike_in_all_company(lab):
    variant, one = lab.variants.constant(lab.fit), lab.tasks[0]
    alone = {name: laid._replace(labels=torch.zeros_like(laid.labels)) for name, laid in phrases(lab, one).items()}
    for name, laid in phrases(lab, one).items():
        decoded = lab.text_measures.decoded
        torch.testing.assert_close(decoded(variant, name, laid), decoded(variant, name, alone[name]))
        assert not torch.allclose(decoded(lab.fit.default, name, laid), decoded(lab.fit.default, name, alone[name]))


def phrases(lab, one):
    """Return the rows of phrases in every encoder."""
    found = {}
    for name in one.reading.layouts:
        laid = lab.text_measures.laid_out(lab.fit.default, one.before, one.reading, name)
        some = (laid.slots < len(lab.fit.plan.table.phrases)).nonzero().flatten().tolist()
        found[name] = laid._replace(rows=[laid.rows[i] for i in some], **{
            field: getattr(laid, field)[some] for field in ("x", "slots", "tokens", "labels")
        })  # fmt: skip
    return found


def test_a_ratio_is_of_the_sums_and_a_difference_of_the_same_cases():
    sys.path.insert(0, str(FOLDER))
    ratio = importlib.import_module("text_measures").ratio
    sys.path.remove(str(FOLDER))
    sums = torch.tensor([[1.0, 2.0], [3.0, 4.0], [2.0, 10.0]])
    assert ratio(sums)["estimate"] == 6 / 16
    assert ratio(sums)["low"] < 6 / 16 < ratio(sums)["high"]
    assert ratio(sums, sums) == {"estimate": 0, "low": 0, "high": 0}
    # A quarter more is left in every case: 0.25 × 6 / 16 more, whatever cases are drawn, and so never below 0.
    more = ratio(sums * torch.tensor([1.25, 1.0]), sums)
    assert more["estimate"] == pytest.approx(0.09375) and more["low"] > 0
