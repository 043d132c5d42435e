"""The dictionary file is the dictionary; what is no dictionary of this tool is refused with the reason."""

import json
from dataclasses import fields, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.model import POOLED, Part


@pytest.fixture(scope="module")
def file(learnt, tmp_path_factory):
    path = tmp_path_factory.mktemp("dictionary") / "portraits.safetensors"
    save_dictionary(learnt.dictionary, path)
    return path


def rewritten(file, tmp_path, *, metadata=None, header=None, tensors=None):
    """A copy of the file with parts of its metadata, its header or its tensors changed (None: left out)."""
    with safe_open(file, "pt") as opened:
        old = opened.metadata()
    body = json.loads(old["header"]) | (header or {})
    made = old | {"header": json.dumps(body)} | (metadata or {})
    kept = {key: tensor for key, tensor in (load_file(file) | (tensors or {})).items() if tensor is not None}
    path = tmp_path / "changed.safetensors"
    save_file(kept, path, metadata={key: value for key, value in made.items() if value is not None} or None)
    return path


@pytest.mark.parametrize("field", [field.name for field in fields(Part)])
def test_every_tensor_comes_back_bit_for_bit(learnt, file, field):
    loaded = load_dictionary(file)
    assert list(loaded.parts) == list(learnt.dictionary.parts) == ["clip", "t5", POOLED]
    for name, part in learnt.dictionary.parts.items():
        one, other = getattr(loaded.parts[name], field), getattr(part, field)
        assert one.dtype == other.dtype and torch.equal(one, other)


@pytest.mark.parametrize("field", ["table", "family", "identified", "slider", "provenance", "report"])
def test_every_header_field_comes_back(learnt, file, field):
    assert getattr(load_dictionary(file), field) == getattr(learnt.dictionary, field)


def test_saving_over_a_file_leaves_one_whole_file(learnt, file):
    before, size = load_file(file), file.stat().st_size
    save_dictionary(load_dictionary(file), file)
    after = load_file(file)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert file.stat().st_size == size and list(file.parent.iterdir()) == [file]


def test_a_loaded_dictionary_decodes_alike(learnt, file):
    one, other = load_dictionary(file).parts["t5"], learnt.dictionary.parts["t5"]
    context = torch.ones(len(learnt.table))
    assert torch.equal(one.decode(one.code(3, 0, context)), other.decode(other.code(3, 0, context)))


def test_encode_is_the_inverse_of_decode(learnt):
    # the decoder's rows are orthonormal up to its half precision, 2⁻¹¹ a number; codes are sums over about 200 columns
    for part in learnt.dictionary.parts.values():
        codes = torch.randn(7, len(part.decoder), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(part.encode(part.decode(codes)), codes, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("slider", "strength"), [(0, 0), (0.25, 0.3), (0.5, 0.6), (0.75, 0.8), (1, 1), (2, 2), (3, 3), (-0.5, -0.6)]
)
def test_strength_runs_through_the_knots(learnt, slider, strength):
    # knots (0, 0), (0.5, 0.6), (1, 1), (2, 2); straight between them and beyond the ends: slope 1.2, then 0.8, then 1
    bent = replace(learnt.dictionary, slider=((0.5, 0.6), (1.0, 1.0), (2.0, 2.0)))
    assert bent.strength(slider) == pytest.approx(strength, rel=1e-12, abs=1e-12)


def test_codes_are_about_their_category(learnt):
    codes = learnt.dictionary.codes
    ranks = [len(part.decoder) for name, part in learnt.dictionary.parts.items() if name != POOLED]
    assert codes.shape == (len(learnt.table), sum(ranks))
    for members in learnt.table.categories.values():
        torch.testing.assert_close(codes[list(members)].sum(0), torch.zeros(sum(ranks)), rtol=0, atol=1e-4)


def uncaptured(dictionary, *phrases):
    """The dictionary as if phrases had never been captured by the causal encoder."""
    lengths = dictionary.parts["clip"].slot_tokens.clone()
    lengths[list(phrases)] = 0
    return replace(
        dictionary, parts={**dictionary.parts, "clip": replace(dictionary.parts["clip"], slot_tokens=lengths)}
    )


def test_an_edit_writes_the_first_phrase_that_was_captured(learnt):
    # background: beach has phrases 0 and 1
    assert learnt.dictionary.writes == learnt.table.first_phrase
    assert uncaptured(learnt.dictionary, 0).phrase(0) == 1
    assert uncaptured(learnt.dictionary, 0, 1).writes[0] is None
    with pytest.raises(ValueError, match="'background: beach' was never written in the captured prompts. Capture more"):
        uncaptured(learnt.dictionary, 0, 1).phrase(0)


BAD = {
    "another kind": ({"metadata": {"kind": "lora"}}, "is not a SupSAE dictionary. Choose a file made by the Fit node"),
    "no metadata": ({"metadata": {"kind": None, "format_version": None, "header": None}}, "is not a SupSAE dictionary"),
    "newer": ({"metadata": {"format_version": "2"}}, "has format version 2; this SupSAE reads up to 1. Update"),
    "odd version": ({"metadata": {"format_version": "x"}}, "damaged header"),
    "odd header": ({"metadata": {"header": "{"}}, "damaged header"),
    "deep header": ({"metadata": {"header": "[" * 200_000}}, "damaged header"),
    "odd family": ({"header": {"family": []}}, "text of a family that is not described in full"),
    "huge slider": ({"header": {"slider": [[10**400, 1]]}}, "lacks something it should hold"),
    "other model": ({"header": {"family": "flux"}}, "text of the family 'flux'; this SupSAE knows portraits, sd3"),
    "no table": ({"header": {"table": {}}}, "concept table is empty"),
    "no parts": ({"header": {"parts": None}}, "lacks something it should hold"),
    "other width": ({"header": {"family": "sd3"}}, "do not fit its own table of 28 concepts and the family 'sd3'"),
    "no encoder": ({"header": {"parts": ["clip", "pooled"]}}, "do not fit its own table"),
    "missing tensor": ({"tensors": {"t5.slot_effects": None}}, "lacks something it should hold: 't5.slot_effects'"),
    "wrong tensor": ({"tensors": {"t5.group_effects": torch.zeros(12, 5, 97)}}, "do not fit its own table"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_files_are_refused(file, tmp_path, name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        load_dictionary(rewritten(file, tmp_path, **changes))


@pytest.mark.parametrize("length", [0, 4, 1000, -1])
def test_truncated_files_are_refused(file, tmp_path, length):
    path = tmp_path / "short.safetensors"
    path.write_bytes(file.read_bytes()[:length])
    with pytest.raises(
        ValueError, match="'short.safetensors' is not a whole safetensors file.*Copy or download it again"
    ):
        load_dictionary(path)


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="There is no dictionary file 'none.safetensors' in"):
        load_dictionary(tmp_path / "none.safetensors")
