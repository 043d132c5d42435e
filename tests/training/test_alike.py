"""A table of few concepts alike, as artists type them: the words around them are no token of any."""

import numpy as np
import pytest

from supsae.hosts.embedded import PortraitsText
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.parsing import parse_table
from supsae.supsae_core.table.prompts import draw_prompt
from supsae.training import thresholds
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

TABLE = (
    "mood: {sad: [sad], happy: [happy, cheerful]}\ncoat: {blue: [blue coat], green: [green coat], fur: [long fur coat]}"
)
PROMPTS = 60


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    table, host = parse_table(TABLE), PortraitsText()
    plan = plan_text(table, host, CaptureConfig(prompts=PROMPTS, mention=0.6))
    capture = capture_text(host, tmp_path_factory.mktemp("alike") / "capture", plan)
    return host, capture, fit_dictionary(capture)


def wrong(host, dictionary):
    """Return how many of as many prompts never captured are read otherwise than they say."""
    rng, missed = np.random.default_rng(99), 0
    for _ in range(PROMPTS):
        prompt = draw_prompt(dictionary.table, rng, mention=0.6)
        (cond,), _ = host.encode([prompt.text])
        missed += sorted(read_conditioning(dictionary, cond).concepts(dictionary)) != sorted(
            prompt.support(dictionary.table)
        )
    return missed


def test_other_words_are_explained_as_such_where_that_makes_fewer_errors(alike, monkeypatch):
    host, capture, made = alike
    assert max(made.parts[name].cuts.other for name in ("clip", "t5")) >= 0
    monkeypatch.setattr(thresholds, "OFTEN", 1e9)  # never
    rows = list(capture.read("calibration"))
    before = thresholds.with_cuts(made, rows)
    assert {before.parts[name].cuts.other for name in ("clip", "t5")} == {-1.0}
    now, then = wrong(host, made), wrong(host, before)
    assert now <= PROMPTS // 20 < then  # three in sixty against more


def test_of_many_concepts_it_is_not_and_nothing_changes(learnt):
    assert {learnt.dictionary.parts[name].cuts.other for name in ("clip", "t5")} == {-1.0}
