"""Nodes that look into prompt and model, in ComfyUI's interpreter: what they see, and that seeing changes nothing."""

import pytest

from supsae.supsae_core.dictionary.file import save_dictionary

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"


@pytest.fixture(scope="module")
def everything(comfy_python, learnt, tmp_path_factory):
    """Return what each script has seen, by its name."""
    file = tmp_path_factory.mktemp("dictionary") / "portraits.safetensors"
    save_dictionary(learnt.dictionary, file)
    scripts = ("masses", "mapped", "patched", "swept", "read")
    return {name: comfy_python(f"see_{name}", file, PROMPT) for name in scripts}


# --- attention -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pytorch", "sub quadratic"])
def test_masses_are_those_of_the_softmax(everything, name):
    shape, off = everything["masses"][name]
    assert shape == [2, 7, 3] and off < 1e-5


def test_masses_of_any_number_of_groups_and_precision(everything):
    seen = everything["masses"]
    assert seen["many"] < 1e-5 and seen["none"] == [2, 7, 0]
    assert seen["half"][0] == "torch.float32" and seen["half"][1] < 2e-3


def test_attention_that_is_heard_is_the_joint_one(everything):
    # 96 text rows, and 64 image tokens of 128 × 128 pixels; blocks with dual attention also call one of 64 rows
    rows, shape, off = everything["mapped"]["by hand"]
    assert rows == 96 and shape == [96 + 64, 128] and off < 1e-5


# --- Concept Map ---------------------------------------------------------------------------------------------------


CASES = [
    "plain", "batch", "cfg 1", "heun", "long negative", "odd size", "dual", "skip-layer guidance", "override",
    "steered", "batch of prompts", "two entries", "two of a category",
]  # fmt: skip


@pytest.mark.parametrize("method", ["effect", "attention"])
@pytest.mark.parametrize("name", CASES)
def test_map_leaves_the_picture_as_it_is(everything, name, method):
    same, raw, mask, (low, high), positive, heard, _ = everything["mapped"][f"{name}, {method}"]
    batch, side = {"batch": 2, "batch of prompts": 3}.get(name, 1), 120 if name == "odd size" else 128
    cells = side // 8  # of the latent; tokens are 2 × 2 of them, and an odd latent is padded
    cells = cells if method == "effect" else -(-cells // 2)
    assert same, "the picture is another one"
    assert raw == [batch, cells, cells] and mask == [batch, side, side]
    assert 0 <= low < 0.05 and 0.9 < high <= 1 and positive  # enlarging takes the edge off single cells
    # 3 steps, heun calls the model twice in all but the last; two blocks are listened to, one main pass a call
    calls = 5 if name == "heun" else 3
    assert heard == calls * (2 if method == "attention" else 1)


def test_what_else_the_prompt_says_of_the_category_stays(everything):
    # three other hair colours to swap for; with red hair beside it, blond alone is turned down; two other haircuts, one
    # of them three words, for which a full prompt has no room
    assert everything["mapped"]["ways"] == [3, 1, 2, 1]


def test_map_of_a_steered_model_is_of_the_concept_alone(everything):
    # another background all over the picture would be many times what other hair changes
    plain, steered = (everything["mapped"][f"{name}, effect"][-1] for name in ("plain", "steered"))
    assert 0.5 < steered / plain < 1.5


def test_what_stands_in_for_attention_decides_the_picture(everything):
    assert everything["mapped"]["override matters"]


def test_all_mentions_in_all_encoders_count(everything):
    # tokens: blond hair , green eyes , blond hair; behind the start row in the first 48 rows, and in rows from 48 on
    ratio, rows, length = everything["mapped"]["twice"]
    assert sorted(rows[0]) == [1, 2, 7, 8, 48, 49, 54, 55] and length == 96
    assert ratio > 1.5


def test_map_looks_only_where_asked(everything):
    seen = everything["mapped"]
    assert seen["window"] and "No step lies between start and end" in seen["no step"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    {
        "not said": "does not say 'hair: red', so there are no words of it to follow. It says: hair: blond,",
        "unknown": "Did you mean 'hair: red'",
        "area": "only for an area of the picture",
    }.items(),
)
def test_what_cannot_be_mapped_gets_a_sentence(everything, name, sentence):
    assert sentence in everything["mapped"][name]


# --- Block Map -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["portraits", "dual"])
def test_from_block_0_on_is_the_whole_edit(everything, model):
    seen = everything["patched"]
    # largest difference of the latents, as a share of the edit's own; another context is another rounding at most
    assert seen[f"{model} from 0"] < 1e-5 and seen[f"{model} before 0"] < 1e-5
    wholly, nothing = seen[f"{model} from 1"]
    assert wholly > 1e-2 and nothing > 1e-2


@pytest.mark.parametrize("pooled", [True, False])
def test_block_map_goes_from_all_to_nothing(everything, pooled):
    places, first, last, unedited, edited = everything["patched"][f"map, pooled {pooled}"]
    assert places == [0, 2, 3]  # the chosen blocks, and behind the last of three
    assert unedited and edited
    (from_0, _), (before_0, _) = first
    (from_end, _), (before_end, _) = last
    assert from_0 == before_end == 1 and from_end == before_0
    assert (from_end > 0) == pooled  # what is left behind the last block is the pooled vector's


def test_block_map_says_what_it_costs(everything):
    # the unedited and the edited, the pooled vector alone, and two for every block but the first
    assert everything["patched"]["drawings"] == [2 + 1 + 4, 2 + 2]


def test_block_map_of_nothing_gets_a_sentence(everything):
    assert "changes nothing that can be seen" in everything["patched"]["no change"]
    assert "Cannot remove 'hat: crown'" in everything["patched"]["not said"]


# --- Strength Sweep and Read Prompt --------------------------------------------------------------------------------


def test_sweep_multiplies_and_keeps_the_seed(everything):
    seen = everything["swept"]
    assert seen["at 1"] and seen["at 0"]  # half of strength 2, and nothing
    assert seen["report"][0] == "times 0.5:" and seen["report"][-1] == "changed hair: blond to hair: red (strength 1)"
    assert seen["batch"] == [3 * 2, 128, 128, 3]
    assert "2 times the strength of 'hair: red' is 4, outside -2 … 3" in seen["too strong"]


def test_prompt_is_read_part_by_part(everything):
    plain, area = everything["read"]["json"]["prompts"]
    assert [one["concept"] for one in plain["concepts"]] == ["hair: blond", "eyes: green", "expression: smile"]
    assert (plain["part"], plain["row"], plain["whole_picture"]) == (1, 1, True)
    assert (area["part"], area["whole_picture"]) == (2, False)
    assert area["concepts"][0]["rows"] == {"clip": [1, 2], "t5": [48, 49]}
    assert "hat" in plain["unmentioned"] and "hair" not in plain["unmentioned"]
    assert "part 2, row 1, for a part of the picture" in everything["read"]["text"]


def test_prompt_weights_are_read(everything):
    plain, _ = everything["read"]["json"]["prompts"]
    weights = [one["weight"] for one in plain["concepts"]]
    # unweighted phrases of Portraits scatter by 0.02
    assert weights[0] == pytest.approx(1.3, abs=0.06) and weights[1] == pytest.approx(0.8, abs=0.06)
    assert weights[2] == 1


def test_prompt_that_says_nothing(everything):
    assert everything["read"]["alone"] == "none of the dictionary's concepts"
    assert "conditioning is empty" in everything["read"]["empty"]
