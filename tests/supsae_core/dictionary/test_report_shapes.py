"""What of a dictionary's report is shown: what fitting writes, and nothing that only looks like it."""

import json
from dataclasses import replace

import pytest

from supsae.evaluation.report.panel import dictionary_panel
from supsae.supsae_core.dictionary.file import load_dictionary, read_header, save_dictionary
from supsae.supsae_core.dictionary.report_shapes import SHAPES, readable

assert SHAPES, "the table of shapes is empty"

STRANGE = {
    "calibration": [[], 3, {"clip": {}}, {"clip": 3}, {"clip": {"mean": "1", "spread": 0}}, {"clip": {"mean": 1}}],
    "parts": [{"clip": 3}, [], {"clip": {"fvu_slot": "x"}}, {"clip": {"fvu_slot": 10**400}}],
    "streams": [[], {"txt@3": {}}, {"txt@3": [{}]}, {"txt@3": [3]}],
    "operators": [[], {"clip": 3}, {"clip": {"pairs": "x"}}, {"clip": {"pairs": 1, "chosen": {"rest": "x"}}}],
    "locate": ["abc", None, True, [1], 10**400],
    "reading": [0.5, {"plain": "all"}],
    "found": [[], {"hair: red": None}],
    "edits": [[], {"hair: red": None}],
    "fit_seconds": ["3"],
    "solve_seconds": [{}],
    "poorly_learnt": ["hair: red", [3], {}],
    "never_captured": [5, [None]],
    "slider_change": [0.5, ["x"]],
}
CASES = [(key, value) for key, values in STRANGE.items() for value in values]


def test_every_entry_is_tried():
    assert STRANGE.keys() == SHAPES.keys()


def test_what_fitting_reports_is_kept(learnt):
    report = learnt.dictionary.report | {"slider_change": [0.0, 0.5], "note": {"of": "another tool"}}
    assert len(SHAPES.keys() & report.keys()) >= 6 and readable(report) == report
    chosen = {"rest": "kernel", "phrase": "levels"}
    one = {"pairs": 9, "rest": {"kernel": 0.5}, "phrase": {"levels": 1.0}, "chosen": chosen}
    operators = {"operators": {"clip": one, "t5": {"pairs": 2}}}
    assert readable(operators) == operators
    stream = {"streams": {"txt@3": [{"fvu_slot": 0.5, "agreement": 0.9}]}}
    assert readable(stream) == stream


@pytest.mark.parametrize(("key", "value"), CASES, ids=[f"{key} {str(value)[:20]}" for key, value in CASES])
def test_a_strange_report_stops_nobody(learnt, tmp_path, key, value):
    file, fine = tmp_path / "strange.safetensors", learnt.dictionary.report
    save_dictionary(replace(learnt.dictionary, report=fine | {key: value}), file)
    found = load_dictionary(file)
    assert found.report == {name: one for name, one in fine.items() if name != key}
    assert read_header(file).report == found.report
    assert json.dumps(dictionary_panel(found))
