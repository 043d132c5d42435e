"""Edits on a model inside ComfyUI: what must be equal to the bit, what composes, and what is refused."""

import re

import pytest

EQUAL = [
    "the edit is seen", "a ControlNet acts", "a LoRA on the text encoders acts",
    "LoRA on the text encoders", "cond, pooled", "two nodes are one", "other order", "cfg 1", "heun", "batch",
    "batch of prompts", "unequal lengths", "regions", "prompt weights", "negative too", "negative says nothing",
    "model unchanged", "no state on the clone", "late is in between", "two halves are a whole",
    "between two steps nothing happens", "inside all blocks is all", "a swap for itself", "usable after an error",
]  # fmt: skip


@pytest.fixture(scope="module")
def dictionary_file(tmp_path_factory, learnt):
    from supsae.supsae_core.dictionary.file import save_dictionary

    file = tmp_path_factory.mktemp("dictionary") / "learnt.safetensors"
    save_dictionary(learnt.dictionary, file)
    return file


@pytest.fixture(scope="module")
def seen(comfy_python, dictionary_file):
    return comfy_python("steering_edits", dictionary_file) | comfy_python("steering_streams", dictionary_file)


@pytest.mark.parametrize("case", EQUAL)
def test_equal_to_the_bit(seen, case):
    assert seen[case] is True


def test_a_controlnet_sees_the_unedited_prompt(seen):
    assert seen["ControlNet"] < 1e-3  # given apart, the rows are not batched with the negative's


def test_the_text_stream_entering_block_0_is_the_prompt(seen):
    assert seen["txt@0, pooled"] < 1e-3


@pytest.mark.parametrize("other", ["patched", "slg", "pag", "lora"])
@pytest.mark.parametrize("sites", ["cond, pooled", "txt@0, pooled"])
def test_other_nodes_in_either_order(seen, other, sites):
    acts, same, far = seen[f"{other} {sites}"]
    assert acts and same
    assert far < 1e-3


def test_every_no_op_is_one(seen):
    assert seen["no-ops that are none"] == []


def test_taken_out_behind_the_block_an_edit_does_less(seen):
    assert 0.01 < seen["inside one block is less"] < 1.5


@pytest.mark.parametrize("sites", ["txt@1", "img@2", "img@3"])
def test_a_stream_gets_what_the_core_says_in_the_positive_rows_alone(seen, sites):
    off, negative, something = seen[sites]
    assert off < 1e-5 and negative == 0 and something


def test_a_mask_confines_the_image_stream(seen):
    inside, outside = seen["mask"]
    assert inside and outside == 0


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("block", "no txt@3: this model has 3 blocks, so txt@0 … txt@2"),
        ("img block", "no img@4: this model has 3 blocks, so img@0 … img@3"),
        ("spelling", "no site 'txt@x'"),
        ("no part", "nothing for txt@1; it has cond, pooled, txt@0"),
        ("twice", "cond reaches every block already, so txt@0 would make the edit twice"),
        ("masks", r"mask has the shape \(2, 8, 8\)"),
        ("a mask for words", "The mask says where in the picture, and pooled has no place in it"),
        ("a reach without blocks", "cond, pooled: these sites have no blocks"),
        ("a time for a conditioning", "neither steps of sampling nor blocks, so 'part of sampling' would do nothing"),
        ("no such choice", "where is missing, or none of its choices: 'everywhere', 'part of"),
        ("both", "is connected to a conditioning and to a model"),
        ("neither", "Apply Edits has nothing to change"),
        ("not said", "Cannot remove 'hat: crown'"),
        ("unknown", "Did you mean 'hair: red'"),
        ("two", "Two edits .* change 'hair'"),
        ("family", "This model is Flux"),
        ("mask and area", "mask of the whole picture cannot be laid over"),
    ],
)
def test_refused(seen, case, sentence):
    assert re.search(sentence, seen["refused"][case])


def test_a_compiled_model_draws_the_same_edit(comfy_python, dictionary_file):
    seen = comfy_python("steering_compiled", dictionary_file, own_process=True)
    assert len(seen) == 2 and all(far < 1e-3 for both in seen.values() for far in both)
