"""Texts ranked by a concept, against what the prompts that were drawn say."""

import math

import numpy as np
import pytest
import torch

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.reading.ranking import score
from supsae.supsae_core.table import prompts


@pytest.fixture(scope="module")
def scored():
    learnt, host = load_dictionary(DICTIONARY), PortraitsText()

    def run(concept, texts):
        with torch.inference_mode():
            return [score(learnt, cond, learnt.table.index(concept)) for cond in host.encode(texts)[0]]

    return run


@pytest.mark.parametrize("concept", ["hair: red", "hat: crown", "background: forest"])
def test_prompts_that_say_it_come_first(scored, concept):
    table, rng = captions.table(), np.random.default_rng(11)
    drawn = [prompts.draw_prompt(table, rng, wording=captions.WORDING) for _ in range(60)]
    says = [table.index(concept) in one.support(table) for one in drawn]
    ranked = sorted(
        zip(scored(concept, [one.text for one in drawn]), says, strict=True), key=lambda pair: pair[0].order
    )
    assert 5 < sum(says) < 55
    assert [said for _, said in ranked] == sorted(says)  # False before True: all that say it behind all that do not


def test_what_does_not_say_it_is_ranked_too(scored):
    texts = ["red hair", "blond hair", "a ginger girl, smiling", "a cat on the mat", ""]
    red, blond, ginger, cat, empty = scored("hair: red", texts)
    assert red.said and not blond.said and blond.instead == ("hair: blond",) and red.instead == ()
    assert red.order > ginger.order > cat.order > empty.order
    assert empty.score == -math.inf  # there is no place for two words
