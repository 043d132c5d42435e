"""A light form of a dictionary is small, says so, reads the same and edits nearly the same."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from supsae.evaluation.report.describe import LIGHT_FORM, describe
from supsae.evaluation.report.panel import dictionary_panel
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary import light
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.light import CUTS, Cut
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.reading.readout import read_conditioning


@pytest.fixture(scope="module")
def shipped():
    return load_dictionary(DICTIONARY)


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    file = tmp_path_factory.mktemp("light") / "light.safetensors"
    assert light.write_light(DICTIONARY, file)
    return file


@pytest.fixture(scope="module")
def encoded(learnt):
    """Return rows and pooled vector of a prompt and of its rewrite."""
    texts = ["a portrait of a woman with blond hair, green eyes", "a portrait of a woman with red hair, green eyes"]
    conds, pooled = learnt.host.encode(texts)
    return list(zip(conds, pooled, strict=True))


def lighter(operator, cut):
    """Return what stays of an operator of which something stays."""
    found = light.light_operator(operator, cut)
    assert found is not None
    return found


def marks(operator):
    """Return how many landmarks an operator has of rows outside a phrase and of its own."""
    return tuple(0 if part is None else len(part.weights) for part in (operator.rest, operator.phrase))


def test_the_light_form_of_what_ships_is_small_and_says_whose_it_is(shipped, carried):
    found = load_dictionary(carried)
    assert carried.stat().st_size <= light.MOST < DICTIONARY.stat().st_size
    assert found.provenance == {**shipped.provenance, "light": DICTIONARY.stat().st_size}
    assert light.is_light(found.provenance) and not light.is_light(shipped.provenance)
    assert (found.table, found.family, found.slider) == (shipped.table, shipped.family, shipped.slider)
    assert LIGHT_FORM in describe(found) and LIGHT_FORM not in describe(shipped)
    panel = dictionary_panel(found)
    assert panel["level"] == "fair" and LIGHT_FORM in panel["verdict"]


def test_it_reads_the_same(shipped, carried, encoded):
    whole, part = ([read_conditioning(one, rows) for rows, _ in encoded] for one in (shipped, load_dictionary(carried)))
    for one, other in zip(whole, part, strict=True):
        assert {k: v.spans for k, v in one.layouts.items()} == {k: v.spans for k, v in other.layouts.items()}


def test_it_edits_nearly_the_same(shipped, carried, encoded):
    (before, pooled), (after, _) = encoded
    errors = []
    for dictionary in (shipped, load_dictionary(carried)):
        made = apply(dictionary, before, pooled, [Swap("hair: red")]).cond
        errors.append(float((made - after).norm() / (before - after).norm()))
    whole, part = errors
    assert whole < part < whole + 0.15 < 0.8  # 0 is the rewrite, 1 nothing done


@pytest.mark.parametrize("cut", CUTS)
def test_every_cut_leaves_what_it_says(shipped, cut):
    operator = shipped.operators["clip"]
    found = lighter(operator, cut)
    assert marks(found) == (min(cut.rest, 1500), min(cut.phrase, 800))  # what Portraits' has: 1500 and 800
    assert found.fits(len(shipped.table.phrases), 128)
    assert found.outputs @ found.outputs.T == pytest.approx(torch.eye(len(found.outputs)), abs=5e-3)


def test_cuts_fall(shipped):
    sizes = [sum(light._least(one, cut) for one in shipped.operators.values()) for cut in CUTS]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(CUTS)


def test_an_operator_of_the_same_landmarks_and_directions_does_the_same(shipped):
    operator = shipped.operators["clip"]
    found = lighter(operator, Cut(1500, 2000, 128, 128))
    for name in ("rest", "phrase"):
        one, other = (light._said(own.frame, getattr(own, name)) @ own.outputs for own in (operator, found))
        assert float((one - other).norm() / one.norm()) < 0.05  # the ridge, and half precision


def test_an_operator_without_landmarks_stays_without(shipped):
    operator = shipped.operators["clip"]
    empty = replace(operator.phrase, **{name: x[:0] for name, x in operator.phrase.marks._asdict().items()})
    bare = replace(operator, rest=None, phrase=replace(empty, weights=operator.phrase.weights[:0]))
    assert marks(lighter(bare, CUTS[0])) == (0, 0)
    assert light.light_operator(replace(bare, phrase=None), CUTS[0]) is None


def test_what_is_too_large_even_so_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(light, "MOST", 100_000)
    assert not light.write_light(DICTIONARY, tmp_path / "light.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_no_directions_has_none(shipped):
    found = lighter(shipped.operators["clip"], CUTS[-1])
    assert found.outputs.shape == found.frame.inputs.shape == (0, 128) and found.rest is None


def test_a_light_form_of_a_light_form_is_none_that_loses_more(carried, tmp_path):
    assert light.write_light(carried, tmp_path / "again.safetensors")
    one, other = load_dictionary(carried), load_dictionary(tmp_path / "again.safetensors")
    assert {k: marks(v) for k, v in one.operators.items()} == {k: marks(v) for k, v in other.operators.items()}


def test_a_dictionary_without_operators_has_a_light_form_without(learnt, tmp_path):
    save_dictionary(learnt.dictionary, tmp_path / "whole.safetensors")
    assert light.write_light(tmp_path / "whole.safetensors", tmp_path / "light.safetensors")
    with safe_open(tmp_path / "light.safetensors", "pt") as opened:
        header = json.loads(opened.metadata()["header"])
    assert (
        header["operators"] == [] and header["provenance"]["light"] == (tmp_path / "whole.safetensors").stat().st_size
    )


def test_numbers_that_half_precision_loses_are_kept():
    small, large = torch.tensor([1e-9, 2e-9]), torch.tensor([1e6, 1.0])
    for x in (small, large):
        assert light._rounded(x) is x
    rounded = light._rounded(torch.tensor([1.0001, 2.0]))
    assert torch.equal(rounded, torch.tensor([1.0, 2.0]))  # a step of half precision above 1 is 2⁻¹⁰
