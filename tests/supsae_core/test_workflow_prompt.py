"""The positive prompt of a picture, from what ComfyUI and AUTOMATIC1111's page write beside it."""

import json
from pathlib import Path

import pytest

from supsae.supsae_core.workflow_prompt import bare, prompt_of

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"


def encode(text):
    return {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["9", 0]}}


def sampler(positive, negative="0"):
    return {"class_type": "KSampler", "inputs": {"positive": [positive, 0], "negative": [negative, 0], "seed": 1}}


GRAPHS = {
    "one": ({"0": encode("bad"), "1": encode("red hair"), "2": sampler("1")}, "red hair"),
    "typed elsewhere": (
        {"0": encode("bad"), "1": encode(["5", 0]), "5": {"inputs": {"value": "a cat"}}, "2": sampler("1")},
        "a cat",
    ),
    "through other nodes": (
        {
            "1": encode("a dog"), "3": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["1", 0]}},
            "4": {"inputs": {"positive": ["3", 0], "negative": ["0", 0], "image": ["8", 0]}}, "2": sampler("4"),
            "0": encode("bad"),
        },
        "a dog",
    ),
    "of two parts": (
        {
            "1": encode("a dog"), "6": encode("a cat"),
            "3": {"inputs": {"conditioning_1": ["1", 0], "conditioning_2": ["6", 0]}}, "2": sampler("3"),
        },
        "a dog, a cat",
    ),
    "for three encoders": (
        {"1": {"inputs": {"clip_l": "a dog", "clip_g": "a dog", "t5xxl": "a dog on grass"}}, "2": sampler("1")},
        "a dog, a dog on grass",
    ),
    "a guider": (
        {"1": encode("a dog"), "2": {"class_type": "BasicGuider", "inputs": {"conditioning": ["1", 0]}}}, "a dog",
    ),
    "two samplers of one": ({"1": encode("a dog"), "2": sampler("1"), "3": sampler("1")}, "a dog"),
    "a ring": ({"1": {"inputs": {"conditioning": ["1", 0]}}, "2": sampler("1")}, None),
    "a ring of texts": ({"1": encode(["1", 0]), "2": sampler("1")}, None),
    "links to nothing": ({"2": sampler("7")}, None),
    "no sampler": ({"1": encode("a dog")}, None),
    "no graph": ({"1": 5, "2": [], "3": {"inputs": 1}, "4": {"inputs": {"positive": "x"}}}, None),
    "not numbers": ({"1": encode(5.0), "2": sampler("1")}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_says_what_its_picture_was_made_from(name):
    graph, wanted = GRAPHS[name]
    assert prompt_of({"prompt": json.dumps(graph)}) == wanted


PARAMETERS = {
    "a cat,\nred hair\nNegative prompt: bad\nSteps: 20, Sampler: Euler": "a cat,\nred hair",
    "a cat\nSteps: 20, Sampler: Euler": "a cat",
    "Steps: 20, Sampler: Euler": None,
    "a text of another program": None,
}


@pytest.mark.parametrize("text", PARAMETERS)
def test_parameters_end_where_the_negative_prompt_or_the_settings_begin(text):
    assert prompt_of({"parameters": text}) == PARAMETERS[text]


def test_a_page_says_it_where_there_is_no_graph():
    page = (EXAMPLES / "Sweep a strength.json").read_text(encoding="utf-8")
    found = prompt_of({"workflow": page})
    assert found and found.startswith("a portrait of a person with blond hair") and found in page
    graph = json.dumps({"1": encode("red hair"), "2": sampler("1")})
    assert prompt_of({"workflow": page, "prompt": graph}) == "red hair"


ODD = ["", "{", "[]", "null", "[" * 100_000, '{"nodes": 1, "links": []}',
       '{"nodes": [1, {}], "links": [1, [], [1, 2]]}',
       '{"nodes": [{"id": [], "inputs": [1]}], "links": [[[], {}, {}]]}',
       '{"nodes": [{"id": 1, "inputs": [{"name": "positive", "link": {}}]}], "links": []}']  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_say_nothing(text):
    assert prompt_of({"prompt": text, "workflow": text}) is None


BARE = {
    "a (red hair:1.3), ((smile)), [hat]": "a red hair, smile, hat",
    r"eyes \(green\), a: b": "eyes (green), a: b",
    "<lora:some style:0.8> a cat, embedding:bad-hands BREAK a dog": "a cat, a dog",
}


@pytest.mark.parametrize("text", BARE)
def test_weights_and_tags_are_no_words(text):
    assert bare(text) == BARE[text]
