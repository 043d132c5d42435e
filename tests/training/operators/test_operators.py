"""Edit operators: what pairs teach, held against what is known to be true of them."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.operator import tensors_of
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.files import HASH
from supsae.supsae_core.tensor_files import HASHES
from supsae.training.calibration import known_reading
from supsae.training.operators.pairs import pairs_of
from supsae.training.operators.ridge import solved_ridge

pytestmark = pytest.mark.slow


def test_a_ridge_on_all_rows_as_landmarks_is_kernel_ridge():
    # with every row a landmark K_nm = K, and (K² + λ K) W = K y has the solution W = (K + λ)⁻¹ y
    x, y = torch.randn(7, 12, generator=torch.Generator().manual_seed(0)), torch.arange(14.0).reshape(7, 2)
    kernel = x @ x.T
    wanted = torch.linalg.solve(kernel + 0.5 * torch.eye(7), y)
    found = solved_ridge([(kernel[:3], y[:3], torch.ones(3)), (kernel[3:], y[3:], torch.ones(4))], kernel)(0.5)
    torch.testing.assert_close(kernel @ found, kernel @ wanted, rtol=1e-3, atol=1e-3)


def test_weights_count_rows():
    kernel, y = torch.eye(2), torch.tensor([[1.0], [3.0]])
    thrice = torch.cat([kernel, kernel[1:], kernel[1:]]), torch.cat([y, y[1:], y[1:]]), torch.ones(4)
    once = kernel, y, torch.tensor([1.0, 3.0])
    torch.testing.assert_close(*(solved_ridge([one], kernel)(1.0) for one in (thrice, once)))


def undone(paired, dictionary):
    """The share of the rewrites' squared change that swaps leave, over captured pairs of equally many tokens."""
    left = change = 0.0
    for pair in pairs_of(row for row in paired.capture.read() if row.entry.set == "fit"):
        before, after = pair.before, pair.after
        (old, new), lengths = pair.phrases, [len(one.cond) for one in (before, after)]
        same = lengths[0] == lengths[1] and before.entry.counts == after.entry.counts
        if None in (old, new) or not same or dictionary.phrase(paired.table.phrases[new].concept) != new:
            continue
        edit = Swap(str(paired.table.concepts[paired.table.phrases[new].concept]))
        made = apply(dictionary, before.cond, None, [edit], known_reading(dictionary, before))
        left += float((made.cond - after.cond).square().sum())
        change += float((before.cond - after.cond).square().sum())
    assert change
    return left / change


def test_an_operator_is_nearer_to_its_rewrites_than_the_levels(paired):
    assert paired.dictionary.operators
    assert undone(paired, paired.dictionary) < 0.8 * undone(paired, replace(paired.dictionary, operators={}))


def test_the_report_says_what_was_chosen_and_by_how_much(paired):
    for name, one in paired.dictionary.report["operators"].items():
        for side in ("rest", "phrase"):
            best = min(one[side], key=one[side].get)
            assert one["chosen"][side] == best and max(one[side].values()) == 1
        kept = name in paired.dictionary.operators
        assert kept == (set(one["chosen"].values()) != {"levels"})


def test_the_file_holds_it_to_the_bit(paired, tmp_path):
    save_dictionary(paired.dictionary, tmp_path / "d.safetensors")
    there = load_dictionary(tmp_path / "d.safetensors")
    assert there.operators.keys() == paired.dictionary.operators.keys()
    for name, operator in paired.dictionary.operators.items():
        wanted, found = tensors_of(operator), tensors_of(there.operators[name])
        assert wanted.keys() == found.keys() and all(torch.equal(wanted[key], found[key]) for key in wanted)


@pytest.mark.parametrize("key", ["frame.phrase_means", "outputs", "rest.weights", "phrase.tokens"])
def test_a_tensor_that_does_not_fit_is_refused(paired, tmp_path, key):
    save_dictionary(paired.dictionary, tmp_path / "d.safetensors")
    name = next(name for name, one in paired.dictionary.operators.items() if key in tensors_of(one))
    tensors = load_file(tmp_path / "d.safetensors")
    with safe_open(tmp_path / "d.safetensors", "pt") as file:
        header = {key: value for key, value in file.metadata().items() if key not in (HASH, HASHES)}
    tensors[f"{name}.operator.{key}"] = tensors[f"{name}.operator.{key}"][..., 1:].contiguous()
    save_file(tensors, tmp_path / "d.safetensors", header)
    with pytest.raises(ValueError, match=f"'d.safetensors' has an operator of '{name}' that does not fit"):
        load_dictionary(tmp_path / "d.safetensors")


def test_without_rewrites_there_is_none(learnt):
    assert learnt.dictionary.operators == {} and learnt.dictionary.report["operators"] == {}
