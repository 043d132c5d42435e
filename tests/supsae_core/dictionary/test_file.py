"""The dictionary file is the dictionary; what is no dictionary of this tool is refused with the reason."""

import json
from dataclasses import fields, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from supsae.supsae_core.dictionary.file import Header, load_dictionary, read_header, save_dictionary
from supsae.supsae_core.dictionary.model import POOLED, Part
from supsae.supsae_core.dictionary.slider_map import SliderMap
from supsae.supsae_core.files import HASH
from supsae.supsae_core.tensor_files import HASHES


@pytest.fixture(scope="module")
def file(learnt, tmp_path_factory):
    path = tmp_path_factory.mktemp("dictionary") / "portraits.safetensors"
    save_dictionary(learnt.dictionary, path)
    return path


def rewritten(file, tmp_path, *, metadata=None, header=None, tensors=None, shift=None):
    """A copy of the file with some of its metadata, its header or its tensors changed (None: left out), and no hash."""
    with safe_open(file, "pt") as opened:
        old = {key: value for key, value in opened.metadata().items() if key not in (HASH, HASHES)}
    tensors = (tensors or {}) | {key: load_file(file)[key] + by for key, by in (shift or {}).items()}
    made = old | {"header": json.dumps(json.loads(old["header"]) | (header or {}))} | (metadata or {})
    kept = {key: tensor for key, tensor in (load_file(file) | (tensors or {})).items() if tensor is not None}
    save_file(kept, tmp_path / "changed.safetensors", {k: v for k, v in made.items() if v is not None} or None)
    return tmp_path / "changed.safetensors"


def test_every_tensor_comes_back_bit_for_bit(learnt, file):
    loaded = load_dictionary(file)
    assert list(loaded.parts) == list(learnt.dictionary.parts) == ["clip", "t5", POOLED]
    for name, part in learnt.dictionary.parts.items():
        for field in fields(Part):
            one, other = getattr(loaded.parts[name], field.name), getattr(part, field.name)
            assert one.dtype == other.dtype and torch.equal(one, other), (name, field.name)


def in_products(codes, rank=2):
    """Codes whose own effects are products of a rank, and the same ones in full."""
    generator = torch.Generator().manual_seed(0)
    (slots, concepts, width) = codes.slot_effects.shape
    left, right = (
        torch.randn(*shape, generator=generator).half().float()
        for shape in ((slots, concepts, rank), (slots, rank, width))
    )
    return replace(codes, slot_effects=left, slot_directions=right), replace(codes, slot_effects=left @ right)


def test_own_effects_of_low_rank_come_back_and_say_what_they_do_in_full(learnt, tmp_path):
    product, full = in_products(learnt.dictionary.parts["t5"])
    save_dictionary(
        replace(learnt.dictionary, parts={**learnt.dictionary.parts, "t5": product}), tmp_path / "low.safetensors"
    )
    loaded = load_dictionary(tmp_path / "low.safetensors").parts["t5"]
    assert torch.equal(loaded.slot_directions, product.slot_directions)
    slots, concepts = torch.tensor([0, 5, 2]), torch.tensor([1, 7])
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(loaded.effect(5), full.effect(5), **close)
    torch.testing.assert_close(loaded.effects(slots, concepts), full.effects(slots, concepts), **close)
    torch.testing.assert_close(full.effects(slots, concepts)[1], full.effect(5)[concepts], rtol=0, atol=0)


def test_a_file_without_products_is_what_it_was(file):
    assert not [name for name in load_file(file) if "slot_directions" in name]


@pytest.mark.parametrize("read", [load_dictionary, read_header])
def test_every_header_field_comes_back(learnt, file, read):
    found = read(file)
    for name in {field.name for field in fields(Header)} - {"parts", "operators", "streams"}:
        assert getattr(found, name) == getattr(learnt.dictionary, name)
    assert tuple(found.parts) == tuple(learnt.dictionary.parts) and (*found.operators, *found.streams) == ()


MAPS = {"hair: red": SliderMap(((-2.0, -2.0), (0.5, 0.7), (1.0, 1.0), (3.0, 3.0)), -0.5, 1.25)}


@pytest.mark.parametrize("read", [load_dictionary, read_header])
def test_calibrated_sliders_come_back(learnt, file, tmp_path, read):
    save_dictionary(replace(learnt.dictionary, sliders=MAPS), tmp_path / "calibrated.safetensors")
    assert read(tmp_path / "calibrated.safetensors").sliders == MAPS and read(file).sliders == {}


def test_a_file_without_calibrated_sliders_says_nothing_of_them(file):
    with safe_open(file, "pt") as opened:
        assert "sliders" not in json.loads(opened.metadata()["header"])


def test_a_header_reads_no_tensor(file, tmp_path):
    hollow = rewritten(file, tmp_path, tensors=dict.fromkeys(load_file(file)) | {"nothing": torch.zeros(1)})
    assert read_header(hollow) == read_header(file)


def test_saving_over_a_file_leaves_one_whole_file(file):
    before, size = load_file(file), file.stat().st_size
    save_dictionary(load_dictionary(file), file)
    after = load_file(file)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert file.stat().st_size == size and list(file.parent.iterdir()) == [file]


