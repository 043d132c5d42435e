"""What a panel lists: every concept, why it may fail, and how far the slider is calibrated; the same from a header."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from supsae.supsae_core.dictionary.concept_list import concept_list, gain, safe
from supsae.supsae_core.dictionary.file import Header, load_dictionary, read_header, save_dictionary

POORLY, NEVER = "hair: red", "hat: beanie"


@pytest.fixture(scope="module")
def complaining(learnt):
    """A dictionary with one concept that was learnt poorly, with gains of 0.5, and one that was never captured."""
    index = learnt.table.index(POORLY)
    gains = torch.ones(len(learnt.table))
    gains[index] = 0.5
    parts = {name: replace(part, gains=gains) for name, part in learnt.dictionary.parts.items()}
    report = {**learnt.dictionary.report, "poorly_learnt": [POORLY], "never_captured": [NEVER]}
    identified = (False, *learnt.dictionary.identified[1:])
    return replace(learnt.dictionary, parts=parts, report=report, identified=identified)


@pytest.fixture(scope="module")
def file(complaining, tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "d.safetensors"
    save_dictionary(complaining, path)
    return path


def warnings(listed):
    return {
        f"{category['name']}: {one['name']}": one["warning"]
        for category in listed["categories"]
        for one in category["concepts"]
    }


def test_every_concept_is_listed_in_order(complaining):
    listed = concept_list(complaining)
    assert list(listed) == ["categories", "safe"]
    assert list(warnings(listed)) == [str(concept) for concept in complaining.table.concepts]
    assert [one["identified"] for one in listed["categories"]] == [False] + [True] * 7
    assert json.loads(json.dumps(listed)) == listed


def test_warnings_are_on_what_fitting_complained_about(complaining):
    found = {name: text for name, text in warnings(concept_list(complaining)).items() if text}
    assert found.keys() == {POORLY, NEVER}
    assert "its gain was measured as 0.50" in found[POORLY] and "capture more prompts" in found[POORLY]
    assert found[NEVER].startswith("No captured prompt says this") and "Capture more" in found[NEVER]
    assert gain(complaining, 0) == 1


def test_header_lists_the_same_but_for_the_gain(complaining, file):
    header = read_header(file)
    listed, whole = concept_list(header), concept_list(complaining)
    assert "measured" not in warnings(listed)[POORLY] and warnings(listed)[POORLY].startswith(
        "Learnt poorly: at strength"
    )
    assert listed["safe"] == whole["safe"]
    assert {k: bool(v) for k, v in warnings(listed).items()} == {k: bool(v) for k, v in warnings(whole).items()}


@pytest.mark.parametrize("name", ["table", "family", "identified", "slider", "provenance", "report", "centres"])
def test_header_is_the_dictionary_s(complaining, file, name):
    assert getattr(read_header(file), name) == getattr(complaining, name)


def test_header_names_the_parts(complaining, file):
    header = read_header(file)
    assert isinstance(header, Header) and header.parts == tuple(complaining.parts) and header.streams == ()


def test_header_reads_no_tensor(complaining, file, tmp_path):
    """A file whose tensors are all nonsense has the same header."""
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    hollow = tmp_path / "hollow.safetensors"
    save_file({"nothing": torch.zeros(1)}, hollow, metadata=metadata)
    assert read_header(hollow) == read_header(file)
    with pytest.raises(ValueError, match="lacks something it should hold"):
        load_dictionary(hollow)


def changed(file, tmp_path, metadata=None, **header):
    with safe_open(file, "pt") as opened:
        old = opened.metadata()
    made = old | {"header": json.dumps(json.loads(old["header"]) | header)} | (metadata or {})
    path = tmp_path / "changed.safetensors"
    save_file(load_file(file), path, metadata=made)
    return path


REFUSED = {
    "foreign": ({"metadata": {"kind": "lora"}}, "is not a SupSAE dictionary. Choose a file made by the Fit node"),
    "newer": ({"metadata": {"format_version": "2"}}, "has format version 2; this SupSAE reads up to 1. Update SupSAE"),
    "damaged": ({"metadata": {"header": "{"}}, "damaged header"),
    "no object": ({"metadata": {"header": "[]"}}, "damaged header: no JSON object"),
    "no parts": ({"parts": None}, "lacks something it should hold"),
    "no report": ({"report": []}, "lacks something it should hold: 'provenance' and 'report' as JSON objects"),
    "other table": ({"identified": [True]}, "lacks something it should hold: 'identified' for each of 8 categories"),
    "empty table": ({"table": {}}, "concept table is empty"),
}


@pytest.mark.parametrize("read", [read_header, load_dictionary])
@pytest.mark.parametrize("name", REFUSED)
def test_header_refuses_what_loading_refuses(file, tmp_path, name, read):
    changes, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence):
        read(changed(file, tmp_path, **changes))


@pytest.mark.parametrize("length", [0, 4, 1000, -1])
def test_header_of_a_truncated_file_is_refused(file, tmp_path, length):
    path = tmp_path / "short.safetensors"
    path.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ValueError, match="is not a whole safetensors file.*Copy or download it again"):
        read_header(path)


def test_header_of_no_file(tmp_path):
    with pytest.raises(ValueError, match="There is no dictionary file 'none.safetensors'"):
        read_header(tmp_path / "none.safetensors")


@pytest.mark.parametrize("odd", ["hair: red", 5, None, {"hair: red": 1}])
def test_a_report_of_another_tool_warns_of_nothing(complaining, odd):
    listed = concept_list(replace(complaining, report={"poorly_learnt": odd, "never_captured": odd}))
    assert not any(warnings(listed).values())


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
