"""Concept Mixer: the value an API user writes, the edit it makes, and what its panel is told; without a browser."""

import json

import pytest

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, seaside"
STILL = ("empty", "strength 0", "said already", "kept only", "unmentioned cleared")


@pytest.fixture(scope="module")
def seen(comfy_python):
    return comfy_python("mixer_panel", PROMPT)


@pytest.mark.parametrize("name", ["swap", "three rows"])
def test_mix_is_the_edits_that_it_spells(seen, name):
    assert seen[name] == [True]


@pytest.mark.parametrize("name", STILL)
def test_what_changes_nothing_passes_the_very_same_entry(seen, name):
    assert seen[f"still {name}"]
    assert seen[f"shown {name}"] == ["blond"]


def test_zeros_pass_an_empty_mix(seen):
    assert seen["zeros"] == [True, []]


def test_panel_is_told_what_was_said_and_what_is(seen):
    (prompt,) = seen["prompts"]
    nothing = {"haircut": [], "eyewear": [], "hat": [], "clothing": []}
    same = {"background": ["beach"], "eyes": ["green"]}
    assert prompt == {
        "title": "",
        "before": {**nothing, **same, "hair": ["blond"], "expression": ["smile"]},
        "after": {**nothing, **same, "hair": ["red"], "expression": []},
        "held": {"eyes": True},
    }
    assert seen["report"].splitlines() == [
        "found hair: blond, eyes: green, expression: smile, background: beach",
        "changed hair: blond to hair: red (strength 0.8), removed expression: smile (strength 1), kept eyes",
    ]


@pytest.mark.parametrize("name", ["longer phrases", "longer phrases of a model"])
def test_words_for_which_there_was_no_room_are_read_too(seen, name):
    # "smiling" and "seaside" of one token become "sad face" and "city street" of two, whose last stand among the pads
    after = seen[name]["after"]
    assert after["expression"] == ["sad"] and after["background"] == ["city"] and after["hair"] == ["blond"]
    assert seen[name]["held"] == {"eyes": True}


def test_parts_have_titles(seen):
    # the second part does not mention hair, and the first does: nothing is said anew
    assert seen["two parts"] == ["part 1, row 1", "part 2, row 1"]
    assert seen["two parts after"] == [["red"], []]


def test_model_draws_what_the_conditioning_draws(seen):
    assert seen["the edit is seen"] and seen["model"] and seen["two mixers are one"]


def test_panel_of_a_model_is_told_while_it_draws(seen):
    assert seen["not told before it draws"] == [
        True, [], "While the model draws: swap hair: red (strength 1), keep eyes."
    ]  # fmt: skip
    assert seen["told once"] == 1 and seen["both are told"] == [1, 1]
    assert seen["told as a conditioning's"] and seen["told report"]


def test_model_with_nothing_to_change_draws_the_same_and_costs_no_call(seen):
    assert seen["idle"] and seen["idle is told"]
    # four steps, positive and negative in one call each: ours is at work in every one, or in none
    assert seen["busy calls"] == [4, True] and seen["idle calls"] == [4, False]


# --- through a server ----------------------------------------------------------------------------------------------

LOADERS = {
    "clip": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
    "dictionary": {"class_type": "SupSAE_LoadDictionary", "inputs": {"name": "portraits.safetensors"}},
    "positive": {"class_type": "CLIPTextEncode", "inputs": {"text": PROMPT, "clip": ["clip", 0]}},
    "model": {
        "class_type": "UNETLoader",
        "inputs": {"unet_name": "supsae_portraits_mmdit.safetensors", "weight_dtype": "default"},
    },
}


def workflow(mix, *connected, output=2):
    """The mixer with what is connected, and its report (or another output) shown."""
    links = {name: [{"conditioning": "positive"}.get(name, name), 0] for name in connected}
    inputs = {"dictionary": ["dictionary", 0], "mix": mix if isinstance(mix, str) else json.dumps(mix), **links}
    shown = {"class_type": "PreviewAny", "inputs": {"source": ["mixer", output]}}
    return {**LOADERS, "mixer": {"class_type": "SupSAE_ConceptMixer", "inputs": inputs}, "shown": shown}


