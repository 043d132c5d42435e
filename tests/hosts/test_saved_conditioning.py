"""Files of conditionings: to the bit and back, and what strangers wrote is refused in a sentence, or is harmless."""

import copy
import json
import re

import pytest
import torch

from supsae.hosts.comfyui import conditionings, saved_conditioning, saved_reports
from supsae.hosts.comfyui.loaded_conditioning import load
from supsae.hosts.comfyui.saved_edits import fingerprint
from supsae.hosts.embedded import PortraitsText
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary, read_header
from supsae.supsae_core.editing.edits import Keep, Swap
from supsae.supsae_core.tensor_files import TensorFile, write_tensors

PROMPT = "a portrait of a woman with blond hair, green eyes, a golden crown"


@pytest.fixture(scope="module")
def learnt():
    return load_dictionary(DICTIONARY)


@pytest.fixture(scope="module")
def edited(learnt):
    conds, pooled = PortraitsText().encode([PROMPT])
    plain = [[conds[0][None], {"pooled_output": pooled[0][None]}]]
    made, _ = conditionings.edit(plain, learnt, [Swap("hair: red"), Swap("eyes: blue"), Keep("hat")])
    return [[made[0][0], {**made[0][1], "area": ("percentage", 0.5, 0.5, 0.0, 0.25), "strength": 0.75}], *plain]


def stored(conditioning):
    return saved_conditioning.stored(conditioning, lambda dictionary: "portraits.safetensors")


@pytest.fixture
def whole(edited, tmp_path):
    path = tmp_path / "mine.safetensors"
    saved_conditioning.write(path, stored(edited))
    return path


def tensors_of(options):
    return {key: one for key, one in options.items() if isinstance(one, torch.Tensor)}


# --- there and back ------------------------------------------------------------------------------------------------


def test_what_is_loaded_is_what_was_saved(whole, edited):
    found = load(whole).conditioning
    assert [one[0].dtype for one in found] == [torch.float32] * 2
    for (rows, options), (wanted, own) in zip(found, edited, strict=True):
        assert torch.equal(rows, wanted) and options.keys() == own.keys()
        assert all(torch.equal(options[key], one) for key, one in tensors_of(own).items())
    assert found[0][1]["area"] == ("percentage", 0.5, 0.5, 0.0, 0.25) and found[0][1]["strength"] == 0.75
    # so that a further edit remembers what was before the first one
    assert found[0][1][conditionings.EDITED] is found[0][0]


def test_edits_alone_are_what_they_are_without_the_file(whole, edited):
    before = {**edited[0][1], **edited[0][1][conditionings.REFERENCE]}
    live, saved = edited[0][1][conditionings.ALONE], load(whole).conditioning[0][1][conditionings.ALONE]
    for one, other in zip(live, saved, strict=True):
        made, again = one.made(before), other.made(before)
        assert (other.name, other.category, other.kept) == (one.name, one.category, ("hat",))
        assert torch.equal(made["cross_attn"], again["cross_attn"])
        assert torch.equal(made["pooled_output"], again["pooled_output"])


def test_saved_again_it_says_the_same(whole, edited, learnt):
    found = load(whole).conditioning
    assert stored(found).metadata == stored(edited).metadata
    further, _ = conditionings.edit(found, learnt, [Swap("hat: top hat")])
    told = saved_reports.told_of(stored(further).parts)
    hat = "swap hat: top hat (strength 1)"
    first = f"swap hair: red (strength 1), swap eyes: blue (strength 1), {hat}, keep hat"
    assert f"entry 1: edited: {first}" in told and f"entry 2: edited: {hat}" in told


def test_a_dictionary_is_known_by_its_header(learnt):
    assert fingerprint(learnt) == fingerprint(read_header(DICTIONARY))
    other = copy.copy(learnt)
    object.__setattr__(other, "provenance", {**learnt.provenance, "seed": -1})
    assert fingerprint(other) != fingerprint(learnt)


def test_tensors_stand_once_and_the_file_is_told_from_others(whole, edited):
    # two entries, one before and after two edits, and each edit alone: rows and a pooled vector each, none twice
    assert len(TensorFile(whole).names) == 2 * 4
    assert saved_conditioning.holds(whole, stored(edited))
    assert not saved_conditioning.holds(whole, stored(edited[:1]))
    assert not saved_conditioning.holds(whole.parent / "gone.safetensors", stored(edited))


class Network:
    """What a ControlNet is to a file: no data."""


LEFT_OUT = {
    "control": Network(),
    "hooks": Network(),
    "gligen": ("position", Network(), []),
    "of a pack": {"deep": [Network()]},
    "not a number": float("nan"),
}


def test_objects_are_left_out_and_told(edited):
    (rows, options), *_ = edited
    made = stored([[rows, {**options, **LEFT_OUT}]])
    assert set(made.parts[0].left_out) == set(LEFT_OUT)
    assert f"no file can hold it: {', '.join(LEFT_OUT)}." in saved_reports.told_of(made.parts)


