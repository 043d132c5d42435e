"""What text encoders are like: by hand, and the embedded ones as published beside a pre-trained one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from supsae.evaluation.cases import World
from supsae.evaluation.text import profile
from supsae.evaluation.text.synonyms import words_of
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions

ROOT = Path(__file__).parents[3]
PUBLISHED = json.loads((ROOT / "benchmarks/results/encoder_profile.json").read_text(encoding="utf-8"))
OWN = PUBLISHED["Portraits"]
TABLE = captions.table()
WORLD = World(TABLE, wording=captions.WORDING, longest=captions.LONGEST)


def test_shares_by_hand():
    found = profile._shares({"swapped": 3.0, "words": 1.0, "pad": 4.0})
    assert found == {"swapped": 0.375, "words": 0.125, "pad": 0.5, "of words": 0.75}


def test_the_nearest_phrase_by_hand():
    # phrases at 0°, 90°, 180° and 270° of two concepts; 80° is nearest to 90°, which is the second one's
    own = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    strange = torch.tensor([[0.17, 0.98], [0.98, 0.17]])
    assert profile._nearest(own, [0, 1, 0, 1], strange, [1, 1]) == [True, False]


@pytest.fixture(scope="module")
def host():
    return PortraitsText()


@pytest.fixture(scope="module")
def cases(host):
    return profile.draw_even(host, WORLD, 48, np.random.default_rng(1))


def test_cases_have_equally_many_tokens(host, cases):
    for case in cases:
        one, other = (host.counts(prompt.words) for prompt in (case.prompt, case.rewrite))
        assert {name: sum(some) for name, some in one.items()} == {name: sum(some) for name, some in other.items()}


@pytest.mark.parametrize("name", ["clip", "t5"])
def test_changes_lie_where_the_published_profile_says(host, cases, name):
    found, published = profile.changes(host, TABLE, cases)[name], OWN[name]["change"]
    assert found.keys() == published.keys()
    for kind, value in found.items():  # 48 swaps of other seeds: the shares' standard errors are about 0.03
        assert value == pytest.approx(published[kind], abs=0.1), kind


@pytest.mark.parametrize("name", ["clip", "t5"])
def test_a_change_of_words_stays_in_the_phrase_as_a_real_encoders_does(name):
    # the first version of these encoders wrote every word into every row: 0.37 and 0.19
    real = PUBLISHED["all-MiniLM-L6-v2"]["minilm"]["change"]["of words"]
    assert OWN[name]["change"]["of words"] > 0.7 * real


def test_synonyms_are_those_that_the_table_lacks(host):
    found = profile.synonyms(host, TABLE)
    assert found.keys() == {"clip", "t5", "pooled"} and words_of(TABLE).keys() == set(captions.PARAPHRASES)
    for name, one in found.items():
        assert one["estimate"] == OWN[name]["synonyms"]["estimate"]