def one(row):
    return {"version": 1, "mix": row}


def test_schema_is_permanent(comfy_server):
    node = comfy_server.object_info("SupSAE_ConceptMixer")
    assert node["display_name"] == "Concept Mixer"
    assert node["input_order"] == {"required": ["dictionary", "mix"], "optional": ["conditioning", "model"],
                                   "hidden": ["unique_id"]}  # fmt: skip
    assert node["output_name"] == ["conditioning", "model", "report"]
    assert node["input"]["required"]["mix"][1]["default"] == "{}"


def test_run_shows_the_panel(comfy_server):
    outputs = comfy_server.run(workflow(one({"hair": {"say": "red"}, "eyes": {"keep": True}}), "conditioning"))
    (panel,) = outputs["mixer"]["supsae_mixer"]
    assert list(panel) == ["version", "categories", "safe", "mix", "prompts", "report"]
    assert panel["version"] == 1 and panel["safe"] == [0, 1]
    hair = panel["categories"][1]
    assert hair["name"] == "hair" and hair["identified"] is True
    assert hair["concepts"] == [{"name": name, "warning": ""} for name in ("blond", "red", "black", "blue")]
    (prompt,) = panel["prompts"]
    assert prompt["after"]["hair"] == ["red"] and prompt["held"] == {"eyes": True}
    assert outputs["shown"]["text"] == [panel["report"]]


REFUSED = {
    "both": ({}, ("conditioning", "model"), "the edit would be made twice. Disconnect"),
    "neither": ({}, (), "Concept Mixer has nothing to change. Connect a conditioning"),
    "unknown concept": (one({"hair": {"say": "rde"}}), ("conditioning",), "'hair: rde'.*Did you mean 'hair: red"),
    "unknown at 0": (one({"hair": {"say": "rde", "strength": 0}}), ("model",), "no concept 'hair: rde'"),
    "unknown category": (one({"horns": {"keep": True}}), ("conditioning",), "no category 'horns'.*It has: background"),
    "no JSON": ("hair: red", ("conditioning",), "The mix is not readable JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_a_sentence(comfy_server, name):
    mix, connected, sentence = REFUSED[name]
    with pytest.raises(RuntimeError, match=sentence):
        comfy_server.run(workflow(mix, *connected))


def test_output_of_what_is_not_connected_says_so(comfy_server, comfy_python):
    # ComfyUI shows an artist the sentence, and leaves out the nodes that would have been given nothing
    prompt = json.dumps(workflow({}, "conditioning", output=1))
    (event,) = comfy_python("mixer_events", comfy_server.url, prompt)
    assert event["type"] == "execution_error" and event["data"]["node_id"] == "shown"
    assert "a conditioning connected and no model, so its model output is empty" in event["data"]["exception_message"]


def test_model_tells_the_browser_while_it_samples(comfy_server, comfy_python):
    prompt = workflow(one({"hair": {"say": "red"}}), "model") | {
        "latent": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
        "sample": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["mixer", 1], "positive": ["positive", 0], "negative": ["positive", 0],
                "latent_image": ["latent", 0], "seed": 1, "steps": 1, "cfg": 1.0, "sampler_name": "euler",
                "scheduler": "simple", "denoise": 1.0,
            },
        },
        "saved": {"class_type": "SaveLatent", "inputs": {"samples": ["sample", 0], "filename_prefix": "mixer"}},
    }  # fmt: skip
    (event,) = comfy_python("mixer_events", comfy_server.url, json.dumps(prompt))
    assert event["type"] == "supsae.mixer" and event["data"]["node"] == "mixer"
    assert event["data"]["output"]["prompts"][0]["after"]["hair"] == ["red"]
