"""What the panels of reports show: a verdict that follows from what was measured, and tables that hold it."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from supsae.evaluation.report.panel import (
    LOCATE,
    POORLY,
    SAID,
    at_least,
    at_most,
    dictionary_panel,
    evaluation_panel,
    names,
)
from supsae.evaluation.text.cases import SPLITS
from supsae.supsae_core.dictionary.model import Dictionary

SCOREBOARD = Path(__file__).resolve().parents[3] / "benchmarks" / "results" / "scoreboard.json"


def changed(made: Dictionary, unknown=0, **report) -> Dictionary:
    """Return a dictionary that reports something else, with a few categories whose absence was never seen."""
    good = {"locate": 1.0, "poorly_learnt": [], "never_captured": []}
    known = tuple(i >= unknown for i in range(len(made.identified)))
    return replace(made, identified=known, report={**made.report, **good, **report})


def test_a_good_dictionary_is_praised(learnt):
    found = dictionary_panel(changed(learnt.dictionary), "all of it")
    assert (found["level"], found["text"], found["version"]) == ("good", "all of it", 1)
    assert found["verdict"].startswith("Learnt well: all 28 concepts")
    assert found["sections"][0]["rows"][0] == ["Found again in fresh prompts", "100%"]
    own = changed(learnt.dictionary, edits={"took": 31 / 32, "count": 32.0})
    assert dictionary_panel(own)["verdict"].endswith("In prompts kept aside 31 of 32 edits read as asked.")


def test_words_that_the_model_does_not_know_come_first(learnt):
    some = {"hat: sombrero": "'a sombrero': it was never taught 'sombrero', so nothing of it will be drawn"}
    found = dictionary_panel(changed(learnt.dictionary), unknown=some)
    assert found["level"] == "fair" and found["sections"][0]["rows"] == [list(one) for one in some.items()]
    assert found["verdict"].startswith(
        "27 of 28 concepts will show; 1 uses words that this model does not know: hat: som"
    )
    many = {f"a: {one}": "unknown" for one in range(15)}
    assert dictionary_panel(changed(learnt.dictionary), unknown=many)["level"] == "poor"


# 28 concepts: one is 3.6 %, four are 14.3 %, five 17.9 % of them; the limits are 0 and 15 %
JUDGED = {
    "one poor": ({"poorly_learnt": ["hair: red"]}, "fair", "1 of 28 concepts is poorly learnt: hair: red."),
    "four poor": ({"poorly_learnt": ["a: 1", "a: 2", "a: 3", "a: 4"]}, "fair", "4 of 28 concepts are poorly learnt"),
    "five poor": ({"poorly_learnt": ["a: 1", "a: 2", "a: 3", "a: 4", "a: 5"]}, "poor", "5 of 28"),
    "never written": ({"never_captured": ["hat: crown"]}, "fair", "Never seen in a captured prompt: hat: crown."),
    "twice the same": ({"poorly_learnt": ["a: 1", "a: 2"], "never_captured": ["a: 1", "a: 2"]}, "fair", "2 of 28"),
    "found mostly": ({"locate": 0.93}, "fair", "Only 93% is found again"),
    "found rarely": ({"locate": 0.5}, "poor", "Only 50% is found again"),
    "edits mostly": ({"edits": {"took": 0.75, "count": 32.0}}, "fair", "Only 75% of 32 edits of prompts kept aside"),
    "edits rarely": ({"edits": {"took": 0.5, "count": 32.0}}, "poor", "Only 50% of 32 edits"),
    "removal unknown": ({"unknown": 1}, "fair", "What leaving out background does was not learnt"),
}


@pytest.mark.parametrize("case", JUDGED)
def test_verdicts(learnt, case):
    changes, level, sentence = JUDGED[case]
    found = dictionary_panel(changed(learnt.dictionary, **changes))
    assert found["level"] == level
    assert sentence in found["verdict"] and "Learnt well" not in found["verdict"]


def test_all_that_is_wrong_is_said_line_by_line(learnt):
    made = changed(learnt.dictionary, unknown=1, locate=0.5, poorly_learnt=["a: 1"], never_captured=["b: 2"])
    assert len(dictionary_panel(made)["verdict"].splitlines()) == 4


def test_a_dictionary_that_says_nothing_of_itself(learnt):
    found = dictionary_panel(replace(learnt.dictionary, report={}, provenance={}))
    assert found["level"] == "fair" and "does not say how well it was learnt" in found["verdict"]
    assert [one["title"] for one in found["sections"]] == ["What it knows", "Where it comes from"]
    strange = replace(learnt.dictionary, report={"poorly_learnt": "hair: red"})  # files come from strangers
    assert dictionary_panel(strange)["level"] == "fair"


def test_limits():
    said = {1: "good", 0.98: "good", 0.979: "fair", 0.9: "fair", 0.899: "poor"}
    assert {value: at_least(value, LOCATE) for value in said} == said
    said = {0: "good", 0.01: "fair", 0.15: "fair", 0.16: "poor"}
    assert {value: at_most(value, POORLY) for value in said} == said
    assert names(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


def test_an_evaluation_without_pictures(board):
    text = copy.deepcopy(board.sections["text"])
    for one in text["splits"].values():
        one["located"]["estimate"] = 1.0
    for one in text["concepts"].values():
        one["poor"] = ""
    found = evaluation_panel({"sections": {"text": text}}, "text")
    assert found["level"] == "good" and found["verdict"].startswith("Good: in 8 fresh prompts")
    assert [row[0] for row in found["sections"][0]["rows"]] == list(SAID.values()) and set(SAID) == set(SPLITS)
    first = next(iter(text["concepts"]))
    text["concepts"][first]["poor"] = "It is too weak."
    found = evaluation_panel({"sections": {"text": text}}, "text")
    assert found["level"] == "fair" and f"1 of 28 concepts is poorly learnt: {first}" in found["verdict"]
    assert [first, "It is too weak."] in found["sections"][1]["rows"]


PICTURES = {
    # success of SupSAE and of the rewrite, both without the lock
    (0.99, 1.0): ("good", "Works well: 99% of the edits show"),
    (0.92, 1.0): ("fair", "Works for most: 92%"),  # 8 points behind the words
    (0.85, 0.85): ("fair", "Works for most: 85%"),
    (0.6, 0.6): ("poor", "Does not work well: 60%"),
}


@pytest.mark.parametrize(("ours", "words"), PICTURES)
def test_an_evaluation_on_pictures(ours, words):
    results = json.loads(SCOREBOARD.read_text(encoding="utf-8"))
    rows = results["sections"]["headline"]["rows"]
    rows["SupSAE"]["success"]["estimate"], rows["prompt rewrite"]["success"]["estimate"] = ours, words
    found = evaluation_panel(results, "text")
    level, said = PICTURES[ours, words]
    assert found["level"] == level and found["verdict"].startswith(said)
    shown = next(one for one in found["sections"] if one["title"] == "Pictures")
    assert [row[0] for row in shown["rows"]][:2] == ["SupSAE", "SupSAE with the lock"]
    assert all(len(row) == len(one["head"]) for one in found["sections"] for row in one["rows"])
    assert found["sections"][1]["rows"][0][0] == "SupSAE"  # beside rewriting the words


def test_an_evaluation_without_edits():
    results = json.loads(SCOREBOARD.read_text(encoding="utf-8"))
    del results["sections"]["headline"]
    assert evaluation_panel(results, "text")["verdict"].startswith("No edits were judged")
