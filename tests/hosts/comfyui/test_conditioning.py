"""Edits of a CONDITIONING and the CLIP socket, in ComfyUI's interpreter, with a dictionary of Portraits' encoders."""

import pytest

from supsae.supsae_core.dictionary.file import save_dictionary

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"


# The real tokenizers of SD3.5 ship inside ComfyUI; weights are not needed to count tokens.


@pytest.fixture(scope="module")
def dictionary_file(learnt, tmp_path_factory):
    file = tmp_path_factory.mktemp("dictionary") / "portraits.safetensors"
    save_dictionary(learnt.dictionary, file)
    return file


@pytest.fixture(scope="module")
def everything(comfy_python, dictionary_file):
    """Return what each script has seen, by its name."""
    scripts = ("encoded", "edited", "refused", "sd3", "folders")
    return {name: comfy_python(f"conditioning_{name}", dictionary_file, PROMPT) for name in scripts}


@pytest.fixture
def encoded(everything):
    return everything["encoded"]


@pytest.fixture
def edited(everything):
    return everything["edited"]


@pytest.fixture
def refused(everything):
    return everything["refused"]


@pytest.fixture
def sd3(everything):
    return everything["sd3"]


@pytest.mark.parametrize(("name", "rows"), [("short", 96), ("empty", 96), ("two chunks", 187), ("brackets", 96)])
def test_clip_encodes_as_portraits_does(encoded, name, rows):
    # 30 times "red hair ," are 90 tokens: two chunks of 48 rows, and 90 + 1 rows of the other encoder
    assert encoded[name] == [[1, rows, 192], True, True]


@pytest.mark.parametrize("name", ["up", "default"])
def test_weights_are_comfyuis(encoded, name):
    # tokens: blond hair , red hat; "red" is row 4 behind the start row, and row 3 of the second encoder's 48 …
    assert encoded[name] == [[4, 48 + 3], True, True]


def test_weight_reaches_later_chunks(encoded):
    # 16 times "red hair ," are 48 tokens, a chunk takes 46: "blue" is the third of chunk 1, behind its start row;
    # the other encoder's rows begin behind two chunks
    assert encoded["weight in chunk 1"] == [48 + 3, 2 * 48 + 48]


@pytest.mark.parametrize("name", ["swap", "same", "scale"])
def test_edit_of_nothing_passes_the_very_same_tensors(edited, name):
    assert edited[f"nothing {name}"]


def test_edit_changes_what_it_says_and_tells(edited):
    assert edited["said"] == "hair: red, eyes: green, expression: smile, background: beach"
    assert edited["report"].splitlines() == [
        "found hair: blond, eyes: green, expression: smile, background: beach",
        "changed hair: blond to hair: red (strength 1)",
    ]


def test_edit_makes_a_new_entry_and_leaves_the_old_one(edited):
    assert edited["new"] == [True, True, True]
    assert edited["untouched"] and edited["passed on"] and edited["pooled moved"]
    assert edited["kind"] == [True, "torch.float32", "cpu"]
    assert edited["keys"] == ["supsae_edited", "supsae_reference"]  # for the Lock


def test_half_precision_stays(edited):
    assert edited["half"] == ["torch.float16", "torch.float16", edited["said"]]


def test_swap_in_a_list_goes_to_the_parts_that_speak_of_it(edited):
    # the second part does not mention hair: where another one does, nothing is said anew
    assert edited["list"][0].startswith("hair: red") and edited["list"][2] == "hair: red"
    assert edited["list same"] == [False, True, False, True]
    assert "part 3, row 1: changed hair: black to hair: red (strength 1)" in edited["list report"]


def test_add_in_a_list_stays_out_of_areas_and_masks(edited):
    assert edited["add same"] == [False, False, True, True]
    assert edited["add report"].count("added eyewear: glasses (strength 1)") == 2
    assert "areas or masks only" in edited["add nowhere"]


def test_batch_rows_are_edited_one_by_one(edited):
    assert edited["batch"] == [edited["said"], "eyes: blue", True, [2, 96, 192]]
    assert edited["batch row is the row alone"]
    assert edited["uneven"] == [[2, 96, 192], [2, 128]]


def test_rows_for_controlnets_are_edited_too(edited):
    assert edited["control"] == ["hair: red", edited["said"]]
    assert edited["control untouched"]


def test_several_edits_at_once(edited):
    # what is added stands among the pads, far behind the text
    assert edited["several"] == [
        "hair: red, eyes: green, background: beach, hat: crown",
        "changed hair: blond to hair: red (strength 1), removed expression: smile (strength 1), "
        "added hat: crown (strength 1)",
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    {
        "no pooled": "has no pooled_output",
        "empty": "conditioning is empty",
        "zeros": "all zeros",
        "other width": "(154, 4096) is not of the family 'portraits'",
        "other encoder": "not of the text encoder 'clip'",
        "joined": "concatenated or averaged is not supported",
        "twice": "change 'hair'. Keep one",
        "unknown": "Did you mean 'hair: red'",
        "not said": "Cannot remove 'hat: crown': the prompt does not say it",
        "unknown clip": "has the text encoders l, qwen, which SupSAE does not know",
        "skip": "have no layers to skip",
    }.items(),
)
def test_refusal_is_a_sentence(refused, name, sentence):
    assert sentence in refused[name]


@pytest.mark.parametrize("name", ["clip_l", "clip_g", "t5xxl"])
def test_words_of_sd3_count_as_in_the_whole_prompt(sd3, name):
    assert sd3["format"] == "sd3" and sd3[name]
    counted, whole = sd3[f"{name} count"]
    assert counted == whole > 8


def test_missing_text_encoder_is_named(sd3):
    assert "lacks the text encoder t5xxl" in sd3["missing"]


def test_folders_of_extra_model_paths_come_first(everything):
    seen = everything["folders"]
    assert len(seen["paths"]) == 3 and seen["paths"][0] == "/extra/supsae"
    assert seen["new"] == "/extra/supsae/mine.safetensors"
    assert seen["endings"] == [".safetensors"] and all(seen["listed"])