REFUSED = {
    "two axes": (torch.ones(3, 4), {}, "as its rows, where"),
    "whole numbers": (torch.ones(1, 3, 4).int(), {}, "as its rows, where"),
    "not finite": (torch.full((1, 3, 4), torch.inf), {}, "not finite numbers"),
    "pooled": (torch.ones(1, 3, 4), {"pooled_output": torch.ones(4)}, "as 'pooled_output', where"),
    "area": (torch.ones(1, 3, 4), {"area": (1, 2)}, "as 'area', where four numbers"),
    "time": (torch.ones(1, 3, 4), {"start_percent": 2.0}, "where a number from 0 to 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_conditioning_is_not_saved(name):
    rows, options, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=f"entry 1 .*{sentence}"):
        stored([[rows, options]])


def test_an_empty_list_is_not_saved():
    with pytest.raises(ValueError, match=r"nothing to save\. Connect"):
        stored([])


# --- what strangers wrote ------------------------------------------------------------------------------------------


def rewritten(path, **changes):
    """Write a whole file anew, hashes and all, with other metadata or tensors."""
    file = TensorFile(path)
    metadata = {key: file.metadata[key] for key in ("kind", "format_version", "conditioning")}
    tensors = {**file.read(), **{name: one for name, one in changes.items() if isinstance(one, torch.Tensor)}}
    metadata |= {name: one for name, one in changes.items() if isinstance(one, str)}
    write_tensors(path, tensors, metadata)


def said(path):
    return json.loads(TensorFile(path).metadata["conditioning"])


HOSTILE = (None, True, -1, 10**30, 0.5, "", "x", "0.rows", [], {}, [[]], {"tensor": "gone"}, {"tuple": 1}, {"dict": []},
           {"tensor": "0.rows"}, {"tensor": "0.options.pooled_output"}, "\x00", "é" * 1000)  # fmt: skip
"""What is written where something else belongs."""


def places(tree, path=()):
    """Yield the way to every value of a JSON tree."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(tree, path, value):
    if not path:
        return value
    made = copy.deepcopy(tree)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


def test_every_value_of_a_file_may_be_hostile(whole):
    before, refused = said(whole), 0
    for number, path in enumerate(places(before)):
        for value in HOSTILE[number % 4 :: 4]:  # each way meets some of them
            rewritten(whole, conditioning=json.dumps(changed(before, path, value)))
            try:
                found = load(whole).conditioning
            except ValueError as error:
                assert "mine.safetensors" in str(error) and str(error).endswith("again."), (path, value)
                refused += 1
            else:  # it is another conditioning, but it is one
                assert all(rows.ndim == 3 and bool(rows.isfinite().all()) for rows, _ in found)
    assert refused > 150


DAMAGED = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "huge header": lambda path: path.write_bytes((2**40).to_bytes(8, "little") + b"{" * 64),
    "a bit": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
    "not finite": lambda path: rewritten(path, **{"0.rows": torch.full((1, 96, 192), torch.nan)}),
    "no rows": lambda path: rewritten(path, **{"0.rows": torch.ones(96, 192)}),
    "of whole numbers": lambda path: rewritten(path, **{"0.rows": torch.ones(1, 96, 192).long()}),
    "other width": lambda path: rewritten(path, **{"0.unedited.cross_attn": torch.ones(1, 96, 8)}),
    "pooled": lambda path: rewritten(path, **{"0.options.pooled_output": torch.ones(1, 1, 128)}),
    "deep": lambda path: rewritten(path, conditioning="[" * 100_000),
    "an option of objects": lambda path: rewritten(path, conditioning=json.dumps(with_option(path, "control", 1))),
    "an option of ours": lambda path: rewritten(path, conditioning=json.dumps(with_option(path, "supsae_free", 1))),
    "a version that is none": lambda path: rewritten(path, format_version="new"),
}


def with_option(path, key, value):
    return changed(said(path), ("entries", 0, "options", key), value)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_with_its_name_and_the_remedy(whole, name):
    DAMAGED[name](whole)
    with pytest.raises(ValueError, match=r"^The saved conditioning 'mine\.safetensors' .+ Save, copy or download it"):
        load(whole)


OTHERS = {
    "newer": (lambda path: rewritten(path, format_version="9"), "format version 9; this SupSAE reads up to 1. Update"),
    "other kind": (lambda path: rewritten(path, kind="supsae.dictionary"), "is not a saved conditioning. Choose a"),
    "gone": (lambda path: path.unlink(), "There is no file 'mine.safetensors' any more"),
    "of the library": (lambda path: write_tensors(path, {"a": torch.ones(2)}), "is not a saved conditioning"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_told(whole, name):
    change, sentence = OTHERS[name]
    change(whole)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        load(whole)
