"""What a panel lists: every concept, why it may fail, and how far the slider is calibrated; the same from a header."""

import json
from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary.concept_list import concept_list, gain, safe
from supsae.supsae_core.dictionary.file import read_header, save_dictionary
from supsae.supsae_core.dictionary.slider_map import SliderMap

POORLY, NEVER = "hair: red", "hat: beanie"


@pytest.fixture(scope="module")
def complaining(learnt):
    """A dictionary with one concept that was learnt poorly, with gains of 0.5, and one that was never captured."""
    gains = torch.ones(len(learnt.table))
    gains[learnt.table.index(POORLY)] = 0.5
    parts = {name: replace(part, gains=gains) for name, part in learnt.dictionary.parts.items()}
    report = {**learnt.dictionary.report, "poorly_learnt": [POORLY], "never_captured": [NEVER]}
    return replace(learnt.dictionary, parts=parts, report=report, identified=(False,) + (True,) * 7)


def warnings(source):
    found = {}
    for category in concept_list(source)["categories"]:
        found |= {f"{category['name']}: {one['name']}": one["warning"] for one in category["concepts"]}
    return found


def test_every_concept_is_listed_in_order_and_warned_of_where_fitting_complained(complaining):
    listed, found = concept_list(complaining), warnings(complaining)
    assert json.loads(json.dumps(listed)) == listed and list(listed) == ["categories", "safe"]
    assert list(found) == [str(concept) for concept in complaining.table.concepts]
    assert [one["identified"] for one in listed["categories"]] == [False] + [True] * 7
    assert {name for name, text in found.items() if text} == {POORLY, NEVER} and gain(complaining, 0) == 1
    assert "its gain was measured as 0.50" in found[POORLY] and "capture more prompts" in found[POORLY]
    assert found[NEVER].startswith("No captured prompt says this") and "Capture more" in found[NEVER]


def test_a_concept_that_was_calibrated_has_its_own_safe_ends(complaining):
    own = replace(complaining, sliders={POORLY: SliderMap(((1.0, 1.0),), -0.25, 1.5)})
    concepts = [one for category in concept_list(own)["categories"] for one in category["concepts"]]
    assert [(one["name"], one["safe"]) for one in concepts if "safe" in one] == [("red", [-0.25, 1.5])]
    assert not any(
        "safe" in one for category in concept_list(complaining)["categories"] for one in category["concepts"]
    )


def test_a_header_lists_the_same_but_for_the_gain(complaining, tmp_path):
    save_dictionary(complaining, tmp_path / "d.safetensors")
    header = read_header(tmp_path / "d.safetensors")
    found, whole = warnings(header), warnings(complaining)
    assert found.pop(POORLY).startswith("Learnt poorly: at strength") and "measured" in whole.pop(POORLY)
    assert found == whole and concept_list(header)["safe"] == concept_list(complaining)["safe"]


@pytest.mark.parametrize("odd", ["hair: red", 5, None, {"hair: red": 1}])
def test_a_report_of_another_tool_warns_of_nothing(complaining, odd):
    assert not any(warnings(replace(complaining, report={"poorly_learnt": odd, "never_captured": odd})).values())


@pytest.mark.parametrize(
    ("knots", "wanted"),
    [
        (((1.0, 1.0),), (0, 1)),  # gains alone: both ends are calibrated
        (((0.5, 0.8), (1.0, 1.0), (2.0, 2.0)), (0, 1)),  # the last knot is only a continuation
        (((1.0, 2.0),), (0, 0.5)),  # strength 1 lies half way
        (((0.5, 0.5), (1.5, 1.5)), (0, 1)),  # strength 1 lies between two knots
        (((1.0, 0.5),), (0, 1)),  # never reached: 1 is what a slider means by the word
    ],
)
def test_safe_is_from_no_edit_to_what_the_word_does(learnt, knots, wanted):
    assert safe(replace(learnt.dictionary, slider=knots)) == pytest.approx(wanted)