RISING = {"knots": [[1, 1]], "low": 0, "high": 1}
NO_METADATA = dict.fromkeys(("kind", "format_version", "header"))
HEADERS = {
    "another kind": ({"metadata": {"kind": "lora"}}, "is not a SupSAE dictionary. Choose a file made by the Fit node"),
    "no metadata": ({"metadata": NO_METADATA}, "is not a SupSAE dictionary"),
    "newer": ({"metadata": {"format_version": "2"}}, "has format version 2; this SupSAE reads up to 1. Update SupSAE"),
    "odd version": ({"metadata": {"format_version": "x"}}, "damaged header"),
    "odd header": ({"metadata": {"header": "{"}}, "damaged header"),
    "deep header": ({"metadata": {"header": "[" * 200_000}}, "damaged header"),
    "no object": ({"metadata": {"header": "[]"}}, "header that is no JSON object"),
    "odd family": ({"header": {"family": []}}, "text of a family that is not described in full"),
    "other model": (
        {"header": {"family": "stranger"}},
        "text of the family 'stranger'; this SupSAE knows portraits, sd3",
    ),
    "huge slider": ({"header": {"slider": [[10**400, 1]]}}, "as 'slider', where a number belongs"),
    "no table": ({"header": {"table": {}}}, "concept table is empty"),
    "other table": ({"header": {"identified": [True]}}, "does not say of 8 categories whether they are 'identified'"),
    "no parts": ({"header": {"parts": None}}, "does not hold what a dictionary does"),
    "no such concept": ({"header": {"sliders": {"hair: rde": RISING}}}, "a slider map of 'hair: rde' that is none"),
    "falling map": ({"header": {"sliders": {"hair: red": RISING | {"knots": [[1, 2], [2, 1]]}}}}, "or not rising"),
    "no knots": ({"header": {"sliders": {"hair: red": RISING | {"knots": []}}}}, "or not rising"),
    "safe within": ({"header": {"sliders": {"hair: red": RISING | {"high": 0.5}}}}, "a slider map of 'hair: red'"),
    "odd map": ({"header": {"sliders": {"hair: red": 5}}}, "does not hold what a dictionary does"),
    "odd maps": ({"header": {"sliders": [5]}}, "does not hold what a dictionary does"),
    "no report": ({"header": {"report": []}}, "has no JSON objects as 'provenance' and 'report'"),
}
TENSORS = {
    "other width": ({"header": {"family": "sd3"}}, "has the parts .*'t5'.* instead of "),
    "odd products": (
        {"tensors": {"t5.slot_directions": torch.zeros(1, 2, 3)}},
        "has 'slot_effects' of 't5' in the shape",
    ),
    "no encoder": ({"header": {"parts": ["clip", "pooled"]}}, "has the parts .* instead of .*'t5'"),
    "missing tensor": (
        {"tensors": {"t5.slot_effects": None}},
        "what a dictionary does .'t5.slot_effects' is missing",
    ),
    "thresholds": (
        {"tensors": {"t5.thresholds": torch.zeros(5)}},
        "has thresholds of 't5' in the shape \\(5,\\) instead of",
    ),
    "wrong tensor": (
        {"tensors": {"t5.group_effects": torch.zeros(12, 5, 97)}},
        "'group_effects' of 't5' in the shape \\(12, 5, 97\\) instead of \\(12, 28, ",
    ),
    "two dimensions": ({"tensors": {"t5.slot_codes": torch.zeros(60, 5)}}, "another number of dimensions than three"),
    "not a number": ({"tensors": {"t5.bias": torch.full((96,), torch.nan)}}, "values in 't5.bias' that are not finite"),
    "whole numbers": ({"tensors": {"t5.bias": torch.zeros(96, dtype=torch.int64)}}, "holds 't5.bias' as int64"),
    "fractions": ({"tensors": {"t5.slot_groups": torch.zeros(1)}}, "'slot_groups' of 't5' in "),
    "another group": ({"shift": {"t5.slot_groups": 99}}, "slots of 't5' with more than .* in none of"),
    "more tokens": ({"shift": {"clip.slot_tokens": 9}}, "slots of 'clip' with more than"),
}
REFUSED = [pytest.param(read, *HEADERS[name], id=name) for name in HEADERS for read in (load_dictionary, read_header)]
REFUSED += [pytest.param(load_dictionary, *TENSORS[name], id=name) for name in TENSORS]


@pytest.mark.parametrize(("read", "changes", "message"), REFUSED)
def test_other_files_are_refused(file, tmp_path, read, changes, message):
    with pytest.raises(ValueError, match=message):
        read(rewritten(file, tmp_path, **changes))


@pytest.mark.parametrize("read", [load_dictionary, read_header])
@pytest.mark.parametrize("length", [0, 4, 1000, -1, None])
def test_truncated_files_and_none_are_refused(file, tmp_path, length, read):
    path, message = tmp_path / "short.safetensors", "There is no dictionary file 'short.safetensors' in"
    if length is not None:
        path.write_bytes(file.read_bytes()[:length])
        message = "'short.safetensors' is not a whole safetensors file.*[Ff]it, copy or download it again"
    with pytest.raises(ValueError, match=message):
        read(path)
